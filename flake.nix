{
  description = "Go on Heroku: a web server in a container image of one static file";

  # The next release: nixos-26.11 here, then `nix flake update`.
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";

  outputs =
    { self, nixpkgs }:
    let
      # The image is for linux/amd64, wherever it is built.
      systems = [
        "x86_64-linux"
        "aarch64-linux"
        "aarch64-darwin"
      ];
      eachSystem =
        output:
        nixpkgs.lib.genAttrs systems (system: output (import ./nix nixpkgs.legacyPackages.${system}));
    in
    {
      packages = eachSystem (built: built.packages // { default = built.packages.image; });

      # `nix run . -- APP`
      apps = eachSystem (built: {
        default = {
          type = "app";
          program = nixpkgs.lib.getExe built.packages.deploy;
          inherit (built.packages.deploy) meta;
        };
      });

      devShells = eachSystem (built: { default = built.shell; });

      checks = eachSystem (built: built.checks);

      formatter = eachSystem (built: built.formatter);

      templates.default = import ./nix/template.nix;
    };
}
