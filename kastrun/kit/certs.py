"""A private CA on disk and the certificates it signs, by the `openssl` program.

For fixture servers on loopback only: keys are weak on request, dates are what a test
wants (expired, not yet valid), and nothing is reused from one folder to the next.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

_CONFIG = """
[req]
distinguished_name = name
[name]
[ca]
default_ca = fixture
[fixture]
dir = {folder}
database = {folder}/index.txt
serial = {folder}/serial
new_certs_dir = {folder}
default_md = sha256
policy = anything
unique_subject = no
copy_extensions = copy
[anything]
commonName = optional
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """Paths of PEM files: the certificate (with its key) and what it must be verified against."""

    chain: Path
    ca_file: Path


class Authority:
    """A CA in `folder`; made once, signs as often as asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca_file = folder / "ca.pem"
        self._issued = 0
        folder.mkdir(parents=True)
        (folder / "index.txt").touch()
        (folder / "serial").write_text("1000\n")
        (folder / "ca.cnf").write_text(_CONFIG.format(folder=folder))
        self._openssl(
            *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=Fixture CA", "-days", "30"),
            *("-addext", "basicConstraints=critical,CA:TRUE", "-keyout", "ca.key", "-out", "ca.pem"),
        )

    def issue(
        self,
        *,
        names: tuple[str, ...] = ("localhost",),
        addresses: tuple[str, ...] = ("127.0.0.1",),
        days: float = 365,
        starts_in: float = -30,
        bits: int = 2048,
        digest: str = "sha256",
        self_signed: bool = False,
    ) -> Certificate:
        """A certificate valid from now + `starts_in` to now + `days`, both in days and either negative."""
        self._issued += 1
        stem = f"leaf{self._issued}"
        alternative = ",".join([*(f"DNS:{name}" for name in names), *(f"IP:{ip}" for ip in addresses)])
        self._openssl(
            *("req", "-new", "-newkey", f"rsa:{bits}", "-nodes", "-subj", f"/CN={(*names, *addresses)[0]}"),
            *("-addext", f"subjectAltName={alternative}", "-keyout", f"{stem}.key", "-out", f"{stem}.csr"),
        )
        begin, end = min(starts_in, days - 1), days
        signer = (
            ("-selfsign", "-keyfile", f"{stem}.key")
            if self_signed
            else ("-cert", "ca.pem", "-keyfile", "ca.key")
        )
        self._openssl(
            *("ca", "-batch", "-notext", *signer, "-in", f"{stem}.csr", "-out", f"{stem}.crt", "-md", digest),
            *("-startdate", _moment(begin), "-enddate", _moment(end)),
        )
        chain = self.folder / f"{stem}.pem"
        chain.write_text(
            (self.folder / f"{stem}.key").read_text() + (self.folder / f"{stem}.crt").read_text()
        )
        return Certificate(chain=chain, ca_file=chain if self_signed else self.ca_file)

    def _openssl(self, verb: str, *arguments: str) -> None:
        command = ["openssl", verb, "-config", "ca.cnf", *arguments]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)


def _moment(days: float) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).strftime("%Y%m%d%H%M%SZ")
