# What a build sees: the files that git tracks without the names below and, by default, without tests. These cannot change the
# executable. The names count at the top alone: a package may be called nix, and docs/README.md may be embedded. .dockerignore
# excludes the same.
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
