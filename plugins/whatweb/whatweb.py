#!/usr/bin/env python3
"""whatweb as a kastrun plugin: one URL, an ordinary visit (`-a 1`), the technologies it shows.

Exit 0 with an empty list is also what whatweb makes of a dead target, so the target is
asked by us before and after. Headers and proxy go to whatweb by a file, never by its
command line: they may be secrets.
"""

from __future__ import annotations

import json
import os
import sys
from time import monotonic

sys.dont_write_bytecode = True  # the plugin's folder is not ours to write to

import contact  # noqa: E402
import facts  # noqa: E402
import tool  # noqa: E402

LOG = "whatweb.json"
PROBE_S = 10.0

# Loaded by whatweb as if it were one of its plugins, before the first request.
HTTP_RUBY = """\
require 'json'
wishes = JSON.parse(File.read('http.json', encoding: 'UTF-8'))
wishes['headers'].each { |name, value| $CUSTOM_HEADERS[name] = value }
if (proxy = wishes['proxy'])
  $USE_PROXY = true
  $PROXY_HOST = proxy['host']
  $PROXY_PORT = proxy['port']
  $PROXY_USER = proxy['user']
  $PROXY_PASS = proxy['password']
end
"""


class JobError(Exception):
    """Ends the job with status error; `kind` is the protocol's `error.kind`."""

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


def out(**message):
    print(json.dumps(message), flush=True)


def beat():
    out(type="progress", message="whatweb is looking")


def write_private(name, text):
    with open(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def usable_proxy(http):
    """The proxy in parts, or None. Raises JobError (config) for one that whatweb cannot use."""
    try:
        return contact.proxy_parts(http["proxy"]) if http["proxy"] else None
    except ValueError as error:
        raise JobError("config", f"http.proxy: {error}") from error


def ask(url, http, limit_s, stop):
    """Whether the certificate is trusted. Raises OSError where there is no answer in `limit_s` seconds."""
    return tool.bounded(lambda: contact.answer(url, http, limit_s), limit_s, stop)[1]


def why_silent(url, http, limit_s, stop):
    """None where the target still answers, else why not, in words."""
    try:
        ask(url, http, limit_s, stop)
    except OSError as error:
        return str(error)
    return None


def hand_over(http, proxy, trusted):
    """Write what whatweb is to send with each request; its own headers only to a host that is trusted."""
    if http["headers"] and not trusted:
        out(type="log", level="warn", message="the certificate is not trusted: http.headers are not sent")
        http = {**http, "headers": {}}
    write_private("http.json", json.dumps({"headers": contact.headers(http), "proxy": proxy}))
    write_private("http.rb", HTTP_RUBY)


def look(url, limit_s, stop):
    """Run whatweb; how it ended and what it wrote."""
    argv = ["whatweb", "-a", "1", "-q", "--no-errors", "--color=never", f"--log-json={LOG}"]
    argv += ["--open-timeout=5", "--read-timeout=5", "--max-threads=1", "--follow-redirect=same-site"]
    argv += ["-p", "+./http.rb", "--", url]
    try:
        ended = tool.run(argv, limit_s, stop, lambda line: print(line, file=sys.stderr), beat)
    except OSError as error:
        raise JobError("config", f"whatweb cannot be started: {error}") from error
    try:
        with open(LOG, encoding="utf-8", errors="replace") as file:
            return ended, file.read()
    except FileNotFoundError:
        return ended, ""


def judge(ended, text, again):
    """The pages that whatweb saw, where they are all or part of an answer; else JobError says why not.

    `again` is what the target said to our request afterwards: None where it answered.
    """
    try:
        pages = facts.pages(text)
    except facts.UnknownFormatError as error:
        raise JobError("internal", str(error)) from error
    if ended.cut or pages:
        return pages
    if again is not None:
        raise JobError("target", f"the target stopped answering during this job: {again}")
    if ended.code != 0 or not facts.whole(text):
        sample = (ended.stderr or text)[-300:]
        raise JobError("internal", f"whatweb ended with exit code {ended.code} and no result: {sample!r}")
    raise JobError("target", "whatweb got no answer within 5 s, although our own request did")


def work(job, stop):
    """Do the job; the reasons, in words, why the result is partial."""
    begin, total = monotonic(), float(job["deadline_s"])
    reserve = min(10.0, total * 0.25)  # ours, to ask again and say what was found
    url, http = job["targets"][0]["value"], job["http"]
    proxy = usable_proxy(http)
    try:
        trusted = ask(url, http, min(PROBE_S, total * 0.25), stop)
    except OSError as error:
        if stop.requested:
            return ["stopped by SIGTERM before whatweb began"]
        raise JobError("target", f"{url} does not answer: {error}") from error
    hand_over(http, proxy, trusted)
    ended, text = look(url, total - reserve - (monotonic() - begin), stop)
    again = None if stop.requested else why_silent(url, http, reserve / 2, stop)
    pages = judge(ended, text, again)
    for name, attrs in facts.technologies(pages).items():
        out(type="asset", kind="tech", value=name, attrs=attrs)
    reasons = {
        "stopped": ["whatweb was stopped by SIGTERM"],
        "time": ["time ran out before whatweb was done"],
    }
    return reasons.get(ended.why, []) + (
        [] if again is None else ["the target stopped answering during this job"]
    )


def main():
    stop = tool.Stop()
    try:
        short = work(json.load(sys.stdin), stop)
    except JobError as error:
        out(type="done", status="error", error={"kind": error.kind, "message": str(error)})
        return
    if short:
        out(type="done", status="partial", message="; ".join(short))
    else:
        out(type="done", status="ok")


main()
