# `nix develop`
{ pkgs, toolchain, ... }:
let
  # The toolchain builds them when they are first used. Those of nixpkgs come from an older Go and cannot read what this one
  # compiles.
  goTool = name: package: pkgs.writeShellScriptBin name ''exec go run ${package} "$@"'';
in
pkgs.mkShellNoCC {
  packages = [
    toolchain
    (goTool "gopls" "golang.org/x/tools/gopls@v0.24.0")
    (goTool "staticcheck" "honnef.co/go/tools/cmd/staticcheck@v0.8.2")
    pkgs.heroku
    pkgs.jq
    pkgs.skopeo
  ];
  env = {
    CGO_ENABLED = "0"; # As in the builds.
    GOTOOLCHAIN = "local";
  };
  shellHook = "unset SOURCE_DATE_EPOCH"; # BuildKit prefers it to the Dockerfile's, and would give other image IDs.
}
