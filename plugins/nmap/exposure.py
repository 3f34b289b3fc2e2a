"""Which open services are worth a finding, how severe, and in words for the server's owner.

A table and one function over it. A port's number alone proves little: what nmap did not
recognise by its answer is one severity lower and of low confidence.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Exposure:
    """One kind of service. `names` are nmap's names for it, `ports` where its number says so."""

    rule: str
    title: str
    severity: str
    names: frozenset
    ports: frozenset
    why: str
    remedy: str
    refs: tuple

    def finding(self, host, port):
        """The finding's fields for `port`, an open `reading.Port` that this entry matched."""
        severity, confidence = (self.severity, "high") if port.known else (MILDER[self.severity], "low")
        how = "answered as such" if port.known else "is known by its port number only; check what it is"
        return {
            "rule": self.rule,
            "title": self.title,
            "severity": severity,
            "confidence": confidence,
            "description": f"{self.why} Port {port.number} is open, and the service {how}.",
            "remediation": self.remedy,
            "evidence": f"{port.number}/tcp open {port.name} {describe(port)}".strip(),
            "refs": list(self.refs),
            "location": {"host": host, "port": port.number, "proto": "tcp"},
        }


MILDER = {"medium": "low", "low": "info"}


def describe(port):
    """Product and version as nmap gave them, in one line; empty where it gave none."""
    parts = (port.attrs.get(key, "") for key in ("product", "version", "extrainfo"))
    return " ".join(part for part in parts if part)


def _entry(rule, title, severity, names, ports, why, remedy, refs):
    return Exposure(rule, title, severity, frozenset(names.split()), frozenset(ports), why, remedy, refs)


OPEN_DATA = "Many installations let anyone who can connect read and change the data."
KEEP_IN = "Let it listen on a private address or behind a firewall, and require a password."
CLEAR = "It sends names, passwords and data unencrypted, for anyone on the way to read."
EXPOSED, CLEARTEXT, NO_LOGIN = "CWE-668", "CWE-319", "CWE-306"

TABLE = (
    _entry(
        "exposed-telnet", "Telnet is reachable", "medium", "telnet", [23], CLEAR,
        "Switch telnet off and use SSH.", (CLEARTEXT,),
    ),
    _entry(
        "exposed-ftp", "FTP is reachable", "low", "ftp", [21],
        "Unless TLS is forced, it sends names, passwords and data unencrypted.",
        "Use SFTP, or require TLS for logins and data.", (CLEARTEXT,),
    ),
    _entry(
        "exposed-r-service", "A Berkeley r-service is reachable", "medium",
        "exec login shell", [512, 513, 514],
        "rexec, rlogin and rsh trust the caller's address and send everything unencrypted.",
        "Switch the r-services off and use SSH.", (CLEARTEXT, "CWE-290"),
    ),
    _entry(
        "exposed-redis", "Redis is reachable", "medium", "redis", [6379], OPEN_DATA, KEEP_IN,
        (EXPOSED, NO_LOGIN),
    ),
    _entry(
        "exposed-memcached", "memcached is reachable", "medium", "memcached memcache", [11211],
        "It has no login unless SASL was set up.",
        "Let it listen on a private address or behind a firewall.", (EXPOSED, NO_LOGIN),
    ),
    _entry(
        "exposed-mongodb", "MongoDB is reachable", "medium", "mongodb mongod", [27017], OPEN_DATA, KEEP_IN,
        (EXPOSED, NO_LOGIN),
    ),
    _entry(
        "exposed-elasticsearch", "Elasticsearch is reachable", "medium", "elasticsearch", [9200],
        OPEN_DATA, KEEP_IN,
        (EXPOSED, NO_LOGIN),
    ),
    _entry(
        "exposed-etcd", "etcd is reachable", "medium", "etcd etcd-client", [2379], OPEN_DATA,
        "Let it listen on a private address and require client certificates.", (EXPOSED, NO_LOGIN),
    ),
    _entry(
        "exposed-docker-api", "The Docker API is reachable without TLS", "medium", "docker", [2375],
        "Whoever may call this interface may run programs as root on the host.",
        "Use the local socket, or require TLS client certificates.", (EXPOSED, NO_LOGIN),
    ),
    _entry(
        "exposed-smb", "Windows file sharing is reachable", "low", "microsoft-ds netbios-ssn", [139, 445],
        "File sharing is meant for a local network, and often attacked from outside.",
        "Bar ports 139 and 445 at the network's edge.", (EXPOSED,),
    ),
    _entry(
        "exposed-x11", "An X11 display is reachable", "medium", "X11", range(6000, 6010),
        "A client that is let in can read the keyboard and the screen, and the traffic is unencrypted.",
        "Start the X server with `-nolisten tcp` and forward displays over SSH.", (EXPOSED, CLEARTEXT),
    ),
    _entry(
        "exposed-vnc", "VNC is reachable", "low", "vnc", [5900, 5901],
        "A remote desktop with weak passwords, and mostly unencrypted.",
        "Reach it through SSH or a VPN only.", (EXPOSED,),
    ),
    _entry(
        "exposed-rdp", "Remote Desktop is reachable", "low", "ms-wbt-server", [3389],
        "Remote desktops are a favourite goal of password guessing.",
        "Reach it through a VPN or a gateway only, with network level authentication.", (EXPOSED,),
    ),
    _entry(
        "exposed-database", "A database is reachable", "low",
        "mysql postgresql ms-sql-s oracle-tns oracle couchdb", [1433, 1521, 3306, 5432, 5984],
        "A database seldom needs callers from outside its own network.", KEEP_IN, (EXPOSED,),
    ),
    _entry(
        "exposed-nfs", "NFS is reachable", "low", "nfs nfs_acl", [2049],
        "It usually trusts whatever user number the caller claims.",
        "Bar it at the network's edge, and export to named hosts only.", (EXPOSED,),
    ),
    _entry(
        "exposed-rsync", "rsync is reachable", "low", "rsync", [873],
        "Modules without a password are readable, and everything is unencrypted.",
        "Run rsync over SSH, or give each module users and allowed hosts.", (EXPOSED, CLEARTEXT),
    ),
    _entry(
        "exposed-ajp", "The AJP connector is reachable", "low", "ajp13 ajp12", [8009],
        "AJP trusts what the front server tells it, and is not meant for anyone else (CVE-2020-1938).",
        "Let the connector listen on the loopback address and set a secret, or remove it.", (EXPOSED,),
    ),
)  # fmt: skip


def judge(port):
    """The entry of `TABLE` that an open port falls under, or None.

    A service that gave its name is judged by the name alone: a web server on port 6379 is no
    Redis. One inside TLS has solved what the cleartext entries are about, and Docker's too.
    """
    if port.attrs.get("tunnel") == "ssl" and port.name in ("telnet", "ftp", "docker"):
        return None
    if port.known and port.name:
        return next((entry for entry in TABLE if port.name in entry.names or _by_product(entry, port)), None)
    return next((entry for entry in TABLE if port.number in entry.ports), None)


def _by_product(entry, port):
    product = port.attrs.get("product", "").lower()
    return port.name == "http" and any(product.startswith(name) for name in entry.names)
