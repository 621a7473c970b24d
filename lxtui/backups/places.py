"""Where an export goes.

Role: what a person writes → the file. Boundary: looks at the local disk, changes nothing.
Threading: functions.
"""

from __future__ import annotations

from pathlib import Path

from lxtui.calls.backups import COMPRESSIONS
from lxtui.files.places import local_path
from lxtui.model import Ref


def export_file(ref: Ref, written: str, compression: str) -> Path:
    """The file; for a directory, or nothing, one in it that is called as the instance."""
    target = local_path(written or ".")
    if not written or written.endswith("/") or target.is_dir():
        return target / (ref.name + COMPRESSIONS[compression.split(" ", maxsplit=1)[0]])
    return target
