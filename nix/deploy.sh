# shellcheck shell=bash
# As `deploy`, pushes the images to Heroku's registry and releases all of them at once. As `push`, stops after the first half.
# $IMAGES has a line for each process type: its name, the image, and a file with the image's ID.
#
# The token comes from HEROKU_API_KEY or from the Heroku CLI. It is in no argument list, where others could read it.

fail() {
  echo "$PROGRAM: $1" >&2
  exit "${2:-1}"
}

app=${1:-}
[[ $# -le 2 && $app =~ ^[a-z][a-z0-9-]*$ && ${2-web} =~ ^[a-z][a-z0-9_-]*$ ]] ||
  fail "usage: nix run .#$PROGRAM -- APP [PROCESS_TYPE]" 2
chosen=$(grep "^${2-.*} " <<<"$IMAGES") ||
  fail "there is no process type $2: want one of $(cut -d ' ' -f 1 <<<"$IMAGES" | paste -sd ' ')" 2
# For any other name the CLI goes to heroku.com. A token that was meant for another place should not.
host=${HEROKU_HOST:-heroku.com}
[[ $host =~ ^([a-z0-9-]+\.)*(heroku|herokai|herokuspace|herokudev)\.com$ ]] ||
  fail "HEROKU_HOST=\"$host\": want a domain of Heroku's, like heroku.com" 2

origin=HEROKU_API_KEY
token=${HEROKU_API_KEY:-}
if [[ -z $token ]] && command -v heroku >/dev/null; then
  origin='the Heroku CLI'
  token=$(heroku auth:token 2>/dev/null </dev/null) || token=
fi
[[ -n $token ]] || fail "not logged in to Heroku: run 'heroku login', or set HEROKU_API_KEY"
[[ $token =~ ^[A-Za-z0-9._~+/=-]+$ ]] || fail "the token from $origin has characters that no token has"

state='nothing is released'
trap 'rm -rf "$work"' EXIT
trap 'echo "$PROGRAM: interrupted; $state" >&2; exit 130' HUP INT TERM
work=$(mktemp -d)
printf 'silent\nshow-error\nmax-time = 60\nheader = "Authorization: Bearer %s"\n' "$token" >"$work/curl"
printf '_:%s' "$token" | jq --raw-input --arg registry "registry.$host" '{auths: {($registry): {auth: @base64}}}' >"$work/auth"

# api METHOD PATH [CURL_OPTION...] prints the Platform API's answer.
accept='Accept: application/vnd.heroku+json; version=3'
api() {
  local status message
  status=$(curl --disable --config "$work/curl" --request "$1" "https://api.$host$2" "${@:3}" \
    --output "$work/answer" --write-out '%{http_code}' 2>"$work/error") || fail "$(head -n 1 "$work/error"); $state"
  message=$(jq --raw-output '.message?' "$work/answer" 2>/dev/null) || {
    message=$status
    status='something else than JSON'
  }
  case "$1 $status" in
    *\ 2??) cat "$work/answer" ;;
    *\ 401) fail "api.$host does not take the token from $origin: run 'heroku login', or correct HEROKU_API_KEY" ;;
    GET\ 404) fail "there is no app $app: 'heroku apps' lists yours" ;;
    *) fail "api.$host answers $status: ${message%.}; $state" ;;
  esac
}
newest_release() {
  api GET "/apps/$app/releases" --header "$accept" --header 'Range: version ..; max=1, order=desc' | jq '.[0]'
}

about=$(api GET "/apps/$app" --header "$accept")
stack=$(jq --raw-output '(.build_stack // .stack).name' <<<"$about")
[[ $stack == container ]] ||
  fail "$app is on the stack $stack, not container: run 'heroku stack:set container --app $app'"

# Heroku takes Docker's own format only, hence v2s2. The policy would come from a file that only some systems have.
while read -r type image id; do
  id=$(<"$id")
  repository=registry.$host/$app/$type
  echo "Pushing $id to $repository"
  skopeo --insecure-policy --tmpdir "$work" copy --quiet --format v2s2 --retry-times 3 --dest-authfile "$work/auth" \
    "docker-archive:$image" "docker://$repository:latest" 2>"$work/error" || {
    error=$(tail -n 1 "$work/error")
    fail "${error#*level=fatal msg=}; $state"
  }
  jq --null-input --arg type "$type" --arg id "$id" '{type: $type, docker_image: $id}' >>"$work/updates"
done <<<"$chosen"
[[ $PROGRAM == deploy ]] || exit 0

# As `heroku container:release` does it. Heroku makes no release of images that run already.
before=$(newest_release)
state="'heroku releases --app $app' says whether it is released"
api PATCH "/apps/$app/formation" --header "$accept.docker-releases" --header 'Content-Type: application/json' \
  --data "$(jq --slurp '{updates: .}' "$work/updates")" >/dev/null
release=$(newest_release)
[[ $(jq .id <<<"$release") != $(jq .id <<<"$before") ]] || echo "$app runs this already"
version=v$(jq .version <<<"$release")
while [[ $(jq --raw-output .status <<<"$release") == pending ]]; do # The app has a release phase.
  sleep 1
  release=$(api GET "/apps/$app/releases/$(jq --raw-output .id <<<"$release")" --header "$accept")
done
[[ $(jq --raw-output .status <<<"$release") != failed ]] ||
  fail "the release $version failed: 'heroku releases:output --app $app' says why"
echo "Release: $version"
echo "URL:     $(jq --raw-output .web_url <<<"$about")"
