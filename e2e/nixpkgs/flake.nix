# A test double of nixpkgs, for machines that cannot reach it: just the functions that ../../flake.nix uses, with the meaning
# that the nixpkgs manual gives them, made from the host's tools. The sandbox has to let in /bin, /lib, /lib64 and /usr of
# the host, Go's modules golang.org/toolchain as /toolchains, /cyclonedx-gomod and /etc/ssl/certs/ca-certificates.crt.
#
# It shows that the flake evaluates, that its scripts work and what they build. It cannot show that nixpkgs has these functions
# and packages, that they work on other systems than this one, or that nixfmt would leave the Nix files as they are.
{
  outputs = _: rec {
    lib = {
      genAttrs =
        names: value:
        builtins.listToAttrs (
          map (name: {
            inherit name;
            value = value name;
          }) names
        );
      getExe = package: "${package}/bin/${package.meta.mainProgram}";
      hasPrefix = prefix: text: builtins.substring 0 (builtins.stringLength prefix) text == prefix;
      removePrefix =
        prefix: text:
        if lib.hasPrefix prefix text then
          builtins.substring (builtins.stringLength prefix) (-1) text
        else
          text;
      hasSuffix =
        suffix: text: builtins.match ".*${builtins.replaceStrings [ "." ] [ "[.]" ] suffix}" text != null;
      removeSuffix =
        suffix: text:
        if lib.hasSuffix suffix text then
          builtins.substring 0 (builtins.stringLength text - builtins.stringLength suffix) text
        else
          text;
      splitString = separator: text: builtins.filter builtins.isString (builtins.split separator text);
      inherit (builtins) concatMap concatStringsSep head;
      versionOlder = version: other: builtins.compareVersions version other < 0;
      concatMapStrings = text: list: builtins.concatStringsSep "" (map text list);
      last = list: builtins.elemAt list (builtins.length list - 1);
      init = list: builtins.genList (builtins.elemAt list) (builtins.length list - 1);
      toList = value: if builtins.isList value then value else [ value ];
      optionalString = condition: text: if condition then text else "";
      unique = builtins.foldl' (
        list: value: if builtins.elem value list then list else list ++ [ value ]
      ) [ ];
      nameValuePair = name: value: { inherit name value; };
      mapAttrsToList = value: set: map (name: value name set.${name}) (builtins.attrNames set);
      concatMapAttrsStringSep =
        separator: text: set:
        builtins.concatStringsSep separator (lib.mapAttrsToList text set);
      concatMapAttrs =
        value: set: builtins.foldl' (all: more: all // more) { } (lib.mapAttrsToList value set);
      escapeShellArg = value: "'${builtins.replaceStrings [ "'" ] [ "'\\''" ] (toString value)}'";
      escapeShellArgs = list: builtins.concatStringsSep " " (map lib.escapeShellArg list);
      # For ASCII.
      toLower = builtins.replaceStrings (lib.stringToCharacters "ABCDEFGHIJKLMNOPQRSTUVWXYZ") (
        lib.stringToCharacters "abcdefghijklmnopqrstuvwxyz"
      );
      stringToCharacters =
        text: builtins.genList (i: builtins.substring i 1 text) (builtins.stringLength text);
      filesystem.listFilesRecursive =
        folder:
        builtins.concatLists (
          lib.mapAttrsToList (
            name: type:
            if type == "directory" then
              lib.filesystem.listFilesRecursive (folder + "/${name}")
            else
              [ (folder + "/${name}") ]
          ) (builtins.readDir folder)
        );
      fetchers.proxyImpureEnvVars = [
        "http_proxy"
        "https_proxy"
      ];
    };

    legacyPackages = lib.genAttrs [ "x86_64-linux" "aarch64-linux" "aarch64-darwin" ] (
      system:
      let
        pkgs = legacyPackages.${system};
        bin = packages: builtins.concatStringsSep ":" (map (package: "${package}/bin") packages);
        script =
          name: meta: text: check:
          pkgs.runCommand name { inherit text meta; } ''
            mkdir -p $out/bin
            echo "$text" >$out/bin/$name
            chmod 755 $out/bin/$name
            ${check}
          '';
        # A package with programs of the host.
        host =
          name: programs:
          pkgs.runCommand name { } ''
            mkdir -p $out/bin
            for program in ${programs}; do ln -s "$(type -P "$program")" $out/bin/; done
          '';
        make =
          arguments:
          let
            meta = arguments.meta or { };
            passthru = arguments.passthru or { };
            env = arguments.env or { };
          in
          assert builtins.intersectAttrs env arguments == { };
          derivation (
            {
              inherit system;
              builder = "/bin/bash";
              args = [
                "-eo"
                "pipefail"
                "-c"
                "eval \"$script\""
              ];
              outputs = [ "out" ];
              PATH = bin (arguments.nativeBuildInputs or [ ]) + ":/usr/bin:/bin";
              SOURCE_DATE_EPOCH = "315532800";
            }
            // env
            // builtins.removeAttrs arguments [
              "env"
              "meta"
              "nativeBuildInputs"
              "passthru"
            ]
          )
          // passthru
          // {
            inherit meta passthru;
          };
      in
      {
        inherit lib;
        stdenvNoCC.hostPlatform.go =
          {
            x86_64-linux = {
              GOOS = "linux";
              GOARCH = "amd64";
            };
            aarch64-linux = {
              GOOS = "linux";
              GOARCH = "arm64";
            };
            aarch64-darwin = {
              GOOS = "darwin";
              GOARCH = "arm64";
            };
          }
          .${system};

        runCommand =
          name: arguments: script:
          make ({ inherit name script; } // arguments);

        # It fetches nothing: the one thing that the flake fetches is Go, which the host has as a module. As the real one, it is a
        # fixed-output derivation: the hash is of what postFetch leaves.
        fetchzip =
          {
            name,
            url,
            hash,
            stripRoot,
            postFetch,
            passthru,
            meta,
          }:
          assert !stripRoot;
          make {
            inherit name passthru meta;
            outputHash = hash;
            outputHashMode = "recursive";
            outputHashAlgo = if hash == "" then "sha256" else null;
            script = ''
              unzip -qq /toolchains/${baseNameOf url} -d $out
              chmod -R +w $out
              ${postFetch}
              chmod 755 $out
            '';
          };

        mkShellNoCC =
          { packages, ... }@arguments:
          pkgs.runCommand "nix-shell" (
            builtins.removeAttrs arguments [ "packages" ] // { nativeBuildInputs = packages; }
          ) "export >$out";

        writeShellScriptBin = name: text: script name { mainProgram = name; } "#!/bin/bash\n${text}" "";

        writeShellApplication =
          {
            name,
            text,
            runtimeInputs ? [ ],
            runtimeEnv ? { },
            meta ? { },
          }:
          let
            export = key: "${key}=${lib.escapeShellArg runtimeEnv.${key}}\nexport ${key}\n";
          in
          script name ({ mainProgram = name; } // meta) ''
            #!/bin/bash
            set -o errexit
            set -o nounset
            set -o pipefail
            ${builtins.concatStringsSep "" (map export (builtins.attrNames runtimeEnv))}
            export PATH="${bin runtimeInputs}:$PATH"
            ${text}'' "shellcheck $out/bin/$name";

        dockerTools =
          let
            tools = runCommand: {
              override = { runCommand }: tools runCommand;
              buildImage =
                {
                  name,
                  tag,
                  compressor,
                  architecture,
                  config,
                  extraCommands,
                }:
                assert compressor == "none";
                let
                  created = "1970-01-01T00:00:01Z";
                  json = builtins.toJSON {
                    inherit architecture config created;
                    os = "linux";
                    preferLocalBuild = true;
                  };
                in
                runCommand "docker-image-${name}.tar"
                  {
                    inherit extraCommands json;
                    nativeBuildInputs = [ pkgs.jq ];
                  }
                  ''
                    archive() { tar --sort=name --mtime=@$SOURCE_DATE_EPOCH --owner=0 --group=0 "$@"; }
                    mkdir layer image
                    chmod ug+w layer
                    (cd layer; eval "$extraCommands")
                    archive -C layer -cf layer.tar .
                    layer=$(sha256sum layer.tar | cut -d ' ' -f 1)
                    jq ".config.Env = [] | . + {rootfs: {type: \"layers\", diff_ids: [\"sha256:$layer\"]}, history: [{created}]}" <<<"$json" >config
                    id=$(sha256sum config | cut -d ' ' -f 1)
                    mkdir image/$layer
                    mv layer.tar image/$layer/
                    mv config image/$id.json
                    echo "[{\"Config\": \"$id.json\", \"RepoTags\": [\"${name}:${tag}\"], \"Layers\": [\"$layer/layer.tar\"]}]" >image/manifest.json
                    archive -C image --transform 's,^\./,,' -cf $out .
                  '';
            };
          in
          tools pkgs.runCommand;

        # `nix develop` itself asks for it.
        bashInteractive = host "bash" "bash";
        coreutils = host "coreutils" "cat cut head mktemp paste rm sha256sum sleep tail";
        curl = host "curl" "curl";
        gnugrep = host "gnugrep" "grep";
        findutils = host "findutils" "find";
        jq = host "jq" "jq";
        skopeo = host "skopeo" "skopeo";
        unzip = host "unzip" "unzip";
        cyclonedx-gomod = pkgs.runCommand "cyclonedx-gomod" { } ''
          mkdir -p $out/bin
          ln -s /cyclonedx-gomod $out/bin/
        '';
        # The sandbox has no network.
        cacert = pkgs.runCommand "cacert" { } ''
          mkdir -p $out/etc/ssl/certs
          cp /etc/ssl/certs/ca-certificates.crt $out/etc/ssl/certs/ca-bundle.crt
        '';
        # The sandbox does not see them: they come from PATH.
        heroku = host "heroku" "";
        regclient.regctl = host "regctl" "";
        # Debian has none. This one takes away the blanks at the end of a line.
        nixfmt = pkgs.writeShellScriptBin "nixfmt" "sed -i 's/[[:blank:]]*$//' \"$@\"";
      }
    );
  };
}
