"""jsonschema's errors in human words: what was expected, what was found, what is near.

Floor 1, pure. A schema may help with an annotation of its own: `x-expected` says in
words what a value must be.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from kastrun.schema.problem import SchemaProblem, near

if TYPE_CHECKING:
    from jsonschema import ValidationError

_TYPES: Final = {
    "string": "text in quotes",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list [ … ]",
    "object": "a table",
    "null": "nothing",
}


def describe(error: ValidationError) -> Iterator[SchemaProblem]:
    """The problems that one jsonschema error stands for (alternatives may hold several)."""
    if "propertyNames" in error.absolute_schema_path:
        path = (*error.absolute_path, str(error.instance))
        yield SchemaProblem(path=path, rule="bad_name", message=_expected(error, "another name"), at="key")
        return
    special = _SPECIAL.get(str(error.validator))
    if special is not None:
        yield from special(error)
        return
    rule, say = _PLAIN.get(str(error.validator), ("bad_value", lambda error: error.message))
    hint = None
    if error.validator == "enum" and isinstance(error.instance, str):
        hint = near(error.instance, [str(each) for each in error.validator_value])
    yield SchemaProblem(path=tuple(error.absolute_path), rule=rule, message=say(error), hint=hint)


def _unknown_keys(error: ValidationError) -> Iterator[SchemaProblem]:
    known = list(error.schema.get("properties", {}))
    for key in error.instance:
        if key in known:
            continue
        hint = near(key, known)
        if hint is None and known:
            hint = f"known here: {', '.join(known)}"
        path = (*error.absolute_path, key)
        yield SchemaProblem(path=path, rule="unknown_key", message="unknown key", hint=hint, at="key")


def _missing_keys(error: ValidationError) -> Iterator[SchemaProblem]:
    for key in error.validator_value:
        if key not in error.instance:
            path = tuple(error.absolute_path)
            yield SchemaProblem(path=path, rule="missing_key", message=f"`{key}` is missing here", at="key")


def _alternatives(error: ValidationError) -> Iterator[SchemaProblem]:
    """The errors of the one branch that was meant, judged by type; else what was expected."""
    branches: dict[Any, list[ValidationError]] = defaultdict(list)
    for each in error.context or ():
        branches[each.schema_path[0]].append(each)
    meant = [errors for errors in branches.values() if not any(_wrong_type(each) for each in errors)]
    if len(meant) == 1:
        inner = [problem for each in meant[0] for problem in describe(each)]
        misspelt = any(problem.rule == "unknown_key" for problem in inner)
        yield from (problem for problem in inner if not (misspelt and problem.rule == "one_of"))
        return
    kinds = [
        _TYPES.get(str(each.get("type")), "") for each in error.validator_value if isinstance(each, dict)
    ]
    message = _expected(error, _or([kind for kind in kinds if kind]) or "something else")
    yield SchemaProblem(path=tuple(error.absolute_path), rule="wrong_type", message=message)


def _wrong_type(error: ValidationError) -> bool:
    return error.validator == "type" and not error.relative_path


def _wrong_choice(error: ValidationError) -> Iterator[SchemaProblem]:
    """A oneOf over `required` alone says which keys exclude each other."""
    rules = [each for each in error.validator_value if isinstance(each, dict)]
    if not all(set(each) == {"required"} for each in rules):
        yield from _alternatives(error)
        return
    names = [str(each["required"][0]) for each in rules]
    given = [name for name in names if name in error.instance]
    found = f", found {_and([f'`{name}`' for name in given])}" if given else ""
    message = f"expected {error.schema.get('x-expected', f'exactly one of {_or(names)}')}{found}"
    yield SchemaProblem(path=tuple(error.absolute_path), rule="one_of", message=message)


def _type(error: ValidationError) -> str:
    wanted = error.validator_value
    names = [wanted] if isinstance(wanted, str) else wanted
    return _expected(error, _or([_TYPES[name] for name in names]))


def _expected(error: ValidationError, otherwise: str) -> str:
    return f"expected {error.schema.get('x-expected', otherwise)}, found {found(error.instance)}"


def _enum(error: ValidationError) -> str:
    return f"expected {_or([found(each) for each in error.validator_value])}, found {found(error.instance)}"


def _range(error: ValidationError) -> str:
    low, high = (error.schema.get(key) for key in ("minimum", "maximum"))
    if low is not None and high is not None:
        return f"expected a number from {low} to {high}, found {found(error.instance)}"
    words = {"minimum": "at least", "maximum": "at most", "exclusiveMinimum": "more than"}
    bound = words.get(str(error.validator), "less than")
    return f"expected {bound} {error.validator_value}, found {found(error.instance)}"


def _length(error: ValidationError) -> str:
    noun = {"L": "characters", "I": "elements", "P": "keys"}[str(error.validator)[3]]
    if "x-expected" in error.schema:
        return f"expected {error.schema['x-expected']}"
    if error.validator in ("minLength", "minItems", "minProperties") and error.validator_value == 1:
        return "must not be empty"
    bound = "at least" if str(error.validator).startswith("min") else "at most"
    return f"expected {bound} {error.validator_value} {noun}, found {len(error.instance)}"


def found(value: object) -> str:
    """A value as a short phrase in the user's own notation; at most about 40 characters of it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"' if len(value) <= 40 else f'"{value[:39]}…"'
    if isinstance(value, list):
        return "a list"
    if isinstance(value, dict):
        return "a table"
    text = str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"


def _joined(words: Sequence[str], last: str) -> str:
    return f"{', '.join(words[:-1])} {last} {words[-1]}" if len(words) > 1 else "".join(words)


def _or(words: Sequence[str]) -> str:
    return _joined(words, "or")


def _and(words: Sequence[str]) -> str:
    return _joined(words, "and")


_SPECIAL: Final[dict[str, Callable[[ValidationError], Iterator[SchemaProblem]]]] = {
    "additionalProperties": _unknown_keys,
    "required": _missing_keys,
    "anyOf": _alternatives,
    "oneOf": _wrong_choice,
}
_PLAIN: Final[dict[str, tuple[str, Callable[[ValidationError], str]]]] = {
    "type": ("wrong_type", _type),
    "enum": ("unknown_value", _enum),
    "const": (
        "unknown_value",
        lambda error: f"expected {found(error.validator_value)}, found {found(error.instance)}",
    ),
    "pattern": ("bad_format", lambda error: _expected(error, f"text like `{error.validator_value}`")),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), ("out_of_range", _range)),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems"), ("bad_length", _length)),
    **dict.fromkeys(("minProperties", "maxProperties"), ("bad_length", _length)),
}
