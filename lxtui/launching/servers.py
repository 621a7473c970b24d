"""The image servers that the command lines know.

Role: their configuration files → name, address and protocol of each. Boundary: reads files below
the given environment, home and root, opens no connection. Threading: functions.

Source: ``lxc remote list`` 5.0.2 and ``incus remote list`` 6.0.4 without a configuration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lxtui.model import Kind
from lxtui.remotes import places


@dataclass(frozen=True, slots=True)
class Server:
    """One image server, as one of the command lines calls it."""

    kind: Kind
    name: str
    url: str
    protocol: str = "simplestreams"


_COMMON = "https://images.linuxcontainers.org"
_UBUNTU = "https://cloud-images.ubuntu.com"
BUILT_IN = (
    Server(Kind.LXD, "images", _COMMON),
    Server(Kind.LXD, "ubuntu", f"{_UBUNTU}/releases"),
    Server(Kind.LXD, "ubuntu-daily", f"{_UBUNTU}/daily"),
    Server(Kind.INCUS, "images", _COMMON),
)
"""Without any configuration."""


def servers(environ: Mapping[str, str], home: Path, root: Path = Path("/")) -> tuple[Server, ...]:
    """The built-in ones, those of all users and the user's own; a later one of a name counts.

    A file that cannot be read has none: remotes.py has said so.
    """
    found = {(one.kind, one.name): one for one in BUILT_IN}
    for kind in Kind:
        where = places(kind, environ, home, root)
        for file in (where.shared / "config.yml", where.file):
            for name, entry in _entries(file).items():
                one = _server(kind, name, entry)
                if one is not None:
                    found[kind, name] = one
    return tuple(found.values())


def _entries(file: Path) -> Mapping[str, Any]:
    try:
        text = file.read_text(encoding="utf-8")
        # BaseLoader makes texts only, as in remotes.py.
        document = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    entries = document.get("remotes") if isinstance(document, dict) else None
    return entries if isinstance(entries, dict) else {}


def _server(kind: Kind, name: str, entry: Any) -> Server | None:
    if not isinstance(entry, dict) or entry.get("protocol") != "simplestreams":
        return None
    url = str(entry.get("addr") or "").rstrip("/")
    return Server(kind, name, url) if url.startswith("https://") else None
