# shellcheck shell=bash
# Says whether what runs was built from this checkout: with the exit code 0 it was, with 1 it was not, with 2 nobody can say.

target=${1:-}
[[ $# == 1 && $target =~ ^(https?://[^[:space:]]+|[a-z][a-z0-9-]*)$ ]] || fail "usage: nix run .#verify -- APP, or -- URL" 2
failed=2
app=$target
url=$target
formation=
if [[ $target != http* ]]; then
  log_in
  url=$(api GET "/apps/$app" --header "$accept" | jq --raw-output .web_url)
  # Without docker-releases, the answer has no images.
  formation=$(api GET "/apps/$app/formation" --header "$accept.docker-releases")
fi
url=${url%/}/version
sha256=
if curl --disable --globoff --silent --show-error --location --max-time 60 "$url" >"$work/version" 2>"$work/error"; then
  sha256=$(jq --raw-output '.sha256? | strings | select(test("^[0-9a-f]{64}$"))' "$work/version" 2>/dev/null) || sha256=
elif [[ $target == http* ]]; then
  fail "$(head -n 1 "$work/error")"
fi

table=$(printf '%-16s %-20s %-20s' '' 'this checkout' 'what runs')
# compare WHAT HERE THERE adds a row.
compare() {
  local verdict=differs
  [[ $2 != "$3" ]] || verdict=same
  [[ -n $3 ]] || verdict='not said'
  table+=$(printf '\n%-16s %-20s %-20s %s' "$1" "${2:0:19}" "${3:0:19}" "$verdict")
}
# runs TYPE prints the ID of the image that Heroku runs.
runs() {
  jq --raw-output --arg type "$1" 'map(select(.type == $type)) | if . == [] then "nothing"
    else .[0].docker_image | .id? // . | strings | select(test("^(sha256:)?[0-9a-f]{64}$")) | "sha256:" + .[-64:] end' <<<"$formation"
}
while read -r type _ id executable; do
  if [[ $target != http* ]]; then
    id=$(<"$id")
    there=$(runs "$type")
    compare "$type image" "$id" "$there"
  fi
  if [[ $type == web ]]; then
    executable=$(sha256sum <"$executable")
    compare 'web executable' "${executable%% *}" "$sha256"
  fi
done <<<"$IMAGES"
for type in $(jq --raw-output '.[] | select(.quantity > 0).type' <<<"$formation"); do
  if ! grep --quiet "^$type " <<<"$IMAGES"; then
    there=$(runs "$type")
    compare "$type image" nothing "$there"
  fi
done
[[ $table =~ \ (same|differs) ]] || fail "$url does not say which executable runs${formation:+, nor Heroku which image}"

echo "This checkout: $COMMIT"
echo "$table"
if [[ $table == *' differs'* ]]; then
  echo 'What runs is not this checkout. Deploy it, or check out the commit that runs.'
  [[ ! $table =~ executable[^$'\n']*same ]] || echo 'The executable is this one. The image may come from Docker, or its files or its command differ.'
  exit 1
fi
echo 'What runs is this checkout, if Heroku and the server tell the truth.'
