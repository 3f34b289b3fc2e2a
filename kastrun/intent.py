"""What is to be scanned, read and checked: profile, plugins, targets, scope. Nothing is started.

Floor 4. The lists of `targets_from` are read once here, for every mistake in them at once
and for the scope, and streamed again for the plan; standard input is spooled to a file for that.
"""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from kastrun import dependencies, discover, files
from kastrun.baseline import Baseline
from kastrun.errors import ProfileError, UsageError
from kastrun.facts import LeftOut
from kastrun.history import History
from kastrun.model import Plugin, Problem, Profile, SecretRef, TargetEntry
from kastrun.profile import Merged, Overrides
from kastrun.scope import Covered, Scope
from kastrun.targets import TargetError, read_lines

MOST_PROBLEMS = 50
"""Of one target list; the rest is counted."""


class Intent(Struct, frozen=True, kw_only=True):
    """A checked profile with all that it names. `warnings` are for people; `stdin` is the spooled list,
    `history` what earlier runs took, `baseline` what is accepted.
    """

    profile: Profile
    catalogue: discover.Catalogue
    scope: Scope
    warnings: tuple[Problem, ...]
    stdin: Path | None = None
    history: History = History()
    baseline: Baseline = Baseline()

    def entries(self) -> Iterator[TargetEntry]:
        """Every target of the profile, its lists streamed. The lists were checked when this was made."""
        yield from self.profile.targets
        for path in self.profile.targets_from:
            for item in _lines(path, self.stdin):
                if isinstance(item, Problem):
                    raise ProfileError([item])  # the file has changed since it was checked
                yield item

    def plugins(self) -> dict[str, Plugin]:
        """The plugins that may take part: those named, or all that were found."""
        found = self.catalogue.plugins
        named = self.profile.plugins
        return dict(found) if named is None else {name: found[name] for name in named}

    def broken(self) -> list[LeftOut]:
        """Plugins that were found but cannot be read, where the profile did not name its plugins."""
        if self.profile.plugins is not None:
            return []
        return [
            LeftOut(plugin=name, target=None, reason=_rule(problems), message=_why(problems))
            for name, problems in sorted(self.catalogue.broken.items())
        ]

    def keep_stdin(self, folder: Path) -> Intent:
        """The same with standard input's targets kept in `folder`, so that its profile can be run again."""
        if self.stdin is None:
            return self
        import shutil

        kept = folder / "targets-stdin.txt"
        shutil.move(self.stdin, kept)
        paths = tuple(str(kept) if path == "-" else path for path in self.profile.targets_from)
        document = {**self.profile.document, "targets_from": list(paths)}
        return replace(self, profile=replace(self.profile, targets_from=paths, document=document), stdin=None)


def load(
    source: str | Merged,
    overrides: Overrides,
    *,
    settings_dirs: Sequence[str] = (),
    max_workers: int | None = None,
) -> Intent:
    """Read and check everything. Raises ProfileError with every problem that there is."""
    loaded = files.load_profile(
        source,
        overrides,
        find=lambda folders, only: discover.find(folders, settings_dirs, only),
        max_workers=max_workers,
    )
    profile, catalogue = loaded.or_raise(), loaded.catalogue
    if not isinstance(catalogue, discover.Catalogue):
        raise TypeError("a profile that was read has a catalogue")
    stdin = _spool() if "-" in profile.targets_from else None
    problems, scope = _check_lists(profile, stdin)
    problems += _check_dependencies(profile, catalogue)
    baseline, found = _baseline(profile)
    problems += found
    if any(problem.level == "error" for problem in problems):
        raise ProfileError([*loaded.problems, *problems])
    return Intent(
        profile=profile,
        catalogue=catalogue,
        scope=scope,
        warnings=(*loaded.problems, *problems, *_hidden(catalogue)),
        stdin=stdin,
        baseline=baseline,
    )


def _baseline(profile: Profile) -> tuple[Baseline, list[Problem]]:
    """What the profile's baseline accepts, and what is wrong with it; what of it has ended is told."""
    if profile.baseline is None:
        return Baseline(), []
    baseline, problems = files.read_baseline(profile.baseline, today=datetime.now(UTC).date())
    return baseline or Baseline(), problems


def _check_dependencies(profile: Profile, catalogue: discover.Catalogue) -> list[Problem]:
    """Plugins that depend on one that takes no part, and those that wait for each other in a circle."""
    taking = {
        name: plugin
        for name, plugin in catalogue.plugins.items()
        if profile.plugins is None or (name in profile.plugins and profile.plugins[name].enabled)
    }
    problems: list[Problem] = []
    for plugin in taking.values():
        for other in plugin.depends_on:
            if other not in taking:
                known = other in catalogue.names
                message = f"{plugin.name} depends on {other}, which " + (
                    "the profile does not enable" if known else "was not found"
                )
                hint = f"add [plugins.{other}] to the profile" if known else "put its folder into plugin_dirs"
                problems.append(_in_manifest(plugin, message, "unknown_dependency", hint))
    if (circle := dependencies.cycle(taking)) is not None:
        message = f"these plugins wait for each other: {' → '.join(circle)}"
        hint = "take one of them out of `depends_on` or `consumes`, or of the profile"
        problems.append(_in_manifest(taking[circle[0]], message, "dependency_cycle", hint))
    return problems


def _in_manifest(plugin: Plugin, message: str, rule: str, hint: str) -> Problem:
    """A problem at the place in a manifest that says what a plugin waits for."""
    key = "depends_on" if plugin.depends_on else "consumes"
    source = files.read_toml(Path(plugin.folder, "plugin.toml")).source
    place = source.at(("plugin", key), "value")
    return Problem(
        message=message,
        rule=rule,
        file=place.file,
        line=place.line,
        column=place.column,
        width=place.width,
        text=place.text,
        path=f"plugin.{key}",
        hint=hint,
    )


def read_secret(reference: SecretRef) -> str:
    """The value of a secret; a trailing newline of a file is not part of it. Raises UsageError."""
    if reference.source == "env":
        return os.environ.get(reference.name, "")
    try:
        return Path(reference.name).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"the secret file {reference.name} cannot be read: {error}",
            hint="it was there when the profile was checked; was it moved meanwhile?",
        ) from error


def _check_lists(profile: Profile, stdin: Path | None) -> tuple[list[Problem], Scope]:
    """One pass over all lists: their problems, and the scope that needs to know every target."""
    covered = Covered(any_port=profile.sandbox.ports == "any") if profile.discover else None
    scope = Scope.build(
        (entry.target for entry in profile.targets), profile.scope, profile.exclude, covered=covered
    )
    problems: list[Problem] = []
    count = len(profile.targets)
    for path in profile.targets_from:
        bad = 0
        for item in _lines(path, stdin):
            count += 1
            if isinstance(item, TargetEntry):
                scope.note(item.target)
            elif (bad := bad + 1) <= MOST_PROBLEMS:
                problems.append(item)
        if bad > MOST_PROBLEMS:
            message = f"{path}: {bad - MOST_PROBLEMS} more lines cannot be read"
            problems.append(Problem(message=message, rule="bad_target", path="targets_from"))
    if not count:
        where = ", ".join("standard input" if path == "-" else path for path in profile.targets_from)
        problems.append(
            Problem(
                message=f"there is no target: {where} is empty",
                rule="no_targets",
                path="targets_from",
                hint="one target a line; lines that begin with # are comments",
            )
        )
    return problems, scope


def _lines(path: str, stdin: Path | None) -> Iterator[TargetEntry | Problem]:
    real = stdin if path == "-" and stdin is not None else Path(path)
    shown = "<stdin>" if path == "-" else path
    try:
        with real.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            yield from read_lines(_whole(file), shown)
    except (OSError, TargetError) as error:
        yield Problem(message=f"{shown} cannot be read: {error}", rule="missing_file", path="targets_from")


def _whole(file: Iterable[str]) -> Iterator[str]:
    """Lines as they are; one of a megabyte is no target, and is cut so that it can be shown."""
    for line in file:
        yield line if len(line) < 65536 else line[:65536]


def _spool() -> Path:
    import shutil
    from tempfile import NamedTemporaryFile

    with NamedTemporaryFile(prefix="kastrun-stdin-", suffix=".txt", delete=False) as file:
        atexit.register(Path(file.name).unlink, missing_ok=True)  # a run moves it into its folder
        shutil.copyfileobj(sys.stdin.buffer, file)
    return Path(file.name)


def _hidden(catalogue: discover.Catalogue) -> list[Problem]:
    return [
        Problem(
            message=f"two plugins are called {name}: {won} is used, {lost} is not",
            rule="hidden_plugin",
            level="warning",
            hint="rename one, or take its folder out of plugin_dirs",
        )
        for name, won, lost in catalogue.hidden
    ]


def _rule(problems: Sequence[Problem]) -> str:
    unsupported = any(problem.rule == "protocol_unsupported" for problem in problems)
    return "protocol_unsupported" if unsupported else "manifest_invalid"


def _why(problems: Sequence[Problem]) -> str:
    first = problems[0]
    place = f"{first.file}:{first.line}: " if first.file and first.line else ""
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{place}{first.message}{more}"
