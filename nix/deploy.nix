# `nix run .#push -- APP` and `nix run .#deploy -- APP`, without Docker and without root.
{
  coreutils,
  curl,
  image,
  jq,
  meta,
  pname,
  program,
  skopeo,
  writeShellApplication,
}:
writeShellApplication {
  name = "${pname}-${program}";
  runtimeInputs = [
    coreutils
    curl
    jq
    skopeo
  ];
  runtimeEnv = {
    PROGRAM = program;
    IMAGE = image;
    IMAGE_ID = image.id;
  };
  text = builtins.readFile ./deploy.sh;
  meta = {
    inherit (meta) license;
    mainProgram = "${pname}-${program}";
    description =
      {
        push = "Push the image to Heroku's registry";
        deploy = "Push the image to Heroku's registry and release it";
      }
      .${program};
  };
}
