"""``python -m kastrun.demo``: the weak site, or its hardened twin, by itself until Ctrl-C.

`kastrun demo` scans it too; this is for looking at it, or for another scanner.
"""

from __future__ import annotations

import argparse
import signal
import sys

from kastrun.demo.site import hardened_site, weak_site
from kastrun.errors import UsageError


def main(argv: list[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM, then 0; 2 where a port cannot be had."""
    parser = argparse.ArgumentParser(
        prog="python -m kastrun.demo", description="Serve the weak demo site on 127.0.0.1 until Ctrl-C."
    )
    parser.add_argument(
        "--http-port", type=int, default=0, metavar="PORT", help="0, the default, is a free one"
    )
    parser.add_argument("--https-port", type=int, default=0, metavar="PORT", help="likewise")
    parser.add_argument("--hardened", action="store_true", help="serve the hardened twin instead")
    asked = parser.parse_args(argv)
    # Blocked before any thread starts, so that sigwait below is the one to get them.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        with (hardened_site if asked.hardened else weak_site)(
            http_port=asked.http_port, https_port=asked.https_port
        ) as site:
            print(site.http_url, site.https_url, sep="\n", flush=True)
            if site.ca_file:
                print(f"trust {site.ca_file}", file=sys.stderr)
            print("Ctrl-C stops it", file=sys.stderr)
            signal.sigwait({signal.SIGINT, signal.SIGTERM})
    except UsageError as error:
        print(f"error: {error.message}\nhint: {error.hint}", file=sys.stderr)
        return error.exit_code
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
