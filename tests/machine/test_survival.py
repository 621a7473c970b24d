"""lxfs as a service of systemd: whatever dies, containers go on reading."""

import time
from collections.abc import Iterator

import pytest

from .machine import Machine

UNIT = """[Service]
Type=notify
WorkingDirectory=/checkout
ExecStart=/usr/bin/python3 -m lxfs.cli mount -f --state /run/view.state /run/view
ExecReload=/bin/kill -HUP $MAINPID
KillMode=mixed
Restart=on-failure
RestartSec=0
FileDescriptorStoreMax=16
"""
# Reads until it is told to stop, in a pid namespace of its own, from a file bound as in containers
# and from one that it keeps open; says what failed.
READER = """
import os, sys
held = os.open("/run/bound", os.O_RDONLY)
wrong, count = [], 0
while not os.path.exists("/run/enough"):
    try:
        with open("/run/bound", "rb", buffering=0) as file:
            text = b"".join(iter(lambda: file.read(200), b""))
        assert text.startswith(b"MemTotal:") and text.endswith(b"kB\\n"), text
        assert os.pread(held, 9, 0) == b"MemTotal:"
        count += 1
    except Exception as error:
        wrong.append(repr(error))
print(count, wrong, file=open("/run/said", "w"))
"""


@pytest.fixture
def service(machine: Machine) -> Iterator[Machine]:
    """The machine with such a service, and a reader beside it."""
    machine.shell("rm -f /run/enough /run/said; mkdir -p /run/view; touch /run/bound")
    machine("sh", "-c", 'printf %s "$0" > /run/systemd/system/view.service', UNIT)
    machine("sh", "-c", 'printf %s "$0" > /run/reader.py', READER)
    machine("systemctl", "daemon-reload")
    machine("systemctl", "start", "view")
    machine("mount", "--bind", "/run/view/proc/meminfo", "/run/bound")
    reader = "unshare --pid --fork --kill-child python3 /run/reader.py"
    machine("systemd-run", "--unit=reader", "sh", "-c", reader)
    try:
        yield machine
    finally:
        machine.shell("touch /run/enough; sleep 1; systemctl stop reader; true")
        machine.shell("umount -l /run/bound; systemctl stop view; umount -l /run/view; true")


def _pid(machine: Machine) -> str:
    return machine("systemctl", "show", "-P", "MainPID", "view").stdout.strip()


def _wait(machine: Machine) -> None:
    """Wait until the service is up; fail with its journal when it does not come up."""
    until = time.monotonic() + 300
    while (state := machine("systemctl", "is-active", "view", check=False).stdout) != "active\n":
        on_its_way = state in ("activating\n", "deactivating\n") and time.monotonic() < until
        assert on_its_way, machine.shell("systemctl status view; journalctl -u view; true")
        time.sleep(1)


def test_the_service_may_die_and_be_restarted(service: Machine) -> None:
    """Killed in part or as a whole, reloaded and restarted: no read of a container fails."""
    pids = [_pid(service)]
    for command in (
        "systemctl kill -s KILL --kill-whom=main view",
        "systemctl kill -s KILL view",
        "systemctl restart view",
    ):
        service.shell(f"{command}; sleep 1", timeout=300)
        _wait(service)
        service.shell("head -c 100 /run/view/proc/uptime")
        pids.append(_pid(service))
        assert service.shell("grep -c ' /run/view ' /proc/self/mountinfo").strip() == "1"
    assert len(set(pids)) == len(pids)
    service.shell("systemctl reload view; sleep 3", timeout=120)
    assert _pid(service) == pids[-1]
    service.shell("touch /run/enough; while [ ! -s /run/said ]; do sleep .1; done")
    count, wrong = service.reads("/run/said").split(" ", 1)
    assert wrong == "[]\n"
    assert int(count) > 10
