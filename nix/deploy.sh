# shellcheck shell=bash
# As `deploy`, pushes the image to Heroku's registry and releases it. As `push`, stops after the first half.
#
# The token comes from HEROKU_API_KEY, from the Heroku CLI or from ~/.netrc. It stands in no argument list, for others could
# read it there.

program=${0##*/}
fail() {
  echo "$program: $*" >&2
  exit 1
}
misused() {
  echo "$program: $*" >&2
  exit 2
}

app=${1:-}
type=${2:-web}
[[ $# -le 2 && $app =~ ^[a-z][a-z0-9-]*$ && $type =~ ^[a-z][a-z0-9_-]*$ ]] ||
  misused "usage: nix run .#$program -- APP [PROCESS_TYPE]"
# As for the CLI, but that one goes to heroku.com when it does not like the name.
host=${HEROKU_HOST:-heroku.com}
[[ $host =~ ^([a-z0-9-]+\.)*(heroku|herokai|herokuspace|herokudev)\.com$ ]] ||
  misused "HEROKU_HOST=\"$host\": want a domain of Heroku's, like heroku.com"
repository=registry.$host/$app/$type

origin=HEROKU_API_KEY
token=${HEROKU_API_KEY:-}
if [[ -z $token ]] && command -v heroku >/dev/null; then
  origin='the Heroku CLI'
  token=$(heroku auth:token 2>/dev/null </dev/null) || token=
fi
if [[ -z $token && -r ~/.netrc ]]; then
  origin=~/.netrc
  token=$(jq --raw-input --raw-output --slurp --arg machine "api.$host" '
    [splits("\\s+")] | .[index(["machine", $machine]) // length | . + 2:]
    | .[:index("machine") // length] | .[(index("password") // length) + 1] // ""
  ' ~/.netrc)
fi
[[ -n $token ]] || fail "not logged in to Heroku: run 'heroku login', or set HEROKU_API_KEY"
[[ $token =~ ^[A-Za-z0-9._~+/=-]+$ ]] || fail "the token from $origin is none: it has characters that no token has"

released='nothing is released'
trap 'rm -rf "$work"' EXIT
trap 'echo "$program: interrupted; $released" >&2; exit 130' HUP INT TERM
work=$(mktemp -d)
printf 'silent\nshow-error\nmax-time = 60\nheader = "Authorization: Bearer %s"\n' "$token" >"$work/curl"
printf '_:%s' "$token" | jq --raw-input --arg registry "registry.$host" '{auths: {($registry): {auth: @base64}}}' >"$work/auth"

# api METHOD PATH [CURL_OPTION...] prints the Platform API's answer.
api() {
  local status
  status=$(curl --config "$work/curl" --request "$1" "https://api.$host$2" "${@:3}" \
    --output "$work/answer" --write-out '%{http_code}' 2>"$work/error") || fail "$(head -n 1 "$work/error")"
  case $status in
    2??) cat "$work/answer" ;;
    401) fail "api.$host does not take the token from $origin: run 'heroku login', or mend HEROKU_API_KEY" ;;
    404) fail "there is no app $app: 'heroku apps' lists yours" ;;
    *) fail "api.$host answers $status: $(jq --raw-output .message "$work/answer" || true)" ;;
  esac
}
accept='Accept: application/vnd.heroku+json; version=3'

about=$(api GET "/apps/$app" --header "$accept")
stack=$(jq --raw-output '(.build_stack // .stack).name' <<<"$about")
[[ $stack == container ]] ||
  fail "$app is on the stack $stack, not container: run 'heroku stack:set container --app $app'"

# Heroku takes Docker's own format only, hence v2s2. The policy would come from a file that only some systems have.
id=$(<"$IMAGE_ID")
echo "Pushing $id to $repository"
skopeo --insecure-policy --tmpdir "$work" copy --quiet --format v2s2 --retry-times 3 --dest-authfile "$work/auth" \
  "docker-archive:$IMAGE" "docker://$repository:latest" 2>"$work/error" || {
  error=$(tail -n 1 "$work/error")
  fail "nothing is released: ${error#*level=fatal msg=}"
}
[[ $program == deploy ]] || exit 0

# As `heroku container:release` does it.
jq --null-input --arg type "$type" --arg id "$id" '{updates: [{type: $type, docker_image: $id}]}' >"$work/updates"
released="'heroku releases --app $app' says whether it is released"
api PATCH "/apps/$app/formation" --header "$accept.docker-releases" --header 'Content-Type: application/json' \
  --data "@$work/updates" >/dev/null
newest=$(api GET "/apps/$app/releases" --header "$accept" --header 'Range: version ..; max=1, order=desc')
echo "Image:   $id"
echo "Release: $(jq --raw-output '.[0] | "v\(.version), \(.status)"' <<<"$newest")"
echo "URL:     $(jq --raw-output .web_url <<<"$about")"
