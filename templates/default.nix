# `nix flake init --template`
let
  top = "${toString ../.}/";
  # Nix can leave out files of a template, but move none: what is in new/ moves by hand. A link would stop Nix halfway where there
  # is a file of that name.
  excluded = "[.]ci|[.]dockerignore|[.]github/workflows/e2e[.]yml|CONTRIBUTING[.]md|Dockerfile[.]web|README[.]md|docs|e2e|findings|flake[.](lock|nix)|nix|templates/(default[.]nix|existing)";
  next = first: ''
    Next, with an app's name of your own:

        ${first}nix flake lock && git commit --all --message "Deploy to Heroku"
        heroku create --stack container my-own-app
        nix run .#deploy -- my-own-app

    The rest: https://github.com/OWNER/NAME
  '';
in
{
  default = {
    description = "A new Go web service on Heroku";
    path = builtins.path {
      name = "service";
      path = ../.;
      filter = path: _: builtins.match "${top}(${excluded})" path == null;
    };
    welcomeText = next "cp -r templates/new/. . && rm -r templates && git init --initial-branch main && git add --all\n    ";
  };
  existing = {
    description = "flake.nix, Dockerfile, .dockerignore, heroku.yml and .gitattributes, for a Go service that you have";
    path = ./existing;
    welcomeText =
      "Where there was a conflict, Nix has kept your file: merge it by hand.\n\n"
      + next "git add .dockerignore .gitattributes Dockerfile flake.nix heroku.yml\n    ";
  };
}
