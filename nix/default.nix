# What the flake makes on one system.
pkgs:
let
  inherit (pkgs) lib;
  arguments = pkgs // packages // shared;
  callPackage = lib.callPackageWith arguments;

  shared = {
    pname = "heroku-go-example";
    version = "0";
    meta = {
      description = "Web server in Go, one static file";
      license = lib.licenses.mit0;
      mainProgram = "server";
    };
    # As in the Dockerfile.
    goEnv = {
      GOOS = "linux";
      GOARCH = "amd64";
      CGO_ENABLED = "0";
      GOFLAGS = "-trimpath -buildvcs=false '-ldflags=-s -w -buildid='";
    };
    source = import ./source.nix;
    formatter = callPackage ./formatter.nix { };
  };

  packages = {
    toolchain = callPackage ./toolchain.nix { };
    std = callPackage ./std.nix { };
    dependencies = callPackage ./dependencies.nix { };
    server = callPackage ./server.nix { };
    image = callPackage ./image.nix { };
    sbom = callPackage ./sbom.nix { };
    push = callPackage ./deploy.nix { program = "push"; };
    deploy = callPackage ./deploy.nix { program = "deploy"; };
  };
in
{
  inherit packages;
  inherit (shared) formatter;
  shell = callPackage ./shell.nix { };
  checks = lib.callPackagesWith arguments ./checks.nix { };
}
