# `nix build .#sbom` puts the bill of materials into the file `result`, in CycloneDX's JSON: the modules in the executable and the
# standard library.
{ pkgs, run, ... }:
server:
run "sbom.json" { } ''
  export HOME=$TMPDIR
  ${pkgs.cyclonedx-gomod}/bin/cyclonedx-gomod bin -json -std -noserial -notimestamp -output $out ${server}/bin/server
''
