"""`kastrun plugins list|show`: what was found, and whether it can run here."""

from __future__ import annotations

import argparse
import difflib
import sys

import trio
from msgspec.structs import asdict

from kastrun import discover, problems, requires
from kastrun.cli import common
from kastrun.errors import UsageError
from kastrun.model import JsonObject, Plugin, Problem
from kastrun.requires import Readiness
from kastrun.terminal.wording import clean, span


def serve_list(options: argparse.Namespace) -> int:
    """A line a plugin; broken manifests with all their problems on stderr."""
    catalogue = common.catalogue(options.dir)
    readiness = trio.run(_probe, list(catalogue.plugins.values()))
    if options.json:
        rows = [_row(plugin, readiness[name]) for name, plugin in sorted(catalogue.plugins.items())]
        broken = {name: problems.to_json(found) for name, found in sorted(catalogue.broken.items())}
        hidden = [{"name": name, "used": won, "not_used": lost} for name, won, lost in catalogue.hidden]
        common.print_json({"plugins": rows, "broken": broken, "hidden": hidden})
        return 0
    for name, plugin in sorted(catalogue.plugins.items()):
        ready = readiness[name]
        state = "ready" if ready.missing is None else f"missing: {clean(ready.missing)}"
        sys.stdout.write(
            f"{name:<14} {plugin.version:<8} {plugin.mode:<8} {plugin.origin:<9} {state}\n"
            f"{'':<14} {clean(plugin.summary)}\n"
        )
    _tell_broken(catalogue, options)
    return 0


def _tell_broken(catalogue: discover.Catalogue, options: argparse.Namespace) -> None:
    for name, won, lost in catalogue.hidden:
        sys.stderr.write(f"note: two plugins are called {name}: {won} is used, {lost} is not\n")
    found: list[Problem] = [each for _, listed in sorted(catalogue.broken.items()) for each in listed]
    if found:
        sys.stderr.write(problems.render(found, colour=common.colour(options)))


def serve_show(options: argparse.Namespace) -> int:
    """One plugin in full. Raises UsageError where there is none of that name."""
    catalogue = common.catalogue(options.dir)
    plugin = catalogue.plugins.get(options.name)
    if plugin is None:
        raise _unknown(options.name, catalogue)
    ready = trio.run(_probe, [plugin])[plugin.name]
    if options.json:
        common.print_json(
            _row(plugin, ready) | {"options_schema": plugin.options_schema, "digest": plugin.digest}
        )
    else:
        sys.stdout.write("\n".join(_lines(plugin, ready)) + "\n")
    return 0


def _unknown(name: str, catalogue: discover.Catalogue) -> UsageError:
    if name in catalogue.broken:
        first = catalogue.broken[name][0]
        return UsageError(
            f"the manifest of {name} is broken: {first.message}",
            hint="`kastrun plugins list` shows all that is wrong",
        )
    near = difflib.get_close_matches(name, catalogue.plugins, n=1)
    hint = f"did you mean {near[0]}?" if near else f"searched: {', '.join(catalogue.searched)}"
    return UsageError(f"there is no plugin called {name}", hint=hint)


async def _probe(plugins: list[Plugin]) -> dict[str, Readiness]:
    return await requires.probe_once(plugins)


def _row(plugin: Plugin, ready: Readiness) -> JsonObject:
    return {
        "name": plugin.name,
        "version": plugin.version,
        "summary": plugin.summary,
        "mode": plugin.mode,
        "targets": list(plugin.targets),
        "produces": list(plugin.produces),
        "origin": plugin.origin,
        "folder": plugin.folder,
        "argv": list(plugin.exec),
        "priority": plugin.priority,
        "limits": asdict(plugin.limits),
        "sandbox": asdict(plugin.sandbox),
        "programs": dict(ready.versions),
        "missing": ready.missing,
    }


def _lines(plugin: Plugin, ready: Readiness) -> list[str]:
    limits, sandbox = plugin.limits, plugin.sandbox
    lines = [
        f"{plugin.name} {plugin.version}: {clean(plugin.summary)}",
        f"  {plugin.mode}, takes {' '.join(plugin.targets)}, gives {' '.join(plugin.produces) or 'findings'}",
        f"  {' '.join(plugin.exec)}  in {plugin.folder} ({plugin.origin})",
        f"  at most {span(limits.total_s)} a job, {limits.memory_mb} MB a process",
        f"  at most {limits.output_mb} MB of output",
        f"  network {sandbox.network}"
        + "".join(f", {each}" for each in (*sandbox.caps, *sandbox.env, *sandbox.read)),
    ]
    if plugin.homepage:
        lines.append(f"  {clean(plugin.homepage)}")
    if plugin.requires:
        have = ", ".join(f"{name} {version}" for name, version in ready.versions.items())
        lines.append(
            f"  needs {', '.join(need.name for need in plugin.requires)}: " + (ready.missing or have)
        )
    options = plugin.options_schema.get("properties", {})
    if options:
        lines.append("  options")
        lines += [f"    {name}: {_option(schema)}" for name, schema in options.items()]
    return lines


def _option(schema: JsonObject) -> str:
    default = "" if "default" not in schema else f" (default {schema['default']!r})"
    return f"{schema.get('type', 'any')}{default}  {clean(str(schema.get('description', '')))}"
