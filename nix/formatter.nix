# `nix fmt`
{
  findutils,
  nixfmt,
  toolchain,
  writeShellApplication,
}:
writeShellApplication {
  name = "format";
  runtimeInputs = [
    findutils
    nixfmt
    toolchain
  ];
  text = ''
    find . -name vendor -prune -o -name .tools -prune -o -name '*.go' -exec gofmt -w {} +
    find . -name vendor -prune -o -name .tools -prune -o -name '*.nix' -exec nixfmt {} +
  '';
}
