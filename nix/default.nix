# The functions of this flake, for any Go service. docs/existing.md lists their options.
nixpkgs:
let
  inherit (nixpkgs) lib;
  service = import ./service.nix "amd64"; # As Heroku.
in
{
  # A whole flake. Its images are for linux/amd64 and linux/arm64, wherever they are built.
  mkFlake =
    options:
    let
      systems = [
        "x86_64-linux"
        "aarch64-linux"
        "aarch64-darwin"
      ];
      made = lib.genAttrs systems (system: service nixpkgs.legacyPackages.${system} options);
      eachSystem = output: builtins.mapAttrs (_: output) made;
    in
    {
      packages = eachSystem (made: made.packages // { default = made.packages.image; });
      # `nix run . -- APP`
      apps = eachSystem (made: {
        default = {
          type = "app";
          program = lib.getExe made.packages.deploy;
          inherit (made.packages.deploy) meta;
        };
      });
      devShells = eachSystem (made: {
        default = made.shell;
      });
      checks = eachSystem (made: made.checks // { inherit (made.packages) push deploy verify; });
      formatter = eachSystem (made: made.formatter);
    };

  # The packages alone, for a flake that has outputs of its own.
  mkPackages = pkgs: options: (service pkgs options).packages;
}
