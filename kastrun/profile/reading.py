"""A document to a Profile, or to everything that is wrong with it.

Floor 2, pure: the schema decides what may stand where, the rooms beside this one what
it means. What the schema refuses is taken out and the rest read on, so that one look
shows every problem.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Literal

from kastrun import resources
from kastrun.model import Http, JsonObject, PluginChoice, Problem, Profile, Rate, SandboxWish
from kastrun.places import Notes, Nowhere, Source, in_order
from kastrun.profile.choices import check_target_options, check_unnamed, duration, picked, read_choices
from kastrun.profile.entries import Listed, check_scope, read_targets, tagged
from kastrun.profile.notice import read_notify
from kastrun.profile.rates import rate
from kastrun.profile.secrets import read_headers
from kastrun.profile.surroundings import Pick, Surroundings
from kastrun.profile.window import window
from kastrun.schema import SchemaProblem, check, fill_defaults


def parse(
    document: JsonObject,
    *,
    positions: Source | None = None,
    around: Surroundings | None = None,
    name: str = "scan",
    source: str | None = None,
    pick: Pick | None = None,
    max_workers: int | None = None,
) -> tuple[Profile | None, list[Problem]]:
    """The profile that `document` (extends and overrides done, paths absolute) asks for.

    None where one of the problems is an error. `name` and `max_workers` stand where the
    profile says neither.
    """
    notes = Notes(positions or Nowhere())
    misfits = check("profile", document)
    notes.add_misfits(misfits)
    filled = fill_defaults(resources.schema("profile"), _pruned(document, misfits))
    filled.setdefault("name", name)
    if "max_workers" not in document and max_workers is not None:
        filled["max_workers"] = max_workers
    profile = _Reading(filled, notes, around or Surroundings(), pick or Pick()).profile(source)
    return None if notes.failed else profile, in_order(notes.problems)


def _pruned(document: JsonObject, misfits: list[SchemaProblem]) -> JsonObject:
    """A copy without what the schema refused; elements of lists become None, so that indices hold."""
    document = deepcopy(document)
    for misfit in sorted(misfits, key=lambda each: len(each.path), reverse=True):
        inner: Any = document
        for part in misfit.path[:-1]:
            inner = inner[part]
        if misfit.path and isinstance(inner, list):
            inner[int(misfit.path[-1])] = None
        elif misfit.path:
            inner.pop(misfit.path[-1], None)
    return document


class _Reading:
    """One document, filled with defaults, on its way to a Profile."""

    def __init__(self, filled: JsonObject, notes: Notes, around: Surroundings, pick: Pick) -> None:
        self.filled = filled
        self.notes = notes
        self.around = around
        self.pick = pick

    def profile(self, source: str | None) -> Profile:
        filled, notes = self.filled, self.notes
        listed = read_targets(filled, notes)
        check_scope(filled, listed, notes)
        self._check_paths()
        chosen = tagged(listed, self.pick.tags, notes)
        choices = self._choices(chosen)
        headers = read_headers(filled["http"]["headers"], notes, self.around)
        document = self._document([each.raw for each in chosen], choices)
        http = filled["http"]
        least, most = self._workers()
        return Profile(
            name=filled["name"],
            mode=filled["mode"],
            max_workers=most,
            min_workers=least,
            fail_on=filled["fail_on"],
            targets=tuple(each.entry for each in chosen),
            targets_from=self._texts("targets_from"),
            exclude=self._texts("exclude"),
            scope=self._texts("scope"),
            plugin_dirs=self._texts("plugin_dirs"),
            job_timeout_s=duration(filled["limits"], "job_timeout", ("limits",), notes),
            run_timeout_s=duration(filled["limits"], "run_timeout", ("limits",), notes),
            window=self._window(),
            per_host=None if "per_host" not in filled["limits"] else int(filled["limits"]["per_host"]),
            rate=self._rate("rate"),
            per_host_rate=self._rate("per_host_rate"),
            attempts=int(filled["limits"]["attempts"]),
            discover=int(filled["limits"]["discover"]),
            max_discovered=int(filled["limits"]["max_discovered"]),
            plugins=choices,
            http=Http(
                user_agent=http["user_agent"],
                headers=headers,
                proxy=http.get("proxy"),
                ca_file=http.get("ca_file"),
            ),
            formats=tuple(filled["output"]["formats"]),
            baseline=filled["output"].get("baseline"),
            document=document,
            sandbox=SandboxWish(**filled["sandbox"]),
            source=source,
            notify=read_notify(filled["notify"], notes, self.around),
        )

    def _workers(self) -> tuple[int | None, int]:
        """The least, where they adapt, and the most."""
        given = self.filled["max_workers"]
        if not isinstance(given, dict):
            return None, int(given)
        least, most = int(given.get("min", 1)), int(given.get("max", 1))
        if least > most:
            self.notes.add(("max_workers", "min"), "out_of_range", f"min is {least}, and max only {most}")
        return least, most

    def _window(self) -> str | None:
        text: str | None = self.filled["limits"].get("window")
        if text is not None:
            try:
                window(text)
            except ValueError as error:
                self.notes.add(("limits", "window"), "bad_format", str(error))
        return text

    def _rate(self, key: str) -> Rate | None:
        text: str | None = self.filled["limits"].get(key)
        return None if text is None else rate(text)  # the schema has its form

    def _texts(self, key: str) -> tuple[str, ...]:
        return tuple(text for text in self.filled[key] if text is not None)

    def _choices(self, listed: list[Listed]) -> dict[str, PluginChoice] | None:
        filled, notes, around = self.filled, self.notes, self.around
        mode, streamed = filled["mode"], bool(filled["targets_from"])
        plugins = picked(filled.get("plugins"), self.pick, notes, around)
        choices = None
        if plugins is None:
            check_unnamed(mode, notes, around)
        else:
            rule = resources.schema("profile")
            plugins = fill_defaults(rule, {"plugins": plugins})["plugins"]
            entries = [each.entry for each in listed]
            choices = read_choices(plugins, entries, streamed, mode, notes, around)
            self.filled["plugins"] = plugins
        for index, entry, _ in listed:
            check_target_options(entry, index, choices, notes, around)
        return choices

    def _check_paths(self) -> None:
        kinds: tuple[tuple[str, Literal["file", "folder"]], ...]
        kinds = (("targets_from", "file"), ("plugin_dirs", "folder"))
        for key, kind in kinds:
            for index, path in enumerate(self.filled[key]):
                if path not in (None, "-") and (why := self.around.path(path, kind)) is not None:
                    self.notes.add((key, index), "missing_file", f"{path}: {why}")
        ca_file = self.filled["http"].get("ca_file")
        if ca_file is not None and (why := self.around.path(ca_file, "file")) is not None:
            self.notes.add(("http", "ca_file"), "missing_file", f"{ca_file}: {why}")

    def _document(self, targets: list[Any], choices: dict[str, PluginChoice] | None) -> JsonObject:
        """The resolved profile as a mapping that TOML can hold."""
        document = deepcopy(self.filled)
        document.pop("extends", None)
        document["targets"] = targets
        for name, choice in (choices or {}).items():
            document["plugins"][name]["options"] = deepcopy(choice.options)
        return document
