# `nix fmt` formats the folder that it runs in, `nix fmt -- FILE` that file.
{
  findutils,
  nixfmt,
  pname,
  toolchain,
  writeShellApplication,
}:
writeShellApplication {
  name = "${pname}-format";
  runtimeInputs = [
    findutils
    nixfmt
    toolchain
  ];
  text = ''
    [[ $# -gt 0 ]] || set -- .
    own=('(' -name vendor -o -name .tools ')' -prune -o -type f)
    find "$@" "''${own[@]}" -name '*.go' -exec gofmt -w {} +
    find "$@" "''${own[@]}" -name '*.nix' -exec nixfmt {} +
  '';
  meta.description = "Format Go and Nix files";
}
