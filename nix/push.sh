# shellcheck shell=bash
# Pushes the images to Heroku's registry, which `deploy` does first. `push` goes to any other registry, too.

app=${1:-}
repository=
[[ $PROGRAM == push && $app =~ ^([A-Za-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+)(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?$ ]] &&
  repository=${BASH_REMATCH[1]} tag=${BASH_REMATCH[4]:-:latest}
or=
[[ $PROGRAM != push ]] || or=', or -- REGISTRY/NAME:TAG [PROCESS_TYPE]'
[[ $# -le 2 && ($repository || $app =~ ^[a-z][a-z0-9-]*$) && ${2-web} =~ ^[a-z][a-z0-9_-]*$ ]] ||
  fail "usage: nix run .#$PROGRAM -- APP [PROCESS_TYPE]$or" 2
chosen=$(grep "^${2-.*} " <<<"$IMAGES") ||
  fail "there is no process type $2: want one of $(cut -d ' ' -f 1 <<<"$IMAGES" | paste -sd ' ')" 2

# The policy would come from a file that only some systems have.
copy() {
  skopeo --insecure-policy --tmpdir "$work" copy --quiet "$@" 2>"$work/error" || {
    error=$(tail -n 1 "$work/error")
    [[ -z $repository || ! ${error,,} =~ unauthori|denied|authenti|forbidden ]] || state+='; log in by docker, podman or skopeo'
    fail "${error#*level=fatal msg=}$state"
  }
}
# The layer is compressed before the push: the same way for every registry, and so that skopeo sends it as it is. Otherwise it would
# call a layer gzip that is in the registry already, but not compressed.
gzip=(--dest-compress-format gzip --dest-compress-level 9)
send=(--preserve-digests --retry-times 3)

# One index of the images for linux/amd64 and linux/arm64, with the login that docker, podman and skopeo share. All is built before
# anything is sent.
if [[ $repository ]]; then
  command -v nix >/dev/null || fail 'nix builds the image for arm64: want it in PATH'
  [[ ! ${repository,,} =~ ^(localhost|127\.[0-9.]+)[:/] ]] || send+=(--dest-tls-verify=false) # As docker does it.
  state='; nothing is pushed'
  while read -r type image _ _ arm64 _; do
    layout=$work/$type
    arm64=$(nix --extra-experimental-features nix-command build --no-link --print-out-paths "$arm64^out") || fail "cannot build $type for arm64$state"
    copy "${gzip[@]}" "docker-archive:$image" "oci:$layout:amd64"
    copy "${gzip[@]}" "docker-archive:$arm64" "oci:$layout:arm64"
    regctl index create "ocidir://$layout:index" --ref "ocidir://$layout:amd64" --ref "ocidir://$layout:arm64" 2>"$work/error" || fail "$(tail -n 1 "$work/error")$state"
  done <<<"$chosen"
  while read -r type _ _ _ _ suffix; do
    name=$repository$suffix
    state="; $name$tag is as it was, or this index"
    echo "Pushing $type to $name$tag" >&2
    copy "${send[@]}" --multi-arch all --format oci --digestfile "$work/digest" "oci:$work/$type:index" "docker://$name$tag"
    echo "image: $name@$(<"$work/digest")"
  done <<<"$chosen"
  exit
fi

state='; nothing is released'
log_in
printf '_:%s' "$token" | jq --raw-input --arg registry "registry.$host" '{auths: {($registry): {auth: @base64}}}' >"$work/auth"
about=$(api GET "/apps/$app" --header "$accept.sdk") # With the generation.
[[ $(jq --raw-output '.generation | .name? // .' <<<"$about") != fir ]] ||
  fail "$app is in a space of the generation fir, which runs no images: want an app that 'heroku create --stack container' makes elsewhere"
stack=$(jq --raw-output '(.build_stack // .stack).name' <<<"$about")
[[ $stack == container ]] ||
  fail "$app is on the stack $stack, not container: run 'heroku stack:set container --app $app'"
while read -r type image id _; do
  id=$(<"$id")
  echo "Pushing $id to registry.$host/$app/$type"
  # Heroku takes Docker's own format only.
  copy "${gzip[@]}" --dest-compress --format v2s2 "docker-archive:$image" "dir:$work/$type"
  copy "${send[@]}" --dest-authfile "$work/auth" "dir:$work/$type" "docker://registry.$host/$app/$type:latest"
  jq --null-input --arg type "$type" --arg id "$id" '{type: $type, docker_image: $id}' >>"$work/updates"
done <<<"$chosen"
