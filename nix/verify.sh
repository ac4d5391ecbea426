# shellcheck shell=bash
# Says whether what runs was built from this checkout: with the exit code 0 nothing differs, with 1 something does, with 2 nobody can say.

[[ $# == 1 && $1 =~ ^((https?://[^[:space:]?#]+)|[a-z][a-z0-9-]*)$ ]] || fail 'usage: nix run .#verify -- APP, or -- URL'
url=${BASH_REMATCH[2]}
app=${1#"$url"}
has() { grep --quiet "^$1 $2" <<<"$3"; }

# Of each process type a line: its name, up or down, the ID of its image or "unknown".
formation=
if [[ $url ]]; then
  has web '' "$IMAGES" || fail 'this checkout has no process type web: give the name of the app, not a URL'
else
  log_in
  about=$(api GET "/apps/$app" --header "$accept")
  # Other clients read docker_image.id when they have released an image. Without docker-releases, it is not there.
  answer=$(api GET "/apps/$app/formation" --header "$accept.docker-releases")
  {
    url=$(jq --raw-output '.web_url | strings' <<<"$about") && formation=$(jq --raw-output '(arrays // error("no array"))[] | [
      (.type | strings // error("no type")),
      if .quantity > 0 then "up" else "down" end,
      ([.docker_image | .id? // . | strings | select(test("^(sha256:)?[0-9a-f]{64}$")) | "sha256:" + .[-64:]][0] // "unknown")
    ] | join(" ")' <<<"$answer")
  } 2>/dev/null || fail "api.$host answers something else than an app and its process types"
fi
sha256=
unreachable=
url=${url%/}/version
if [[ -z $app ]] || has web up "$formation"; then
  status=$(curl --disable --globoff --silent --show-error --location --proto-redir "=https,${url%%:*}" --max-time 60 \
    --output "$work/version" --write-out '%{http_code}' "$url" 2>"$work/error") || unreachable=$(head -n 1 "$work/error")
  [[ -n $unreachable || $status != 5?? ]] || unreachable="$url answers $status"
  # Without a sha256, it is a service of another kind.
  sha256=$(jq --raw-output '.sha256? | strings | select(test("^[0-9a-f]{64}$"))' "$work/version" 2>/dev/null) || sha256=
fi

table=$(printf '%-16s %-20s %-20s' '' 'this checkout' 'what runs')
# compare WHAT HERE THERE adds a row.
compare() {
  local verdict=differs
  [[ $2 != "$3" ]] || verdict=same
  [[ $3 != unknown ]] || verdict='not said'
  table+=$(printf '\n%-16s %-20s %-20s %s' "$1" "${2:0:19}" "${3:0:19}" "$verdict")
}
while read -r type _ id executable; do
  if [[ -n $app ]]; then
    there=$(grep "^$type " <<<"$formation" | cut -d ' ' -f 3) || there=nothing
    id=$(<"$id")
    compare "$type image" "$id" "$there"
  fi
  [[ $type != web ]] || compare 'web executable' "$(sha256sum <"$executable" | cut -d ' ' -f 1)" "${sha256:-unknown}"
done <<<"$IMAGES"
more=
while read -r type state _; do
  [[ $state != up ]] || has "$type" '' "$IMAGES" ||
    more+=$'\n'"This checkout has no $type. To end it: heroku ps:scale $type=0 --app $app"
done <<<"$formation"
# is WHAT VERDICT says whether a row has the verdict. WHAT may be a pattern.
is() { grep --quiet "^$1 .*$2\$" <<<"$table"; }

is '.*' differs || [[ -z $unreachable ]] || fail "$unreachable"
is '.*' same || is '.*' differs || fail "$url does not say which executable runs${app:+, nor Heroku which image}"
echo "This checkout: $COMMIT"
echo "$table$more"
if [[ -n $app && $formation != *' up '* ]]; then
  echo 'Nothing runs: no process type has a dyno.'
elif is 'web image' same && is 'web executable' differs; then
  echo 'Heroku has this image, but an executable of another one answers. Wait until the dynos have restarted.'
elif is '.*' differs; then
  echo 'What runs is not this checkout. Deploy it, or check out the commit that runs.'
  ! is 'web image' differs || ! is 'web executable' same ||
    echo 'The executable of web is this one. Docker has built the image, or its files or its command differ.'
elif [[ -n $more ]]; then
  echo 'All else that runs is this checkout, if Heroku and the server tell the truth.'
elif is '.*' 'not said'; then
  echo 'What runs is this checkout, as far as Heroku and the server say, and if they tell the truth.'
else
  echo 'What runs is this checkout, if Heroku and the server tell the truth.'
fi
[[ -z $more ]] && ! is '.*' differs
