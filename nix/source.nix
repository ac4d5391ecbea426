# What a build sees: the files that git tracks, but for the names below and, unless asked for, tests. Nothing of it can
# change the executable. The names count at the top alone: a package may be called nix, and docs/README.md be embedded.
# .dockerignore says the same.
{
  tests ? false,
}:
let
  root = ../.;
  excluded = map (name: "${toString root}/${name}") [
    ".ci"
    ".dockerignore"
    ".env"
    ".gitattributes"
    ".github"
    ".gitignore"
    "CONTRIBUTING.md"
    "Dockerfile"
    "Dockerfile.web"
    "LICENSE"
    "README.md"
    "app.json"
    "e2e"
    "elsewhere"
    "flake.lock"
    "flake.nix"
    "heroku.yml"
    "nix"
  ];
in
builtins.path {
  name = "source";
  path = root;
  filter =
    path: _:
    !builtins.elem path excluded && (tests || builtins.match ".*_test[.]go" (baseNameOf path) == null);
}
