{
  description = "Go on Heroku: a web server in a container image of one static file";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";

  outputs =
    { self, nixpkgs }:
    let
      # The image is for linux/amd64, wherever it is built.
      systems = [
        "x86_64-linux"
        "aarch64-linux"
        "x86_64-darwin"
        "aarch64-darwin"
      ];
      eachSystem =
        outputs:
        nixpkgs.lib.genAttrs systems (
          system: outputs nixpkgs.legacyPackages.${system} self.packages.${system}
        );
      app = package: {
        type = "app";
        program = nixpkgs.lib.getExe package;
        inherit (package) meta;
      };
    in
    {
      packages = eachSystem (
        pkgs: packages: {
          default = packages.image;
          toolchain = pkgs.callPackage ./nix/toolchain.nix { };
          dependencies = pkgs.callPackage ./nix/dependencies.nix { inherit (packages) toolchain; };
          server = pkgs.callPackage ./nix/server.nix { inherit (packages) toolchain dependencies; };
          image = pkgs.callPackage ./nix/image.nix { inherit (packages) server; };
          sbom = pkgs.callPackage ./nix/sbom.nix { inherit (packages) toolchain dependencies server; };
          push = pkgs.callPackage ./nix/deploy.nix {
            name = "push";
            inherit (packages) image;
          };
          deploy = pkgs.callPackage ./nix/deploy.nix {
            name = "deploy";
            inherit (packages) image;
          };
        }
      );

      apps = eachSystem (
        _: packages: {
          push = app packages.push;
          deploy = app packages.deploy;
        }
      );

      devShells = eachSystem (
        pkgs: packages: {
          default = pkgs.callPackage ./nix/shell.nix { inherit (packages) toolchain; };
        }
      );

      checks = eachSystem (
        pkgs: packages:
        pkgs.callPackages ./nix/checks.nix {
          inherit packages;
          formatter = self.formatter.${pkgs.stdenv.hostPlatform.system};
        }
      );

      formatter = eachSystem (
        pkgs: packages: pkgs.callPackage ./nix/formatter.nix { inherit (packages) toolchain; }
      );

      templates.default = {
        path = ./.;
        description = "A Go web server on Heroku, in an image of one static file";
      };
    };
}
