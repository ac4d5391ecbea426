{
  description = "Go services on Heroku: container images of one static file";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";

  outputs =
    { self, nixpkgs }:
    let
      lib = import ./nix nixpkgs;
    in
    lib.mkFlake {
      src = self;
      commands.web = "web";
      maxSize = 3550000;
      systemFiles = false; # main.go imports root certificates and time zones.
    }
    // {
      inherit lib;
      templates = import ./templates;
    };
}
