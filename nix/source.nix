# What the derivations see of src: each as little as it needs, so that an edit rebuilds little.
service:
let
  inherit (service) matches src;
  inherit (service.pkgs) lib;
  # .dockerignore is the list of names at the top that cannot change the executable, for both ways to build. Of its patterns
  # Nix knows two, below. What it takes back, as by "!result/**", stays.
  dockerignore = lib.concatMapStrings builtins.readFile (
    builtins.filter builtins.pathExists [ "${src}/.dockerignore" ]
  );
  takenBack = matches "!/?([^/[:space:]]+).*" dockerignore;
  isIgnored =
    path:
    builtins.elem path (matches "/?([^]/!#*?[:space:][]+)/?[[:space:]]*" dockerignore)
    && !builtins.elem path ([ "vendor" ] ++ takenBack);
  # Tests, and what may be secret.
  isLeftOut = path: lib.hasSuffix "_test.go" path || lib.hasPrefix ".env" (baseNameOf path);
  # With `nix --store /folder`, the paths that a filter gets begin with that folder.
  top = builtins.unsafeDiscardStringContext "${src}/";
  only =
    keep:
    builtins.path {
      name = "source";
      path = src;
      filter = path: _: keep (lib.last (lib.splitString top path));
    };
  # A path is in a folder, or is a folder that leads to it.
  within =
    paths: path:
    builtins.any (
      wanted: lib.hasPrefix "${wanted}/" "${path}/" || lib.hasPrefix "${path}/" wanted
    ) paths;
  # go.mod and go.work may name modules in other folders, but not where Go does not look. A profile changes how dependencies are compiled.
  isOfModule =
    file:
    builtins.match ".*/(testdata|[_.][^/]*)/.*" (lib.removePrefix "${server}" file) == null
    && builtins.match "go[.](mod|sum|work|work[.]sum)|default[.]pgo" (baseNameOf file) != null
    && builtins.pathExists file;
  server = only (path: !isIgnored path && !isLeftOut path);
  ofModules = builtins.filter isOfModule (lib.filesystem.listFilesRecursive server);
in
{
  inherit ofModules server;
  all = only (_: true);
  tests = only (path: !isIgnored path);
  dependencies = only (within ([ "vendor" ] ++ map (lib.removePrefix "${server}/") ofModules));
  dockerfiles = only (lib.hasPrefix "Dockerfile");
}
