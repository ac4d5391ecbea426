# Whether .dockerignore leaves out a path of src, as Docker reads it: the last line that matches counts.
lib: src:
let
  file = builtins.filter builtins.pathExists [ "${src}/.dockerignore" ];
  lines = lib.splitString "\n" (lib.concatMapStrings builtins.readFile file);
  # "!" or nothing, and the pattern, without blanks and slashes around it.
  parse = builtins.match "[[:space:]]*(!?)[[:space:]]*([.]?/+)?([^#/[:space:]]|[^#/[:space:]].*[^/[:space:]])[/[:space:]]*";
  rules = builtins.filter builtins.isList (map parse lines);
  regex = builtins.replaceStrings (lib.splitString " " "[^ **/ ** * ? . + ( ) { } | ^ $") (
    lib.splitString " " "[^ (.*/)? .* [^/]* [^/] [.] [+] [(] [)] [{] [}] [|] \\^ [$]"
  );
  matches = path: rule: builtins.match "${regex (lib.last rule)}(/.*)?" path != null;
  last = path: lib.last ([ [ "!" ] ] ++ builtins.filter (matches path) rules);
  # A folder that is left out may hold what a "!" takes back.
  holds =
    path: rule:
    let
      start = builtins.head (builtins.split "[*?[]" (lib.last rule));
    in
    builtins.head rule == "!" && (lib.hasPrefix start "${path}/" || lib.hasPrefix "${path}/" start);
in
path: type:
builtins.head (last path) == "" && !(type == "directory" && builtins.any (holds path) rules)
