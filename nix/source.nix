# What the derivations see of src: each as little as it needs, so that an edit rebuilds little.
service:
let
  inherit (service) src;
  inherit (service.pkgs) lib;
  # Names at the top that cannot change the executable. .dockerignore has them, too.
  excluded = lib.splitString " " ".dockerignore .gitattributes .github .gitignore Dockerfile Dockerfile.web app.json flake.lock flake.nix heroku.yml";
  isExcluded = path: builtins.elem path (excluded ++ service.exclude);
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
  # Tests, and what may be secret, as in .dockerignore.
  isLeftOut = path: lib.hasSuffix "_test.go" path || lib.hasPrefix ".env" (baseNameOf path);
  server = only (path: (!isExcluded path || within service.files path) && !isLeftOut path);
  ofModules = builtins.filter isOfModule (lib.filesystem.listFilesRecursive server);
in
{
  inherit ofModules server;
  all = only (_: true);
  tests = only (path: !isExcluded path);
  dependencies = only (within ([ "vendor" ] ++ map (lib.removePrefix "${server}/") ofModules));
  dockerfiles = only (lib.hasPrefix "Dockerfile");
}
