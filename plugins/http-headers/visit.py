"""From a URL to the page that a browser would show, without leaving the host.

Redirects on the same host are followed with the cookies that the site set; one that
leads to another host is remembered and not followed: it may be out of scope.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from cookies import parse
from fetch import Browser, NoAnswerError, Page

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class Visit:
    """The pages in the order seen, at least one. `leaves_to` is a redirect that was not followed.

    `cut` says why a redirect on the same host could not be followed to its end.
    """

    pages: tuple[Page, ...]
    leaves_to: str | None = None
    cut: str | None = None

    @property
    def final(self) -> Page:
        return self.pages[-1]


def walk(url: SplitResult, browser: Browser, *, most: int, heartbeat: Callable[[int], None]) -> Visit:
    """Follows at most `most` redirects. Raises what `Browser.get` does for the first page, and for a loop."""
    pages: list[Page] = []
    been: set[tuple[str, str]] = set()
    while True:
        heartbeat(len(pages))
        try:
            page = browser.get(url)
        except NoAnswerError as error:
            if not pages:
                raise
            return Visit(tuple(pages), cut=str(error))
        pages.append(page)
        _remember(page, browser)
        following = _next(page)
        if following is None:
            return Visit(tuple(pages))
        if following.hostname is None or _host(following) != _host(url):
            return Visit(tuple(pages), leaves_to=following.geturl())
        if (step := (following.geturl(), str(browser.cookies))) in been:
            raise NoAnswerError(
                f"the redirects go in a circle: {following.geturl()} came up again; no page was ever shown"
            )
        if len(pages) > most:
            raise NoAnswerError(
                f"no page after {most} redirects (option max_redirects); the last led to {following.geturl()}"
            )
        been.add(step)
        url = following


def _next(page: Page) -> SplitResult | None:
    """Where the page redirects to, if it does; an address that cannot be read is no redirect."""
    location = page.first("location")
    if page.status not in REDIRECTS or not location:
        return None
    try:
        joined = urlsplit(urljoin(page.url, quote(location, safe="%/:=&?~#+!$,;'@()*[]")))._replace(
            fragment=""
        )
        joined.port  # noqa: B018 – read for its ValueError
    except ValueError:
        return None
    if joined.scheme not in {"http", "https"}:
        return None
    return joined if joined.path else joined._replace(path="/")


def _host(url: SplitResult) -> str:
    return (url.hostname or "").rstrip(".")


def _remember(page: Page, browser: Browser) -> None:
    """Cookies for the next request: without them a login page may redirect to itself for ever."""
    for cookie in map(parse, page.all("set-cookie")):
        if cookie.deleted:
            browser.cookies.pop(cookie.name, None)
        elif cookie.name and re.fullmatch(r"[!-~]+", cookie.name + cookie.value):
            browser.cookies[cookie.name] = cookie.value
