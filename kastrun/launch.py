"""A process to be started: argv, environment, job line. Decides, starts nothing.

Floor 2, pure. What a plugin is given is written in protocol section 2; secrets are put
in here, at the last moment, and only into the job line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from posixpath import join

from kastrun.bundle import Bundle
from kastrun.model import Http, JsonObject, Limits, Plugin, SecretRef
from kastrun.profile.secrets import reference
from kastrun.protocol import jobline

SYSTEM_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
ReadSecret = Callable[[SecretRef], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """A plugin made ready for a run: what all of its jobs share.

    `limits` are the manifest's with the profile's timeouts put in. `folders` are those in
    which its programs and its interpreter were found; `passed` are the variables that it
    may see of the user's environment.
    """

    plugin: Plugin
    limits: Limits
    http: Http
    folders: tuple[str, ...]
    passed: Mapping[str, str]
    read_secret: ReadSecret

    @property
    def argv(self) -> tuple[str, ...]:
        """`exec` with a leading ``./`` made absolute; no shell."""
        first, *rest = self.plugin.exec
        return (join(self.plugin.folder, first[2:]) if first.startswith("./") else first, *rest)

    @property
    def path(self) -> str:
        """Where its programs are looked for."""
        return ":".join(dict.fromkeys((*SYSTEM_PATH, *self.folders)))

    def environment(self, home: str) -> dict[str, str]:
        """The whole environment of one job (protocol section 2)."""
        return {
            **self.passed,
            "PATH": self.path,
            "HOME": home,
            "TMPDIR": home,
            "LC_ALL": "C.UTF-8",
            "TERM": "dumb",
            "NO_COLOR": "1",
            "PYTHONUNBUFFERED": "1",
            "KASTRUN_PROTOCOL": "1",
        }

    def line(self, bundle: Bundle, artifacts: str, inputs: str) -> tuple[bytes, tuple[str, ...]]:
        """The job line, and the secrets that are in it (for redaction)."""
        secrets: list[str] = []

        def revealed(value: object) -> object:
            if not isinstance(value, SecretRef):
                return value
            secrets.append(self.read_secret(value))
            return secrets[-1]

        secret = self.plugin.secret_options
        options = {
            name: revealed(reference(value) if name in secret and isinstance(value, dict) else value)
            for name, value in bundle.options.items()
        }
        headers = {name: revealed(value) for name, value in self.http.headers.items()}
        http: JsonObject = {
            "user_agent": self.http.user_agent,
            "headers": headers,
            "proxy": self.http.proxy,
            "ca_file": self.http.ca_file,
        }
        line = jobline.encode(
            job_id=bundle.id,
            attempt=bundle.attempt,
            targets=bundle.targets,
            options=options,
            http=http,
            artifacts=artifacts,
            inputs=inputs,
            deadline_s=self.limits.total_s,
        )
        return line, tuple(secrets)
