# `nix build .#sbom` puts the bill of materials into the file `result`, in CycloneDX's JSON: the modules in the executable, as
# /version lists them, and the standard library.
{
  cyclonedx-gomod,
  goEnv,
  meta,
  pname,
  runCommand,
  server,
  toolchain,
  version,
}:
runCommand "${pname}-${version}-sbom.json"
  {
    env = {
      inherit (goEnv) GOOS GOARCH;
    };
    nativeBuildInputs = [
      cyclonedx-gomod
      toolchain
    ];
    meta = {
      inherit (meta) license;
      description = "Bill of materials in CycloneDX's JSON";
    };
  }
  ''
    export HOME=$TMPDIR
    cyclonedx-gomod bin -json -std -noserial -notimestamp -output $out ${server}/bin/server
  ''
