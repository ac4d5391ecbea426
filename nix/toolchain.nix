# Go as the Go team publishes it, in the version that this project's go.mod names: the module golang.org/toolchain, which
# GOTOOLCHAIN uses everywhere else, and which Go's checksum database vouches for. The Go in nixpkgs has a patched standard
# library, with store paths in it that end up in what it builds: such an executable would equal nobody else's.
pkgs:
let
  version = builtins.head (
    builtins.match ".*\ntoolchain go([0-9a-z.]+).*" (builtins.readFile ../go.mod)
  );
  inherit (pkgs.stdenvNoCC.hostPlatform.go) GOOS GOARCH;
  # `sh .ci/pin-go` brings them up to date with go.mod, and changes nothing if they are right.
  hashes = {
    linux-amd64 = "sha256-E6Nk3DAOZTXcx37FCBqMSbe1+gsH9/UOIl+/JctiQ/Y=";
    linux-arm64 = "sha256-vIpIOg1enPjlI5xVUz1EQm7tjnQE0CFhLDEegq2tojc=";
    darwin-arm64 = "sha256-FLWddyz+Py1BeE8xPiznknmxO5Jp24vkI98poxKSjLw=";
  };
in
pkgs.fetchzip {
  name = "go-${version}";
  url = "https://go.dev/dl/mod/golang.org/toolchain/@v/v0.0.1-go${version}.${GOOS}-${GOARCH}.zip";
  hash = hashes."${GOOS}-${GOARCH}";
  stripRoot = false;
  # As the go command does it, and pin-go.
  postFetch = ''
    mv $out/golang.org/toolchain@*/* $out
    rmdir $out/golang.org/* $out/golang.org
    find $out -type f -exec chmod 644 {} +
    chmod 755 $out/bin/* $out/pkg/tool/*/*
    find $out/src -name _go.mod | while read -r file; do mv $file ''${file%_go.mod}go.mod; done
  '';
  passthru = { inherit version; };
  meta.mainProgram = "go";
}
