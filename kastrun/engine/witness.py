"""What a plugin said, put into an envelope: who, of whom, when, and the fingerprint.

Pure but for the clock that it is given. The envelope is built once a job; a record costs
a concatenation. Members that kastrun writes cannot be forged: the codec encoded the body
from the fields it knows, and keeps all others under `extra`.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from kastrun.engine.batch import Batch
from kastrun.engine.clock import Clock
from kastrun.facts import Fact, Progress
from kastrun.model import Job
from kastrun.protocol import Heard, fingerprints, messages
from kastrun.workspace import Harvested

_encode = msgspec.json.encode


class Witness:
    """Turns one job's items into batches; keeps what was announced of artifacts for the harvest."""

    def __init__(self, job: Job, clock: Clock) -> None:
        self._job = job
        self._clock = clock
        self.announced: dict[str, messages.Artifact] = {}
        self.kept: list[bytes] = []
        """Assets that another job may consume."""
        self._who = b'"job":%b,"plugin":%b,"target":%b,"attempt":%d,"at":"' % (
            _encode(job.id),
            _encode(job.plugin),
            _encode(job.target.value),
            job.attempt,
        )

    def records(self, heard: Heard, now: float) -> Batch:
        """A batch of what one read gave, at `now`."""
        job = self._job
        who = self._who + self._clock.stamp(now).encode() + b'"'
        found = [message for message in heard.messages if isinstance(message, messages.Finding)]
        if len(found) == len(heard):
            return Batch(self._findings(found, heard.bodies, who), found, job=job)
        bodies = [body for message, body in heard if isinstance(message, messages.Finding)]
        findings = iter(self._findings(found, bodies, who))
        lines: list[bytes] = []
        said: list[messages.Message] = []
        facts: list[Fact] = []
        for message, body in heard:
            if isinstance(message, messages.Finding):
                lines.append(next(findings))
            elif isinstance(message, messages.Progress):
                facts.append(_progress(job.id, message))
                continue
            elif isinstance(message, messages.Artifact):
                self.announced[message.path] = message
                continue
            else:
                line = b'{"type":%b,' % _name(message) + who + body
                lines.append(line)
                if job.awaited and isinstance(message, messages.Asset):
                    self.kept.append(line)
            said.append(message)
        return Batch(lines, said, facts, job)

    def _findings(
        self, found: Sequence[messages.Finding], bodies: Sequence[bytes], who: bytes
    ) -> list[bytes]:
        """The lines of findings. There may be a million: one costs a few calls into C, and little Python."""
        if not found:
            return []
        marks = fingerprints(self._job.plugin, self._job.target.value, found)
        line = b'{"type":"finding",' + who.replace(b"%", b"%%") + b',"fingerprint":"k1:%b"%b'
        return list(map(line.__mod__, zip(marks, bodies, strict=True)))

    def artifacts(self, harvested: Sequence[Harvested], now: float) -> Batch:
        """The files that were handed over, announced or not."""
        job = self._job
        envelope = b'{"type":"artifact",' + self._who + self._clock.stamp(now).encode() + b'",'
        lines: list[bytes] = []
        said: list[messages.Message] = []
        for file in harvested:
            told = self.announced.get(file.path) or messages.Artifact(path=file.path)
            body: dict[str, object] = {"path": file.path, "size": file.size, "sha256": file.sha256}
            if told.media_type:
                body["media_type"] = told.media_type
            if told.title:
                body["title"] = told.title
            lines.append(envelope + _encode(body)[1:])
            said.append(told)
        return Batch(lines, said, job=job)


def _name(message: messages.Message) -> bytes:
    if isinstance(message, messages.Custom):
        return _encode(message.type)
    return b'"asset"' if isinstance(message, messages.Asset) else b'"log"'


def _progress(job: str, message: messages.Progress) -> Progress:
    # UNSET is falsy, and a 0 must stay one.
    done, total = message.done, message.total
    return Progress(
        job=job,
        done=int(done) if isinstance(done, int | float) else None,
        total=int(total) if isinstance(total, int | float) else None,
        message=message.message or None,
    )
