"""Whether a document fits a JSON Schema, and in human words where it does not.

Floor 1. `check` finds every problem at once and says of each where it is, as a key
path; `fill_defaults` completes a document from the same schema. Nothing here knows
TOML, lines or columns. jsonschema decides; it is imported only for documents that
`quick` does not already know to be right.
"""

from kastrun.schema.check import SchemaProblem, check
from kastrun.schema.defaults import fill_defaults, resolve
from kastrun.schema.problem import KeyPath, near

__all__ = ["KeyPath", "SchemaProblem", "check", "fill_defaults", "near", "resolve"]
