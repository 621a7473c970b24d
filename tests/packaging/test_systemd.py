"""The package of lxfs under systemd, in the emulated Debian 13: start, upgrade, purge."""

import base64
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import lxfs
from tests.machine.errors import MachineUnavailable
from tests.machine.machine import Machine, booted

from .conftest import skip, skip_unless_asked

pytestmark = pytest.mark.timeout(1800)
SECONDS = 600  # of one step: emulation is slow, and a busy computer makes it slower
VIEW = "/var/lib/lxfs"
NEXT = f"{lxfs.__version__}.1"
# Reads on until it is told to stop, and says how often, and whatever went wrong.
READER = f"""
import pathlib
import time
count = 0
while not pathlib.Path("/tmp/enough").exists():
    for name in ("meminfo", "stat", "uptime"):
        assert pathlib.Path("{VIEW}/proc", name).read_bytes().endswith(b"\\n"), name
    count += 1
    time.sleep(0.1)
print("rounds:", count)
"""


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """The machine, for this file alone: what is installed in it is gone with it."""
    skip_unless_asked()
    try:
        with booted("6.12") as running:
            yield running
    except MachineUnavailable as error:
        skip(str(error))


def _put(machine: Machine, deb: Path, name: str) -> str:
    machine("sh", "-c", f"base64 -d > {name}", stdin=base64.b64encode(deb.read_bytes()).decode())
    return name


@pytest.fixture(scope="module")
def next_deb(deb: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same package, a version later."""
    work = tmp_path_factory.mktemp("next")
    subprocess.run(["dpkg-deb", "--raw-extract", deb, work / "tree"], check=True)
    control = work / "tree/DEBIAN/control"
    control.write_text(re.sub("(?m)^Version: .*", f"Version: {NEXT}-1", control.read_text()))
    module = work / "tree/usr/lib/python3/dist-packages/lxfs/__init__.py"
    module.write_text(module.read_text().replace(f'"{lxfs.__version__}"', f'"{NEXT}"'))
    made = work / "next.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", work / "tree", made], check=True)
    return made


def test_from_installation_to_purge(machine: Machine, deb: Path, next_deb: Path) -> None:
    """The unit serves once installed; an upgrade changes its code and no reader notices; a purge
    leaves nothing.
    """

    def main_pid() -> str:
        return machine("systemctl", "show", "-P", "MainPID", "lxfs").stdout.strip()

    def files() -> str:
        found = "find /etc /usr/bin /usr/lib /usr/share /var/lib -name '*lxfs*'"
        return machine.shell(found, timeout=300)  # all of an emulated disk

    def processes() -> str:
        return machine("pgrep", "-af", "lxfs.drivers.native.holder", check=False).stdout

    before, others = files(), processes()
    machine("dpkg", "--install", _put(machine, deb, "/tmp/lxfs.deb"), timeout=SECONDS)
    assert machine("systemctl", "is-active", "lxfs").stdout == "active\n"
    assert machine("systemctl", "is-enabled", "lxfs").stdout == "enabled\n"
    assert "MemTotal:" in machine.reads(f"{VIEW}/proc/meminfo")
    served = main_pid()

    machine.shell(f"cat > /tmp/reader.py <<'E'\n{READER}\nE")
    machine.shell("setsid python3 /tmp/reader.py > /tmp/said 2>&1 < /dev/null &")
    machine("dpkg", "--install", _put(machine, next_deb, "/tmp/next.deb"), timeout=SECONDS)
    assert machine("lxfs", "--version").stdout == f"lxfs {NEXT}\n"
    machine.shell("touch /tmp/enough; while pgrep -f 'reader[.]py' >/dev/null; do sleep 0.2; done")
    said = machine.reads("/tmp/said")
    assert re.fullmatch(r"rounds: \d+\n", said), said
    assert int(said.split()[1]) > 0
    assert main_pid() == served
    assert machine("systemctl", "show", "-P", "NRestarts", "lxfs").stdout == "0\n"
    assert f"version {NEXT} served" in machine("lxfs", "upgrade", VIEW, timeout=120).stdout

    machine("dpkg", "--remove", "lxfs", timeout=SECONDS)
    machine("dpkg", "--purge", "lxfs", timeout=SECONDS)
    assert VIEW not in machine.reads("/proc/mounts")
    assert machine("systemctl", "is-enabled", "lxfs", check=False).stdout == "not-found\n"
    assert files() == before
    assert processes() == others
    assert machine("ls", "/run/lxfs", check=False).status == 2
