"""A resolved profile as TOML: what `kastrun RUN/profile.toml` repeats a run from.

Floor 2, pure.
"""

from __future__ import annotations

from kastrun.model import JsonObject, Profile


def dump(profile: Profile | JsonObject) -> str:
    """The TOML text of a profile, or of a document; secrets stay references."""
    import tomli_w

    document = profile.document if isinstance(profile, Profile) else profile
    return tomli_w.dumps(document, multiline_strings=False)
