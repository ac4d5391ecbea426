# Go's build cache with what the service imports of the standard library and of other modules, compiled, and without vendor/
# these modules. It sees the names of these packages, vendor/, profiles and what says which modules there are, so most edits of
# the service leave it as it is.
service:
let
  inherit (service) lib name run;
  inherit (service) mains matches modulePath;
  inherit (service) source std sums;
  goMods = builtins.filter (lib.hasSuffix "go.mod") source.ofModules;
  modules = {
    "." = [ ];
  }
  // builtins.listToAttrs (map (file: lib.nameValuePair (modulePath file) [ (dirOf file) ]) goMods);
  # The folder of a package, if it is the service's own.
  folderOf =
    package:
    modules.${package} or (map (parent: "${parent}/${baseNameOf package}") (folderOf (dirOf package)));
  # Imports come before declarations. A match on a whole file would overflow Nix's stack.
  head =
    file: lib.head (builtins.split "\n(const|func|type|var)[[:space:](]" (builtins.readFile file));
  imported = matches ''(import)?[[:space:]]*[[:alnum:]_.]*[[:space:]]*"([[:alnum:]][[:alnum:]_.~/+-]*)".*'';
  importsOf =
    folder:
    let
      path = "${source.server}/${folder}";
      types = if builtins.pathExists "${path}/." then builtins.readDir path else { };
      isGo = name: builtins.match "[^_.].*[.]go" name != null && types.${name} == "regular";
    in
    lib.concatMap (name: imported (head "${path}/${name}")) (
      builtins.filter isGo (builtins.attrNames types)
    );
  # As Go does it, from main on: what it does not read may be anything.
  packages = builtins.genericClosure {
    startSet = map (main: { key = main; }) mains;
    operator = package: map (key: { inherit key; }) (lib.concatMap folderOf (importsOf package.key));
  };
  imports = builtins.filter (package: folderOf package == [ ]) (
    lib.concatMap (package: importsOf package.key) packages
  );
in
run "${name}-dependencies" { } ''
  mkdir -p $out/modules
  cp -r --no-preserve=mode ${std} $out/cache
  export GOCACHE=$out/cache GOMODCACHE=$out/modules
  cp -r --no-preserve=mode ${source.dependencies} src
  cd src
  for sum in ${lib.escapeShellArgs sums}; do go mod download -C "$(dirname "$sum")"; done
  for main in ${lib.escapeShellArgs mains}; do
    mkdir -p "$main"
    profile=off
    [[ ! -e $main/default.pgo ]] || profile=default.pgo
    # What does not compile by itself is left for the service. go list takes a profile only after go build.
    go build -C "$main" -v -pgo=$profile net/http &&
      go list -C "$main" -v -e -export -pgo=$profile ${toString (lib.unique imports)} >/dev/null || true
  done
''
