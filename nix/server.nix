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
    allowedReferences = [ ]; # The image has no store.
  }
  ''
    cp -r --no-preserve=mode ${dependencies} $TMPDIR/cache
    export GOCACHE=$TMPDIR/cache
    cd ${source { }}
    go build -v -o $out/bin/server .
  ''
