"""The server of lxfs is killed while real containers run ``free`` in a loop."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from lxfs import parse
from lxfs.drivers.native import finding
from lxfs.sources.host import Host as Machine

from .fixtures import MakeInstance
from .lab import Host, Lab
from .tools import wait_until

LOOPS = 25
KILLS = 10
# What free prints is the container's, whole, each time; the last line says how often.
SCRIPT = f"""
count=0
while [ $count -lt {LOOPS} ]; do
    said=$(free -m) || exit 1
    case $said in *Mem:*256*Swap:*) ;; *) echo "$said"; exit 2;; esac
    count=$((count + 1))
done
echo $count
"""


def test_ten_containers_do_not_notice(
    lab: Lab, lxd1: Host, incus1: Host, make_instance: MakeInstance
) -> None:
    """Of ``free`` in ten containers of LXD and Incus none fails while servers are killed."""
    if not lab.view_mounted:
        pytest.skip(f"lxfs is not mounted: {'; '.join(lab.notes)}")
    mounts = parse.mountinfo(Machine().read("proc/self/mountinfo"))
    device = next(one.device for one in mounts if one.point == str(lab.plan.view))
    session = finding.find(device)
    assert session is not None
    hosts = [lxd1, incus1] * 5
    names = [f"free{os.getpid()}-{number}" for number in range(len(hosts))]
    for host, name in zip(hosts, names, strict=True):
        make_instance(host, {"limits.memory": "256MiB", "limits.cpu": "1"}, name=name)
    with ThreadPoolExecutor(len(hosts)) as pool:
        running = [
            pool.submit(host.exec, name, ["sh", "-c", SCRIPT], check=False)
            for host, name in zip(hosts, names, strict=True)
        ]
        killed: set[int] = set()

        def next_one() -> bool:
            server = session.server
            if server is None or server in killed:
                return False
            os.kill(server, signal.SIGKILL)
            killed.add(server)
            return True

        while len(killed) < KILLS and not all(one.done() for one in running):
            assert wait_until(next_one, 20)
        said = [one.result() for one in running]
    assert len(killed) == KILLS
    assert [(one.returncode, one.stdout) for one in said] == [(0, f"{LOOPS}\n")] * len(hosts)
