"""Host names and ports: lower case, IDNA 2008, no trailing dot, one spelling each.

Letters, digits, hyphens (RFC 1123 2.1) and underscores, which DNS has though RFC 1123 has
not. `idna` is imported only where a name needs it. Whether a name exists is nobody's
question here: nothing is looked up.
"""

from __future__ import annotations

import re
from typing import Final

from kastrun.targets.addresses import address, ends_in_number, ipv4
from kastrun.targets.refusal import TargetError, quoted

_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_PLAIN = re.compile(rf"(?:{_LABEL}\.)*[a-z](?:[a-z0-9-]{{0,61}}[a-z0-9])?")
_ONE_LABEL = re.compile(_LABEL)
_RANGE = re.compile(r"[0-9*-]+(?:\.[0-9*-]+){3}")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_NAME_LIMIT: Final = 253
_LABEL_LIMIT: Final = 63


def is_plain(text: str) -> bool:
    """Whether a text is a canonical host name as it stands and surely no address: the quick way."""
    return len(text) <= _NAME_LIMIT and _PLAIN.fullmatch(text) is not None and "xn--" not in text


def host(text: str) -> str:
    """A name or an address (IPv6 with or without brackets) as canonical text without brackets.

    Raises TargetError.
    """
    if is_plain(text):
        return text
    if ":" in text or text.startswith("["):
        return str(address(text))
    ascii_name = _ascii(text)
    if ends_in_number(ascii_name):
        return str(ipv4(ascii_name))
    return _checked(ascii_name, text)


def name(text: str) -> str:
    """A name as canonical text; an address is refused. Raises TargetError."""
    found = host(text)
    if ":" in found or ends_in_number(found):
        raise TargetError(f"{quoted(text)} is an address, not a name", f'write it as {{ ip = "{found}" }}')
    return found


def port(text: str, whole: str) -> int:
    """A port from 1 to 65535; `whole` is the target that it stands in. Raises TargetError."""
    if _PORT.fullmatch(text) and (number := int(text)) <= 65535:
        return number
    raise TargetError(
        f"{quoted(text)} is not a port, in {quoted(whole)}",
        "a port is a number from 1 to 65535 without leading zeros, as in example.com:443",
    )


def _ascii(text: str) -> str:
    """Lowered, mapped and IDNA-encoded, without the trailing dot; labels that were ASCII are not checked."""
    if not text.isascii() or "xn--" in text.lower():
        return _idna(text)
    return text.lower().removesuffix(".")


def _idna(text: str) -> str:
    import idna  # 8 ms: only for names that need it

    try:
        labels = idna.uts46_remap(text, std3_rules=False).removesuffix(".").split(".")
        return ".".join(
            label if label.isascii() and not label.startswith("xn--") else idna.alabel(label).decode("ascii")
            for label in labels
        )
    except UnicodeError as error:
        raise TargetError(
            f"{quoted(text)} is not a name that IDNA 2008 allows: {error}",
            "check the spelling, or give the address of the host",
        ) from error


def _checked(ascii_name: str, text: str) -> str:
    if "*" in ascii_name:
        raise TargetError(
            f"{quoted(text)} has a wildcard, which names no host to scan",
            "wildcards belong in `exclude` and `scope`, as in *.example.com; a target is one name",
        )
    if _RANGE.fullmatch(ascii_name):
        raise TargetError(
            f"{quoted(text)} is a range of addresses, which is not read",
            "write networks, as in 203.0.113.0/28",
        )
    if len(ascii_name) > _NAME_LIMIT:
        raise TargetError(
            f"{quoted(text)} is a name of {len(ascii_name)} characters",
            f"DNS has at most {_NAME_LIMIT} (RFC 1035)",
        )
    for label in ascii_name.split("."):
        _check_label(label, text)
    return ascii_name


def _check_label(label: str, text: str) -> None:
    if _ONE_LABEL.fullmatch(label):
        return
    if not label:
        message, hint = "has an empty label", "between two dots there is a name; take out the extra dot"
    elif len(label) > _LABEL_LIMIT:
        message, hint = (
            f"has a label of {len(label)} characters",
            "DNS has at most 63 between two dots (RFC 1035)",
        )
    elif label[0] == "-" or label[-1] == "-":
        message, hint = (
            f"has a label that begins or ends with a hyphen: {quoted(label)}",
            "check the spelling",
        )
    else:
        message, hint = (
            "is not a host name, address, CIDR, URL or HOST:PORT",
            "a name has letters, digits, hyphens, underscores and dots; write one target an entry",
        )
    raise TargetError(f"{quoted(text)} {message}", hint)
