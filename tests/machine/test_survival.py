"""lxfs as a service of systemd: whatever dies, containers go on reading."""

import time
from collections.abc import Iterator

import pytest

from .machine import Machine

# Longer than systemd itself waits for a unit (90 s), as it then says why.
SLOW_SECONDS = 300
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
    machine("systemctl", "start", "view", timeout=SLOW_SECONDS)
    machine("mount", "--bind", "/run/view/proc/meminfo", "/run/bound")
    reader = "unshare --pid --fork --kill-child python3 /run/reader.py"
    machine("systemd-run", "--unit=reader", "sh", "-c", reader)
    try:
        yield machine
    finally:
        # A reader that has ended is no unit any more, of which systemctl complains.
        machine.shell("touch /run/enough; systemctl stop reader; true", timeout=SLOW_SECONDS)
        script = "umount -l /run/bound; systemctl stop view; umount -l /run/view; true"
        machine.shell(script, timeout=SLOW_SECONDS)


def _pid(machine: Machine) -> str:
    return machine("systemctl", "show", "-P", "MainPID", "view").stdout.strip()


def _next(machine: Machine, before: str) -> str:
    """Return the service's pid once it is another and serves; fail with its journal else."""
    until = time.monotonic() + SLOW_SECONDS
    while True:
        state = machine("systemctl", "is-active", "view", check=False).stdout
        pid = _pid(machine)
        if state == "active\n" and pid not in ("0", before):
            return pid
        on_its_way = state != "failed\n" and time.monotonic() < until
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
        service.shell(command, timeout=SLOW_SECONDS)
        pids.append(_next(service, pids[-1]))
        service.shell("head -c 100 /run/view/proc/uptime")
        assert service.shell("grep -c ' /run/view ' /proc/self/mountinfo").strip() == "1"
    assert len(set(pids)) == len(pids)
    service.shell("systemctl reload view; sleep 3", timeout=SLOW_SECONDS)
    assert _pid(service) == pids[-1]
    wait = "touch /run/enough; while [ ! -s /run/said ]; do sleep .1; done"
    service.shell(wait, timeout=SLOW_SECONDS)
    count, wrong = service.reads("/run/said").split(" ", 1)
    assert wrong == "[]\n"
    assert int(count) > 10
