"""What a plugin asks for beyond the usual, and what the profile grants it.

Floor 2, pure. `none` or `scope` network and declared programs are the usual; shipped
plugins need no grant. This is consent only: the sandbox does what was granted.
"""

from __future__ import annotations

from posixpath import normpath

from kastrun.model import Plugin
from kastrun.places import Notes


def asked(plugin: Plugin) -> list[str]:
    """The grants that cover everything in the manifest's `[sandbox]`."""
    sandbox = plugin.sandbox
    wanted = ["network:full"] if sandbox.network == "full" else []
    wanted += [f"cap:{name}" for name in sandbox.caps]
    wanted += [f"env:{name}" for name in sandbox.env]
    return wanted + [f"read:{normpath(path)}" for path in sandbox.read]


def covers(grant: str, wanted: str) -> bool:
    """Whether `grant` gives `wanted`; a folder to read gives all that is below it."""
    if not (grant.startswith("read:") and wanted.startswith("read:")):
        return grant == wanted
    folder, path = normpath(grant[5:]), normpath(wanted[5:])
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def check_grants(plugin: Plugin, grants: tuple[str, ...], notes: Notes, *, named: bool) -> None:
    """An error for what is asked for and not granted, a warning for what is granted and not asked for."""
    wanted = asked(plugin)
    for index, grant in enumerate(grants):
        if not any(covers(grant, each) for each in wanted):
            path = ("plugins", plugin.name, "grant", index)
            message = f"`{plugin.name}` does not ask for this"
            notes.add(path, "grant_unasked", message, hint="take it out", level="warning")
    if plugin.origin == "shipped":
        return
    lacking = [each for each in wanted if not any(covers(grant, each) for grant in grants)]
    if lacking:
        message = f"`{plugin.name}` asks for more than a plugin gets unasked: {', '.join(lacking)}"
        line = f"grant = [{', '.join(_quoted(each) for each in [*grants, *lacking])}]"
        hint = f"if you trust it, add to [plugins.{plugin.name}]:\n{line}"
        if not named:
            hint = f"leave it out with --skip {plugin.name}, or {hint}"
        notes.add(("plugins", plugin.name), "grant_missing", message, hint=hint, at="key")


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
