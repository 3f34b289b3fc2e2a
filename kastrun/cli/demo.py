"""`kastrun demo`: a weak site on loopback, scanned with the example profile, and what was planted in it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from kastrun import intent, record, resources, settings
from kastrun.cli import common, run
from kastrun.demo import Flaw, Site, hardened_site, weak_site
from kastrun.journal import Entry, read
from kastrun.model import JsonObject
from kastrun.profile import Overrides
from kastrun.terminal.wording import counted


def serve(options: argparse.Namespace) -> int:
    """0 where the demonstration worked: every job ended ok, and (on the weak site) the flaws were found."""
    options.verbose = options.quiet = False
    site_of = hardened_site if options.hardened else weak_site
    with site_of() as site:
        sys.stderr.write(f"demo site, on this machine only: {site.http_url} {site.https_url}\n")
        chosen = settings.load()
        example = resources.shipped("kast.toml.example")
        loaded = intent.load(str(example), overrides(site), settings_dirs=chosen.plugin_dirs)
        folder = run.make_folder(options, loaded.profile.name)
        code = run.into(loaded, folder, options)
    if not options.json:
        _tell_flaws(site, folder)
    return 0 if code in {0, 1} else code


def overrides(site: Site) -> Overrides:
    """What turns the example profile into one of this very site."""
    ports = ",".join(str(urlsplit(url).port) for url in (site.http_url, site.https_url))
    sets = [
        f'plugins.nmap.options.ports="{ports}"',
        "plugins.http-headers.options.strict=true",
        'scope=["127.0.0.1"]',
        "exclude=[]",
    ]
    if site.ca_file is not None:
        sets.append(f'http.ca_file="{site.ca_file}"')
    return Overrides(sets=sets, targets=site.targets)


def _tell_flaws(site: Site, folder: Path) -> None:
    """Of what was planted, how much was found, and what was not."""
    lost = missed(site, folder)
    total = len(site.flaws)
    if not total:
        sys.stdout.write("\nThe hardened twin has no planted flaws: there was nothing to find.\n")
        return
    sys.stdout.write(f"\n{total - len(lost)} of {counted(total, 'planted flaw')} found\n")
    for flaw in lost:
        sys.stdout.write(f"  not found: {flaw.description} ({flaw.plugin} did not say {flaw.rule})\n")
    journal = common.shown(folder / record.JOURNAL)
    sys.stdout.write(f"Everything that was found:\n  jq 'select(.type==\"finding\")' {journal}\n")


def missed(site: Site, folder: Path) -> list[Flaw]:
    """Planted flaws that no finding of the run tells of."""
    found = {(each["plugin"], each["rule"], _page(each)) for each in _findings(folder)}
    anywhere = {(plugin, rule) for plugin, rule, _ in found}
    return [flaw for flaw in site.flaws if not _is_found(flaw, site, found, anywhere)]


def _is_found(
    flaw: Flaw, site: Site, found: set[tuple[str, str, str]], anywhere: set[tuple[str, str]]
) -> bool:
    if flaw.plugin not in {"http-headers", "scripts"}:
        return (flaw.plugin, flaw.rule) in anywhere
    base = site.http_url if flaw.scheme == "http" else site.https_url
    return (flaw.plugin, flaw.rule, f"{base}{flaw.path}") in found


def _page(finding: JsonObject) -> str:
    return str(finding["target"])


def _findings(folder: Path) -> Iterator[JsonObject]:
    for item in read(folder / record.JOURNAL):
        if isinstance(item, Entry):
            document = item.document()
            if document["type"] == "finding":
                yield document
