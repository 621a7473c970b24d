"""What lxtui says of the inside of real containers of this machine."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from lxtui.backend.lxd import LxdBackend
from lxtui.detail.answers import Answers
from lxtui.detail.inside import Inside, rows, verdict
from lxtui.detail.inside_look import TroubleError, look
from lxtui.model import Kind, Ref, Remote
from tests.lab.fixtures import MakeInstance
from tests.lab.lab import Host, Lab
from tests.lab.test_attach import inside as inside_of
from tests.lab.test_attach import lxcfs_below
from tests.lab.tools import wait_until

pytestmark = pytest.mark.lab
_LIMITS = {"limits.memory": "128MiB", "limits.cpu": "1"}


def _inside(host: Host, name: str, address: str = "") -> Inside:
    kind = Kind.LXD if host.plan.kind == "lxd" else Kind.INCUS
    remote = Remote("here", kind, address or str(host.plan.socket))
    backend = LxdBackend(remote)
    try:
        backend.connect()
        return Answers({"here": backend}, lambda _: ()).inside(Ref("here", "default", name))
    finally:
        backend.close()


@pytest.mark.parametrize("host_name", ["lxd1", "incus1"])
def test_three_truths_of_one_container(
    lab: Lab, make_instance: MakeInstance, host_name: str
) -> None:
    """The machine's memory, what the container reads, and what its limit gives, with the limit.

    The lab's daemons mount lxfs into new containers, so that the last two agree.
    """
    host = lab.host(host_name)
    name = make_instance(host, _LIMITS)
    inside = _inside(host, name)
    assert not inside.trouble
    assert "lxfs over" in verdict(inside)
    assert "answers" in verdict(inside)
    by_name = {row.name: row for row in rows(inside)}
    memory = by_name["memory"]
    assert (memory.seen, memory.limits) == ("128 MiB", "128 MiB")
    assert memory.host.endswith("GiB")
    assert memory.cause == "memory.limit_in_bytes = 134217728 (the only limit)"
    cpus = by_name["CPUs online"]
    assert cpus.seen == cpus.limits
    assert cpus.host == Path("/sys/devices/system/cpu/online").read_text().strip()
    assert "cpuset" in cpus.cause
    # What it reads is what it would print itself.
    said = inside_of(host, name, "cat", "/proc/meminfo").stdout
    assert f"MemTotal: {128 * 1024:>14} kB" in said


def test_nothing_mounted_is_said(lab: Lab, make_instance: MakeInstance) -> None:
    """A container without a view reads the machine's figures, and the page says so."""
    host = lab.host("lxd1")
    name = make_instance(host, {**_LIMITS, "raw.lxc": "lxc.hook.mount ="})
    inside = _inside(host, name)
    by_name = {row.name: row for row in rows(inside)}
    assert "Nothing is mounted" in verdict(inside)
    assert by_name["memory"].seen == by_name["memory"].host
    assert by_name["memory"].limits == "128 MiB"


@pytest.mark.skipif(not shutil.which("lxcfs"), reason="lxcfs is not installed")
def test_lxcfs_is_named_and_its_death_is_seen(
    lab: Lab, make_instance: MakeInstance, tmp_path: Path
) -> None:
    """A living LXCFS, one that is stopped and one that has died, each under a running container.

    By its limits the container has its figures all the while; what it reads is what is lost.
    """
    host = lab.host("lxd1")
    with lxcfs_below(host, tmp_path / "lxcfs.pid") as server:
        name = make_instance(host, _LIMITS)
        found = _inside(host, name)
        assert "LXCFS over" in verdict(found)
        assert "(answers)" in verdict(found)
        assert _memory(found) == ("128 MiB", "128 MiB")
        os.kill(server, signal.SIGSTOP)
        try:
            found = _inside(host, name)
            assert "(hangs)" in verdict(found)
            assert _memory(found) == ("-", "128 MiB")
        finally:
            os.kill(server, signal.SIGCONT)
        os.kill(server, signal.SIGKILL)
        assert wait_until(lambda: "(dead)" in verdict(_inside(host, name)), 20)
        assert _memory(_inside(host, name)) == ("-", "128 MiB")


def _memory(found: Inside) -> tuple[str, str]:
    """What it reads, and what its limits make of it."""
    row = next(row for row in rows(found) if row.name == "memory")
    return row.seen, row.limits


def test_what_a_container_runs_cannot_pass_for_its_init(
    lab: Lab, make_instance: MakeInstance
) -> None:
    """The cgroup of the process must bear the instance's name: another's is refused."""
    host = lab.host("lxd1")
    name = make_instance(host, _LIMITS)
    init = host.init_pid(name)
    with pytest.raises(TroubleError, match="is not that on this machine"):
        look(init, f"{name}x", "default")
    assert not _inside(host, name).trouble


def test_a_stopped_container_has_no_inside(lab: Lab, make_instance: MakeInstance) -> None:
    """It says that there is nothing to look into."""
    host = lab.host("lxd1")
    name = make_instance(host, _LIMITS, start=False)
    assert "does not run" in _inside(host, name).trouble
