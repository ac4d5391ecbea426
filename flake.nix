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
      built = nixpkgs.lib.genAttrs systems (system: import ./nix nixpkgs.legacyPackages.${system});
      eachSystem = output: builtins.mapAttrs (_: output) built;
    in
    {
      packages = eachSystem (made: made.packages // { default = made.packages.image; });

      # `nix run . -- APP`
      apps = eachSystem (made: {
        default = {
          type = "app";
          program = nixpkgs.lib.getExe made.packages.deploy;
          inherit (made.packages.deploy) meta;
        };
      });

      devShells = eachSystem (made: { default = made.shell; });

      checks = eachSystem (made: made.checks);

      formatter = eachSystem (made: made.formatter);

      templates.default = import ./nix/template.nix;
    };
}
