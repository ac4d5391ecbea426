{
  inputs.go-on-heroku.url = "github:OWNER/NAME";
  outputs =
    { self, go-on-heroku, ... }:
    # The options: https://github.com/OWNER/NAME/blob/main/docs/existing.md
    go-on-heroku.lib.mkFlake {
      src = self;
      commands.web = "web";
      systemFiles = false; # main.go imports root certificates and time zones.
    };
}
