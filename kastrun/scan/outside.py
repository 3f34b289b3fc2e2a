"""What the jobs of a run may reach, and the names that they ask for while they run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import trio

from kastrun.bundle import Bundle
from kastrun.names import Names
from kastrun.policy import Policy
from kastrun.reach import Reach
from kastrun.scope import Scope


class Outside:
    """Names are looked up in `nursery`, once a run, and held to the scope before they are told."""

    def __init__(
        self, scope: Scope, names: Names, policies: Mapping[str, Policy], nursery: trio.Nursery
    ) -> None:
        self._scope, self._names, self._policies, self._nursery = scope, names, policies, nursery

    def reach(self, bundle: Bundle) -> Reach:
        """What one process may reach; the names of its targets have been looked up."""
        policy = self._policies[bundle.plugin]
        hosts = {target.host for target in bundle.targets if target.host is not None}
        pins = {host: known for host in hosts if (known := self._names.known(host)) is not None}
        return self._scope.reach(
            bundle.targets,
            network=policy.network,
            enforcement=policy.scope,
            any_port=policy.ports == "any",
            pins=pins,
        )

    def ask(self, name: str, then: Callable[[Sequence[str]], None]) -> None:
        """`then` is called with the addresses of a name, with none where they must not be reached."""
        self._nursery.start_soon(self._answer, name, then)

    async def _answer(self, name: str, then: Callable[[Sequence[str]], None]) -> None:
        addresses = await self._names.addresses(name)
        then(() if self._scope.refused_address(name, addresses) else addresses)
