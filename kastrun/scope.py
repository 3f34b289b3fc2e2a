"""What may be touched: the excludes, which always win, and the special addresses that were written.

Floor 2, pure: it is told what a name resolves to, and looks nothing up. It does not hold the
targets, of which there may be a million, only what it must remember of them. What a plugin
reaches while it runs is the sandbox's to enforce.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address
from typing import Final

from kastrun.blocks import Block, block, forms, special
from kastrun.jobids import JobIds
from kastrun.model import Target
from kastrun.reach import Enforcement, NameSpan, Network, Reach, Span
from kastrun.targets.addresses import is_address
from kastrun.targets.entries import Entries, read_entry
from kastrun.targets.refusal import shown

_LOCALHOST: Final = "localhost"
_LOOPBACK: Final = (block("127.0.0.0/8"), block("::1"))
_CONNECTS_TO: Final = {block("0.0.0.0"): block("127.0.0.1"), block("::"): block("::1")}  # noqa: S104  Linux


class Scope:
    """The excludes of a run, and the special addresses (loopback, link-local, …) that it may contact.

    `build` reads the profile's lists; `note` adds a target that comes later, from a streamed
    list, and must be called before anything is asked about it.
    """

    def __init__(self, covered: Covered | None = None) -> None:
        self._excludes = Entries()
        self._written = Entries()
        self._extra = Entries()
        self._covered = covered
        self._extra_spans: list[Span] = []
        self._extra_names: list[NameSpan] = []
        self._same_for_all: Reach | None = None

    @classmethod
    def build(
        cls,
        targets: Iterable[Target],
        extra: Sequence[str],
        exclude: Sequence[str],
        covered: Covered | None = None,
    ) -> Scope:
        """The scope of a profile's targets, `scope` and `exclude`. Raises TargetError for a bad entry.

        With `covered` it remembers every target, so that it can be asked what they cover.
        """
        scope = cls(covered)
        for entry in exclude:
            scope._excludes.add(entry)
        for entry in extra:
            target, wildcard = read_entry(entry)
            scope._extra.add(entry)
            scope._write(target)
            spans, names = _covered(target, below=wildcard)
            scope._extra_spans += spans
            scope._extra_names += names
        for target in targets:
            scope.note(target)
        return scope

    def note(self, target: Target) -> None:
        """A target that the profile has, or one of its lists."""
        self._write(target)
        if self._covered is not None:
            self._covered.add(target)

    def covers(self, target: Target) -> bool:
        """Whether something that was found is about what the targets or `scope` cover, excludes aside.

        Only where the targets are remembered.
        """
        if self._covered is None or target.kind == "file":
            return False
        return target in self._covered or _among(target, self._extra)

    def _write(self, target: Target) -> None:
        """Remembers the special addresses that a target writes, and nothing of any other target.

        A `localhost` name writes the loopback addresses (RFC 6761 6.3). A CIDR writes its special
        addresses only where it has no others: ``0.0.0.0/0`` does not mean this machine.
        """
        self._same_for_all = None
        host = target.host
        if host is not None and not is_address(host):
            if host == _LOCALHOST or host.endswith("." + _LOCALHOST):
                for loopback in _LOOPBACK:
                    self._written.add_block(loopback, host)
        elif host is not None or target.kind == "cidr":
            found = block(host or target.value)
            if any(map(special, forms(found))):
                self._written.add_block(found, target.value)

    def excluded(self, target: Target) -> str | None:
        """The `exclude` entry that covers a target, as it was written; None where none does.

        An entry with a port covers only targets with that port. A CIDR is covered where all of
        it is; see `splits` for the others. A file is never covered.
        """
        if not self._excludes or target.kind == "file":
            return None
        host = target.host
        if host is not None and not is_address(host):
            return self._excludes.name(host, target.port)
        return self._exclude_of(block(host or target.value), target.port)

    def splits(self, target: Target) -> bool:
        """Whether only a part of a CIDR is excluded, so that it must go address by address."""
        if target.kind != "cidr" or self.excluded(target) is not None:
            return False
        return any(map(self._excludes.inside, forms(block(target.value))))

    def refused_address(
        self, target_host: str, addresses: Iterable[str], *, port: int | None = None
    ) -> str | None:
        """Why a host with these addresses must not be contacted; None where it may be.

        One bad address is enough: nobody knows which of them a tool will take. `port` is the
        target's, for excludes that have one. A zone id in an address is passed over.
        """
        for text in addresses:
            bare = text.partition("%")[0]
            if reason := self._refusal(bare, port):
                verb = "is" if bare == target_host else f"resolves to {shown(bare)},"
                return f"{target_host} {verb} {reason}"
        return None

    def reach(
        self,
        targets: Iterable[Target],
        *,
        network: Network,
        enforcement: Enforcement,
        any_port: bool,
        pins: Mapping[str, Iterable[str]],
    ) -> Reach:
        """What a process may reach that is given these targets: them, what `scope` adds, no exclude.

        `any_port`: where a target names a port, its host's others are in the scope too. `pins`
        are the addresses of names, as far as they are known.
        """
        spans: list[Span] = []
        names: list[NameSpan] = []
        for target in targets:
            found, named = _covered(target, below=False, any_port=any_port)
            spans += found
            names += named
            if target.kind == "domain":
                names += _covered(target, below=True, any_port=any_port)[1]
        shared = self._shared_reach()
        return shared._replace(
            network=network,
            scope=enforcement,
            allowed=(*spans, *shared.allowed),
            names=(*names, *shared.names),
            pins=tuple((name, tuple(_without_zone(addresses))) for name, addresses in pins.items()),
        )

    def _shared_reach(self) -> Reach:
        """What is the same for every job of the run."""
        if self._same_for_all is None:
            self._same_for_all = Reach(
                network="none",
                scope="enforce",
                allowed=tuple(self._extra_spans),
                written=tuple(self._written.spans()),
                excluded=tuple(self._excludes.spans()),
                names=tuple(self._extra_names),
                excluded_names=tuple(self._excludes.names()),
            )
        return self._same_for_all

    def _refusal(self, text: str, port: int | None) -> str | None:
        try:
            found = block(str(ip_address(text)))
        except ValueError:
            return "no IP address"
        if entry := self._exclude_of(found, port):
            return f"an address that `{entry}` in `exclude` covers"
        every = forms(found)
        kind = next(filter(None, map(special, every)), None)
        if kind is None or any(self._written.block(form, None) for form in every):
            return None
        article = "an" if kind == "unspecified" else "a"
        return f"{article} {kind} address; write {text} in `targets` or `scope` if it is meant"

    def _exclude_of(self, found: Block, port: int | None) -> str | None:
        for form in (*forms(found), _CONNECTS_TO.get(found, found)):
            if entry := self._excludes.block(form, port):
                return entry
        return None


class Covered:
    """What the targets of a run cover: a host costs about 12 bytes, a network or domain some hundred.

    With `any_port` a target that names a port covers its host's others too. A domain covers what is below it.
    """

    def __init__(self, *, any_port: bool) -> None:
        self._any_port = any_port
        self._hosts = JobIds()
        self._wide = Entries()

    def add(self, target: Target) -> None:
        if target.kind == "cidr":
            self._wide.add_block(block(target.value), target.value)
        elif target.host is not None:
            port = None if self._any_port else target.port
            self._hosts.add(target.host if port is None else f"{target.host} {port}")
            if target.kind == "domain":
                self._wide.add(f"*.{target.host}")

    def __contains__(self, target: Target) -> bool:
        host = target.host
        alone = host is not None and (host in self._hosts or f"{host} {target.port}" in self._hosts)
        return alone or _among(target, self._wide)


def _among(target: Target, entries: Entries) -> bool:
    """Whether an entry covers the host, or all of the network, of a target."""
    host = target.host
    if host is not None and not is_address(host):
        return entries.name(host, target.port) is not None
    return entries.block(block(host or target.value), target.port) is not None


def _covered(target: Target, *, below: bool, any_port: bool = False) -> tuple[list[Span], list[NameSpan]]:
    """The addresses, or the names, that a target or an entry of `scope` is about."""
    port = 0 if any_port else target.port or 0
    if target.host is not None and not is_address(target.host):
        return [], [(target.host, below, port)]
    if target.host is None and target.kind != "cidr":
        return [], []
    return [(*block(target.host or target.value), port)], []


def _without_zone(addresses: Iterable[str]) -> Iterable[str]:
    return (text.partition("%")[0] for text in addresses)
