# Go's build cache with what the service imports of the standard library and of other modules, compiled, and without vendor/
# these modules. It sees the names of these packages, vendor/ and what says which modules there are, so most edits of the
# service leave it as it is.
service:
let
  inherit (service) source;
  inherit (service.pkgs) lib;
  isOwn =
    file:
    lib.hasSuffix ".go" file
    && !lib.hasPrefix "${source.server}/vendor/" file
    && !lib.hasInfix "/testdata/" file;
  files = builtins.filter isOwn (lib.filesystem.listFilesRecursive source.server);
  # Imports come before declarations. A match on a whole file would overflow Nix's stack.
  head =
    file: builtins.head (builtins.split "\n(const|func|type|var)[[:space:](]" (builtins.readFile file));
  lines = lib.concatMap (file: lib.splitString "\n" (head file)) files;
  match = builtins.match ''(import)?[[:space:]]*[[:alnum:]_.]*[[:space:]]*"([[:alnum:]][[:alnum:]_.~/+-]*)".*'';
  imports = map lib.last (builtins.filter builtins.isList (map match lines));
in
service.run "${service.name}-dependencies" { } ''
  mkdir $out
  cp -r --no-preserve=mode ${service.std} $out/cache
  export GOCACHE=$out/cache GOMODCACHE=$out/modules
  cd ${source.dependencies}
  ${lib.optionalString (service.vendorHash != null) "go mod download"}
  # What does not compile by itself is left for the service.
  go list -v -e -export net/http ${toString (lib.unique imports)} >/dev/null
''
