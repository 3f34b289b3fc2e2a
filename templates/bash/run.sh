#!/usr/bin/env bash
# plain-http: is plain HTTP sent on to HTTPS?
#
# One job line in, messages out. Descriptor 3 is the protocol; whatever else prints goes to stderr.
# shellcheck disable=SC2016  # what stands in single quotes is jq's, its $names too
set -euo pipefail
exec 3>&1 >&2

job=$(cat)
ask() { jq -r "$1" <<<"$job"; }
say() { jq -nc "$@" >&3; } # jq builds every message, so that what a target says stays a string

host=$(ask '.targets[0].host')
[[ $host != *:* ]] || host="[$host]" # an IPv6 address stands in brackets in a URL
url="http://$host:$(ask .options.port)/"

# http.headers may be secrets, and this request goes in clear: they are not sent. The proxy goes by
# the environment, since it may hold a password and everybody can read a command line.
http_proxy=$(ask '.http.proxy // ""')
export http_proxy
answer=$(curl -gsS --proto =http --max-time "$(ask '[.deadline_s / 2, 5] | min')" \
  --user-agent "$(ask .http.user_agent)" -o /dev/null -D head -w '%{http_code} %{redirect_url}' \
  -- "$url" </dev/null 2>curl.err) || : # not its exit code is the proof of contact, but a whole head
if ! grep -q $'^\r\\?$' head 2>/dev/null; then
  why=$(head -c 300 curl.err)
  say --arg message "$url does not answer: ${why:-it closed half way}" \
    '{type: "done", status: "error", error: {kind: "target", $message}}'
  exit 0
fi

status=${answer%% *}
location=${answer#* }
seen="HTTP $status${location:+ to $location}"
if [[ ${location,,} != https://* ]]; then
  say --arg url "$url" --arg evidence "$seen" '{type: "finding", rule: "http.no-redirect",
    title: "Plain HTTP is not sent on to HTTPS", severity: "medium", location: {$url}, $evidence,
    remediation: "Answer every plain request with a redirect to the https:// address.", refs: ["CWE-319"]}'
fi
say --arg message "$seen" '{type: "done", status: "ok", $message}'
