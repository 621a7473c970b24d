"""`make run`: the TUI on the best hosts that there are.

Role: the user's own hosts if there are any, else a lab of real daemons, else the demo fleet.
Boundary: decides and starts; lxtui and lab.py do the work. Threading: the main thread.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

from lxtui import cli, remotes
from lxtui.backend.lxd import LxdBackend
from lxtui.errors import HostUnreachableError, LxtuiError
from lxtui.model import Remote

from . import client
from .errors import LabError, LabUnavailable
from .lab import up

NAME = "lab"
PACKAGES = Path(__file__).parents[2] / "packaging" / "test-packages.sh"


def main() -> int:
    """Open the TUI, or print the fleet without a terminal; returns lxtui's exit status."""
    known = remotes.load(os.environ, Path.home()).remotes
    if any(map(_usable, known)):
        return cli.main([])
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        _say("no hosts of your own, and a lab needs root on Debian or Ubuntu: this is the demo")
        return cli.main(["--demo"])
    _say("no hosts of your own: starting a lab of real LXD and Incus daemons")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _die)
    try:
        _install()
        lab = up(NAME, say=_say)
    except KeyboardInterrupt:
        _say("stopped; what was begun has been removed")
        return 130
    except (LabUnavailable, LabError) as error:
        _say(f"no lab: {error}")
        _say("this is the demo")
        return cli.main(["--demo"])
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    os.environ.update(client.environment(lab.plan))
    try:
        return cli.main([])
    finally:
        _say("the lab goes on running; 'make lab-env' points lxc and incus at it")
        _say("to remove it: make lab-down")


def _install() -> None:
    """Install what the lab needs; a Ctrl-C is the script's own, which tidies up behind itself."""
    with subprocess.Popen(["sh", str(PACKAGES)]) as script:
        try:
            script.wait()
        except KeyboardInterrupt:
            script.wait()
            raise


def _die(number: int, _frame: FrameType | None) -> NoReturn:
    # As an exception, so that an unfinished lab is removed on the way out.
    raise SystemExit(128 + number)


def _usable(remote: Remote) -> bool:
    """Whether there is a host: a socket that a dead daemon left behind is none."""
    if not remote.is_socket:
        return True
    backend = LxdBackend(remote)
    try:
        backend.connect()
    except HostUnreachableError:
        return False
    except LxtuiError:
        return True  # it is there; lxtui will say what is wrong with it
    finally:
        backend.close()
    return True


def _say(line: str) -> None:
    print(f"run: {line}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
