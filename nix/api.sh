# shellcheck shell=bash
# What push, deploy and verify share: errors, the login, Heroku's Platform API. $IMAGES has a line for each process type: its name,
# the image, a file with the image's ID, the executable in it, and for push what builds the image for arm64 and the end of the name
# that the image has in another registry.
#
# The token comes from HEROKU_API_KEY or from the Heroku CLI. It is in no argument list, where others could read it.

failed=1 # The exit code. For verify, 1 says that something differs.
[[ $PROGRAM != verify ]] || failed=2
state=   # What an error says at its end.
fail() { echo "$PROGRAM: $1" >&2; exit "${2:-$failed}"; }
work=$(mktemp -d 2>/dev/null) || fail 'cannot make a temporary folder'
trap 'rm -rf "$work"' EXIT
trap 'echo "$PROGRAM: interrupted$state" >&2; exit 130' HUP INT TERM

log_in() {
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
  printf 'silent\nshow-error\nmax-time = 60\nheader = "Authorization: Bearer %s"\n' "$token" >"$work/curl"
}

# api METHOD PATH [CURL_OPTION...] prints the Platform API's answer.
accept='Accept: application/vnd.heroku+json; version=3'
api() {
  local status message
  status=$(curl --disable --config "$work/curl" --request "$1" "https://api.$host$2" "${@:3}" \
    --output "$work/answer" --write-out '%{http_code}' 2>"$work/error") || fail "$(head -n 1 "$work/error")$state"
  message=$(jq --raw-output '.message?' "$work/answer" 2>/dev/null) || fail "api.$host answers something else than JSON: $status$state"
  case "$1 $status" in
    *\ 2??) cat "$work/answer" ;;
    *\ 401) fail "api.$host does not take the token from $origin: run 'heroku login', or correct HEROKU_API_KEY" ;;
    GET\ 404) fail "there is no app $app: 'heroku apps' lists yours" ;;
    *) fail "api.$host answers $status: ${message%.}$state" ;;
  esac
}
