# Without vendor/: what `go mod download` lays into its cache, as buildGoModule's proxyVendor does it.
service:
let
  # In the name, so that the hash is checked again after a change.
  sums = builtins.hashString "sha256" (
    toString (map (file: builtins.readFile "${service.src}/${file}") service.sums)
  );
in
service.pkgs.runCommand "${service.name}-modules-${builtins.substring 0 8 sums}"
  {
    nativeBuildInputs = [
      service.toolchain
      service.pkgs.cacert
    ];
    impureEnvVars = service.pkgs.lib.fetchers.proxyImpureEnvVars ++ [ "GOPROXY" ];
    outputHashMode = "recursive";
    outputHashAlgo = "sha256";
    outputHash = service.vendorHash;
  }
  ''
    export HOME=$TMPDIR GOPATH=$TMPDIR GOCACHE=$TMPDIR/cache GOTOOLCHAIN=local
    mkdir -p $TMPDIR/pkg/mod/cache/download
    cp -r --no-preserve=mode ${service.source.dependencies} src
    for sum in ${service.pkgs.lib.escapeShellArgs service.sums}; do go mod download -C "$(dirname "src/$sum")"; done
    rm -rf $TMPDIR/pkg/mod/cache/download/sumdb
    cp -r $TMPDIR/pkg/mod/cache/download $out
  ''
