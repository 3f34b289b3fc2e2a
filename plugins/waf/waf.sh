#!/bin/sh
# wafw00f as a kastrun plugin: one URL, and the web application firewall in front of it.
#
# File descriptor 3 is the protocol; whatever else prints goes to stderr. wafw00f exits 0 with
# an empty list for a dead target, and takes one that dies half way for a firewall ("blocked at
# connection level"): so curl asks the target before and after, and has the last word.
# shellcheck disable=SC2016  # what stands in single quotes is jq's, its $names too
set -eu
umask 077
exec 3>&1 >&2

job=$(cat)
ask() { printf '%s' "$job" | jq -r "$1"; }
say() { jq -nc "$@" >&3; }

finish() { # finish STATUS MESSAGE
  say --arg status "$1" --arg message "$2" '{type: "done", $status, $message}'
  exit 0
}
fail() { # fail KIND MESSAGE
  say --arg kind "$1" --arg message "$2" '{type: "done", status: "error", error: {$kind, $message}}'
  exit 0
}
note() { say --arg level "$1" --arg message "$2" '{type: "log", $level, $message}'; }

child='' pause='' stopped='' insecure=''
end_child() { # SIGTERM, and SIGKILL a second later if that did not do
  [ -z "$child" ] || ! kill "$child" 2>/dev/null || {
    for _ in 1 2 3 4 5 6 7 8 9 10; do
      kill -0 "$child" 2>/dev/null || break
      sleep 0.1
    done
    kill -9 "$child" 2>/dev/null || :
  }
}
on_term() {
  stopped=yes
  [ -z "$pause" ] || kill "$pause" 2>/dev/null || :
  [ -z "$child" ] || kill "$child" 2>/dev/null || :
}
trap on_term TERM INT

# Waits for $child for at most $1 seconds, with a heartbeat every five.
# 0: it ended by itself; 1: we ended it, or SIGTERM came.
watch() {
  ticks=0
  while kill -0 "$child" 2>/dev/null; do
    if [ -n "$stopped" ] || [ "$ticks" -ge $(($1 * 5)) ]; then
      end_child
      return 1
    fi
    sleep 0.2 &
    pause=$!
    wait "$pause" || :
    pause=''
    ticks=$((ticks + 1))
    [ $((ticks % 25)) -ne 0 ] || say '{type: "progress", message: "wafw00f is looking"}'
  done
  [ -z "$stopped" ]
}

# Asks the target; fails, with curl's reason in probe.err, where it gives no HTTP answer within $1 seconds.
# A host whose certificate is not trusted is asked without the profile's headers: they may be secrets.
answers() {
  try "$1" || {
    [ "$exit" = 60 ] && [ -z "$stopped" ] || return 1
    [ ! -s headers.txt ] || note warn 'the certificate is not trusted: http.headers are not sent'
    : >headers.txt
    insecure=k
    try "$1"
  }
}
try() {
  : >probe.out
  exit=0
  curl -q -gsS$insecure --proto '=http,https' -A "$agent" -H @headers.txt --max-time "$1" \
    -o /dev/null -w '%{http_code}' -- "$url" >probe.out 2>probe.err </dev/null &
  child=$!
  wait "$child" || exit=$?
  child=''
  code=$(cat probe.out)
  [ "${code:-000}" != 000 ]
}

# --- the job ---------------------------------------------------------------------------------

url=$(ask '.targets[0].value')
agent=$(ask '.http.user_agent')
proxy=$(ask '.http.proxy // ""')
if [ -n "$proxy" ]; then # by the environment, which curl and wafw00f both heed: a proxy may hold a password
  export http_proxy="$proxy" https_proxy="$proxy"
fi
ca=$(ask '.http.ca_file // ""')
if [ -n "$ca" ]; then
  export CURL_CA_BUNDLE="$ca"
fi
total=$(ask '.deadline_s | floor')
reserve=$((total / 4)) # ours, to ask again and to say what was found
[ "$reserve" -le 12 ] || reserve=12
[ "$reserve" -ge 2 ] || reserve=2
patience=$((reserve / 2))

# Headers go by file, never by command line.
ask '.http.headers | to_entries[] | "\(.key): \(.value)"' >headers.txt
answers "$patience" || {
  [ -z "$stopped" ] || finish partial 'stopped by SIGTERM before wafw00f began'
  fail target "$url does not answer: $(head -c 300 probe.err)"
}

# wafw00f takes its file instead of its own set, user agent included, and drops a header whose value holds a colon.
sent='.http | {"User-Agent": .user_agent} + .headers'
[ -z "$insecure" ] || sent='.http | {"User-Agent": .user_agent}'
ask "$sent"' | to_entries[] | "\(.key): \(.value)"' >wafw00f.headers
lost=$(ask "[$sent"' | to_entries[] | select("\(.key)\(.value)" | contains(":")) | .key] | join(", ")')
[ -z "$lost" ] || note warn "wafw00f cannot send headers with a colon in their value; left out: $lost"

command -v wafw00f >/dev/null || fail config 'wafw00f was not found'
wafw00f -r --no-colors -T 7 -f json -o waf.json -H wafw00f.headers -- "$url" </dev/null 2>wafw00f.err &
child=$!
if watch $((total - reserve - patience)); then cut=''; else cut=yes; fi
code=0
wait "$child" || code=$?
child=''
head -c 4000 wafw00f.err >&2

if [ -n "$stopped" ]; then finish partial 'wafw00f was stopped by SIGTERM; it says nothing before its end'; fi
if [ -n "$cut" ]; then
  answers "$patience" || fail target "the target stopped answering during this job: $(head -c 300 probe.err)"
  finish partial 'time ran out before wafw00f was done; it says nothing before its end'
fi

sample=$(cat waf.json wafw00f.err 2>/dev/null | head -c 300)
jq -e 'type == "array" and all(.[]; type == "object" and (.detected | type) == "boolean"
  and (.firewall | type) == "string")' waf.json >/dev/null ||
  fail internal "wafw00f ended with exit code $code and a result of an unknown form: $sample"

answers "$patience" ||
  fail target "the target stopped answering during this job, so what wafw00f made of it proves nothing: $(head -c 300 probe.err)"
jq -e 'length > 0' waf.json >/dev/null || fail target 'wafw00f got no answer, although our own request did'

jq -c --arg url "$url" '.[] | select(.detected) | {type: "asset", kind: "tech",
  value: (if .firewall == "Generic" then "Unrecognised web application firewall" else .firewall end),
  attrs: ({category: "waf", url: $url}
    + (if .manufacturer == "Unknown" then {} else {manufacturer} end))}' waf.json >&3
jq -e 'any(.[]; .detected)' waf.json >/dev/null || note info 'no web application firewall was recognised'
say '{type: "done", status: "ok"}'
