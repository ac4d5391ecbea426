# The image of a process type for `docker load` and skopeo. Its ID depends on the contents alone: not on the system, the
# folder or the time.
service:
{ words, main }:
let
  inherit (service) lib name pkgs;
  inherit (service) arch source;
  inherit (service) files rootsAndZones systemFiles;
  # Links become what they lead to, in src alone, as in the Dockerfile.
  copyFiles = ''
    ${lib.optionalString systemFiles "cp -r --no-preserve=mode ${rootsAndZones}/. ."}
    for file in ${toString files}; do
      (cd ${source.server} && ! find -L $file -exec realpath {} + | grep -v "^$PWD/" && cp -rL --parents $file $OLDPWD && chmod -R u+w $OLDPWD)
    done
  '';
  server = import ./server.nix service main;
  # Otherwise tar writes the owner's names into the layer, and the group 0 is "root" on Linux and "wheel" on macOS. Files are from
  # 1970, which net/http takes for no date: by any other, browsers would keep a file that a release has changed.
  reproducible = {
    SOURCE_DATE_EPOCH = "0";
    TAR_OPTIONS = "--numeric-owner";
  };
  runCommand = name: arguments: pkgs.runCommand name (arguments // reproducible);
  image = (pkgs.dockerTools.override { inherit runCommand; }).buildImage {
    inherit name;
    tag = "latest";
    compressor = "none"; # The push compresses the layer.
    architecture = arch; # Otherwise it would be that of the system that builds.
    # dockerTools makes / writable for its group. Heroku's dynos bring no /tmp along.
    extraCommands = ''
      ${copyFiles}
      chmod -R u+rwX,go=rX .
      install -m 755 ${server}/bin/server server
      ! pointers=$(grep -rlE '^oid sha256:[0-9a-f]{64}$' . | xargs grep -l 'version https://git-lfs') ||
        { echo "go-on-heroku: a pointer of Git LFS, not its file, is in $pointers: git lfs pull"; exit 1; } >&2
      mkdir -m 1777 tmp
    '';
    config = {
      # Without ENTRYPOINT, Heroku starts the command through /bin/sh, which is not here; without CMD, it refuses the release: "No
      # command specified for process type web". It makes one argument of CMD's words.
      Entrypoint = [ "/server" ] ++ lib.init words;
      Cmd = [ (lib.last words) ];
      User = "10001:10001"; # Not root. Heroku takes a user of its own.
    };
  };
in
image
// {
  inherit copyFiles server words;
  sbom = import ./sbom.nix service server;
  # `nix build .#image.arm64` builds the same for linux/arm64.
  arm64 = import ./image.nix (service.for "arm64") { inherit words main; };
  # `nix build .#image.id` puts the image's ID, as Heroku shows it, into the file `result`. With the containerd
  # image store, `docker images` shows another digest, that of the manifest.
  id = pkgs.runCommand "${name}-image-id" { nativeBuildInputs = [ pkgs.jq ]; } ''
    config=$(tar -xOf ${image} manifest.json | jq --raw-output '.[0].Config')
    echo "sha256:$(tar -xOf ${image} "$config" | sha256sum | cut -d ' ' -f 1)" >$out
  '';
}
