# Go's build cache with net/http, compiled, which is most of the work. It depends on the toolchain and the flags alone: services share it.
pkgs: toolchain: env:
pkgs.runCommand "go-std-${toolchain.version}"
  {
    inherit env;
    nativeBuildInputs = [ toolchain ];
  }
  "GOCACHE=$out go build net/http"
