"""What one job may reach on the network, decided: what the broker is told.

Floor 0. Plain members only, so that it travels as a marshalled tuple, and nothing that is
slow to load. `Scope.reach` makes one; `sandbox.rules` holds connections to it.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Network = Literal["none", "scope", "full"]
Enforcement = Literal["enforce", "audit", "off"]
Span = tuple[int, int, int, int]
"""IP version, first address, number of host bits, and the port, 0 for every one."""
NameSpan = tuple[str, bool, int]
"""A name, whether what is meant is all below it instead of itself, and the port, 0 for every one."""


class Reach(NamedTuple):
    """Excludes always win. With network `scope` the rest is what is allowed, and only that."""

    network: Network
    scope: Enforcement
    """`audit` lets through what is only outside the scope, and says so; `off` does, and says nothing."""
    allowed: tuple[Span, ...] = ()
    written: tuple[Span, ...] = ()
    """Special addresses (loopback, link-local, …) that the user wrote; no other is ever in the scope."""
    excluded: tuple[Span, ...] = ()
    names: tuple[NameSpan, ...] = ()
    """Names that the job may ask for; what they resolve to is then allowed."""
    excluded_names: tuple[NameSpan, ...] = ()
    pins: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """What the run knows already of these names: their addresses, as text without zones."""
