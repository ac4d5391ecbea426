{
  inputs.go-on-heroku.url = "github:OWNER/NAME";
  outputs =
    { self, go-on-heroku, ... }:
    go-on-heroku.lib.mkFlake {
      src = self;
      commands.web = "web";
      maxSize = 3550000;
      systemFiles = false; # They are in the executable.
    };
}
