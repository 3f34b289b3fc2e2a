"""Every place in which a document does not fit its schema.

Floor 1. jsonschema (Draft 2020-12) decides and `words` says it; references to other
documents are never fetched.
"""

from __future__ import annotations

from kastrun import resources
from kastrun.model import JsonObject
from kastrun.schema.problem import SchemaProblem
from kastrun.schema.quick import accepts

__all__ = ["SchemaProblem", "check"]


def check(schema: str | JsonObject, document: object) -> list[SchemaProblem]:
    """All problems of `document`, none where it fits; `schema` is one, or the kind of a shipped one.

    A reference that leads nowhere is itself a problem (rule ``bad_schema``).
    """
    rules = resources.schema(schema) if isinstance(schema, str) else schema
    if accepts(rules, document):
        return []
    from jsonschema import Draft202012Validator
    from jsonschema.validators import SPECIFICATIONS
    from referencing.exceptions import Unresolvable

    from kastrun.schema.words import describe

    validator = Draft202012Validator(rules, registry=SPECIFICATIONS)
    try:
        found = [problem for error in validator.iter_errors(document) for problem in describe(error)]
    except Unresolvable as error:
        message = f"the schema refers to `{error.ref}`, which leads nowhere"
        return [SchemaProblem(path=(), rule="bad_schema", message=message)]
    return _distinct(found)


def _distinct(found: list[SchemaProblem]) -> list[SchemaProblem]:
    """One problem for each place and rule, but each missing key by itself (`allOf` and `$ref` overlap)."""
    kept: dict[object, SchemaProblem] = {}
    for problem in found:
        message = problem.message if problem.rule == "missing_key" else ""
        kept.setdefault((problem.path, problem.at, problem.rule, message), problem)
    return list(kept.values())
