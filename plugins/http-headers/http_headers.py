#!/usr/bin/env python3
"""Reads one job, visits the page, prints what its headers lack. The only file here that talks to kastrun.

One ordinary visit: a GET, redirects on the same host followed, never a request to
another host. The response is the proof of contact: without one the job is an error.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import traceback
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

sys.dont_write_bytecode = True  # this folder's content is part of a job's identity

import checks  # noqa: E402
import fetch  # noqa: E402
from rules import RULES, Hit  # noqa: E402
from visit import Visit, walk  # noqa: E402

EVIDENCE = 4096  # characters of a header line that are shown; four bytes each fit the protocol's 16 KiB
_mouth = threading.Lock()


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
    early = max(deadline_s - 1, deadline_s / 2)
    message = f"{url} gave no complete answer within the job's {deadline_s:g} s"
    alarm = threading.Timer(early, fail, ("target", message))
    alarm.daemon = True
    alarm.start()


def crashed(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    traceback.print_exception(kind, error, trace)
    sys.stderr.flush()
    fail("internal", f"{kind.__name__}: {error}")


def findings(visit: Visit, *, strict: bool) -> Iterator[dict[str, Any]]:
    """The hits as finding messages, each rule and key once."""
    told: set[tuple[str, str | None]] = set()
    for page, hit in checks.judge(visit):
        rule = RULES[hit.rule]
        wanted = strict or rule.always or (hit.severity or rule.severity) != "info"
        if wanted and (hit.rule, hit.key) not in told:
            told.add((hit.rule, hit.key))
            yield finding(page.url, hit)


def finding(url: str, hit: Hit) -> dict[str, Any]:
    rule = RULES[hit.rule]
    message: dict[str, Any] = {
        "type": "finding",
        "rule": hit.rule,
        "title": rule.title.format(key=hit.key),
        "severity": hit.severity or rule.severity,
        "confidence": hit.confidence,
        "description": f"{rule.description} {hit.detail}".strip(),
        "remediation": rule.remediation,
        "refs": list(rule.refs),
        "location": {"url": url, "method": "GET"},
    }
    if hit.evidence:
        message["evidence"] = hit.evidence[:EVIDENCE]
    if hit.key is not None:
        message["key"] = hit.key
    return message


def main() -> None:
    sys.excepthook = crashed
    job = json.loads(sys.stdin.buffer.readline())
    url, options = job["targets"][0]["value"], job["options"]
    watch(job["deadline_s"], url)
    browser = fetch.Browser(job["http"], seconds=options.get("timeout", 10), log=log)
    try:
        visit = walk(
            urlsplit(url)._replace(fragment=""),
            browser,
            most=options.get("max_redirects", 5),
            heartbeat=lambda count: say(type="progress", done=count, message=f"request {count + 1}"),
        )
    except fetch.SettingError as error:
        fail("config", str(error))
        return
    except fetch.NoAnswerError as error:
        fail("target", str(error))
        return
    passed_over(visit)
    for message in findings(visit, strict=options.get("strict", False)):
        say(**message)
    end(**verdict(visit))


def passed_over(visit: Visit) -> None:
    """Says so where lines could not be read as headers: something may have been meant by them."""
    if lines := [line for page in visit.pages for line in page.malformed]:
        log(
            "warn",
            f"{len(lines)} header lines have no colon and were passed over; the first: {lines[0][:200]!r}",
        )


def verdict(visit: Visit) -> dict[str, str]:
    """`ok` where a page of the site was judged; `partial` where only a failure page could be."""
    page = visit.final
    where = f"{page.url} answered {page.status}"
    if visit.cut is not None:
        return {"status": "partial", "message": f"{where}, but then: {visit.cut}"}
    if page.status >= 500 or page.status == 429:
        return {"status": "partial", "message": f"{where}: the headers of a failure page were judged"}
    return {"status": "ok", "message": f"{where} after {len(visit.pages) - 1} redirects"}


if __name__ == "__main__":
    main()
