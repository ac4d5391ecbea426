# `nix flake check`
{
  dependencies,
  deploy,
  formatter,
  goEnv,
  image,
  jq,
  lib,
  pname,
  push,
  runCommand,
  server,
  shellcheck,
  source,
  toolchain,
}:
{
  inherit deploy push;

  go-version = runCommand "${pname}-go-version" { } ''
    grep -F 'ARG GO_IMAGE=golang:${toolchain.version}-' ${../Dockerfile} >$out || {
      echo 'go.mod says toolchain go${toolchain.version}, the ARG in Dockerfile another version: run sh nix/pin-go'
      exit 1
    }
  '';

  scripts = runCommand "${pname}-scripts" { nativeBuildInputs = [ shellcheck ]; } ''
    shellcheck ${./deploy.sh} ${./pin-go} >$out
  '';

  tests =
    runCommand "${pname}-tests"
      {
        env = {
          inherit (goEnv) CGO_ENABLED GOFLAGS;
        };
        nativeBuildInputs = [ toolchain ];
        __darwinAllowLocalNetworking = true;
      }
      ''
        cp -r --no-preserve=mode ${dependencies} $TMPDIR/cache
        export GOCACHE=$TMPDIR/cache
        cd ${source { tests = true; }}
        go vet ./...
        go test ./... | tee $out
      '';

  formatting =
    let
      src = lib.fileset.toSource {
        root = ../.;
        fileset = lib.fileset.difference (lib.fileset.fileFilter (
          file: file.hasExt "go" || file.hasExt "nix"
        ) ../.) (lib.fileset.maybeMissing ../vendor);
      };
    in
    runCommand "${pname}-formatting" { } ''
      cp -r --no-preserve=mode ${src} formatted
      (cd formatted && ${lib.getExe formatter})
      diff -r ${src} formatted
      touch $out
    '';

  image = runCommand "${pname}-image" { nativeBuildInputs = [ jq ]; } ''
    mkdir image
    tar -xf ${image} -C image
    cd image

    echo 'one layer, for linux/amd64, from 1970, with ENTRYPOINT and CMD as Heroku needs them'
    jq --exit-status '.[0].Layers | length == 1' manifest.json >/dev/null
    config=$(jq --raw-output '.[0].Config' manifest.json)
    jq --exit-status '[.os, .architecture, .created, .config.Entrypoint, .config.Cmd]
      == ["linux", "amd64", "1970-01-01T00:00:01Z", ["/server"], ["web"]]' "$config" >/dev/null

    echo 'one file and an empty /tmp'
    layer=$(jq --raw-output '.[0].Layers[0]' manifest.json)
    tar --numeric-owner -tvf "$layer" | tr -s ' ' | cut -d ' ' -f 1,2,6 | diff - <(
      echo 'drwxr-xr-x 0/0 ./'
      echo '-rwxr-xr-x 0/0 ./server'
      echo 'drwxrwxrwt 0/0 ./tmp/'
    )

    echo 'the executable that Nix has built, without a store path in it'
    tar -xOf "$layer" ./server | cmp - ${server}/bin/server
    if grep --quiet /nix/store ${server}/bin/server; then exit 1; fi

    echo 'the ID'
    test "sha256:$(sha256sum <"$config" | cut -d ' ' -f 1)" = "$(cat ${image.id})"

    size=$(gzip -9 <"$layer" | wc -c)
    echo "$size bytes compressed, want less than 3550000: raise this limit in nix/checks.nix if what you add is worth it"
    test "$size" -lt 3550000
    echo "$size" >$out
  '';
}
