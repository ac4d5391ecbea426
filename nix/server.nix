# The executable for the image, linux/amd64 on every system, the same to the byte as what the Dockerfile builds.
{
  dependencies,
  goEnv,
  meta,
  pname,
  runCommand,
  source,
  toolchain,
  version,
}:
runCommand "${pname}-${version}"
  {
    inherit pname version meta;
    env = goEnv;
    nativeBuildInputs = [ toolchain ];
    allowedReferences = [ ]; # Nothing of the store would be there in the image.
  }
  ''
    cp -r --no-preserve=mode ${dependencies} $TMPDIR/cache
    export GOCACHE=$TMPDIR/cache
    cd ${source { }}
    go build -v -o $out/bin/server .
  ''
