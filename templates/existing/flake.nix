{
  inputs.go-on-heroku.url = "github:OWNER/NAME";
  outputs = { self, go-on-heroku, ... }: go-on-heroku.lib.mkFlake { src = self; };
}
