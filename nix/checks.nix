# `nix flake check`
service:
let
  inherit (service) lib name pkgs;
  inherit (service) images maxSize source;
  inherit (service) formatter run toolchain;
in
lib.concatMapAttrs (type: image: {
  "image-${type}" = pkgs.runCommand "${name}-check-${type}" { nativeBuildInputs = [ pkgs.jq ]; } ''
    tar -xf ${image}
    echo 'for linux/amd64, from 1970, with ENTRYPOINT and CMD as Heroku needs them, not for root, and the ID'
    config=$(jq --raw-output '.[0].Config' manifest.json)
    jq --exit-status --argjson words ${lib.escapeShellArg (builtins.toJSON image.words)} '[.os, .architecture, .created, .config.Entrypoint, .config.Cmd, .config.User]
      == ["linux", "amd64", "1970-01-01T00:00:01Z", ["/server"] + $words[:-1], $words[-1:], "10001:10001"]' "$config" >/dev/null
    test "sha256:$(sha256sum <"$config" | cut -d ' ' -f 1)" = "$(cat ${image.id})"

    echo 'one layer, with the executable, an empty /tmp and what the option files names'
    layer=$(jq --raw-output '.[0].Layers | join(" ")' manifest.json)
    tar --numeric-owner -tvf "$layer" | tr -s ' ' | cut -d ' ' -f 1,2,6 >list
    test 3 = $(grep -Fxc -e 'drwxr-xr-x 0/0 ./' -e '-rwxr-xr-x 0/0 ./server' -e 'drwxrwxrwt 0/0 ./tmp/' list)
    mkdir expected
    (cd expected && ${image.copyFiles})
    test $(wc -l <list) = $(($(find expected | wc -l) + 2))
    tar -xOf "$layer" ./server | cmp - ${image.server}/bin/server

    size=$(gzip -9n <"$layer" | wc -c)
    max=${toString maxSize}
    echo "$size bytes compressed, want ''${max:-any number} at most: raise maxSize in flake.nix if what you add is worth it"
    test "$size" -le "''${max:-$size}"
    touch $out
  '';
}) images
// {
  # Nix takes Go from this flake, Docker what its Dockerfile names.
  go-version = pkgs.runCommand "${name}-go-version" { } ''
    cd ${source.all}
    want=GOTOOLCHAIN=go${toolchain.version}+auto
    set +o pipefail # There may be no Dockerfile, or a link that leads nowhere.
    ! grep -ls '^ARG GO_IMAGE=' Dockerfile* | xargs -r grep -H GOTOOLCHAIN= | grep -Fv $want >$out ||
      { cat $out; echo "this flake builds with go${toolchain.version}: want $want"; false; }
  '';

  tests = run "${name}-tests" { __darwinAllowLocalNetworking = true; } ''
    export HOME=$TMPDIR GOFLAGS=''${GOFLAGS/-trimpath/} # Tests may look for files by the path of their source,
    unset GOOS GOARCH # and run here.
    cp -r ${source.all} src
    chmod -R u+w src
    cd src
    packages=./...
    [[ -e go.mod ]] || packages=work # Those of the modules in go.work, and of vendor/.
    go vet $packages
    go test $packages | tee $out
  '';

  formatting = pkgs.runCommand "${name}-formatting" { } ''
    cp -r --no-preserve=mode ${source.all} formatted
    (cd formatted && HOME=$TMPDIR ${lib.getExe formatter})
    diff -r --no-dereference ${source.all} formatted | tee $out
  '';
}
