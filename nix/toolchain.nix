# Go as the Go team publishes it, in the version that this project's go.mod names. The one in nixpkgs has a patched standard
# library, with store paths in it that end up in what it builds: such an executable would equal nobody else's.
pkgs:
let
  inherit (pkgs) lib;
  line = lib.findFirst (lib.hasPrefix "toolchain go") (throw "go.mod has no toolchain line") (
    lib.splitString "\n" (builtins.readFile ../go.mod)
  );
  version = lib.removePrefix "toolchain go" line;
  inherit (pkgs.stdenvNoCC.hostPlatform.go) GOOS GOARCH;
  # `sh nix/pin-go` brings them up to date with go.mod.
  checksums = {
    linux-amd64 = "ecbadb99091a3f46e31f5f934b068b1864eafa7995211b39eaddf76996045fe5";
    linux-arm64 = "94f3e30b8e374bc285e7dadc11e0865726b9bc6e85b841ccceaabc0214c6b7c8";
    darwin-arm64 = "76812b213b1b2302c978d28fa52fa92d541704b9e7d9d5db8002c50e4018c4c5";
  };
  src = pkgs.fetchurl {
    url = "https://go.dev/dl/go${version}.${GOOS}-${GOARCH}.tar.gz";
    sha256 = checksums."${GOOS}-${GOARCH}";
  };
in
pkgs.runCommand "go-${version}"
  {
    pname = "go";
    inherit version;
    meta.mainProgram = "go";
  }
  ''
    mkdir $out
    tar -xf ${src} -C $out --strip-components 1
  ''
