"""The grammar of the command line: verbs and flags, and which function serves each.

Only argparse and strings: no verb's module is imported before its verb was asked for.
A first word that is no verb is a profile, so `kastrun scan.toml` is `kastrun run scan.toml`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module

from kastrun import __version__

Serve = Callable[[argparse.Namespace], int]

EPILOG = """\
exit codes: 0 clean, 1 a finding reached fail_on, 2 bad profile or usage, 3 incomplete,
4 this machine cannot honour the profile, 5 the journal could not be written,
70 a bug in kastrun, 130 interrupted
"""


_RUN_FLAGS = (
    "-t",
    "--target",
    "-m",
    "--mode",
    "-p",
    "--parallel",
    "-v",
    "--verbose",
    "--max-workers",
    "--run-only",
)
"""Flags that KAST's own command line may begin with: `kastrun -m passive -t HOST`."""


def read(arguments: list[str]) -> argparse.Namespace:
    """The options of a command; `verb` is the function that serves it. Exits 2 on bad usage, 0 on --help."""
    if not arguments:
        parser = build()
        parser.print_help(sys.stderr)
        parser.exit(2, "\nto begin: `kastrun demo`, then `kastrun -t HOST`, then a profile\n")
    if not arguments[0].startswith("-") and arguments[0] not in VERBS:
        _refuse_near_verb(arguments[0])
        arguments = ["run", *arguments]
    elif arguments[0].startswith(_RUN_FLAGS):
        arguments = ["run", *arguments]
    return build(arguments[0]).parse_args(arguments)


def _refuse_near_verb(word: str) -> None:
    """`kastrun chekc` is a slip, not a profile: files have a dot or a slash in their name."""
    if "." in word or "/" in word:
        return
    import difflib

    near = difflib.get_close_matches(word, VERBS, n=1)
    if near:
        build().error(f"there is no command {word!r}; did you mean `{near[0]}`?")


_NARROW = partial(argparse.HelpFormatter, width=80)
"""argparse makes a formatter for each flag, to see that its metavar fits. One that is told its width
does not import shutil for it, which costs 4 ms; help is printed as wide as the terminal."""


def build(only: str | None = None) -> argparse.ArgumentParser:
    """The whole parser (also for shell completion), or, where `only` is a verb, what that one needs.

    Each verb's parser costs a millisecond of every start.
    """
    parser = argparse.ArgumentParser(
        prog="kastrun",
        description="Run security scanners from a profile: every planned job has exactly one result.",
        epilog=EPILOG,
        formatter_class=_NARROW,
        allow_abbrev=False,
    )
    parser.add_argument("-V", "--version", action="version", version=f"kastrun {__version__}")
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in [only] if only in VERBS else VERBS:
        summary, add = VERBS[name]
        verb = verbs.add_parser(
            name, help=summary, description=summary, formatter_class=_NARROW, allow_abbrev=False
        )
        add(verb)
        verb.formatter_class = argparse.HelpFormatter
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    return parser


def _serves(module: str, function: str = "serve") -> Serve:
    """The function of a verb's module, imported when it is called."""

    def serve(options: argparse.Namespace) -> int:
        verb: Serve = getattr(import_module(f"kastrun.cli.{module}"), function)
        return verb(options)

    return serve


def _profile(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("profile", nargs="?", metavar="PROFILE", help="the scan profile (TOML); - for stdin")
    group = parser.add_argument_group("over the profile")
    group.add_argument(
        "-t", "--target", "--targets", action="append", default=[], metavar="TARGET", dest="targets",
        help="scan this instead of the profile's targets (repeat it)",
    )  # fmt: skip
    group.add_argument(
        "--exclude", action="append", default=[], metavar="TARGET", help="never touch this (repeat it)"
    )
    group.add_argument("-m", "--mode", metavar="MODE", help="passive, active or both")
    group.add_argument("--max-workers", metavar="N", help="jobs at once")
    group.add_argument(
        "-p", "--parallel", action="store_true", help="without a profile: several jobs at once (KAST's flag)"
    )
    group.add_argument(
        "--only",
        "--run-only",
        action="append",
        default=[],
        metavar="A,B",
        help="only these plugins (repeat it)",
    )
    group.add_argument(
        "--skip", action="append", default=[], metavar="A,B", help="not these plugins (repeat it)"
    )
    group.add_argument(
        "--tag", action="append", default=[], metavar="TAG", dest="tags", help="only targets with this tag"
    )
    group.add_argument("--fail-on", metavar="SEVERITY", help="exit 1 from this severity on; none: never")
    group.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="sets",
        help="any key of the profile, such as limits.job_timeout=30s (repeat it)",
    )  # fmt: skip


def _common(parser: argparse.ArgumentParser, *, json: bool = True) -> None:
    if json:
        parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.add_argument("--no-color", action="store_true", help="no colour (NO_COLOR does the same)")


def _run(parser: argparse.ArgumentParser) -> None:
    _profile(parser)
    _common(parser)
    parser.add_argument(
        "-o", "--output", metavar="DIR", help="the run folder itself (default: runs/NAME/TIME)"
    )
    parser.add_argument(
        "--since", metavar="RUN", help="use results of this earlier run again, where the work is the same"
    )
    parser.add_argument(
        "--max-age", metavar="TIME", help="with --since: only results younger than this (default: 24h)"
    )
    parser.add_argument("--dry-run", action="store_true", help="show the plan, run nothing (`kastrun plan`)")
    loud = parser.add_mutually_exclusive_group()
    loud.add_argument("-v", "--verbose", action="store_true", help="what plugins log, and failures in full")
    loud.add_argument("-q", "--quiet", action="store_true", help="only the verdict")
    parser.set_defaults(verb=_serves("run"))


def _check(parser: argparse.ArgumentParser) -> None:
    _profile(parser)
    _common(parser)
    parser.set_defaults(verb=_serves("check"))


def _plan(parser: argparse.ArgumentParser) -> None:
    _profile(parser)
    _common(parser)
    parser.set_defaults(verb=_serves("plan"))


def _demo(parser: argparse.ArgumentParser) -> None:
    _common(parser)
    parser.add_argument("-o", "--output", metavar="DIR", help="the run folder itself")
    parser.add_argument("--hardened", action="store_true", help="scan the hardened twin of the site instead")
    parser.set_defaults(verb=_serves("demo"))


def _resume(parser: argparse.ArgumentParser) -> None:
    _common(parser)
    parser.add_argument("run", metavar="RUN", help="a run folder, or NAME for its latest run")
    parser.add_argument("--retry-failed", action="store_true", help="run again what failed, too")
    loud = parser.add_mutually_exclusive_group()
    loud.add_argument("-v", "--verbose", action="store_true", help="what plugins log, and failures in full")
    loud.add_argument("-q", "--quiet", action="store_true", help="only the verdict")
    parser.set_defaults(verb=_serves("resume"))


def _runs(parser: argparse.ArgumentParser) -> None:
    _common(parser)
    parser.add_argument("name", nargs="?", metavar="NAME", help="only runs of this profile")
    parser.set_defaults(verb=_serves("runs"))


def _show(parser: argparse.ArgumentParser) -> None:
    _common(parser)
    parser.add_argument("run", metavar="RUN", help="a run folder, or NAME for its latest run")
    parser.add_argument("-v", "--verbose", action="store_true", help="all failures in full")
    parser.set_defaults(verb=_serves("show"))


def _report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run folder, or NAME for its latest run")
    parser.add_argument(
        "--format", action="append", default=[], metavar="A,B",
        help="html, markdown, jsonl, csv, junit (repeat it; default: html)",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="write one format here instead of the run folder; - is stdout"
    )
    parser.set_defaults(verb=_serves("report"))


def _diff(parser: argparse.ArgumentParser) -> None:
    _common(parser)
    parser.add_argument("before", metavar="A", help="the earlier run: a folder, or NAME for its latest run")
    parser.add_argument("after", metavar="B", help="the later run")
    parser.add_argument(
        "--fail-on", metavar="SEVERITY", help="exit 1 where something new reaches it (default: as B was run)"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="list all of it, not 20 of a kind")
    parser.set_defaults(verb=_serves("diff"))


def _baseline(parser: argparse.ArgumentParser) -> None:
    _common(parser)
    parser.add_argument("run", metavar="RUN", help="a run folder, or NAME for its latest run")
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="the baseline (default: the profile's, else baseline.toml)"
    )
    parser.add_argument("--reason", metavar="TEXT", help="why what is added is accepted")
    parser.add_argument("--until", metavar="DAY", help="the last day on which what is added is accepted")
    parser.add_argument(
        "--only", action="append", default=[], metavar="A,B",
        help="only findings of a plugin, a PLUGIN.RULE or a fingerprint (repeat it)",
    )  # fmt: skip
    parser.set_defaults(verb=_serves("baseline"))


def _plugins(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="every plugin found, and whether it can run here")
    showing = actions.add_parser("show", help="one plugin: manifest, options, needs")
    showing.add_argument("name", metavar="NAME")
    for each, function in ((listing, "serve_list"), (showing, "serve_show")):
        each.add_argument(
            "--dir", action="append", default=[], metavar="DIR", help="look here first (repeat it)"
        )
        _common(each)
        each.set_defaults(verb=_serves("plugins", function))
    making = actions.add_parser("new", help="a working plugin of your own, in the language you like")
    making.add_argument("name", metavar="NAME", help="its name, and its folder's")
    making.add_argument("--language", metavar="LANGUAGE", help="bash, python, node, go or rust")
    making.add_argument("--dir", default=".", metavar="DIR", help="where its folder goes (default: here)")
    making.set_defaults(verb=_serves("plugins_new"))
    testing = actions.add_parser("test", help="does a plugin keep the protocol? every rule, offline")
    testing.add_argument(
        "folders", nargs="*", metavar="DIR", help="the plugin's folder, or its name (several may be)"
    )
    testing.add_argument("--tap", action="store_true", help="TAP 14, also on a terminal")
    testing.add_argument(
        "--only", action="append", default=[], metavar="CHECK", help="these checks (repeat it)"
    )
    testing.add_argument("--list", action="store_true", help="list the checks, run nothing")
    testing.add_argument(
        "--target", metavar="TARGET", help="test against this instead of the kit's own server"
    )
    _option(testing)
    _common(testing)
    testing.set_defaults(verb=_serves("kit"))
    running = actions.add_parser("run", help="one job by hand: what goes in, what comes out, and why")
    running.add_argument("folder", metavar="DIR", help="the plugin's folder")
    running.add_argument("targets", nargs="+", metavar="TARGET", help="one job each")
    _option(running)
    running.add_argument("--trace", action="store_true", help="both directions raw, on standard error")
    running.add_argument("--timeout", metavar="S", help="at most this many seconds a job")
    _common(running)
    running.set_defaults(verb=_serves("plugins_run"))

    recording = actions.add_parser("record", help="one job by hand, kept as files; or its examples, anew")
    recording.add_argument("folder", metavar="DIR", help="the plugin's folder")
    recording.add_argument(
        "target", nargs="?", metavar="TARGET", help="without one: each example, against its own servers"
    )
    recording.add_argument(
        "-o", "--output", metavar="PATH", help="PATH.job.json and so on (default: DIR/examples/TARGET)"
    )
    _option(recording)
    recording.add_argument("--timeout", metavar="S", help="at most this many seconds")
    replaying = actions.add_parser("replay", help="kastrun's side of what was recorded: no plugin, no target")
    replaying.add_argument(
        "recordings", nargs="+", metavar="RECORDING", help="PATH as it was recorded, or a folder of them"
    )
    replaying.add_argument("--speed", metavar="X", help="1: as fast as it went then (default: at once)")
    for each, function in ((recording, "serve_record"), (replaying, "serve_replay")):
        each.add_argument("--trace", action="store_true", help="both directions raw, on standard error")
        _common(each)
        each.set_defaults(verb=_serves("plugins_record", function))


def _option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an option of the plugin, its value as in TOML (repeat it)",
    )


def _schema(parser: argparse.ArgumentParser) -> None:
    kinds = ("profile", "plugin", "message", "job", "journal", "record", "diff", "baseline")
    parser.add_argument("kind", nargs="?", choices=kinds, default="profile", help="which (default: profile)")
    parser.add_argument(
        "--dir", action="append", default=[], metavar="DIR", help="plugins of this folder, too"
    )
    parser.set_defaults(verb=_serves("schema"))


def _settings(parser: argparse.ArgumentParser) -> None:
    _common(parser)
    parser.set_defaults(verb=_serves("settings"))


def _completion(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))
    parser.set_defaults(verb=_serves("completion"))


VERBS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None]]] = {
    "run": ("run a profile (the word may be left out)", _run),
    "check": ("check a profile, run nothing", _check),
    "plan": ("show what would run, in order, and what would not", _plan),
    "demo": ("scan a weak site that is started for it on loopback", _demo),
    "resume": ("go on where a run stopped or was killed", _resume),
    "runs": ("list the runs that there are", _runs),
    "show": ("the summary of a run, from its journal", _show),
    "report": ("a page, a table, a CI's file of a run, made from its journal", _report),
    "diff": ("what is new, gone or not scanned in run B, seen from run A", _diff),
    "baseline": ("accept what a run has found: a file for git, each with a reason", _baseline),
    "plugins": ("the plugins: list, show, new, test, run", _plugins),
    "schema": ("print a JSON Schema, for editors and other programs", _schema),
    "settings": ("the settings, and where each comes from", _settings),
    "completion": ("print a shell's completion script", _completion),
}
