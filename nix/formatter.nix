# `nix fmt` formats the folder that it runs in, `nix fmt -- FILE` that file.
service:
let
  inherit (service) name pkgs toolchain;
in
pkgs.writeShellApplication {
  name = "${name}-format";
  runtimeInputs = [ toolchain ] ++ builtins.attrValues { inherit (pkgs) findutils nixfmt; };
  text = ''
    [[ $# -gt 0 ]] || set -- .
    own=('(' -name vendor -o -name testdata -o -name .tools ')' -prune -o -type f)
    find "$@" "''${own[@]}" -name '*.go' -exec gofmt -w {} + || echo 'What is not Go stays as it is.' >&2
    find "$@" "''${own[@]}" -name '*.nix' -exec nixfmt {} +
  '';
}
