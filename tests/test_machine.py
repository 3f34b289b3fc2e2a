"""What is made of a look at the machine; the look itself is tried in test_sandbox_levels.py and escapes."""

from __future__ import annotations

from typing import Any

import pytest

from kastrun.errors import MachineError
from kastrun.machine import examine
from kastrun.model import SandboxWish
from kastrun.policy import reach
from kastrun.process import Family, GuardLost


class Unseen(Family):
    """One whose wardens die, or see what they are told to."""

    def __init__(self, seen: dict[str, int] | None = None) -> None:
        super().__init__()
        self._seen = seen

    async def look(self, *_: Any) -> dict[str, int]:
        if self._seen is None:
            raise GuardLost("a warden died while it was looking at this machine")
        return self._seen


async def test_a_warden_that_dies_while_it_looks_is_a_level_that_cannot_be_had() -> None:
    machine = await examine("standard", Unseen())
    with pytest.raises(MachineError, match="a warden died") as caught:
        reach(SandboxWish(), machine)
    assert caught.value.exit_code == 4


async def test_sockets_that_cannot_be_lent_are_said() -> None:
    machine = await examine("standard", Unseen({"read": 13, "broker": 1}))
    assert (machine.broker, machine.unlent) == (False, "Operation not permitted")
