"""The hosts that the user's lxc and incus command lines already know.

Role: both command lines' configuration files, certificates and sockets → Remote values. Boundary:
reads files below the given environment, home and root, opens no connection. Threading: functions.

Sources: LXD's and Incus's documented client configuration (``config.yml``, ``client.crt``,
``servercerts/NAME.crt``, the global one below /etc), the places where their daemons put the unix
socket, and what ``lxc remote list`` 5.0.2 and ``incus remote list`` 6.0.4 made of the same files.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from lxtui.errors import NotFoundError, UsageError
from lxtui.model import Kind, Remote

_SNAP_CONFIG = "snap/lxd/common/config"
_SOCKETS = {
    Kind.LXD: (
        "/var/snap/lxd/common/lxd/unix.socket",
        "/var/lib/lxd/unix.socket",
        "/var/snap/lxd/common/lxd-user/unix.socket",
    ),
    Kind.INCUS: (
        "/run/incus/unix.socket",
        "/var/lib/incus/unix.socket",
        "/run/incus/unix.socket.user",
        "/var/lib/incus/unix.socket.user",
    ),
}
_PROTOCOLS = {Kind.LXD: {"", "lxd"}, Kind.INCUS: {"", "incus", "lxd"}}


@dataclass(frozen=True, slots=True)
class Places:
    """Where one command line keeps what it knows."""

    kind: Kind
    folder: Path
    """The user's own configuration."""
    shared: Path
    """The machine's, for all its users."""

    @property
    def file(self) -> Path:
        """The user's ``config.yml``."""
        return self.folder / "config.yml"


def places(kind: Kind, environ: Mapping[str, str], home: Path, root: Path = Path("/")) -> Places:
    """Where the command line of *kind* would look, for a user with that environment and home."""
    prefix = kind.upper()
    usual = root / "etc" / kind.value
    return Places(
        kind,
        _folder(kind, environ, home),
        Path(environ.get(f"{prefix}_GLOBAL_CONF") or usual),
    )


@dataclass(frozen=True, slots=True)
class Remotes:
    """What was found, and what could not be read."""

    remotes: tuple[Remote, ...]
    problems: tuple[str, ...] = ()
    defaults: Mapping[Kind, str] = field(default_factory=dict)
    """What each command line takes for a name without a host: names of *remotes*."""

    def named(self, name: str) -> Remote:
        """The remote of that name; NotFoundError says which names there are.

        A name that both command lines use is found as ``name@lxd`` and ``name@incus`` only: to
        guess which was meant could act on the wrong host. Every remote answers to that longer form.
        """
        for remote in self.remotes:
            if name in (remote.name, f"{remote.name}@{remote.kind}"):
                return remote
        shared = [one.name for one in self.remotes if one.name.partition("@")[0] == name]
        if shared:
            raise NotFoundError(
                f"{name!r} is a host of both lxc and incus: say {' or '.join(shared)}"
            )
        known = ", ".join(one.name for one in self.remotes) or "none"
        raise NotFoundError(
            f"no host is named {name!r} (known: {known}); "
            f"add one with 'lxtui hosts add NAME ADDRESS'"
        )

    def default_for(self, name: str) -> Remote:
        """The host that ``lxc`` or ``incus`` would take for *name* alone.

        UsageError when there is none, or when the two command lines would take different ones.
        """
        found = sorted(set(self.defaults.values()))
        if len(found) == 1:
            return self.named(found[0])
        told = "write it as host:name, as lxc does"
        if found:
            said = " or ".join(f"{host}:{name}" for host in found)
            told = f"lxc and incus have a default remote each: say {said}"
        raise UsageError(f"{name!r} is not an instance: {told}")


def load(environ: Mapping[str, str], home: Path, root: Path = Path("/")) -> Remotes:
    """All remotes of both command lines, local sockets first.

    *root* is where the daemons' sockets are looked for, for tests.
    """
    problems: list[str] = []
    found: list[Remote] = []
    defaults: dict[Kind, str] = {}
    for kind in Kind:
        where = places(kind, environ, home, root)
        mine = _document(where.file, problems)
        common = _document(where.shared / "config.yml", problems)
        reader = _Reader(where, environ, root, problems)
        found += reader.remotes(_entries(mine), _entries(common))
        wanted = environ.get("LXC_REMOTE" if kind is Kind.LXD else "INCUS_REMOTE")
        defaults[kind] = wanted or str(mine.get("default-remote") or "") or "local"
    remotes = _unambiguous(found)
    names = {(one.kind, one.name.partition("@")[0]): one.name for one in remotes}
    known = {kind: names[kind, name] for kind, name in defaults.items() if (kind, name) in names}
    return Remotes(remotes, tuple(problems), known)


def _folder(kind: Kind, environ: Mapping[str, str], home: Path) -> Path:
    if kind is Kind.INCUS:
        config_home = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
        return Path(environ.get("INCUS_CONF") or config_home / "incus")
    if environ.get("LXD_CONF"):
        return Path(environ["LXD_CONF"])
    snap, plain = home / _SNAP_CONFIG, home / ".config" / "lxc"
    return snap if (snap / "config.yml").exists() and not (plain / "config.yml").exists() else plain


def _document(path: Path, problems: list[str]) -> Mapping[str, Any]:
    """The file's mapping; empty when there is none. Every scalar is a text, as Go reads names."""
    try:
        text = path.read_text(encoding="utf-8")
        # BaseLoader knows no types: a remote may be called "no" or "1e3", as lxc lets it be.
        document = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 makes texts only
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        problems.append(f"{path}: cannot be read ({_first_line(error)}); its hosts are left out")
        return {}
    return document if isinstance(document, dict) else {}


def _entries(document: Mapping[str, Any]) -> Mapping[str, Any]:
    entries = document.get("remotes")
    return entries if isinstance(entries, dict) else {}


@dataclass(frozen=True, slots=True)
class _Reader:
    """One command line's entries as remotes."""

    places: Places
    environ: Mapping[str, str]
    root: Path
    problems: list[str]

    @property
    def _kind(self) -> Kind:
        return self.places.kind

    def remotes(self, mine: Mapping[str, Any], common: Mapping[str, Any]) -> list[Remote]:
        """The local socket, then the user's, then those of all users that the user has not."""
        entry = mine.get("local")
        socket = self._socket()
        found = [self._local("local", socket, entry)] if socket else []
        for folder, file, entries in (
            (self.places.folder, self.places.file, mine),
            (self.places.shared, self.places.shared / "config.yml", common),
        ):
            for name, entry in entries.items():
                if name == "local" or (entries is common and name in mine):
                    continue  # "local" cannot be defined, whatever is written there
                remote = self._remote(folder, name, entry)
                if isinstance(remote, str):
                    self.problems.append(f"{file}: remote {name}: {remote}")
                elif remote is not None:
                    found.append(remote)
        return found

    def _remote(self, folder: Path, name: str, entry: Any) -> Remote | str | None:
        """The entry as a Remote; None when it is no host for us; a sentence when it is broken."""
        if not isinstance(entry, dict):
            return "is not a mapping; left out"
        if _true(entry.get("public")) or entry.get("protocol", "") not in _PROTOCOLS[self._kind]:
            return None  # image servers hold no instances
        written = [one.strip().rstrip("/") for one in str(entry.get("addr") or "").split(",")]
        last = str(entry.get("last_working_address") or "").rstrip("/")
        # The one that worked when incus was used last comes first.
        addresses = sorted(filter(None, written), key=lambda one: one != last)
        if not addresses:
            return "has no address; left out"
        if addresses[0].startswith("unix:"):
            path = addresses[0].removeprefix("unix:").removeprefix("//")
            # Without a path it is wherever the daemon's own socket is.
            usual = self.root / _SOCKETS[self._kind][-1].lstrip("/")
            return self._local(name, path or self._socket() or str(usual), entry)
        for address in addresses:
            if not address.startswith("https://"):
                return f"address {address!r} is neither https:// nor unix:; left out"
            try:
                urlsplit(address).port  # noqa: B018 both may raise
            except ValueError as error:
                return f"address {address!r}: {error}; left out"
        pinned = folder / "servercerts" / f"{name}.crt"
        own = self.places.folder / "clientcerts"
        pair = (own / f"{name}.crt", own / f"{name}.key")
        if not all(map(_exists, pair)):
            pair = (self.places.folder / "client.crt", self.places.folder / "client.key")
        certificate, key = (str(path) if _exists(path) else None for path in pair)
        authority = self.places.folder / "client.ca"
        return Remote(
            name,
            self._kind,
            addresses[0],
            self._project(entry),
            client_cert=certificate,
            client_key=key,
            server_cert=str(pinned) if _exists(pinned) else None,
            authority=str(authority) if _exists(authority) else None,
            auth_type=str(entry.get("auth_type") or "tls"),
            others=tuple(addresses[1:]),
        )

    def _local(self, name: str, socket: str, entry: Any) -> Remote:
        """A remote behind a socket; the daemon for users gives each a project of its own."""
        theirs = socket.endswith(".user") or "/lxd-user/" in socket
        project = self._project(entry if isinstance(entry, dict) else {}, unless="")
        usual = f"user-{os.geteuid()}" if theirs else "default"
        return Remote(name, self._kind, socket, project or usual)

    def _project(self, entry: Mapping[str, Any], unless: str = "default") -> str:
        said = self.environ.get("INCUS_PROJECT") if self._kind is Kind.INCUS else ""
        return said or str(entry.get("project") or unless)

    def _socket(self) -> str:
        """The local daemon's socket that we may use, else one that is there, else nothing."""
        prefix = self._kind.upper()
        if self._kind is Kind.INCUS and self.environ.get("INCUS_SOCKET"):
            candidates = [Path(self.environ["INCUS_SOCKET"])]
        elif self.environ.get(f"{prefix}_DIR"):
            folder = Path(self.environ[f"{prefix}_DIR"])
            candidates = [folder / "unix.socket", folder / "unix.socket.user"]
        else:
            candidates = [self.root / path.lstrip("/") for path in _SOCKETS[self._kind]]
        there = [path for path in candidates if _is_socket(path)]
        usable = [path for path in there if os.access(path, os.W_OK)]
        return str((usable or there)[0]) if there else ""


def _is_socket(path: Path) -> bool:
    try:
        return path.is_socket()
    except OSError:
        return False  # in a directory that we may not even look into: not ours to use


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _true(value: Any) -> bool:
    """YAML 1.1's words for it, as Go's yaml.v2 reads them."""
    return str(value).lower() in {"true", "yes", "on", "y"}


def _unambiguous(found: list[Remote]) -> tuple[Remote, ...]:
    uses = Counter(remote.name for remote in found)
    return tuple(
        replace(remote, name=f"{remote.name}@{remote.kind}") if uses[remote.name] > 1 else remote
        for remote in found
    )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
