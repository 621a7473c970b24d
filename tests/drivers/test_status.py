"""``lxfs status`` on processes with namespaces of their own."""

import json
import time
from pathlib import Path
from typing import Any

from tests.drivers.boxes import Box, MakeBox, box, come_from, driver
from tests.drivers.conftest import Mount, eventually, lxfs, mounted

__all__ = ["box", "driver"]


def _status(there: Box) -> dict[str, Any]:
    done = lxfs("status", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = [one for one in json.loads(done.stdout) if one["pid"] == there.pid]
    assert len(found) == 1
    assert isinstance(found[0], dict)
    return found[0]


def test_each_file_has_its_view(mount: Mount, box: MakeBox) -> None:
    """A file with the view says which and that it answers, one without says nothing."""
    with box("mount -t tmpfs mine /sys/devices/system/cpu") as there:
        files = _status(there)["files"]
        assert files["/proc/meminfo"] is None
        assert files["/sys/devices/system/cpu"]["view"] == "mine (tmpfs)"
        there.attach(*come_from(mount))
        files = _status(there)["files"]
        assert files["/proc/meminfo"] == {
            "view": "lxfs",
            "mount": str(mount.directory),
            "answers": True,
            "state": "answers",
        }


def test_the_dead_and_the_foreign(tmp_path: Path, box: MakeBox) -> None:
    """A view whose server is gone is dead, and one whose mount is gone from the host another's."""
    with mounted(tmp_path / "dying") as dying, box() as there:
        there.attach(*come_from(dying))
        assert lxfs("umount", str(dying.directory)).returncode == 0
        assert _status(there)["files"]["/proc/stat"] == {
            "view": "lxfs",
            "mount": None,
            "answers": True,
            "state": "answers",
        }
        dying.kill()
        assert eventually(lambda: _status(there)["files"]["/proc/stat"]["state"] == "dead")
        line = next(line for line in lxfs("status").stdout.splitlines() if f" {there.pid} " in line)
        assert "another lxfs" in line
        assert line.endswith("DEAD")


def test_a_server_that_hangs(tmp_path: Path, box: MakeBox) -> None:
    """A stopped server is said to hang, after seconds and not more, for all its containers."""
    with mounted(tmp_path / "stopped") as stopped, box() as one, box() as two:
        for there in (one, two):
            there.attach(*come_from(stopped))
        with stopped.hanging():
            began = time.monotonic()
            files = _status(two)["files"]
            assert time.monotonic() - began < 30
        assert files["/proc/meminfo"]["state"] == "hangs"
        assert files["/proc/meminfo"]["answers"] is False
