# Go's build cache with what comes from others, compiled. It sees go.mod, go.sum and vendor/ alone, so an edit of the
# project's own code leaves it as it is.
{
  lib,
  runCommand,
  toolchain,
}:
let
  src = lib.fileset.toSource {
    root = ../.;
    fileset = lib.fileset.unions [
      ../go.mod
      ../go.sum
      ../vendor
    ];
  };
in
runCommand "dependencies"
  {
    nativeBuildInputs = [ toolchain ];
    # As in the Dockerfile.
    GOOS = "linux";
    GOARCH = "amd64";
    CGO_ENABLED = "0";
    GOFLAGS = "-mod=vendor -trimpath -buildvcs=false -tags=nethttpomithttp2";
  }
  ''
    cd ${src}
    export GOCACHE=$out
    go build $(go list -e -f '{{if .GoFiles}}{{.ImportPath}}{{end}}' $(grep -v '^#' vendor/modules.txt))
    go build log/slog os/signal runtime/debug time/tzdata
  ''
