"""The loop devices of a lab: a daemon makes one for each pool with a filesystem of its own.

Role: finds them by the file behind them, and lets go of them. Boundary: /sys/block and losetup.
Threading: one caller.
"""

import contextlib
from pathlib import Path

from .tools import run


def below(root: Path) -> set[str]:
    """The loop devices on files below ROOT, those that are deleted already too."""
    found = set()
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        with contextlib.suppress(OSError):  # let go of just now
            if backing.read_text().startswith(f"{root}/"):
                found.add(f"/dev/{backing.parts[-3]}")
    return found


def detach(root: Path) -> bool:
    """Let go of those below ROOT, when their last mount goes at the latest; whether all are gone.

    Their mounts are in the namespaces of daemons and containers, which end a moment after these.
    """
    for device in below(root):
        run(["losetup", "--detach", device], check=False)
    return not below(root)
