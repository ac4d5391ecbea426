# Go as the Go team publishes it, in the version that go.mod names. The one in nixpkgs has a patched standard library, with
# store paths in it that end up in what it builds: such an executable would equal nobody else's.
{
  fetchurl,
  lib,
  runCommand,
  stdenvNoCC,
}:
let
  toolchain = lib.findFirst (lib.hasPrefix "toolchain go") (throw "go.mod has no toolchain line") (
    lib.splitString "\n" (builtins.readFile ../go.mod)
  );
  version = lib.removePrefix "toolchain go" toolchain;
  # `sh nix/pin-go` brings the checksums up to date with go.mod.
  archive =
    {
      x86_64-linux = {
        platform = "linux-amd64";
        sha256 = "ecbadb99091a3f46e31f5f934b068b1864eafa7995211b39eaddf76996045fe5";
      };
      aarch64-linux = {
        platform = "linux-arm64";
        sha256 = "94f3e30b8e374bc285e7dadc11e0865726b9bc6e85b841ccceaabc0214c6b7c8";
      };
      aarch64-darwin = {
        platform = "darwin-arm64";
        sha256 = "76812b213b1b2302c978d28fa52fa92d541704b9e7d9d5db8002c50e4018c4c5";
      };
    }
    .${stdenvNoCC.hostPlatform.system};
  src = fetchurl {
    url = "https://go.dev/dl/go${version}.${archive.platform}.tar.gz";
    inherit (archive) sha256;
  };
in
runCommand "go-${version}"
  {
    pname = "go";
    inherit version;
    meta = {
      description = "Go toolchain as the Go team publishes it";
      homepage = "https://go.dev";
      license = lib.licenses.bsd3;
      mainProgram = "go";
    };
  }
  ''
    mkdir $out
    tar -xf ${src} -C $out --strip-components 1
  ''
