# The executable for the image, linux/amd64 on every system, the same to the byte as what the Dockerfile builds.
{
  lib,
  runCommand,
  toolchain,
  dependencies,
}:
let
  inherit (lib.fileset)
    difference
    fileFilter
    maybeMissing
    unions
    ;
  # As in .dockerignore: what is not named here cannot change the executable, nor cause a build.
  src = lib.fileset.toSource {
    root = ../.;
    fileset =
      difference
        (unions [
          ../go.mod
          ../go.sum
          ../vendor
          ../internal
          (fileFilter (file: file.hasExt "go") ../.)
        ])
        (unions [
          (maybeMissing ../e2e)
          (maybeMissing ../internal/bump)
          (maybeMissing ../internal/herokutest)
          (fileFilter (file: lib.hasSuffix "_test.go" file.name) ../.)
        ]);
  };
in
runCommand "server"
  {
    nativeBuildInputs = [ toolchain ];
    inherit (dependencies)
      GOOS
      GOARCH
      CGO_ENABLED
      GOFLAGS
      ;
    allowedReferences = [ ]; # Nothing of the store would be there in the image.
  }
  ''
    export GOCACHE=$TMPDIR/cache
    cp -r ${dependencies} $GOCACHE
    chmod -R u+w $GOCACHE
    cd ${src}
    go build -v -ldflags "-s -w -buildid=" -o $out/bin/server .
  ''
