# `nix build .#sbom` puts the bill of materials into the file `result`, in CycloneDX's JSON: the modules in the executable, as
# /version lists them, and the standard library.
{
  cyclonedx-gomod,
  dependencies,
  runCommand,
  server,
  toolchain,
}:
runCommand "sbom.json"
  {
    nativeBuildInputs = [
      cyclonedx-gomod
      toolchain
    ];
    inherit (dependencies) GOOS GOARCH;
  }
  ''
    export HOME=$TMPDIR
    cyclonedx-gomod bin -json -std -noserial -notimestamp -output $out ${server}/bin/server
  ''
