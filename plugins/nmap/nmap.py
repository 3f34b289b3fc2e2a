#!/usr/bin/env python3
"""nmap as a kastrun plugin: one host, a connect scan, then what answers on the open ports.

Two steps, since nmap writes a host's result only when it is done with the host: the port
scan first, then version detection of a few ports at a time, so that an early end costs a
few versions and never a port. Speaks the protocol; running programs is in `tool`, nmap's
XML in `reading`, the judgement in `exposure`.
"""

from __future__ import annotations

import errno
import json
import socket
import sys
from time import monotonic

sys.dont_write_bytecode = True  # the plugin's folder is not ours to write to

import exposure  # noqa: E402
import reading  # noqa: E402
import tool  # noqa: E402

GROUP = 8
PROBE_S = 3.0
LOCAL_REFUSALS = (errno.EACCES, errno.EPERM)


class JobError(Exception):
    """Ends the job with status error; `kind` is the protocol's `error.kind`."""

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


def out(**message):
    print(json.dumps(message), flush=True)


class Work:
    """One job: what is known so far, what was said, and the time that is left."""

    def __init__(self, job, stop):
        self.target = job["targets"][0]
        self.host = self.target["host"]
        self.options = job["options"]
        total = float(job["deadline_s"])
        self.reserve = min(10.0, total * 0.25)  # ours, to say what was found once nmap is stopped
        self.until = monotonic() + total - self.reserve
        self.stop = stop
        self.short = []  # reasons why the result is partial
        self.percent = None
        self.doing = ""

    def left(self):
        return max(0.0, self.until - monotonic())

    def beat(self):
        message = f"{self.doing} {self.host}"
        if self.percent is None:
            out(type="progress", message=message)
        else:
            out(type="progress", done=self.percent, total=100, message=message)

    # The address

    def resolve(self):
        """The address to scan, IPv4 before IPv6. The name is looked up once and nmap given the answer."""
        try:
            answers = tool.bounded(
                lambda: socket.getaddrinfo(self.host, None, type=socket.SOCK_STREAM),
                min(20.0, self.left()),
                self.stop,
            )
        except OSError as error:  # gaierror and TimeoutError are both of this family
            raise JobError("target", f"{self.host} could not be resolved: {error}") from error
        family, *_, address = min(answers, key=lambda answer: answer[0] != socket.AF_INET)
        return address[0], family == socket.AF_INET6

    def connects(self, number):
        """None where the port accepts a connection now, else the OSError."""
        try:
            socket.create_connection((self.address, number), timeout=min(PROBE_S, self.reserve / 4)).close()
        except OSError as error:
            return error
        return None

    # nmap

    def nmap(self, ports, *more):
        """Run nmap on `ports`: how it ended, the result as far as it was written, the ports it named."""
        seen = []
        argv = ["nmap", "-sT", "-Pn", "-n", "-v", "--noninteractive", "--stats-every=5s", "-oX", "nmap.xml"]
        argv += [
            f"-T{self.options['timing']}",
            *more,
            *(["-6"] if self.v6 else []),
            *ports,
            "--",
            self.address,
        ]
        try:
            ended = tool.run(argv, self.left(), self.stop, lambda line: self.line(line, seen), self.beat)
        except OSError as error:
            raise JobError("config", f"nmap cannot be started: {error}") from error
        text = slurp("nmap.xml")
        scan = reading.read(text)
        if not ended.cut:
            self.check(ended, scan, text)
        return ended, scan, seen

    def line(self, line, seen):
        if found := reading.DISCOVERED.match(line):
            seen.append(int(found[1]))
        elif found := reading.PERCENT.search(line):
            self.percent = int(found[1])

    def check(self, ended, scan, text):
        """nmap ended by itself: what it left must be a whole result in a format that we know."""
        sample = (ended.stderr or text)[-500:]
        if ended.code != 0:
            raise JobError(
                "internal", f"nmap ended with exit code {ended.code}: {sample or 'it said nothing'}"
            )
        if not scan.format.startswith("1."):
            raise JobError(
                "internal", f"nmap's XML is of version {scan.format or '(none)'}, not 1.x: {sample}"
            )
        if not scan.complete:
            raise JobError("internal", f"nmap exited with 0 and reported no host: {sample}")

    # The two steps

    def scan(self):
        self.address, self.v6 = self.resolve()
        self.doing = "scanning"
        ended, scan, seen = self.nmap(port_arguments(self.options["ports"]))
        if not scan.complete:
            known = {port.number for port in scan.open}
            scan.open += [reading.Port(number) for number in seen if number not in known]
            self.cut(ended, "the port scan")
        self.prove_contact(scan)
        self.say_counts(scan)
        self.identify(sorted(scan.open, key=lambda port: port.number))
        if scan.open and not self.stop.requested and not self.still_there(scan.open):
            self.short.append("the target stopped answering during this job")

    def cut(self, ended, what):
        self.short.append(
            f"{what} was stopped by SIGTERM" if ended.why == "stopped" else f"time ran out during {what}"
        )

    def prove_contact(self, scan):
        """An open port proves that the host answers; so do refusals, where the user said that they may."""
        if scan.open or (scan.closed and self.options["accept_closed"]):
            return
        if self.short:
            raise JobError("target", f"no open port was seen before {self.short[0]}")
        counts = f"{scan.closed} refused, {scan.silent} did not answer, {scan.barred} were barred"
        hint = "; set accept_closed if a host with nothing open is what you expect" if scan.closed else ""
        scope = " by this machine, so they were not tested" if self.barred_here(scan) else ""
        raise JobError("target", f"{self.host} has no open port among those tried: {counts}{scope}{hint}")

    def barred_here(self, scan):
        """Whether it was our own machine (the scope) that barred ports, rather than a firewall there."""
        for number in scan.barred_ports[:3]:
            error = self.connects(number)
            if error is not None and error.errno in LOCAL_REFUSALS:
                return True
        return False

    def say_counts(self, scan):
        out(
            type="log",
            level="info",
            message=f"{len(scan.open)} open, {scan.closed} refused, {scan.silent} without an answer, "
            f"{scan.barred} barred",
        )
        if self.barred_here(scan):
            self.short.append(f"{scan.barred} ports were barred by this machine and not tested")

    def identify(self, ports):
        """Say each open port, a group at a time, with its version where that is wanted and found."""
        self.doing, self.percent = "identifying services on", None
        wanted = self.options["version_detection"]
        for start in range(0, len(ports), GROUP):
            group = ports[start : start + GROUP]
            if wanted:
                group, ended = self.versions(group)
                if ended.cut:
                    wanted = False
                    self.cut(ended, "version detection")
            for port in group:
                self.say(port)

    def versions(self, group):
        """The ports of `group` with what nmap learnt of each, and how nmap ended."""
        if self.stop.requested or self.left() < 1.0:
            return group, tool.Ended("stopped" if self.stop.requested else "time", 0)
        numbers = ",".join(str(port.number) for port in group)
        ended, scan, _ = self.nmap(["-p", numbers], "-sV")
        better = {port.number: port for port in scan.open}
        return [better.get(port.number, port) for port in group], ended

    def say(self, port):
        attrs = {"port": port.number, "identified": port.known, **port.attrs}
        if port.name:
            attrs["name"] = port.name
        if words := port.speaks():
            attrs["speaks"] = words
        host = f"[{self.host}]" if ":" in self.host else self.host
        out(type="asset", kind="service", value=f"{host}:{port.number}/tcp", attrs=attrs)
        if entry := exposure.judge(port):
            out(type="finding", **entry.finding(self.host, port))

    def still_there(self, ports):
        return any(self.connects(port.number) is None for port in ports[:3])


def port_arguments(ports):
    """nmap's arguments for the option `ports`. Raises JobError (config) for a number above 65535."""
    if ports.startswith("top-"):
        return ["--top-ports", ports[4:]]
    for part in ports.split(","):
        low, _, high = part.partition("-")
        if not 1 <= int(low) <= int(high or low) <= 65535:
            raise JobError(
                "config", f"option ports: `{part}` is not a port from 1 to 65535 or an ascending range"
            )
    return ["-p", ports]


def slurp(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def main():
    stop = tool.Stop()
    work = Work(json.load(sys.stdin), stop)
    try:
        work.scan()
    except JobError as error:
        out(type="done", status="error", error={"kind": error.kind, "message": str(error)})
        return
    if work.short:
        out(type="done", status="partial", message="; ".join(work.short))
    else:
        out(type="done", status="ok")


main()
