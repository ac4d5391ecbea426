# Checks the options, which docs/existing.md lists, and fills in their defaults.
lib: goVersion: options:
let
  given = lib.removeSuffix "/" (toString (options.src or "null"));
  src =
    if builtins.pathExists "${given}/go.mod" || builtins.pathExists "${given}/go.work" then
      given
    else
      wrong "src" given "a folder with a go.mod or go.work that git knows";
  isIgnored = import ./dockerignore.nix lib src;
  exists =
    path:
    let
      file = "${src}/${path}";
      clean = lib.removePrefix "./" (lib.removeSuffix "/." path);
    in
    builtins.pathExists file && (clean == "." || !isIgnored clean (builtins.readFileType file));
  is = pattern: value: builtins.isString value && builtins.match pattern value != null;
  isMain = path: path == null || is "[^/].*" path && exists "${path}/.";
  isFile =
    path:
    is "[[:alnum:]_.@+-][[:alnum:]_.@+/-]*" path
    && exists path
    && !is "(server|tmp)(/.*)?|(.*/)?[.]*(/.*)?" path;
  listOf = valid: value: builtins.isList value && builtins.all valid value;
  wrong =
    option: value: want:
    throw "go-on-heroku: ${option} = ${builtins.toJSON value}: want ${want}";
  check =
    option: default: want: valid:
    let
      value = options.${option} or default;
    in
    if valid value then value else wrong option value want;

  # What the pattern's last group takes of each line of the text.
  matches =
    pattern: text:
    map lib.last (
      builtins.filter builtins.isList (map (builtins.match pattern) (lib.splitString "\n" text))
    );
  # Docker downloads a newer Go for these lines. Nix has one alone.
  goLines = matches "[[:space:]]*(go|toolchain)[[:space:]]+(go)?([0-9][^[:space:]]*).*";
  newer = builtins.filter (version: builtins.compareVersions version goVersion > 0) (
    lib.concatMap (file: goLines (builtins.readFile "${src}/${file}")) (ofModules "go.mod" ++ work)
  );

  work = builtins.filter exists [ "go.work" ];
  used = matches ''(use)?[[:space:]]*"?([.][^[:space:]"]*).*'' (
    lib.concatMapStrings (file: builtins.readFile "${src}/${file}") work
  );
  # Where the packages main are, or may be.
  mains = lib.unique (lib.concatMap mainsOf (builtins.attrValues checked.commands));
  mainsOf = { main, ... }: if main == null then [ "." ] ++ inCmd else [ (trim main) ];
  trim = path: lib.removePrefix "./" (lib.removeSuffix "/" path);
  cmd = if exists "cmd/." then builtins.readDir "${src}/cmd" else { };
  inCmd = map (name: "cmd/${name}") (
    builtins.filter (name: cmd.${name} == "directory") (builtins.attrNames cmd)
  );
  # The modules at the top, around the packages main, and in go.work.
  around = path: [ path ] ++ (if path == "." then [ ] else around (dirOf path));
  folders = lib.unique (lib.concatMap around (mains ++ map trim used));
  ofModules = name: builtins.filter exists (map (folder: "${folder}/${name}") folders);
  hasVendor = folder: exists "${folder}/vendor/modules.txt";
  # Before go 1.14 in go.mod, Go must be told to use vendor/.
  isOld = builtins.all (version: builtins.compareVersions version "1.14" < 0) (
    goLines (builtins.readFile "${src}/go.mod")
  );
  vendorFlag = lib.optionalString (hasVendor "." && exists "go.mod" && isOld) " -mod=vendor";
  # Of the modules that have no vendor/. That of go.work is for all.
  sums = builtins.filter (sum: !hasVendor (if work == [ ] then dirOf sum else ".")) (
    ofModules "go.sum"
  );

  modulePaths = matches ''module[[:space:]]+"?([^[:space:]"]+).*'';
  modulePath = file: builtins.head (modulePaths (builtins.readFile file) ++ [ "unnamed" ]);
  moduleParts = lib.splitString "/" (modulePath "${src}/${builtins.head (ofModules "go.mod")}");
  # The last part of the module's path that is not a version.
  moduleName = lib.toLower (lib.last (builtins.filter (part: !is "v[0-9]+" part) moduleParts));

  command =
    type:
    {
      word ? "--",
      main ? checked.main,
    }@command:
    let
      words = if builtins.isList word then word else [ word ];
    in
    if is "[a-z][a-z0-9_-]*" type && words != [ ] && listOf (is "[^$[:space:]]+") words && isMain main then
      { inherit words main; }
    else
      wrong "commands.${type}" command ''words like [ "serve" "config.yaml" ] without blanks and $, as no shell reads them: the program takes the port from PORT; or { word = "--"; main = "./cmd/${type}"; }, where main is a folder of src that git knows'';

  checked = {
    inherit src;
    name = check "name" moduleName "lower-case letters and digits, between them '.', '_' or '-'" (
      is "[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*"
    );
    main = check "main" null ''null or a folder of src that git knows, like "./cmd/web"'' isMain;
    files =
      check "files" [ ] ''a list of paths that git knows, like "templates", without blanks, except server and tmp''
        (listOf isFile);
    systemFiles = check "systemFiles" true "true or false" builtins.isBool;
    tags = check "tags" [ ] "a list of words" (listOf (is "[[:alnum:]_.]+"));
    ldflags = check "ldflags" [ ] ''a list like [ "-X main.version=1" ]'' (listOf builtins.isString);
    vendorHash =
      if sums == [ ] then
        check "vendorHash" null "null, as nothing is downloaded" (hash: hash == null)
      else
        check "vendorHash" null ''a hash, or "" to be told it, as git knows no vendor/, or .dockerignore leaves it out'' (is "(sha256-.*)?");
    # "--" ends the flags: a program that takes no arguments accepts it.
    commands =
      builtins.mapAttrs
        (type: value: command type (if builtins.isAttrs value then value else { word = value; }))
        (
          check "commands" { web = "--"; } "a set of process types" (set: builtins.isAttrs set && set != { })
        );
    maxSize = check "maxSize" null "null or a number of bytes" (
      size: size == null || builtins.isInt size && size > 0
    );
  };
  unknown = builtins.attrNames (removeAttrs options (builtins.attrNames checked));
in
if unknown != [ ] then
  throw "go-on-heroku: unknown option ${toString unknown}"
else if newer != [ ] then
  throw "go-on-heroku: go.mod or go.work wants go${builtins.head newer}, this flake has go${goVersion}: nix flake update"
else
  builtins.deepSeq checked (
    checked // { inherit isIgnored mains matches modulePath sums vendorFlag; }
  )
