# `nix run .#push -- APP` and `nix run .#deploy -- APP`, without Docker and without root.
{
  coreutils,
  curl,
  image,
  jq,
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
  meta.description =
    {
      push = "Push the image to Heroku's registry";
      deploy = "Push the image to Heroku's registry and release it";
    }
    .${name};
}
