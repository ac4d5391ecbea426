# `nix flake check`
{
  formatter,
  jq,
  lib,
  packages,
  runCommand,
}:
let
  inherit (lib.fileset)
    difference
    fileFilter
    maybeMissing
    toSource
    unions
    ;
  goFiles = fileFilter (file: file.hasExt "go") ../.;
  nixFiles = fileFilter (file: file.hasExt "nix") ../.;
in
{
  # The scripts are checked by shellcheck when they are built.
  inherit (packages) deploy push;

  tests =
    let
      src = toSource {
        root = ../.;
        fileset =
          difference
            (unions [
              ../go.mod
              ../go.sum
              ../vendor
              ../internal
              goFiles
            ])
            (unions [
              (maybeMissing ../e2e)
              (maybeMissing ../internal/bump) # Its tests read what is not part of this.
            ]);
      };
    in
    runCommand "tests"
      {
        nativeBuildInputs = [ packages.toolchain ];
        CGO_ENABLED = "0";
        __darwinAllowLocalNetworking = true;
      }
      ''
        export GOCACHE=$TMPDIR/cache
        cd ${src}
        go vet ./...
        go test ./... | tee $out
      '';

  formatting =
    let
      src = toSource {
        root = ../.;
        fileset = difference (unions [
          goFiles
          nixFiles
        ]) ../vendor;
      };
    in
    runCommand "formatting" { nativeBuildInputs = [ formatter ]; } ''
      cp -r ${src} formatted
      chmod -R u+w formatted
      (cd formatted && format)
      diff -r ${src} formatted
      touch $out
    '';

  image = runCommand "image" { nativeBuildInputs = [ jq ]; } ''
    mkdir image
    tar -xf ${packages.image} -C image
    cd image

    echo 'one layer, for linux/amd64, from 1970, with ENTRYPOINT and CMD as Heroku needs them'
    jq --exit-status '.[0].Layers | length == 1' manifest.json >/dev/null
    config=$(jq --raw-output '.[0].Config' manifest.json)
    jq --exit-status '[.os, .architecture, .created, .config.Entrypoint, .config.Cmd]
      == ["linux", "amd64", "1970-01-01T00:00:01Z", ["/server"], ["web"]]' "$config" >/dev/null

    echo 'one file and an empty /tmp'
    layer=$(jq --raw-output '.[0].Layers[0]' manifest.json)
    tar --numeric-owner -tvf "$layer" | grep -v ' \./$' | tr -s ' ' | cut -d ' ' -f 1,2,6 | diff - <(
      echo '-rwxr-xr-x 0/0 ./server'
      echo 'drwxrwxrwt 0/0 ./tmp/'
    )

    echo 'the executable that Nix has built, without a store path in it'
    tar -xOf "$layer" ./server | cmp - ${packages.server}/bin/server
    if grep --quiet /nix/store ${packages.server}/bin/server; then exit 1; fi

    echo 'the ID'
    test "sha256:$(sha256sum <"$config" | cut -d ' ' -f 1)" = "$(cat ${packages.image.id})"

    size=$(gzip -9 <"$layer" | wc -c)
    echo "$size bytes compressed, want less than 3250000: raise this limit in nix/checks.nix if what you add is worth it"
    test "$size" -lt 3250000
    echo "$size" >$out
  '';
}
