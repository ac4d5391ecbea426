# All that there is for a service on one system, with images for linux/ARCH.
arch: pkgs: options:
let
  inherit (pkgs) lib;
  toolchain = import ./toolchain.nix pkgs;
  checked = import ./options.nix lib toolchain.version options;
  # As in the Dockerfile.
  goEnv = {
    GOOS = "linux";
    GOARCH = arch;
    CGO_ENABLED = "0";
    GOTOOLCHAIN = "auto"; # Go refuses a line that wants a newer one, as there is no network.
    GOFLAGS = "-trimpath -buildvcs=false";
    GOSUMDB = "off"; # vendorHash vouches for modules.
    HOME = "/dev/null"; # Without a sandbox, Go would make the home that Nix wants to be missing.
  };
  # runCommand, with Go, unless the attributes say otherwise.
  run =
    name: attributes:
    pkgs.runCommand name (
      {
        nativeBuildInputs = [ toolchain ];
        env = goEnv // {
          GOFLAGS = "${goEnv.GOFLAGS} -tags=${lib.concatStringsSep "," checked.tags}${checked.modFlag}";
          GOPROXY = if checked.vendorHash == null then "off" else "file://${service.modules}";
        };
      }
      // attributes
    );
  # The packages of web have no suffix. Without web, it is the first process type by name.
  first =
    if checked.commands ? web then "web" else builtins.head (builtins.attrNames checked.commands);
  suffix = type: lib.optionalString (type != first) "-${type}";
  # What the other files take their inputs from.
  service = checked // {
    inherit arch lib pkgs;
    inherit run suffix toolchain;
    for = arch: import ./service.nix arch pkgs options;
    # Flakes know it of `self` alone.
    commit = options.src.rev or options.src.dirtyRev or "no known commit";
    # Go's build cache with net/http, compiled, which is most of the work. Services share it.
    std = run "go-std-${toolchain.version}" { env = goEnv; } "GOCACHE=$out go build net/http";
    # Where Go looks for root certificates and time zones.
    rootsAndZones = pkgs.runCommand "roots-and-zones" { nativeBuildInputs = [ pkgs.unzip ]; } ''
      mkdir -p $out/etc/ssl/certs $out/usr/share/zoneinfo
      cp ${pkgs.cacert}/etc/ssl/certs/ca-bundle.crt $out/etc/ssl/certs/ca-certificates.crt
      unzip -q ${toolchain}/lib/time/zoneinfo.zip -d $out/usr/share/zoneinfo
    '';
    modules = import ./modules.nix service;
    dependencies = import ./dependencies.nix service;
    formatter = import ./formatter.nix service;
    images = builtins.mapAttrs (_: import ./image.nix service) checked.commands;
    packages = {
      inherit (service) std dependencies toolchain;
    }
    // lib.concatMapAttrs (type: image: {
      "image${suffix type}" = image;
      "server${suffix type}" = image.server;
      "sbom${suffix type}" = image.sbom;
    }) service.images
    // import ./programs.nix service;
    checks = import ./checks.nix service;
    shell = import ./shell.nix service;
  };
in
service
