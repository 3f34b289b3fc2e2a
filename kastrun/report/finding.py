"""A finding as reports see it: all that the plugin said of it, and whether its job ended well.

Read from the journal's line as it stands; members that a later version adds are passed over.
"""

from __future__ import annotations

from msgspec import Struct

from kastrun.model import Severity


class Location(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """Where it is, as far as the plugin said (protocol section 3)."""

    url: str | None = None
    method: str | None = None
    param: str | None = None
    host: str | None = None
    ip: str | None = None
    port: int | None = None
    proto: str | None = None
    file: str | None = None
    line: int | float | None = None

    def text(self) -> str:
        """In one line, the most telling part first; empty where nothing was said."""
        where = self.url or self.file or self.host or self.ip or ""
        if self.file and not self.url and self.line is not None:
            where += f":{self.line:g}"
        if self.port is not None and not self.url and not self.file:
            where = f"[{where}]:{self.port}" if ":" in where else f"{where}:{self.port}"
        extra = [f"{self.method} " if self.method else "", where, f" ({self.param})" if self.param else ""]
        return "".join(extra).strip()


class Acceptance(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the run's baseline says of a finding. `ended`: its last day, `until`, was over: it counts."""

    reason: str
    until: str | None = None
    ended: bool = False


class Finding(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One weakness. `incomplete`: its job did not end ok, so that others may have been missed."""

    fingerprint: str
    plugin: str
    rule: str
    title: str
    severity: Severity
    target: str
    job: str
    attempt: int
    at: str
    description: str = ""
    remediation: str = ""
    evidence: str = ""
    confidence: str = ""
    refs: list[str] = []
    location: Location = Location()
    cvss: str = ""
    key: str = ""
    artifacts: list[str] = []
    tags: list[str] = []
    incomplete: bool = False
    acceptance: Acceptance | None = None

    @property
    def accepted(self) -> bool:
        """Whether the baseline accepts it: shown as such, and never a reason to fail."""
        return self.acceptance is not None and not self.acceptance.ended

    @property
    def name(self) -> str:
        """The rule's name across plugins: ``tls.cert.expired``."""
        return f"{self.plugin}.{self.rule}"

    @property
    def where(self) -> str:
        """Its place in one line; the target where it named none."""
        return self.location.text() or self.target
