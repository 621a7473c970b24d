"""``lxfs upgrade``: new code into a mount that goes on serving.

Role: tells the holder, waits for what comes of it, and says so; where the holder died, starts
another one.
Boundary: raises ``UserError``; prints nothing.
Threading: none.
"""

import os
import signal
import time
from pathlib import Path

from lxfs import mounting
from lxfs.drivers.native import finding
from lxfs.drivers.native.memory import UPGRADES
from lxfs.errors import UserError
from lxfs.sources.host import Host

_SECONDS = 70.0


def upgrade(directory: str) -> tuple[str, str]:
    """Bring this version's code into the mount on a directory; return the old and new version.

    No request fails meanwhile. Raises ``UserError`` when there is nothing to upgrade, and when the
    new code cannot start: the old one serves on then.
    """
    if os.geteuid() != 0:
        raise UserError("lxfs must be root to upgrade; try sudo")
    host = Host()
    real = mounting.real_path(directory, host)
    there = mounting.mounted_on(real, host)
    if there is None or there.fstype != mounting.FSTYPE:
        raise UserError(f"no lxfs is mounted on {real}")
    found = finding.find(there.device)
    if found is None:
        raise UserError(
            f"nothing serves {real}, or the fusepy driver does, which cannot be upgraded:"
            f" 'lxfs umount {real}' and mount it again"
        )
    before, count = found.memory.text("version"), found.memory.words[UPGRADES]
    holder = found.holder
    if holder is None:
        _restore(real, found)
        return before, found.memory.text("version")
    os.kill(holder, signal.SIGHUP)
    until = time.monotonic() + _SECONDS
    while found.memory.words[UPGRADES] == count:
        if found.holder != holder or time.monotonic() > until:
            raise UserError(f"the holder of {real} (pid {holder}) does not answer")
        time.sleep(0.01)
    if failure := found.memory.text("failure"):
        raise UserError(f"{real} is served by version {before} as before: {failure}")
    return before, found.memory.text("version")


def _restore(directory: str, found: finding.Found) -> None:
    pidfile = found.memory.text("pidfile")
    if pidfile and not Path(pidfile).parent.is_dir():
        pidfile = ""
    options = mounting.Options(rules=found.rules)
    mounting.mount(directory, foreground=False, pidfile=pidfile or None, options=options)
