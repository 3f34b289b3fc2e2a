"""`[notify]`: who is told when the run has ended.

Floor 2, pure.
"""

from __future__ import annotations

from kastrun.model import JsonObject, Notify, SecretRef
from kastrun.places import Notes
from kastrun.profile.choices import duration
from kastrun.profile.layers import is_reference
from kastrun.profile.secrets import check_reference, reference
from kastrun.profile.surroundings import Surroundings


def read_notify(table: JsonObject, notes: Notes, around: Surroundings) -> Notify:
    """The table, checked by the schema before; a webhook's URL may be a secret, by reference."""
    webhook: str | SecretRef | None = None
    given = table.get("webhook")
    if isinstance(given, dict) and is_reference(given):
        check_reference(given, ("notify", "webhook"), notes, around)
        webhook = reference(given)
    elif isinstance(given, str):
        webhook = given
    return Notify(
        command=tuple(word for word in table.get("command", ()) if word is not None),
        webhook=webhook,
        timeout_s=duration(table, "timeout", ("notify",), notes) or 0.0,
    )
