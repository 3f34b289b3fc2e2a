"""nmap's XML, read leniently: a killed nmap leaves half a file, and what stands in it still counts.

No files, no processes: text in, `Scan` out.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

DISCOVERED = re.compile(r"^Discovered open port (\d{1,5})/tcp on ")
FACTS = ("product", "version", "extrainfo", "tunnel", "ostype")
HTTP = ("http", "https", "http-proxy")
PERCENT = re.compile(r"About (\d+)(?:\.\d+)?% done")


@dataclass
class Port:
    """An open TCP port. `known` is true where the service answered, false where its number names it."""

    number: int
    name: str = ""
    known: bool = False
    attrs: dict = field(default_factory=dict)

    def speaks(self):
        """What it answered in, in the protocol's words; nothing where it did not."""
        if not self.known:
            return []
        words = ["tls"] if self.attrs.get("tunnel") == "ssl" or self.name in ("ssl", "https") else []
        if self.name in HTTP:
            words.append("http")
        elif self.name not in ("", "ssl"):
            words.append(self.name)
        return words


@dataclass
class Scan:
    """One host's result. `closed` counts refusals, `silent` no answers, `barred` "not allowed".

    `barred_ports` are those that were answered with "not allowed", where nmap lists them.
    `complete` says that nmap reported the host to its end; `format` is the XML's own version.
    """

    open: list = field(default_factory=list)
    closed: int = 0
    silent: int = 0
    barred: int = 0
    barred_ports: list = field(default_factory=list)
    complete: bool = False
    format: str = ""


def read(text):
    """The `Scan` that `text` holds, however early it breaks off."""
    scan = Scan()
    parser = ET.XMLPullParser(["start", "end"])
    parser.feed(text)
    with suppress(ET.ParseError):  # raised once the good events are used up; what came before it counts
        for event, element in parser.read_events():
            _take(scan, event, element)
    return scan


def _take(scan, event, element):
    if event == "start":
        if element.tag == "nmaprun":
            scan.format = element.get("xmloutputversion", "?")
        return
    if element.tag == "port" and element.get("protocol") == "tcp":
        _take_port(scan, element)
    elif element.tag == "extraports":
        _take_extra(scan, element)
    elif element.tag == "host":
        scan.complete = element.get("timedout") != "true"


def _take_port(scan, element):
    state = element.find("state")
    if state is None:
        return
    number = int(element.get("portid", "0"))
    if state.get("state") == "open":
        scan.open.append(_open_port(number, element.find("service")))
    else:
        _count(scan, state.get("reason", ""), 1, [number])


def _open_port(number, service):
    if service is None:
        return Port(number)
    attrs = {key: service.get(key)[:256] for key in FACTS if service.get(key)}
    cpe = [item.text for item in service.findall("cpe") if item.text]
    if cpe:
        attrs["cpe"] = cpe
    name = service.get("name", "")
    return Port(number, "" if name == "unknown" else name, service.get("method") == "probed", attrs)


def _take_extra(scan, element):
    reasons = Counter()
    for reason in element.findall("extrareasons"):
        count = int(reason.get("count", "0"))
        reasons[reason.get("reason", "")] += count
        _count(scan, reason.get("reason", ""), count, spread(reason.get("ports", "")))
    unexplained = int(element.get("count", "0")) - sum(reasons.values())
    if unexplained > 0:
        _count(scan, "conn-refused" if element.get("state") == "closed" else "no-response", unexplained, [])


def _count(scan, reason, count, numbers):
    if reason in ("conn-refused", "reset"):
        scan.closed += count
    elif "prohibited" in reason:
        scan.barred += count
        scan.barred_ports += numbers
    else:
        scan.silent += count


def spread(ports):
    """``"22,80-82"`` as ``[22, 80, 81, 82]``; what is no number is left out."""
    numbers = []
    for part in ports.split(","):
        low, _, high = part.partition("-")
        if low.isdigit():
            numbers += range(int(low), int(high if high.isdigit() else low) + 1)
    return numbers
