"""The package of lxtui on a clean Debian 12 and 13, with the libraries that are inside of it."""

import json
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from .roots import Root


@pytest.fixture(scope="module")
def installed(root: Root, lxtui_deb: Path) -> Iterator[Root]:
    """A root with the package, which is purged at the end; then nothing of it may be left."""
    with root.package(lxtui_deb):
        yield root


def test_the_fleet_is_listed(installed: Root) -> None:
    """The program starts, and lists what it is asked for."""
    assert installed("lxtui", "--version").stdout == f"lxtui {version('lxtui')}\n"
    done = installed("lxtui", "list", "--demo", "--json", check=False)
    assert len(json.loads(done.stdout)) > 1
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)  # one demo host plays dead


def test_the_libraries_are_its_own(installed: Root) -> None:
    """The screen and the client are imported from the package, in the versions that were tested."""
    code = (
        "import sys; sys.path.insert(0, '/usr/lib/lxtui');"
        "import lxtui.app, lxtui.backend.lxd, lxtui.backend.channel, pylxd, textual, websockets;"
        "from importlib.metadata import version;"
        "print(textual.__file__, pylxd.__file__, version('textual'), version('pylxd'))"
    )
    assert installed("python3", "-W", "error", "-c", code).stdout.split() == [
        "/usr/lib/lxtui/textual/__init__.py",
        "/usr/lib/lxtui/pylxd/__init__.py",
        version("textual"),
        version("pylxd"),
    ]


def test_the_screen_opens(installed: Root) -> None:
    """On a terminal the table of the fleet is drawn, and ctrl+q ends it."""
    script = (
        "import os, pty, select, signal, sys, time\n"
        "pid, terminal = pty.fork()\n"
        "if not pid:\n"
        "    os.environ.update(TERM='xterm-256color', LINES='30', COLUMNS='120')\n"
        "    os.execvp('lxtui', ['lxtui', '--demo'])\n"
        "seen = b''\n"
        "until = time.monotonic() + 60\n"
        "while b'RUNNING' not in seen.upper() and time.monotonic() < until:\n"
        "    if select.select([terminal], [], [], 1)[0]:\n"
        "        seen += os.read(terminal, 65536)\n"
        "os.write(terminal, b'\\x11')\n"
        "signal.alarm(60)\n"  # which ends it, and with the terminal lxtui
        "try:\n"
        "    while os.read(terminal, 65536):\n"
        "        pass\n"
        "except OSError:\n"
        "    pass\n"
        "assert b'RUNNING' in seen.upper(), seen[-2000:]\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
    )
    installed("python3", "-c", script)


def test_nothing_in_it_is_compiled(installed: Root) -> None:
    """One package is for every processor and every Python: what is compiled is Debian's."""
    listed = installed("dpkg-query", "--listfiles", "lxtui").stdout.splitlines()
    assert len(listed) > 1000
    assert [path for path in listed if path.endswith((".so", ".pyc"))] == []
