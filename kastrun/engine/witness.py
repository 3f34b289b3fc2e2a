"""What a plugin said, put into an envelope: who, of whom, when, and the fingerprint.

Pure but for the clock that it is given. The envelope is built once a job; a record costs
a concatenation. Members that kastrun writes cannot be forged: the codec encoded the body
from the fields it knows, and keeps all others under `extra`. In a process of several jobs a
record goes to the job whose target it names; what names none goes to the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from kastrun.bundle import Bundle
from kastrun.engine.batch import Batch, Said
from kastrun.engine.clock import Clock
from kastrun.facts import Fact, Progress
from kastrun.model import Counts, Job
from kastrun.protocol import Heard, fingerprints, messages
from kastrun.workspace import Harvested

_encode = msgspec.json.encode


class _Voice:
    """One job of the process: its envelope, and what was counted and kept of it."""

    def __init__(self, job: Job, announced: dict[str, messages.Artifact]) -> None:
        self.job = job
        self.counts = Counts()
        """Used only where jobs share a process: what one has alone, the decoder has counted."""
        self.kept: list[bytes] = []
        self._announced = announced
        self.who = b'"job":%b,"plugin":%b,"target":%b,"attempt":%d,"at":"' % (
            _encode(job.id),
            _encode(job.plugin),
            _encode(job.target.value),
            job.attempt,
        )

    def count(self, message: messages.Message) -> None:
        counts = self.counts
        if isinstance(message, messages.Finding):
            counts.finding += 1
        elif isinstance(message, messages.Asset):
            counts.asset += 1
        elif isinstance(message, messages.Log):
            counts.log += 1
        elif isinstance(message, messages.Artifact):
            counts.artifact += 1

    def records(self, heard: Heard, moment: bytes) -> Batch:
        job = self.job
        who = self.who + moment
        found = [message for message in heard.messages if isinstance(message, messages.Finding)]
        if len(found) == len(heard):
            return Batch(self._findings(found, heard.bodies, who), [(job, found)])
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
                self._announced[message.path] = message
                continue
            else:
                line = b'{"type":%b,' % _name(message) + who + body
                lines.append(line)
                if job.awaited and isinstance(message, messages.Asset):
                    self.kept.append(line)
            said.append(message)
        return Batch(lines, [(job, said)], facts)

    def _findings(
        self, found: Sequence[messages.Finding], bodies: Sequence[bytes], who: bytes
    ) -> list[bytes]:
        """The lines of findings. There may be a million: one costs a few calls into C, and little Python."""
        if not found:
            return []
        marks = fingerprints(self.job.plugin, self.job.target.value, found)
        line = b'{"type":"finding",' + who.replace(b"%", b"%%") + b',"fingerprint":"k1:%b"%b'
        return list(map(line.__mod__, zip(marks, bodies, strict=True)))


class Witness:
    """Turns one process's items into batches; keeps what was announced of artifacts for the harvest."""

    def __init__(self, bundle: Bundle, clock: Clock) -> None:
        self._clock = clock
        self._process = bundle.process
        self.announced: dict[str, messages.Artifact] = {}
        self._voices = {job.target.value: _Voice(job, self.announced) for job in bundle.jobs}
        self._first = self._voices[bundle.first.target.value]

    def counts(self, job: Job, of_process: Counts) -> Counts:
        """The records of one job, where those of the whole process are known."""
        if len(self._voices) == 1:
            return of_process
        voice = self._voices[job.target.value]
        if voice is self._first:
            voice.counts.dropped = of_process.dropped
        return voice.counts

    def kept(self, job: Job) -> list[bytes]:
        """Its assets that another job may consume."""
        return self._voices[job.target.value].kept

    def records(self, heard: Heard, now: float) -> Batch:
        """A batch of what one read gave, at `now`; of several jobs, job by job."""
        moment = self._clock.stamp(now).encode() + b'"'
        if len(self._voices) == 1:
            return self._first.records(heard, moment)
        lines: list[bytes] = []
        said: list[Said] = []
        facts: list[Fact] = []
        for voice, own in self._shared_out(heard):
            batch = voice.records(own, moment)
            lines += batch.lines
            said += batch.said
            facts += batch.facts
        return Batch(lines, said, facts)

    def _shared_out(self, heard: Heard) -> Iterable[tuple[_Voice, Heard]]:
        """Each message to the job whose target it names, else to the first; and counted there."""
        found: dict[_Voice, Heard] = {}
        for message, body in heard:
            voice = self._first
            if not isinstance(message, messages.Progress | messages.Artifact | messages.Done):
                voice = self._voices[message.target] if isinstance(message.target, str) else voice
            voice.count(message)
            found.setdefault(voice, Heard()).add(message, body)
        return found.items()

    def artifacts(self, harvested: Sequence[Harvested], now: float) -> Batch:
        """The files that were handed over, announced or not; those of a batch are its first job's."""
        moment = self._clock.stamp(now).encode() + b'",'
        envelope = b'{"type":"artifact",' + self._first.who + moment
        lines: list[bytes] = []
        said: list[messages.Message] = []
        for file in harvested:
            told = self.announced.get(file.path) or messages.Artifact(path=file.path)
            body: dict[str, object] = {"path": file.path, "size": file.size, "sha256": file.sha256}
            if told.media_type:
                body["media_type"] = told.media_type
            if told.title:
                body["title"] = told.title
            if self._process is not None:
                body["process"] = self._process
            lines.append(envelope + _encode(body)[1:])
            said.append(told)
        return Batch(lines, [(self._first.job, said)])


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
        slow_down=message.slow_down is True,
    )
