"""What a module imports, read from its syntax: for the tests of the floors and of the package."""

from __future__ import annotations

import ast
from collections.abc import Iterator


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything imported, lazily too; `from kastrun import x` is kastrun.x."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                yield node.lineno, "." * node.level
            elif node.module == "kastrun":
                yield from ((node.lineno, f"kastrun.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, node.module or ""
