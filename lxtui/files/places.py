"""Where on this machine something goes.

Role: what a person writes → a folder and the names in it. Boundary: looks at the local disk,
changes nothing. Threading: functions.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from lxtui.errors import UsageError
from lxtui.files.paths import last
from lxtui.model import Ref


def local_path(written: str) -> Path:
    """A path, ``~`` included."""
    try:
        return Path(written).expanduser()
    except RuntimeError as error:  # ~nobody
        raise UsageError(f"{written}: {error}") from error


def pull_names(
    ref: Ref, found: Sequence[bytes], written: str
) -> tuple[Path, tuple[tuple[bytes, bytes], ...]]:
    """The folder, and each path with the name that it gets there.

    A folder that is there, one with a slash at its end, or more than one path: into it, with the
    names that they have inside. Else the last part is the name.
    """
    target = local_path(written)
    if written.endswith("/") or target.is_dir() or len(found) > 1:
        names = [last(path) or os.fsencode(ref.name) for path in found]
        if len(set(names)) < len(names):
            raise UsageError("two of them have one name: pull them to different directories")
        return target, tuple(zip(found, names, strict=True))
    return target.parent, ((found[0], os.fsencode(target.name)),)
