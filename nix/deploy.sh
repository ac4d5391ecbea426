# shellcheck shell=bash
# Then `deploy` releases all images at once, as `heroku container:release` does it.

newest_release() { api GET "/apps/$app/releases" --header "$accept" --header 'Range: version ..; max=1, order=desc' | jq '.[0]'; }
before=$(newest_release)
state="; 'heroku releases --app $app' says whether it is released"
formation=$(api PATCH "/apps/$app/formation" --header "$accept.docker-releases" --header 'Content-Type: application/json' \
  --data "$(jq --slurp '{updates: .}' "$work/updates")")
release=$(newest_release)
# Heroku makes no release of images that run already.
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
