"""How much this machine is pressed, as shares of the time: for memory and for processors.

Floor 3. From the kernel's pressure stall information where it has it, else from what is free
of the memory and the load: both are files, so nothing needs to be installed for them.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

_SOME: Final = re.compile(r"^some avg10=([\d.]+)", re.MULTILINE)
_KIB: Final = re.compile(r"^(MemTotal|MemAvailable):\s+(\d+)", re.MULTILINE)


def memory(proc: Path = Path("/proc")) -> float:
    """0 to 1; without PSI the tenth of the memory that is the last to go is what presses."""
    stalled = _stalled(proc, "memory")
    if stalled is not None:
        return stalled
    found = {name: int(kib) for name, kib in _KIB.findall(_text(proc / "meminfo"))}
    if not found.get("MemTotal"):
        return 0.0
    free = found.get("MemAvailable", 0) / found["MemTotal"]
    return max(0.0, 1.0 - free / 0.10)


def cpu(proc: Path = Path("/proc"), processors: int | None = None) -> float:
    """0 to 1; without PSI the share of those that are ready to run and have no processor."""
    stalled = _stalled(proc, "cpu")
    if stalled is not None:
        return stalled
    words = _text(proc / "loadavg").split()
    load = float(words[0]) if words else 0.0
    here = processors or os.cpu_count() or 1
    return max(0.0, 1.0 - here / load) if load > here else 0.0


def _stalled(proc: Path, what: str) -> float | None:
    found = _SOME.search(_text(proc / "pressure" / what))
    return float(found[1]) / 100 if found else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""  # a kernel without it, or with it switched off
