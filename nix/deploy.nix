# `nix run .#push -- APP` and `nix run .#deploy -- APP`, without Docker and without root.
service: program:
let
  inherit (service) name pkgs;
in
pkgs.writeShellApplication {
  name = "${name}-${program}";
  runtimeInputs = [
    pkgs.coreutils
    pkgs.curl
    pkgs.gnugrep
    pkgs.jq
    pkgs.skopeo
  ];
  runtimeEnv = {
    PROGRAM = program;
    IMAGES = pkgs.lib.concatMapAttrsStringSep "\n" (
      type: image: "${type} ${image} ${image.id}"
    ) service.images;
  };
  text = builtins.readFile ./deploy.sh;
  meta = {
    mainProgram = "${name}-${program}";
    description =
      "Push ${name} to Heroku's registry"
      + pkgs.lib.optionalString (program == "deploy") " and release it";
  };
}
