# `nix run .#push -- APP`, `nix run .#deploy -- APP` and `nix run .#verify -- APP`, without Docker and without root.
service:
let
  inherit (service) lib name pkgs;
  inherit (service) commit images suffix;
  read = builtins.readFile;
  # For the push to any registry, which builds it when it runs.
  arm64 = image: builtins.unsafeDiscardOutputDependency image.arm64.drvPath;
  program =
    command: text: description:
    pkgs.writeShellApplication {
      name = "${name}-${command}";
      runtimeInputs = builtins.attrValues {
        inherit (pkgs) coreutils curl gnugrep;
        inherit (pkgs) jq skopeo;
        inherit (pkgs.regclient) regctl;
      };
      runtimeEnv = {
        PROGRAM = command;
        COMMIT = lib.optionalString (command == "verify") commit;
        IMAGES = lib.concatMapAttrsStringSep "\n" (
          type: image:
          "${type} ${image} ${image.id} ${image.server}/bin/server"
          + lib.optionalString (command == "push") " ${arm64 image} ${suffix type}"
        ) images;
      };
      text = read ./api.sh + text;
      meta = { inherit description; };
    };
in
{
  push = program "push" (read ./push.sh) "Push ${name} to a registry";
  deploy = program "deploy" (read ./push.sh + read ./deploy.sh) "Release ${name} on Heroku";
  verify = program "verify" (read ./verify.sh) "Say whether what runs is this ${name}";
}
