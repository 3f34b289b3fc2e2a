"""Who is told that a run has ended: a command with `run.json` on its standard input, and a webhook.

Floor 3. Both are bounded in time, and what goes wrong is a sentence, never an exception: the
run is what it is, whoever hears of it. urllib3, for the webhook, is an extra and imported here.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from kastrun import __version__
from kastrun.model import Notify

RETRIES: Final = 3
"""How often a webhook is tried again that is not reached, is busy (429) or breaks (5xx)."""
_TAIL: Final = 500


def lacking(notify: Notify) -> str | None:
    """What this machine lacks to give notice, in a sentence."""
    if notify.webhook is not None and find_spec("urllib3") is None:
        return "[notify] webhook needs the package urllib3: pip install 'kastrun[webhook]'"
    return None


def command_fails(notify: Notify, summary: Path, environ: Mapping[str, str]) -> str | None:
    """Run the command with `summary` (run.json) as its standard input; in what it failed, if it did."""
    name = notify.command[0]
    try:
        with summary.open("rb") as stdin:
            child = subprocess.Popen(
                notify.command,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**environ, "KASTRUN_RUN_FOLDER": str(summary.parent)},
                start_new_session=True,
            )
    except OSError as error:
        return f"{name} cannot be started: {error.strerror}"
    said = b""
    try:
        said, _ = child.communicate(timeout=notify.timeout_s)
    except subprocess.TimeoutExpired:
        return f"{name} took longer than {notify.timeout_s:g} s and was ended"
    except KeyboardInterrupt:
        return f"{name} was interrupted"
    finally:
        _end(child)
    if child.returncode:
        what = f"exit code {child.returncode}" if child.returncode > 0 else f"signal {-child.returncode}"
        tail = said[-_TAIL:].decode(errors="replace").strip()
        return f"{name} ended with {what}" + (f": {tail}" if tail else "")
    return None


def _end(child: subprocess.Popen[bytes]) -> None:
    """Nothing of it goes on: what it left in its session either."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    if child.stdout is not None:
        child.stdout.close()
    child.wait()


def webhook_fails(url: str, body: bytes, *, timeout_s: float) -> str | None:
    """POST `body` (JSON) to `url`; in what that failed, if it did. Of the URL only the host is ever said."""
    if find_spec("urllib3") is None:
        return lacking(Notify(webhook=url, timeout_s=timeout_s))
    import urllib3

    host = urlsplit(url).hostname or "its host"
    # Of the time four fifths are for the tries, and at most 0.15 for the waits between them.
    retry = urllib3.Retry(
        total=RETRIES,
        redirect=0,
        backoff_factor=min(0.5, timeout_s / 40),
        status_forcelist=(429, 500, 502, 503, 504),
        allowed_methods=None,
        raise_on_status=False,
        respect_retry_after_header=False,  # it could be an hour
    )
    try:
        with urllib3.PoolManager() as pool:
            answer = pool.request(
                "POST",
                url,
                body=body,
                headers={"Content-Type": "application/json", "User-Agent": f"kastrun/{__version__}"},
                redirect=False,
                retries=retry,
                timeout=urllib3.Timeout(total=0.8 * timeout_s / (RETRIES + 1)),
            )
    except urllib3.exceptions.HTTPError as error:
        return f"the webhook at {host} was not reached: {_reason(error)}"
    except KeyboardInterrupt:
        return f"the webhook at {host} was interrupted"
    if not 200 <= answer.status < 300:
        return f"the webhook at {host} answered {answer.status}"
    return None


def _reason(error: BaseException) -> str:
    """The innermost cause: what is around it repeats the URL."""
    return next((type(inner).__name__ for inner in _causes(error)), type(error).__name__)


def _causes(error: BaseException) -> Iterator[BaseException]:
    reason = getattr(error, "reason", None)
    if isinstance(reason, BaseException):
        yield from _causes(reason)
        yield reason
