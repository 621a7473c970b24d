"""The hosts that the user's lxc and incus command lines already know.

Role: both command lines' configuration files, certificates and sockets → Remote values. Boundary:
reads files below the given environment and home, opens no connection. Threading: functions.

Sources: LXD's and Incus's documented client configuration (``config.yml``, ``client.crt``,
``servercerts/NAME.crt``) and the places where their daemons put the unix socket.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from lxtui.errors import NotFoundError
from lxtui.model import Kind, Remote

_SNAP_CONFIG = "snap/lxd/common/config"
_SOCKETS = {
    Kind.LXD: ("/var/snap/lxd/common/lxd/unix.socket", "/var/lib/lxd/unix.socket"),
    Kind.INCUS: (
        "/run/incus/unix.socket",
        "/var/lib/incus/unix.socket",
        "/var/lib/incus/unix.socket.user",
    ),
}
_PROTOCOLS = {Kind.LXD: {"", "lxd"}, Kind.INCUS: {"", "incus", "lxd"}}


@dataclass(frozen=True, slots=True)
class Remotes:
    """What was found, and what could not be read."""

    remotes: tuple[Remote, ...]
    problems: tuple[str, ...] = ()

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
            f"add one with 'lxc remote add' or 'incus remote add'"
        )


def load(environ: Mapping[str, str], home: Path, root: Path = Path("/")) -> Remotes:
    """All remotes of both command lines, local sockets first.

    *root* is where the daemons' sockets are looked for, for tests.
    """
    problems: list[str] = []
    found: list[Remote] = []
    for kind in Kind:
        local = _local(kind, environ, root)
        found += [local] if local else []
        found += _configured(kind, _config_dir(kind, environ, home), problems)
    return Remotes(_unambiguous(found), tuple(problems))


def _local(kind: Kind, environ: Mapping[str, str], root: Path) -> Remote | None:
    prefix = kind.upper()
    if environ.get(f"{prefix}_SOCKET") and kind is Kind.INCUS:
        candidates = [Path(environ[f"{prefix}_SOCKET"])]
    elif environ.get(f"{prefix}_DIR"):
        candidates = [Path(environ[f"{prefix}_DIR"]) / "unix.socket"]
    else:
        candidates = [root / path.lstrip("/") for path in _SOCKETS[kind]]
    for path in candidates:
        if _is_socket(path):
            return Remote("local", kind, str(path))
    return None


def _is_socket(path: Path) -> bool:
    try:
        return path.is_socket()
    except OSError:
        return False  # in a directory that we may not even look into: not ours to use


def _config_dir(kind: Kind, environ: Mapping[str, str], home: Path) -> Path:
    if kind is Kind.INCUS:
        config_home = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
        return Path(environ.get("INCUS_CONF") or config_home / "incus")
    if environ.get("LXD_CONF"):
        return Path(environ["LXD_CONF"])
    snap, plain = home / _SNAP_CONFIG, home / ".config" / "lxc"
    return snap if (snap / "config.yml").exists() and not (plain / "config.yml").exists() else plain


def _configured(kind: Kind, folder: Path, problems: list[str]) -> list[Remote]:
    path = folder / "config.yml"
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        problems.append(f"{path}: cannot be read ({_first_line(error)}); its hosts are left out")
        return []
    entries = document.get("remotes") if isinstance(document, dict) else None
    if not isinstance(entries, dict):
        return []
    remotes = []
    for name, entry in entries.items():
        remote = _remote(kind, folder, str(name), entry)
        if isinstance(remote, str):
            problems.append(f"{path}: remote {name}: {remote}")
        elif remote is not None:
            remotes.append(remote)
    return remotes


def _remote(kind: Kind, folder: Path, name: str, entry: Any) -> Remote | str | None:
    """The entry as a Remote; None when it is no host for us; a sentence when it is broken."""
    if not isinstance(entry, dict):
        return "is not a mapping; left out"
    if entry.get("public") or str(entry.get("protocol") or "") not in _PROTOCOLS[kind]:
        return None  # image servers hold no instances
    # Incus may list several addresses; the first is the preferred one.
    address = str(entry.get("addr") or "").split(",")[0].strip().rstrip("/")
    project = str(entry.get("project") or "default")
    if address.startswith("unix:"):
        path = address.removeprefix("unix:").removeprefix("//")
        # Without a path it is the same as the local socket that we look for ourselves.
        return Remote(name, kind, path, project) if path else None
    if not address.startswith("https://"):
        return f"address {address!r} is neither https:// nor unix:; left out"
    try:
        urlsplit(address).port  # noqa: B018 both may raise
    except ValueError as error:
        return f"address {address!r}: {error}; left out"
    pinned = folder / "servercerts" / f"{name}.crt"
    own = folder / "clientcerts"
    pair = (own / f"{name}.crt", own / f"{name}.key")
    if not all(path.exists() for path in pair):
        pair = (folder / "client.crt", folder / "client.key")
    certificate, key = (str(path) if path.exists() else None for path in pair)
    return Remote(
        name,
        kind,
        address,
        project,
        client_cert=certificate,
        client_key=key,
        server_cert=str(pinned) if pinned.exists() else None,
        auth_type=str(entry.get("auth_type") or "tls"),
    )


def _unambiguous(found: list[Remote]) -> tuple[Remote, ...]:
    uses = Counter(remote.name for remote in found)
    return tuple(
        replace(remote, name=f"{remote.name}@{remote.kind}") if uses[remote.name] > 1 else remote
        for remote in found
    )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
