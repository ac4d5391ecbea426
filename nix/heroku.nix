# `nix run .#push -- APP`, `nix run .#deploy -- APP` and `nix run .#verify -- APP`, without Docker and without root.
service: program:
let
  inherit (service) name pkgs;
  programs = {
    push = {
      script = ./deploy.sh;
      description = "Push ${name} to Heroku's registry";
    };
    deploy = {
      script = ./deploy.sh;
      description = "Push ${name} to Heroku's registry and release it";
    };
    verify = {
      script = ./verify.sh;
      description = "Say whether what runs is this ${name}";
    };
  };
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
      type: image: "${type} ${image} ${image.id} ${image.server}/bin/server"
    ) service.images;
    COMMIT = pkgs.lib.optionalString (program == "verify") service.commit;
  };
  text = builtins.readFile ./heroku.sh + builtins.readFile programs.${program}.script;
  meta = {
    mainProgram = "${name}-${program}";
    inherit (programs.${program}) description;
  };
}
