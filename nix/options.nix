# Checks the options, which docs/existing.md lists, and fills in their defaults.
lib: goVersion: options:
let
  src = lib.removeSuffix "/" (toString (options.src or null));
  source = import ./source.nix lib src;
  exists = path: builtins.pathExists "${source.server}/${path}";
  read = path: builtins.readFile "${source.server}/${path}";
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
  goLines =
    file: matches "[[:space:]]*(go|toolchain)[[:space:]]+(go)?([0-9][^[:space:]]*).*" (read file);
  newer = builtins.filter (lib.versionOlder goVersion) (lib.concatMap goLines (goMods ++ work));

  work = builtins.filter exists [ "go.work" ];
  used = matches ''(use)?[[:space:]]*"?([.][^[:space:]"]*).*'' (lib.concatMapStrings read work);
  # Where the packages main are, or may be.
  mains = lib.unique (lib.concatMap mainsOf (builtins.attrValues checked.commands));
  mainsOf = { main, ... }: if main == null then [ "." ] ++ inCmd else [ (trim main) ];
  trim = path: lib.removePrefix "./" (lib.removeSuffix "/" path);
  inCmd = lib.unique (matches "(cmd/[^/]+)/[^/]+[.]go" (lib.concatStringsSep "\n" source.files));
  # The modules at the top, around the packages main, and in go.work.
  around = path: [ path ] ++ (if path == "." then [ ] else around (dirOf path));
  folders = lib.unique (lib.concatMap around (mains ++ map trim used));
  ofModules = name: builtins.filter exists (map (folder: "${folder}/${name}") folders);
  goMods = ofModules "go.mod";
  # The vendor/ of go.work is for all modules.
  hasVendor = folder: exists "${if work == [ ] then folder else "."}/vendor/modules.txt";
  # Of the modules without vendor/.
  sums = builtins.filter (sum: !hasVendor (dirOf sum)) (ofModules "go.sum");
  # Before go 1.14 in go.mod, Go must be told to use vendor/.
  isOld = file: builtins.all (version: lib.versionOlder version "1.14") (goLines file);
  modFlag = lib.optionalString (hasVendor "." && exists "go.mod" && isOld "go.mod") " -mod=vendor";

  modulePaths = matches ''module[[:space:]]+"?([^[:space:]"]+).*'';
  modulePath = file: builtins.head (modulePaths (read file) ++ [ "unnamed" ]);
  moduleParts = lib.splitString "/" (modulePath (builtins.head goMods));
  # The last part of the module's path that is not a version.
  moduleName = lib.toLower (lib.last (builtins.filter (part: !is "v[0-9]+" part) moduleParts));

  command =
    type: value:
    let
      given = if builtins.isAttrs value then value else { word = value; };
      # With package flag and most others, "--" only ends the flags.
      words = lib.toList (given.word or "--");
      main = given.main or checked.main;
      areWords = words != [ ] && listOf (is "[^$[:space:]]+") words;
      known = listOf (is "main|word") (builtins.attrNames given);
    in
    if is "[a-z][a-z0-9_-]*" type && known && areWords && isMain main then
      { inherit words main; }
    else
      wrong "commands.${type}" given
        ''words like [ "serve" "config.yaml" ] without blanks and $, as no shell reads them: the program takes the port from PORT; or { word = "--"; main = "./cmd/${type}"; }, where main is a folder of src that git knows'';

  checked = {
    inherit src;
    name = check "name" moduleName "lower-case letters and digits, between them '.', '_' or '-'" (
      is "[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*"
    );
    main = check "main" null ''null or a folder of src that git knows, like "./cmd/web"'' isMain;
    files =
      check "files" [ ]
        ''a list of paths that git knows, like "templates", without blanks, except server and tmp''
        (listOf isFile);
    systemFiles = check "systemFiles" true "true or false" builtins.isBool;
    tags = check "tags" [ ] "a list of words" (listOf (is "[[:alnum:]_.]+"));
    ldflags = check "ldflags" [ ] ''a list like [ "-X main.version=1" ]'' (listOf builtins.isString);
    vendorHash =
      if sums == [ ] then
        check "vendorHash" null "null, as nothing is downloaded" (hash: hash == null)
      else
        check "vendorHash" null
          ''a hash, or "" to be told it, as git knows no vendor/, or .dockerignore leaves it out''
          (is "(sha256-.*)?");
    commands = builtins.mapAttrs command (
      check "commands" { web = "--"; } "a set of process types" (v: builtins.isAttrs v && v != { })
    );
    maxSize = check "maxSize" null "null or a number of bytes" (
      size: size == null || builtins.isInt size && size > 0
    );
  };
  unknown = builtins.attrNames (removeAttrs options (builtins.attrNames checked));
in
if
  src == "" || !builtins.pathExists "${src}/." || !exists "go.mod" && (work == [ ] || goMods == [ ])
then
  wrong "src" src
    "a folder with a go.mod or go.work that git knows, and that .dockerignore does not leave out"
else if unknown != [ ] then
  throw "go-on-heroku: unknown option ${toString unknown}"
else if newer != [ ] then
  throw "go-on-heroku: go.mod or go.work wants go${builtins.head newer}, this flake has go${goVersion}: nix flake update"
else
  builtins.deepSeq checked (
    checked
    // {
      inherit mains matches modFlag;
      inherit modulePath source sums;
    }
  )
