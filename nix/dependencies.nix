# Go's build cache with the standard library and what is vendored, compiled. It sees go.mod, go.sum and vendor/ alone, so an
# edit of the service leaves it as it is. A package that does not compile by itself, because it is not for Linux for
# instance, is left out.
{
  goEnv,
  lib,
  pname,
  runCommand,
  std,
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
runCommand "${pname}-dependencies"
  {
    env = goEnv;
    nativeBuildInputs = [ toolchain ];
    meta.description = "Go's build cache with the standard library and what is vendored";
  }
  ''
    cp -r --no-preserve=mode ${std} $out
    export GOCACHE=$out
    cd ${src}
    go build $(go list -e -f '{{if .GoFiles}}{{.ImportPath}}{{end}}' $(grep -v '^#' vendor/modules.txt)) || true
  ''
