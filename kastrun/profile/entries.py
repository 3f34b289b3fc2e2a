"""The targets, excludes and scope of a profile: read, and each bad one noted at its element.

Floor 2, pure. Whether a string is a target is decided in `targets`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from kastrun.blocks import block
from kastrun.model import TARGET_KINDS, JsonObject, TargetEntry
from kastrun.places import FlagSource, Notes, Place
from kastrun.scope import Scope
from kastrun.targets import TargetError, parse
from kastrun.targets.addresses import is_address
from kastrun.targets.entries import Entries, read_entry

EMPTY_HINT: Final = 'add targets = ["https://…"] or targets_from = ["hosts.txt"], or give --target'

_PROXY_PORTS: Final = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}


class Listed(NamedTuple):
    """One element of `targets`: its index there, what it means, and what the profile has for it."""

    place: int
    entry: TargetEntry
    raw: Any


def read_targets(document: JsonObject, notes: Notes) -> list[Listed]:
    """Each target that can be read, duplicates dropped."""
    listed: list[Listed] = []
    first: dict[tuple[str, str], int] = {}
    for index, raw in enumerate(document["targets"]):
        if raw is not None and (entry := _entry(raw, index, notes)) is not None:
            identity = (entry.target.kind, entry.target.value)
            if identity in first:
                _note_duplicate(index, first[identity], notes)
            else:
                first[identity] = index
                listed.append(Listed(index, entry, raw))
    if not document["targets"] and not document["targets_from"]:
        notes.add(("targets",), "no_targets", "no target to scan", hint=EMPTY_HINT, at="key")
    return listed


def tagged(listed: list[Listed], tags: Sequence[str], notes: Notes) -> list[Listed]:
    """The targets that have one of `tags`; all where no tag is asked for."""
    if not tags:
        return listed
    known = {tag for each in listed for tag in each.entry.tags}
    for tag in tags:
        if tag not in known:
            hint = f"tags here: {', '.join(sorted(known))}" if known else "no target has a tag"
            source = FlagSource("--tag", tag)
            notes.add((), "unknown_tag", "no target has this tag", hint=hint, source=source)
    return [each for each in listed if set(each.entry.tags) & set(tags)]


def check_scope(document: JsonObject, listed: Sequence[Listed], notes: Notes) -> None:
    """Every entry of `exclude` and `scope` can be read; no target is wholly excluded (a warning)."""
    good = {key: list(_readable(key, document[key], notes)) for key in ("exclude", "scope")}
    _check_proxy(document, good, notes)
    if not good["exclude"]:
        return
    scope = Scope.build([], good["scope"], good["exclude"])
    for index, entry, _ in listed:
        if (by := scope.excluded(entry.target)) is not None:
            message = f"excluded by `{by}`, so it is not scanned"
            hint = "excludes always win: take it out of one of the two"
            notes.add(("targets", index), "target_excluded", message, hint=hint, level="warning")


def _check_proxy(document: JsonObject, good: Mapping[str, list[str]], notes: Notes) -> None:
    """A proxy is contacted in the place of every target, so `scope` has to name it where it is enforced.

    It is not let through unsaid: whatever goes through it, nothing here can hold to the scope.
    """
    proxy, sandbox = document["http"].get("proxy"), document["sandbox"]
    if proxy is None or sandbox["level"] == "off" or sandbox["scope"] != "enforce":
        return
    parts = urlsplit(proxy)
    try:
        host, port = parts.hostname or "", parts.port or _PROXY_PORTS[parts.scheme]
    except ValueError as error:
        notes.add(("http", "proxy"), "bad_format", str(error), secret="@" in proxy)
        return
    name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if by := _covering(good["exclude"], host, port):
        message = f"the proxy {name} is excluded by `{by}`: no plugin could reach it"
        notes.add(("http", "proxy"), "proxy_excluded", message, hint="take it out of one of the two")
    elif not _covering(good["scope"], host, port):
        message = f"the proxy {name} is not in the scope: no plugin could reach it"
        hint = f'add "{name}" to `scope`; the sandbox does not see what goes through it'
        notes.add(("http", "proxy"), "proxy_out_of_scope", message, hint=hint)


def _covering(texts: Iterable[str], host: str, port: int | None) -> str | None:
    entries = Entries()
    for text in texts:
        entries.add(text)
    return entries.block(block(host), port) if is_address(host) else entries.name(host.rstrip("."), port)


def _entry(raw: Any, index: int, notes: Notes) -> TargetEntry | None:
    table: JsonObject = raw if isinstance(raw, dict) else {}
    kind = next((kind for kind in TARGET_KINDS if kind in table), None)
    if isinstance(raw, dict) and kind is None:
        return None
    path = ("targets", index) if kind is None else ("targets", index, kind)
    try:
        target = parse(table[kind] if kind else raw, kind)
    except TargetError as error:
        notes.add(path, "bad_target", error.message, hint=error.hint, secret="@" in str(raw))
        return None
    options = {
        name: dict(choice["options"])
        for name, choice in table.get("plugins", {}).items()
        if "options" in choice
    }
    return TargetEntry(
        target=target,
        tags=tuple(tag for tag in table.get("tags", ()) if tag is not None),
        plugins=options or None,
        where=f"targets[{index}]",
    )


def _note_duplicate(index: int, first: int, notes: Notes) -> None:
    place: Place = notes.source.at(("targets", first), "value")
    where = f"line {place.line}" if place.line is not None else "above"
    message = f"this target is already listed ({where}); it is scanned once"
    notes.add(("targets", index), "duplicate_target", message, level="warning")


def _readable(key: str, texts: Sequence[str | None], notes: Notes) -> Iterator[str]:
    for index, text in enumerate(texts):
        if text is None:
            continue
        try:
            read_entry(text)
        except TargetError as error:
            notes.add((key, index), "bad_entry", error.message, hint=error.hint)
        else:
            yield text
