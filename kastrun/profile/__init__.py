"""The scan profile: documents laid over each other, checked, and made into a Profile.

Floor 2, pure. The files come through `kastrun.files`; whether a variable is set or a
path is there is asked through Surroundings.
"""

from kastrun.profile.durations import seconds
from kastrun.profile.editor import editor_schema
from kastrun.profile.layers import Layer, Merged, anchored, merge
from kastrun.profile.options import default_options
from kastrun.profile.overrides import Overrides, from_flags, override, toml_or_text
from kastrun.profile.reading import parse
from kastrun.profile.surroundings import Pick, Surroundings
from kastrun.profile.writing import dump

__all__ = [
    "Layer",
    "Merged",
    "Overrides",
    "Pick",
    "Surroundings",
    "anchored",
    "default_options",
    "dump",
    "editor_schema",
    "from_flags",
    "merge",
    "override",
    "parse",
    "seconds",
    "toml_or_text",
]
