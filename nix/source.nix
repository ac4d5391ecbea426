# What the derivations see of src: each as little as it needs, so that an edit rebuilds little.
lib: src:
let
  isIgnored = import ./dockerignore.nix lib src;
  # With `nix --store /folder`, the paths that a filter gets begin with that folder.
  top = builtins.unsafeDiscardStringContext "${src}/";
  only =
    keep:
    builtins.path {
      name = "source";
      path = src;
      filter = path: keep (lib.last (lib.splitString top path));
    };
  # A path is in a folder, or is a folder that leads to it.
  within =
    paths: path: _:
    builtins.any (
      wanted: lib.hasPrefix "${wanted}/" "${path}/" || lib.hasPrefix "${path}/" wanted
    ) paths;
  is = pattern: path: builtins.match "(.*/)?${pattern}" path != null;
  # go.mod and go.work may name modules in other folders, but not where Go does not look. A profile changes how dependencies are compiled.
  isOfModule =
    path:
    is "(go[.](mod|sum|work|work[.]sum)|default[.]pgo|vendor/modules[.]txt)" path
    && !is "(testdata|[_.][^/]*)/.*" path
    && builtins.pathExists "${server}/${path}";
  server = only (path: type: !isIgnored path type);
  files = map (lib.removePrefix "${server}/") (lib.filesystem.listFilesRecursive server);
  ofModules = builtins.filter isOfModule files;
in
{
  inherit files ofModules server;
  all = only (_: _: true);
  # With vendor/modules.txt comes all that is beside it.
  dependencies = only (within (map (lib.removeSuffix "/modules.txt") ofModules));
}
