"""How deep the tests go that do one thing over and over: `make test` takes samples, `.ci/run` all.

Every test runs in both; only counts differ. Nothing else may depend on it.
"""

from __future__ import annotations

import os

FULL = os.environ.get("KASTRUN_TEST_DEPTH") == "full"


def times(full: int, sample: int) -> int:
    """How often: `full` in CI, else `sample`; or, where fewer is deeper, how far apart."""
    return full if FULL else sample
