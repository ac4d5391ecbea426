# `nix run .#push -- APP`, `nix run .#deploy -- APP` and `nix run .#verify -- APP`, without Docker and without root.
service: program: script: description:
service.pkgs.writeShellApplication {
  name = "${service.name}-${program}";
  runtimeInputs = builtins.attrValues { inherit (service.pkgs) coreutils curl gnugrep jq skopeo; };
  runtimeEnv = {
    PROGRAM = program;
    IMAGES = service.pkgs.lib.concatMapAttrsStringSep "\n" (
      type: image: "${type} ${image} ${image.id} ${image.server}/bin/server"
    ) service.images;
    COMMIT = service.pkgs.lib.optionalString (program == "verify") service.commit;
  };
  text = builtins.readFile ./heroku.sh + builtins.readFile script;
  meta = { inherit description; };
}
