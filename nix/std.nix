# Go's build cache with the standard library, compiled. It depends on the toolchain and the flags alone: services share it.
pkgs: toolchain: env:
pkgs.runCommand "go-std-${toolchain.version}"
  {
    inherit env;
    nativeBuildInputs = [ toolchain ];
  }
  ''
    export GOCACHE=$out
    go build std
  ''
