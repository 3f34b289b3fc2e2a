"""What the engine is given of the world: each plugin's station, and the last look at the scope."""

from __future__ import annotations

import os
from collections.abc import Mapping

from kastrun.engine.outcome import Cause
from kastrun.intent import Intent, read_secret
from kastrun.launch import Station
from kastrun.model import Job
from kastrun.names import Names
from kastrun.policy import Machine, Policy
from kastrun.sandbox.drafting import Confinement, Subject, confinement
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
            folders=prepared.choice.readiness[chosen.plugin.name].folders,
            passed={name: os.environ[name] for name in chosen.plugin.sandbox.env if name in os.environ},
            read_secret=read_secret,
        )
        for chosen in prepared.choice.selection.chosen
    }


def confinements(prepared: Prepared, stations: Mapping[str, Station]) -> dict[str, Confinement]:
    """What holds the jobs of each plugin that has any to run."""
    choice = prepared.choice
    return {
        chosen.plugin.name: confine_station(
            stations[chosen.plugin.name], choice.policies[chosen.plugin.name], choice.machine
        )
        for chosen in choice.selection.chosen
        if chosen.verdict is None
    }


def confine_station(station: Station, policy: Policy, machine: Machine) -> Confinement:
    """What a plugin's policy comes to: its folder, its programs and what the job line names are readable."""
    plugin = station.plugin
    programs = (station.argv[0], *(need.probe[0] for need in plugin.requires))
    given = (plugin.folder, *filter(None, (station.http.ca_file,)))
    subject = Subject(programs=programs, folders=given, path=station.path, limits=station.limits)
    return confinement(policy, machine, subject)


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
