# `nix run .#push -- APP`, `nix run .#deploy -- APP` and `nix run .#verify -- APP`, without Docker and without root.
service: program: script: description:
let
  inherit (service) name pkgs;
in
pkgs.writeShellApplication {
  name = "${name}-${program}";
  runtimeInputs = builtins.attrValues { inherit (pkgs) coreutils curl gnugrep jq skopeo; };
  runtimeEnv = {
    PROGRAM = program;
    IMAGES = pkgs.lib.concatMapAttrsStringSep "\n" (
      type: image: "${type} ${image} ${image.id} ${image.server}/bin/server"
    ) service.images;
    COMMIT = pkgs.lib.optionalString (program == "verify") service.commit;
  };
  text = builtins.readFile ./heroku.sh + builtins.readFile script;
  meta = { inherit description; };
}
