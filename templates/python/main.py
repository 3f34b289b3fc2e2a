#!/usr/bin/env python3
"""plain-http: is plain HTTP sent on to HTTPS? One job line in, messages out; the standard library only."""

import http.client
import json
import os
import signal
import sys
import urllib.error
import urllib.request

protocol = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)  # from here on stdout is stderr: what a library prints cannot spoil the protocol


def say(**message):
    print(json.dumps(message), file=protocol, flush=True)


class Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: it may lead out of the scan's scope."""

    def redirect_request(self, *_):
        return None


def answer(url, wishes):
    """Status and Location of what answers at `url`. http.headers may be secrets, and this goes in clear."""
    proxies = {"http": wishes["proxy"]} if wishes["proxy"] else {}
    opener = urllib.request.build_opener(Stay, urllib.request.ProxyHandler(proxies))
    request = urllib.request.Request(url, headers={"User-Agent": wishes["user_agent"]})
    try:
        response = opener.open(request)
    except urllib.error.HTTPError as error:  # 3xx, 4xx and 5xx are answers too
        response = error
    with response:
        return response.status, response.headers.get("Location", "")


def give_up(*_):
    raise TimeoutError("no answer in time")


def main():
    job = json.load(sys.stdin)
    host = job["targets"][0]["host"]
    where = f"[{host}]" if ":" in host else host  # an IPv6 address stands in brackets in a URL
    url = f"http://{where}:{job['options']['port']}/"
    signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, min(5, job["deadline_s"] / 2))
    try:
        status, location = answer(url, job["http"])
    except (OSError, http.client.HTTPException, ValueError) as error:
        message = f"{url} does not answer: {error}"
        say(type="done", status="error", error={"kind": "target", "message": message})
        return
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)

    redirects = 300 <= status < 400 and location
    seen = f"HTTP {status} to {location}" if redirects else f"HTTP {status}"
    if not (redirects and location.lower().startswith("https://")):
        say(
            type="finding",
            rule="http.no-redirect",
            title="Plain HTTP is not sent on to HTTPS",
            severity="medium",
            location={"url": url},
            evidence=seen,
            remediation="Answer every plain request with a redirect to the https:// address.",
            refs=["CWE-319"],
        )
    say(type="done", status="ok", message=seen)


main()
