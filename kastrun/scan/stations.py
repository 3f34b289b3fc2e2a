"""What the engine is given of the world: each plugin's station, and the last look at the scope."""

from __future__ import annotations

import os

from kastrun.engine.outcome import Cause
from kastrun.intent import Intent, read_secret
from kastrun.launch import Station
from kastrun.model import Job
from kastrun.names import Names
from kastrun.scan.opening import Opening
from kastrun.scan.prepare import Prepared
from kastrun.scan.steering import Steering
from kastrun.targets.addresses import is_address


def stations(intent: Intent, prepared: Prepared) -> dict[str, Station]:
    return {
        chosen.plugin.name: Station(
            plugin=chosen.plugin,
            limits=chosen.limits,
            http=intent.profile.http,
            folders=prepared.readiness[chosen.plugin.name].folders,
            passed={name: os.environ[name] for name in chosen.plugin.sandbox.env if name in os.environ},
            read_secret=read_secret,
        )
        for chosen in prepared.selection.chosen
    }


class Gate:
    """The last look before a job starts: is it the time, and to what does its name resolve?"""

    def __init__(
        self, intent: Intent, names: Names, opening: Opening, steering: Steering | None = None
    ) -> None:
        self._scope = intent.scope
        self._names = names
        self._opening = opening
        self._steering = steering

    async def look(self, job: Job) -> Cause | None:
        """Why it must not start, if anything speaks against it; it waits for the profile's window."""
        await self._opening.wait()
        if self._steering is not None:
            self._steering.note(job)
        host = job.target.host
        if host is None:
            return None
        addresses = (host,) if is_address(host) else await self._names.addresses(host)
        refused = self._scope.refused_address(host, addresses, port=job.target.port)
        return Cause("out_of_scope", refused) if refused else None
