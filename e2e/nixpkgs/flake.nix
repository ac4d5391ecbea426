# A test double of nixpkgs, for machines that cannot reach it: just the functions that ../../flake.nix uses, with the meaning
# that the nixpkgs manual gives them, made from the host's tools. The sandbox has to let in /bin, /lib, /lib64 and /usr of
# the host, the toolchain of Go as /go, and /cyclonedx-gomod.
#
# It shows that the flake evaluates, that its scripts work and what they build. It cannot show that nixpkgs has these functions
# and packages, that they work on other systems than this one, that the hashes of what is fetched are right, or that nixfmt
# would leave the Nix files as they are.
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
      licenses = {
        bsd3.spdxId = "BSD-3-Clause";
        mit0.spdxId = "MIT-0";
      };
      getExe = package: "${package}/bin/${package.meta.mainProgram}";
      findFirst =
        wanted: otherwise: list:
        let
          found = builtins.filter wanted list;
        in
        if found == [ ] then otherwise else builtins.head found;
      hasPrefix = prefix: text: builtins.substring 0 (builtins.stringLength prefix) text == prefix;
      removePrefix =
        prefix: text:
        if lib.hasPrefix prefix text then
          builtins.substring (builtins.stringLength prefix) (-1) text
        else
          text;
      hasSuffix =
        suffix: text: builtins.match ".*${builtins.replaceStrings [ "." ] [ "[.]" ] suffix}" text != null;
      splitString =
        separator: text: builtins.filter builtins.isString (builtins.split separator text);
      callPackagesWith =
        packages: file: arguments:
        let
          function = import file;
        in
        function (builtins.intersectAttrs (builtins.functionArgs function) packages // arguments);
      # Unlike callPackagesWith, it adds to what the file gives.
      callPackageWith =
        packages: file: arguments:
        lib.callPackagesWith packages file arguments
        // {
          override = throw "not here";
          overrideDerivation = throw "not here";
        };
      # A set of files is a list of their paths.
      fileset = rec {
        files = set: if builtins.isPath set then filesBelow set else set;
        filesBelow =
          path:
          if builtins.readFileType path != "directory" then
            [ (toString path) ]
          else
            unions (map (name: path + "/${name}") (builtins.attrNames (builtins.readDir path)));
        unions = builtins.concatMap files;
        maybeMissing = path: if builtins.pathExists path then path else [ ];
        difference =
          a: b:
          let
            without = files b;
          in
          builtins.filter (path: !builtins.elem path without) (files a);
        fileFilter =
          keep: path:
          let
            file = name: {
              inherit name;
              hasExt = extension: lib.hasSuffix ".${extension}" name;
            };
          in
          builtins.filter (path: keep (file (baseNameOf path))) (files path);
        toSource =
          { root, fileset }:
          let
            parents = path: if path == "/" then [ ] else [ path ] ++ parents (dirOf path);
            wanted = lib.genAttrs (builtins.concatMap parents (files fileset)) (_: true);
          in
          builtins.path {
            name = "source";
            path = root;
            filter = path: _: wanted ? ${path};
          };
      };
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
        # As stdenv.mkDerivation, what a derivation is made of can be overridden.
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
            overrideAttrs =
              change:
              let
                changed = arguments // change final arguments;
                final = changed // {
                  finalPackage = make changed;
                };
              in
              final.finalPackage;
          };
      in
      {
        inherit lib;
        stdenvNoCC.hostPlatform = { inherit system; };

        runCommand =
          name: arguments: script:
          make ({ inherit name script; } // arguments);

        # It fetches nothing: the one thing that the flake fetches is Go, which the host has.
        fetchurl =
          { url, sha256 }:
          pkgs.runCommand (baseNameOf url) { } ''
            read -r version </go/VERSION
            [[ $name == "$version".* ]] || { echo "the host has $version, not $name" >&2; exit 1; }
            tar -C /go --transform 's,^\.,go,' -cf $out .
          '';

        mkShellNoCC =
          { packages, ... }@arguments:
          pkgs.runCommand "nix-shell" (
            builtins.removeAttrs arguments [ "packages" ] // { nativeBuildInputs = packages; }
          ) "export >$out";

        writeShellScriptBin =
          name: text: script name { mainProgram = name; } "#!/bin/bash\n${text}" "";

        writeShellApplication =
          {
            name,
            text,
            runtimeInputs ? [ ],
            runtimeEnv ? { },
            meta ? { },
          }:
          let
            export = key: "export ${key}=${runtimeEnv.${key}}\n";
          in
          script name ({ mainProgram = name; } // meta) ''
            #!/bin/bash
            set -o errexit
            set -o nounset
            set -o pipefail
            ${builtins.concatStringsSep "" (map export (builtins.attrNames runtimeEnv))}
            export PATH="${bin runtimeInputs}:$PATH"
            ${text}'' "bash -n $out/bin/$name";

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
        coreutils = host "coreutils" "cat head mktemp rm sleep tail";
        curl = host "curl" "curl";
        findutils = host "findutils" "find";
        jq = host "jq" "jq";
        skopeo = host "skopeo" "skopeo";
        shellcheck = host "shellcheck" "shellcheck";
        cyclonedx-gomod = pkgs.runCommand "cyclonedx-gomod" { } ''
          mkdir -p $out/bin
          ln -s /cyclonedx-gomod $out/bin/
        '';
        # The sandbox does not see it: it comes from PATH.
        heroku = host "heroku" "";
        # Debian has none. This one takes away the blanks at the end of a line.
        nixfmt = pkgs.writeShellScriptBin "nixfmt" "sed -i 's/[[:blank:]]*$//' \"$@\"";
      }
    );
  };
}
