"""The house stands on floors: imports go strictly down, and what is pure stays pure.

Reads every import in kastrun/ by its syntax, lazy ones within functions too. docs/architecture.md
explains the floors; the tables here are what holds. A room is a module or a folder in kastrun/.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from imports_of import imports

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "kastrun"

FLOORS = {
    0: "__init__ blocks errors facts jobids model reach resources",
    1: "bundle places problems schema toml_tree toml_words",
    2: "adapt baseline dependencies history launch leads manifest plan policy profile protocol ready report "
    "scope tally targets",
    3: "demo discover files inputs journal names notify pressure process sandbox settings terminal warden "
    "workspace",
    4: "engine intent machine record requires",
    5: "kit scan trial",
    6: "__main__ cli",
}
FLOOR = {room: floor for floor, rooms in FLOORS.items() for room in rooms.split()}

SIDEWAYS = {
    # The nouns are named by the errors and the facts that carry them.
    ("errors", "model"),
    ("facts", "model"),
    ("resources", "model"),
    # A place is found by the syntax tree; a tree that does not parse is a problem in the schema's words.
    ("places", "schema"),
    ("places", "toml_tree"),
    ("toml_tree", "schema"),
    ("toml_words", "toml_tree"),
    # What is decided about targets is made of targets and their scope.
    ("plan", "profile"),
    ("plan", "scope"),
    ("plan", "targets"),
    ("profile", "scope"),
    ("profile", "targets"),
    ("scope", "targets"),
    # Who comes after whom is decided once, between plugins.
    ("plan", "dependencies"),
    # How long each may take is what earlier runs took.
    ("plan", "history"),
    # What is found is planned for where it is a target in scope.
    ("leads", "plan"),
    ("leads", "scope"),
    ("leads", "targets"),
    # The kit tries plugins by hand.
    ("kit", "trial"),
    # The job line is the protocol's; what refers to a secret in it, the profile's.
    ("launch", "profile"),
    ("launch", "protocol"),
    # A report is a fold over the tally.
    ("report", "tally"),
    # `python -m kastrun` is the command line.
    ("__main__", "cli"),
    # A child is seen from here, and guarded by a warden in a process of its own.
    ("process", "warden"),
    # A warden confines what it starts, as kastrun's side ordered.
    ("process", "sandbox"),
    ("warden", "sandbox"),
    # Manifests and the user's settings are files.
    ("discover", "files"),
    ("settings", "files"),
}
"""Within a floor, who may import whom: these and no others, and none of them unused."""

IMPURE = {
    *("asyncio", "fcntl", "glob", "http", "io", "logging", "multiprocessing", "os", "pathlib", "random"),
    *("resource", "secrets", "select", "selectors", "shutil", "signal", "socket", "ssl", "subprocess"),
    *("sys", "tempfile", "threading", "time", "trio", "uuid"),
}
"""What floors 0 to 2 may not import: the world, its clock and its dice."""
IMPURE_CALLS = {"open", "print", "input", "breakpoint"}
IMPURE_METHODS = {
    *("open", "read_text", "read_bytes", "write_text", "write_bytes", "expanduser"),
    *("now", "utcnow", "today", "getenv"),
}
ENDINGS = {"sys.exit", "os._exit", "os.abort", "exit", "quit"}
DOORS = {"resources.py": "reads what was shipped"}
"""Modules of floors 0 to 2 that may touch files, and why."""

OWN_ENTRIES = {
    "demo/__main__.py": "`python -m kastrun.demo` is a program of its own",
    "sandbox/begin.py": "a forked child that cannot become its program ends here",
    "sandbox/canary_network.py": "a child that has tried whom it could reach ends here",
    "sandbox/canary.py": "a child that has tried what it should not be able to do ends here",
    "sandbox/namespaces.py": "the init of a job's namespaces ends when the last process in them has",
    "warden/launcher.py": "a forked warden ends here, in a process of its own",
    "warden/warden.py": "a bug in a warden is told to kastrun, which raises it",
}
"""Modules outside the command line that may end the process."""

MOST_LINES = 400


def sources() -> dict[str, str]:
    """Every module of the package, by its path within it."""
    return {
        str(path.relative_to(PACKAGE)): path.read_text(encoding="utf-8")
        for path in sorted(PACKAGE.rglob("*.py"))
        if "_shipped" not in path.parts
    }


def room_of(module: str) -> str:
    return module.split("/")[0].removesuffix(".py")


def edges(module: str, tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and room of each import from another room of the house."""
    for line, name in imports(tree):
        parts = name.split(".")
        if parts[0] == "kastrun" and len(parts) > 1:
            room = "__init__" if parts[1] not in FLOOR and parts[1].startswith("__") else parts[1]
            if room != room_of(module):
                yield line, room


def misdirected(module: str, tree: ast.AST) -> Iterator[str]:
    room = room_of(module)
    for line, name in imports(tree):
        if name.startswith("."):
            yield f"{module}:{line}: relative import; rooms are named in full"
    for line, other in edges(module, tree):
        if other not in FLOOR:
            yield f"{module}:{line}: kastrun.{other} is on no floor; give it one in FLOORS"
        elif FLOOR[other] > FLOOR[room]:
            yield f"{module}:{line}: imports go down: {room} ({FLOOR[room]}) imports {other} ({FLOOR[other]})"
        elif FLOOR[other] == FLOOR[room] and (room, other) not in SIDEWAYS:
            yield f"{module}:{line}: {room} and {other} share floor {FLOOR[room]}, and SIDEWAYS lacks it"


def impure(module: str, tree: ast.AST) -> Iterator[str]:
    floor = FLOOR[room_of(module)]
    if floor > 2 or module in DOORS:
        return
    for line, name in imports(tree):
        if name.split(".")[0] in IMPURE:
            yield f"{module}:{line}: floor {floor} is pure and imports {name}"
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name) and node.func.id in IMPURE_CALLS:
            yield f"{module}:{node.lineno}: floor {floor} is pure and calls {node.func.id}()"
        elif isinstance(node.func, ast.Attribute) and node.func.attr in IMPURE_METHODS:
            yield f"{module}:{node.lineno}: floor {floor} is pure and calls .{node.func.attr}()"


def presumptuous(module: str, tree: ast.AST) -> Iterator[str]:
    """Ending the process and catching every exception are the command line's alone."""
    if room_of(module) == "cli" or module in OWN_ENTRIES:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and _swallows(node):
            yield f"{module}:{node.lineno}: catches every exception; only cli/ may"
        elif isinstance(node, ast.Call) and names(node.func) & {"suppress"} and _every(*node.args):
            yield f"{module}:{node.lineno}: suppresses every exception"
        elif _ends_the_process(node):
            yield f"{module}:{node.lineno}: ends the process; only cli/ may"


def _every(*nodes: ast.AST) -> bool:
    return any(names(node) & {"Exception", "BaseException"} for node in nodes)


def _swallows(handler: ast.ExceptHandler) -> bool:
    """Tidying up is allowed to all, where the exception then goes on."""
    last = handler.body[-1]
    goes_on = isinstance(last, ast.Raise) and last.exc is None
    return not goes_on and (handler.type is None or _every(handler.type))


def _ends_the_process(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return ast.unparse(node.func) in ENDINGS
    return isinstance(node, ast.Raise) and node.exc is not None and "SystemExit" in names(node.exc)


def names(node: ast.AST) -> set[str]:
    """Every plain name in an expression."""
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def offences(module: str, source: str) -> list[str]:
    tree = ast.parse(source)
    if room_of(module) not in FLOOR:
        return [f"{module}:1: {room_of(module)} is on no floor; give it one in FLOORS"]
    found = [*misdirected(module, tree), *impure(module, tree), *presumptuous(module, tree)]
    lines = source.count("\n")
    if lines > MOST_LINES:
        found.append(
            f"{module}:{MOST_LINES}: {lines} lines; a room of more than {MOST_LINES} becomes a folder"
        )
    return found


def test_the_house_stands():
    found = [each for module, source in sources().items() for each in offences(module, source)]
    assert found == [], "\n".join(["", *(f"kastrun/{each}" for each in found)])


def test_no_edge_is_allowed_in_vain():
    modules = {module: ast.parse(source) for module, source in sources().items()}
    used = {(room_of(module), other) for module, tree in modules.items() for _, other in edges(module, tree)}
    rooms = {room_of(module) for module in modules}
    assert {edge for edge in SIDEWAYS - used if rooms.issuperset(edge)} == set()


@pytest.mark.parametrize(
    ("module", "source", "rule"),
    [
        ("attic.py", "", "on no floor"),
        ("plan.py", "from kastrun import scan", "imports go down"),
        ("plan.py", "def f():\n    from kastrun.engine.run import Engine", "imports go down"),
        ("plan.py", "from kastrun.launch import Station", "SIDEWAYS"),
        ("tally/fold.py", "import kastrun.attic", "no floor"),
        ("tally/fold.py", "from . import verdict", "relative"),
        ("model.py", "import os.path", "pure and imports os"),
        ("profile/reading.py", "def f(p):\n    return p.read_text()", "pure and calls .read_text()"),
        ("scope.py", "open('x')", "pure and calls open()"),
        ("tally/fold.py", "datetime.now()", "pure and calls .now()"),
        ("scan.py", "import sys\nsys.exit(1)", "ends the process"),
        ("scan.py", "raise SystemExit(1)", "ends the process"),
        ("scan.py", "try:\n    f()\nexcept (OSError, Exception):\n    pass", "catches every"),
        ("scan.py", "try:\n    f()\nexcept:\n    pass", "catches every"),
        ("scan.py", "with suppress(BaseException):\n    f()", "suppresses every"),
        ("scan.py", "\n" * 401, "becomes a folder"),
    ],
)
def test_a_breach_is_named_with_its_line_and_rule(module, source, rule):
    (found,) = offences(module, source)
    assert found.startswith(f"{module}:") and rule in found


def test_what_is_allowed_is_not_named():
    assert offences("scan.py", "import os\nfrom kastrun import __version__, engine") == []
    assert offences("scan.py", "try:\n    f()\nexcept BaseException:\n    g()\n    raise") == []
    assert offences("cli/__init__.py", "import sys\ntry:\n    f()\nexcept Exception:\n    sys.exit(70)") == []


def test_plugins_stand_alone():
    """They are copied, and run by interpreters that have no kastrun."""
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in (ROOT / "plugins").rglob("*.py")
        for line, name in imports(ast.parse(path.read_text(encoding="utf-8")))
        if name.split(".")[0] == "kastrun"
    ]
    assert found == []
