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
  # go.mod and go.work may name modules in other folders, but not where Go does not look. A profile changes how dependencies are compiled.
  isOfModule =
    file:
    builtins.match ".*/(testdata|[_.][^/]*)/.*" (lib.removePrefix server file) == null
    &&
      builtins.match ".*/(go[.](mod|sum|work|work[.]sum)|default[.]pgo|vendor/modules[.]txt)" file != null
    && builtins.pathExists file;
  server = only (path: type: !isIgnored path type);
  ofModules = builtins.filter isOfModule (lib.filesystem.listFilesRecursive server);
  # With vendor/modules.txt comes all that is beside it.
  pathOf = file: lib.removePrefix "${server}/" (lib.removeSuffix "/modules.txt" file);
in
{
  inherit ofModules server;
  all = only (_: _: true);
  dependencies = only (within (map pathOf ofModules));
}
