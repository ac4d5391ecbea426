# The executable of a folder, on every system, the same to the byte as what the Dockerfile builds.
service: main:
let
  inherit (service) lib name run;
  inherit (service) dependencies ldflags source;
in
run "${name}-server"
  {
    allowedReferences = [ ]; # The image has no store.
    meta.mainProgram = "server";
  }
  ''
    cd ${source.server}
    main=${lib.escapeShellArg (toString main)}
    main=''${main:-$(GO111MODULE=off GOFLAGS=''${GOFLAGS%% -mod=*} GOCACHE=$TMPDIR go list -e -find -f '{{if eq .Name "main"}}{{.Dir}}{{end}}' . ./cmd/*/)}
    main=''${main//$PWD/.}
    [[ $main && $main != *$'\n'* ]] ||
      { echo "go-on-heroku: main = null: want one package main in . and cmd/* that git knows, not" ''${main:-none}: set main; exit 1; } >&2
    # Read in place: a copy, even of links, takes seconds. Builders cannot write to the store, and what go would write there
    # can be missing, but for its index of packages: hence goindex=0. Without a sandbox, root can write there.
    dependencies=${dependencies}
    if [[ -w $dependencies || -L $main/default.pgo ]]; then
      dependencies=$(mktemp -d)
      cp -r --no-preserve=mode ${dependencies}/. $dependencies
    fi
    if [[ -e go.work ]]; then # Go may write go.work.sum.
      cp -r --no-preserve=mode . $TMPDIR/src
      cd $TMPDIR/src
    fi
    export GOCACHE=$dependencies/cache GOMODCACHE=$dependencies/modules GODEBUG=goindex=0
    ldflags="-s -w -buildid= "${lib.escapeShellArg (toString ldflags)}
    go build -C "$main" -v -ldflags "$ldflags" -o $TMPDIR/bin/
    install -D $TMPDIR/bin/* $out/bin/server
  ''
