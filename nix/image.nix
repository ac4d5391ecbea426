# The image for `docker load` and skopeo. Its ID depends on the server alone: not on the system, the folder or the time.
{
  dockerTools,
  jq,
  meta,
  pname,
  runCommand,
  server,
}:
let
  # Otherwise tar writes the owner's names into the layer, and the group 0 is "root" on Linux and "wheel" on macOS.
  numericOwner =
    name: arguments:
    runCommand name (
      arguments
      // {
        env = arguments.env or { } // {
          TAR_OPTIONS = "--numeric-owner";
        };
      }
    );
  image = (dockerTools.override { runCommand = numericOwner; }).buildImage {
    name = pname;
    tag = "latest";
    compressor = "none"; # The push compresses the layer.
    architecture = "amd64"; # Otherwise it would be that of the system that builds.
    # dockerTools makes / writable for its group. Heroku's dynos bring no /tmp along.
    extraCommands = ''
      chmod 755 .
      install -m 755 ${server}/bin/server server
      mkdir -m 1777 tmp
    '';
    config = {
      Entrypoint = [ "/server" ]; # Without, Heroku starts the command through /bin/sh, which is not here.
      Cmd = [ "web" ]; # Without, Heroku refuses the release: "No command specified for process type web".
    };
  };
in
image.overrideAttrs (
  final: previous: {
    meta = {
      inherit (meta) license;
      description = "Container image of one static file";
    };
    passthru = previous.passthru or { } // {
      # `nix build .#image.id` puts the image's ID, as docker and Heroku show it, into the file `result`.
      id = runCommand "${pname}-image-id" { nativeBuildInputs = [ jq ]; } ''
        config=$(tar -xOf ${final.finalPackage} manifest.json | jq --raw-output '.[0].Config')
        echo "sha256:$(tar -xOf ${final.finalPackage} "$config" | sha256sum | cut -d ' ' -f 1)" >$out
      '';
    };
  }
)
