#!/usr/bin/env python3
"""Reads one job, asks a page with several origins, prints which may read it.

The only file here that talks to kastrun. The page is asked without an origin before and
after: no answer before is an error, none after makes the result partial. Redirects are
not followed: it is this URL that is judged.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import traceback
from collections.abc import Iterator
from typing import Any
from urllib.parse import SplitResult, urlsplit

sys.dont_write_bytecode = True  # this folder's content is part of a job's identity

import fetch  # noqa: E402
import origins  # noqa: E402

_mouth = threading.Lock()
_met = threading.Event()  # the target has answered once


def say(**message: Any) -> None:
    """Prints one message, whole, at once."""
    with _mouth:
        print(json.dumps(message), flush=True)


def log(level: str, message: str) -> None:
    say(type="log", level=level, message=message)


def end(**done: Any) -> None:
    """Says `done` and ends the process, from whichever thread: nothing may follow it."""
    _mouth.acquire()
    print(json.dumps({"type": "done", **done}), flush=True)
    os._exit(0)


def fail(kind: str, message: str) -> None:
    end(status="error", error={"kind": kind, "message": message})


def watch(deadline_s: float, url: str) -> None:
    """Ends the job in words a little before the host would end it without; a slow resolver included."""

    def late() -> None:
        if _met.is_set():
            end(status="partial", message=f"{url} did not answer every request within the job's time")
        fail("target", f"{url} gave no complete answer within the job's {deadline_s:g} s")

    alarm = threading.Timer(max(deadline_s - 1, deadline_s / 2), late)
    alarm.daemon = True
    alarm.start()


def crashed(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    traceback.print_exception(kind, error, trace)
    sys.stderr.flush()
    fail("internal", f"{kind.__name__}: {error}")


def look(url: SplitResult, browser: fetch.Browser) -> Iterator[dict[str, Any]]:
    """The findings, each as soon as it is known. Raises NoAnswerError where the target goes silent."""
    for count, probe in enumerate(origins.probes(url)):
        say(type="progress", done=count, message=f"origin {probe.origin}")
        page = browser.get(url, probe.origin)
        if page.status >= 500 or page.status == 429:
            raise fetch.NoAnswerError(f"HTTP {page.status} when asked with the origin {probe.origin}")
        found = origins.judge(probe, page) or (origins.wildcard(page) if count == 0 else None)
        if found:
            yield found
        if found and count == 0:
            return  # it allows all: the other origins would tell the same again


def main() -> None:
    sys.excepthook = crashed
    job = json.loads(sys.stdin.buffer.readline())
    url = urlsplit(job["targets"][0]["value"])._replace(fragment="")
    watch(job["deadline_s"], url.geturl())
    browser = fetch.Browser(job["http"], seconds=job["options"].get("timeout", 10), log=log)
    try:
        before = browser.get(url)
    except fetch.SettingError as error:
        fail("config", str(error))
        return
    except fetch.NoAnswerError as error:
        fail("target", str(error))
        return
    _met.set()
    where = f"{url.geturl()} answered {before.status}"
    if before.status >= 500 or before.status == 429:
        end(status="partial", message=f"{where}: a failure page says nothing of the site's CORS policy")
    try:
        for finding in look(url, browser):
            say(type="finding", **finding)
        browser.get(url)
    except fetch.NoAnswerError as error:
        end(status="partial", message=f"{where}, but then: {error}")
    end(status="ok", message=where)


if __name__ == "__main__":
    main()
