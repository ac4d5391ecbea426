# Without vendor/: what `go mod download` lays into its cache, as buildGoModule's proxyVendor does it.
service:
let
  inherit (service) lib name pkgs;
  inherit (service) source sums toolchain;
  # In the name, so that the hash is checked again after a change.
  contents = toString (map (sum: builtins.readFile "${source.server}/${sum}") sums);
in
pkgs.runCommand "${name}-modules-${builtins.substring 0 8 (builtins.hashString "sha256" contents)}"
  {
    nativeBuildInputs = [
      toolchain
      pkgs.cacert
    ];
    impureEnvVars = lib.fetchers.proxyImpureEnvVars ++ [ "GOPROXY" ];
    outputHashMode = "recursive";
    outputHashAlgo = "sha256";
    outputHash = service.vendorHash;
  }
  ''
    export HOME=$TMPDIR GOPATH=$TMPDIR GOCACHE=$TMPDIR/cache GOTOOLCHAIN=local
    mkdir -p $TMPDIR/pkg/mod/cache/download
    cp -r --no-preserve=mode ${source.dependencies} src
    for sum in ${lib.escapeShellArgs sums}; do go mod download -C "$(dirname "src/$sum")"; done
    rm -rf $TMPDIR/pkg/mod/cache/download/sumdb
    cp -r $TMPDIR/pkg/mod/cache/download $out
  ''
