# Go's build cache with the standard library, compiled. It depends on the toolchain and the flags alone.
{
  goEnv,
  runCommand,
  toolchain,
}:
runCommand "go-std-${toolchain.version}"
  {
    env = goEnv;
    nativeBuildInputs = [ toolchain ];
    meta.description = "Go's build cache with the standard library";
  }
  ''
    export GOCACHE=$out
    go build std
  ''
