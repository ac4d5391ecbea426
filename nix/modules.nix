# Without vendor/: what `go mod download` lays into its cache, as buildGoModule's proxyVendor does it.
service:
let
  inherit (service) pkgs vendorHash;
in
pkgs.runCommand "${service.name}-modules"
  {
    nativeBuildInputs = [
      service.toolchain
      pkgs.cacert
    ];
    impureEnvVars = pkgs.lib.fetchers.proxyImpureEnvVars ++ [ "GOPROXY" ];
    outputHashMode = "recursive";
    outputHash = if vendorHash == "" then pkgs.lib.fakeHash else vendorHash;
  }
  ''
    export GOPATH=$TMPDIR GOCACHE=$TMPDIR/cache GOTOOLCHAIN=local
    cd ${service.source.server}
    go mod download
    rm -rf $TMPDIR/pkg/mod/cache/download/sumdb
    cp -r $TMPDIR/pkg/mod/cache/download $out
  ''
