"""What a file says of the instance in it.

Role: the name in a backup's ``backup/index.yaml``, which the daemons write first. Boundary: one
local file, of whose content nothing is believed: bounded, and what is odd is not known. Threading:
functions.
"""

from __future__ import annotations

import lzma
import tarfile
import zlib
from pathlib import Path

import yaml

from lxtui.names import instance_name_trouble

_INDEX = "backup/index.yaml"
_MOST_BYTES = 4 * 1024 * 1024
_MOST_ENTRIES = 16
"""Among which it has to be."""


def name_inside(file: Path) -> str:
    """The name that the instance had; empty where it cannot be known."""
    try:
        with tarfile.open(file, "r|*") as archive:
            for at, member in enumerate(archive):
                if member.name == _INDEX and member.isreg() and member.size <= _MOST_BYTES:
                    content = archive.extractfile(member)
                    return _name(content.read(_MOST_BYTES)) if content is not None else ""
                if at >= _MOST_ENTRIES or member.size > _MOST_BYTES:
                    break
    except (OSError, EOFError, ValueError, tarfile.TarError, lzma.LZMAError, zlib.error):
        pass
    return ""


def _name(content: bytes) -> str:
    """Of the first document's key at the margin: the rest may be large."""
    try:
        for line in content.decode().splitlines():
            if line.startswith("name:"):
                found = yaml.safe_load(line)
                name = str(found.get("name", "")) if isinstance(found, dict) else ""
                return "" if instance_name_trouble(name) else name
    except (UnicodeDecodeError, yaml.YAMLError):
        pass
    return ""
