# `nix flake init --template`
let
  top = "${toString ../.}/";
  # Of nix/ a new service takes nix/new/ alone: Nix can leave out files of a template, but move none. A link would stop it halfway
  # where there is a file of that name.
  excluded = "[.]ci|[.]github/workflows/e2e[.]yml|CONTRIBUTING[.]md|e2e|findings|Dockerfile[.]web|flake[.](lock|nix)|nix/([^/]*[.].*|pin-go)";
  next = first: ''
    Next, with an app's name of your own:

        ${first}
        git add --all   # Nix sees only files that git knows
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
    welcomeText = next "mv nix/new/flake.nix . && rmdir -p nix/new && ln -s Dockerfile Dockerfile.web && git init --initial-branch main";
  };
  existing = {
    description = "flake.nix, three files for Docker and .gitattributes, for an existing Go service";
    path = ./.existing;
    welcomeText = next "# Where there was a conflict, Nix has kept your file: merge it by hand.";
  };
}
