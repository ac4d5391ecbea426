# `nix flake init --template`: the project without what concerns this one alone.
let
  root = ../.;
  excluded = map (name: "${toString root}/${name}") [
    ".ci"
    ".github/workflows/e2e.yml"
    "CONTRIBUTING.md"
    "e2e"
  ];
in
{
  path = builtins.path {
    name = "go-on-heroku";
    path = root;
    filter = path: _: !builtins.elem path excluded;
  };
  description = "A Go web server on Heroku, in an image of one static file";
  welcomeText = ''
    # A Go web server on Heroku

    Nix sees only files that git knows. So first:

        git init --initial-branch main
        git add --all
        git commit --message 'Start from a template'

    Then:

        go run .                       # http://localhost:8080
        nix run .#deploy -- my-own-app

    README.md says how to make the app, and which files to edit first.
  '';
}
