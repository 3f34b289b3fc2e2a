"""Content-Security-Policy read as CSP Level 3 says, and its weak spots named.

Pure. Several policies (headers, or commas in one) all apply at once, so that a weakness
counts only where every one of them has it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from rules import Hit

Policy = dict[str, list[str]]
_ANYWHERE = re.compile(r"(\*|https?:|data:|(https?|\*)://\*)(:(\*|\d+))?", re.IGNORECASE)
_TRUST = re.compile(r"'(nonce-|sha(256|384|512)-|strict-dynamic')", re.IGNORECASE)


def parse(headers: list[str]) -> list[Policy]:
    """Directive name → sources, for each policy; the first directive of a name counts."""
    policies = []
    for text in ",".join(headers).split(","):
        policy: Policy = {}
        for directive in text.split(";"):
            if words := directive.split():
                policy.setdefault(words[0].lower(), words[1:])
        if policy:
            policies.append(policy)
    return policies


def framing_limited(policies: list[Policy]) -> bool:
    """Whether some policy says who may frame the page, and not "anyone"."""
    lists = [policy["frame-ancestors"] for policy in policies if "frame-ancestors" in policy]
    return any(not any(map(_ANYWHERE.fullmatch, sources)) for sources in lists)


def check(headers: list[str]) -> Iterator[Hit]:
    """The weak spots of the policies in these Content-Security-Policy headers."""
    policies = parse(headers)
    shown = "\n".join(f"Content-Security-Policy: {header}" for header in headers)
    for rule, weak in _WEAK.items():
        if policies and all(map(weak, policies)):
            yield Hit(rule, evidence=shown)


def _scripts(policy: Policy, *kinds: str) -> list[str] | None:
    """The sources that hold for scripts of the first of `kinds` that is there; None: no limit."""
    return next((policy[name] for name in (*kinds, "script-src", "default-src") if name in policy), None)


def _lower(sources: list[str] | None) -> list[str]:
    return [source.lower() for source in sources or []]


def _inline(policy: Policy) -> bool:
    lists = [_lower(_scripts(policy, kind)) for kind in ("script-src-elem", "script-src-attr")]
    return any("'unsafe-inline'" in sources and not any(map(_TRUST.match, sources)) for sources in lists)


def _anywhere(policy: Policy) -> bool:
    sources = _lower(_scripts(policy, "script-src-elem"))
    return "'strict-dynamic'" not in sources and any(map(_ANYWHERE.fullmatch, sources))


def _no_base(policy: Policy) -> bool:
    runs_scripts = _lower(_scripts(policy)) != ["'none'"]
    return runs_scripts and "base-uri" not in policy


_WEAK: dict[str, Callable[[Policy], bool]] = {
    "csp.no-script-src": lambda policy: _scripts(policy) is None and "sandbox" not in policy,
    "csp.unsafe-inline": _inline,
    "csp.unsafe-eval": lambda policy: "'unsafe-eval'" in _lower(_scripts(policy)),
    "csp.wildcard-script": _anywhere,
    "csp.no-object-src": lambda policy: not policy.keys() & {"object-src", "default-src", "sandbox"},
    "csp.no-base-uri": _no_base,
}
