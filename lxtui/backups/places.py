"""Where an export goes.

Role: what a person writes → the file, and how it is compressed. Boundary: looks at the local disk,
changes nothing. Threading: functions.
"""

from __future__ import annotations

from pathlib import Path

from lxtui.calls.backups import COMPRESSIONS
from lxtui.errors import UsageError
from lxtui.files.places import local_path
from lxtui.model import Ref


def export_file(ref: Ref, written: str, compression: str) -> Path:
    """The file; for a directory, or nothing, one in it that is called as the instance."""
    target = local_path(written or ".")
    if not written or written.endswith("/") or target.is_dir():
        return target / (ref.name + COMPRESSIONS[compression.split(" ", maxsplit=1)[0]])
    return target


def known_compression(written: str) -> str:
    """What is written, without the blanks around it; UsageError when no daemon knows it."""
    how = written.strip()
    if how.split(" ")[0] not in COMPRESSIONS:
        known = ", ".join(filter(None, COMPRESSIONS))
        raise UsageError(f"compression {how!r}: say one of {known}")
    return how
