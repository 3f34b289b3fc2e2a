"""`report.html`: one file for people, that works from a mail attachment and without script.

`facts` makes what the page shows out of a view, `drawing` its pictures as coordinates; the page itself is
`report.html.j2`, where Jinja2 escapes everything: whatever a target or a plugin said is hostile.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING

from kastrun.report.view import View

if TYPE_CHECKING:
    from jinja2 import Template


def chunks(view: View) -> Iterator[bytes]:
    """The page, in pieces. Jinja2 is imported here: no other command pays for it."""
    from kastrun.report.page.facts import facts

    for piece in _template().generate(facts(view)):
        yield piece.encode(errors="replace")


@cache
def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    loader = PackageLoader("kastrun.report.page", ".")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    for kind in ("css", "js"):
        text, _, _ = loader.get_source(environment, f"page.{kind}")
        environment.globals |= {kind: Markup(text), f"{kind}_hash": _hash(text)}  # noqa: S704 - our own file
    return environment.get_template("report.html.j2")


def _hash(text: str) -> str:
    """By which a Content-Security-Policy lets through this very text and no other (CSP 3, section 2.3.1)."""
    return "sha256-" + b64encode(sha256(text.encode()).digest()).decode()
