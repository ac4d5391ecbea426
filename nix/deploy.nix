# `nix run .#push -- APP` and `nix run .#deploy -- APP`, without Docker and without root.
{
  coreutils,
  curl,
  image,
  jq,
  meta,
  name,
  skopeo,
  writeShellApplication,
}:
writeShellApplication {
  inherit name;
  runtimeInputs = [
    coreutils
    curl
    jq
    skopeo
  ];
  runtimeEnv = {
    PROGRAM = name;
    IMAGE = image;
    IMAGE_ID = image.id;
  };
  text = builtins.readFile ./deploy.sh;
  meta = {
    inherit (meta) license;
    mainProgram = name;
    description =
      {
        push = "Push the image to Heroku's registry";
        deploy = "Push the image to Heroku's registry and release it";
      }
      .${name};
  };
}
