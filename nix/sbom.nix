# `nix build .#sbom` puts the bill of materials into the file `result`, in CycloneDX's JSON: the modules in the executable and the
# standard library.
service: server:
service.run "${service.name}-sbom.json" { nativeBuildInputs = [ service.pkgs.cyclonedx-gomod ]; } ''
  export HOME=$TMPDIR
  cyclonedx-gomod bin -json -std -noserial -notimestamp -output $out ${server}/bin/server
''
