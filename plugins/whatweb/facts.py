"""whatweb's JSON, read leniently, and which of what it says is a technology.

No files, no processes: text in, assets out.
"""

from __future__ import annotations

import json
import re

# What whatweb reports of a page or its headers that names no software.
NOT_SOFTWARE = frozenset(
    """
    Access-Control-Allow-Methods Allow Charset Content-Language Cookies Country Email Fingerprint
    Footer-Hash Frame Google-API-Hint HTTPServer HashBang Header-Hash HttpOnly IP Mailto MD5
    Meta-Author Meta-Refresh-Redirect MetaGenerator Object OpenGraph-Protocol OpenSearch PasswordField
    RedirectLocation RSS Script Strict-Transport-Security Tag-Hash Title UncommonHeaders Veil
    Via-Proxy WWW-Authenticate X-Frame-Options X-Powered-By X-UA-Compatible X-XSS-Protection
    """.split()  # noqa: SIM905 - a list of forty quoted words is harder to read
)
PRODUCT = re.compile(r"([A-Za-z][A-Za-z0-9_.+-]{0,63})(?:/(\d[A-Za-z0-9_.+-]{0,63}))?")
GENERATOR = re.compile(r"([A-Za-z][\w .+-]{0,63}?)(?:[ /]v?(\d[\w.+-]{0,63})[^\d]*)?")
MOST_PRODUCTS = 10
MOST_TEXT = 256
KEPT = ("version", "string", "os", "model", "firmware", "module", "filepath", "certainty")


class UnknownFormatError(ValueError):
    """What whatweb wrote is not what this plugin was written for; the message has a sample of it."""


def pages(text):
    """The objects of whatweb's log: a list, or the beginning of one where whatweb was stopped.

    Raises UnknownFormatError for anything else, and for objects without `plugins`.
    """
    rest = text.strip()
    if rest and not rest.startswith("["):
        raise UnknownFormatError(f"whatweb's log is no JSON list: {text[:300]!r}")
    decoder, found, rest = json.JSONDecoder(), [], rest[1:].lstrip(" \r\n\t,")
    while rest.startswith("{"):
        try:
            page, end = decoder.raw_decode(rest)
        except ValueError:
            break  # the object that was being written when whatweb was stopped
        plugins = page.get("plugins")
        if not isinstance(plugins, dict) or not all(isinstance(facts, dict) for facts in plugins.values()):
            raise UnknownFormatError(f"an entry of whatweb's log has no usable `plugins`: {rest[:300]!r}")
        found.append(page)
        rest = rest[end:].lstrip(" \r\n\t,")
    return found


def whole(text):
    """Whether whatweb came to the end of its log."""
    return text.rstrip().endswith("]")


def technologies(found):
    """One asset for each technology on the pages, in the order seen: name → attrs."""
    assets = {}
    for page in found:
        where = {"url": str(page.get("target", "")), "status": page.get("http_status")}
        for name, facts in page["plugins"].items():
            if name not in NOT_SOFTWARE:
                assets.setdefault(name, {**where, **_attrs(facts)})
        for name, attrs in (*_servers(page["plugins"]), *_generators(page["plugins"])):
            if name.lower() not in (known.lower() for known in assets):
                assets[name] = {**where, **attrs}
    return assets


def _attrs(facts):
    """whatweb's lists as they are, except that a list of one is its only item."""
    return {key: _short(facts[key]) for key in KEPT if facts.get(key)}


def _short(value):
    if not isinstance(value, list):
        return value
    items = [item[:MOST_TEXT] if isinstance(item, str) else item for item in value[:20]]
    return items[0] if len(items) == 1 else items


def _servers(plugins):
    """Products in `Server` and `X-Powered-By`: the first word, and others that have a version (RFC 9110)."""
    for source in ("HTTPServer", "X-Powered-By"):
        for text in plugins.get(source, {}).get("string", []):
            words = re.sub(r"\([^)]*\)", " ", str(text)[:MOST_TEXT]).split()
            products = [PRODUCT.fullmatch(word) for word in words[:MOST_PRODUCTS]]
            for place, product in enumerate(products):
                if product and (place == 0 or product[2]):
                    version = {"version": product[2]} if product[2] else {}
                    yield product[1], {"string": str(text)[:MOST_TEXT], **version}


def _generators(plugins):
    """What the page's generator element names, as `Name 1.2` or a name alone."""
    for text in plugins.get("MetaGenerator", {}).get("string", []):
        if found := GENERATOR.fullmatch(str(text)[:MOST_TEXT]):
            version = {"version": found[2]} if found[2] else {}
            yield found[1], {"string": str(text)[:MOST_TEXT], **version}
