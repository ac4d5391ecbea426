# shellcheck shell=bash
# As `deploy`, pushes the images to Heroku's registry and releases all of them at once. As `push`, stops after the first half.

app=${1:-}
[[ $# -le 2 && $app =~ ^[a-z][a-z0-9-]*$ && ${2-web} =~ ^[a-z][a-z0-9_-]*$ ]] ||
  fail "usage: nix run .#$PROGRAM -- APP [PROCESS_TYPE]" 2
chosen=$(grep "^${2-.*} " <<<"$IMAGES") ||
  fail "there is no process type $2: want one of $(cut -d ' ' -f 1 <<<"$IMAGES" | paste -sd ' ')" 2
state='; nothing is released'
log_in
printf '_:%s' "$token" | jq --raw-input --arg registry "registry.$host" '{auths: {($registry): {auth: @base64}}}' >"$work/auth"
newest_release() {
  api GET "/apps/$app/releases" --header "$accept" --header 'Range: version ..; max=1, order=desc' | jq '.[0]'
}

about=$(api GET "/apps/$app" --header "$accept.sdk") # With the generation.
[[ $(jq --raw-output '.generation | .name? // .' <<<"$about") != fir ]] ||
  fail "$app is in a space of the generation fir, which runs no images: want an app that 'heroku create --stack container' makes elsewhere"
stack=$(jq --raw-output '(.build_stack // .stack).name' <<<"$about")
[[ $stack == container ]] ||
  fail "$app is on the stack $stack, not container: run 'heroku stack:set container --app $app'"

# Heroku takes Docker's own format only, hence v2s2. The policy would come from a file that only some systems have.
while read -r type image id _; do
  id=$(<"$id")
  repository=registry.$host/$app/$type
  echo "Pushing $id to $repository"
  skopeo --insecure-policy --tmpdir "$work" copy --quiet --format v2s2 --retry-times 3 --dest-authfile "$work/auth" \
    "docker-archive:$image" "docker://$repository:latest" 2>"$work/error" || {
    error=$(tail -n 1 "$work/error")
    fail "${error#*level=fatal msg=}$state"
  }
  jq --null-input --arg type "$type" --arg id "$id" '{type: $type, docker_image: $id}' >>"$work/updates"
done <<<"$chosen"
[[ $PROGRAM == deploy ]] || exit 0

# As `heroku container:release` does it. Heroku makes no release of images that run already.
before=$(newest_release)
state="; 'heroku releases --app $app' says whether it is released"
formation=$(api PATCH "/apps/$app/formation" --header "$accept.docker-releases" --header 'Content-Type: application/json' \
  --data "$(jq --slurp '{updates: .}' "$work/updates")")
release=$(newest_release)
[[ $(jq .id <<<"$release") != $(jq .id <<<"$before") ]] || echo "$app runs this already"
version=v$(jq .version <<<"$release")
while [[ $(jq --raw-output .status <<<"$release") == pending ]]; do # The app has a release phase.
  sleep 1
  release=$(api GET "/apps/$app/releases/$(jq --raw-output .id <<<"$release")" --header "$accept")
done
[[ $(jq --raw-output .status <<<"$release") != failed ]] ||
  fail "the release $version failed: 'heroku releases:output --app $app' says why"
for type in $(jq --raw-output '.[]? | select(.quantity? == 0) | .type' <<<"$formation"); do
  ! grep --quiet "^$type " <<<"$chosen" || echo "No dyno runs $type: 'heroku ps:scale $type=1 --app $app' starts one"
done
echo "Release: $version"
echo "URL:     $(jq --raw-output .web_url <<<"$about")"
echo "Verify:  nix run .#verify -- $app"
