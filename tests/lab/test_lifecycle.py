"""A lab of one host comes and goes, also when whoever makes it is interrupted or killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import loops, net, procs, subids
from .daemon import PROGRAMS
from .errors import LabError, LabUnavailable
from .lab import down, find, missing_hosts, no_driver, unavailable, up
from .plan import BASE, DRIVERS, MEMBER, Driver, make_plan
from .sweep import remnants, sweep
from .tools import locked, run, wait_until

NAME = f"t{os.getpid() % 1_000_000}"
HOST = ("lxd1",)


@pytest.fixture
def name() -> Iterator[str]:
    """A name for a small lab, of which nothing is left when the test ends."""
    if reason := unavailable() or missing_hosts().get(HOST[0]):
        pytest.skip(f"no lab: {reason}")
    yield NAME
    down(NAME)


def machine() -> dict[str, set[str]]:
    """Return what a lab adds to the machine."""
    return {
        "interfaces": net.links(),
        "namespaces": net.namespaces(),
        "mounts": {
            line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()
        },
        "cgroups": {str(path) for path in Path("/sys/fs/cgroup").glob("*/lxc.*")},
        "directories": {str(path) for path in (*BASE.glob("*"), *Path("/run").glob("*"))},
        "ids": {path.read_text() for path in subids.FILES if path.exists()},
    }


def of_lab(name: str, things: dict[str, set[str]]) -> list[str]:
    """Return those of THINGS that carry the lab's name."""
    return [thing for some in things.values() for thing in some if f"/{name}" in f"/{thing}/"]


def begin(name: str) -> subprocess.Popen[str]:
    """Start `up` as a process of its own."""
    argv = [sys.executable, "-m", "tests.lab", "up", "--name", name, "--hosts", ",".join(HOST)]
    return subprocess.Popen(
        argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


@pytest.mark.parametrize("driver", DRIVERS)
def test_down_leaves_nothing(name: str, driver: Driver) -> None:
    """Up and down leave no process, cgroup, mount, loop device, interface, namespace or file."""
    if reason := no_driver(driver):
        pytest.skip(reason)
    ids = machine()["ids"]
    lab = up(name, hosts=HOST, driver=driver)
    assert bool(loops.below(lab.plan.root)) is (driver != "dir")
    host = lab.host("lxd1")
    init = host.init_pid("web1")
    groups = procs.cgroups({init})
    assert groups
    assert remnants(name)
    host.set_state("web1", "freeze")  # on cgroup v1 what is frozen does not die
    assert down(name)
    assert remnants(name) == []
    assert not any(group.exists() for group in groups)
    assert procs.start_time(init) is None
    after = machine()
    assert [t for some in after.values() for t in some if f"lxt-{name}" in t] == []
    assert of_lab(name, after) == []
    assert after["ids"] == ids
    assert not down(name)


def test_up_twice_is_once(name: str) -> None:
    """A second `up` returns the lab as it is; one whose daemon died is made anew."""
    first = up(name, hosts=HOST)
    pid = first.host("lxd1").pid
    first.host("lxd1").delete("db1")
    again = up(name, hosts=HOST)
    assert again.host("lxd1").pid == pid
    assert "db1" not in again.host("lxd1").instances()
    first.host("lxd1").stop(signal.SIGKILL)
    renewed = up(name, hosts=HOST)
    assert renewed.host("lxd1").pid not in {None, pid}
    assert renewed.host("lxd1").instances() == {"web1": "Running", "db1": "Stopped"}


@pytest.mark.parametrize("delay", [0.3, 0.8, 1.3])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_interrupted_up_removes_itself(name: str, number: int, delay: float) -> None:
    """Ctrl-C, pressed again and again, at any stage of `up` leaves nothing or a whole lab."""
    child = begin(name)
    time.sleep(delay)
    for _ in range(3):
        child.send_signal(number)
        time.sleep(0.02)
    child.communicate(timeout=60)
    if child.returncode == 0:  # it had finished
        assert find(name)
    else:
        assert child.returncode == (130 if number == signal.SIGINT else 128 + number)
        assert remnants(name) == []


@pytest.mark.parametrize("delay", [0.2, 0.5, 0.9, 1.3])
def test_killed_up_is_cleaned_by_the_next(name: str, delay: float) -> None:
    """After kill -9 at any stage `down` removes what there is, and `up` starts afresh."""
    child = begin(name)
    time.sleep(delay)
    child.kill()
    child.communicate(timeout=60)
    down(name)
    assert remnants(name) == []


def test_up_after_a_killed_up(name: str) -> None:
    """A lab that was left half made does not keep the next `up` from working."""
    child = begin(name)
    assert wait_until(make_plan(name).hosts[0].socket.exists, 20)
    child.kill()
    child.communicate(timeout=60)
    assert find(name) is None
    assert up(name, hosts=HOST).host("lxd1").instances()["web1"] == "Running"


def test_a_daemon_that_cannot_start_says_why(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a daemon ends at once, its own words are the reason, and nothing is left."""
    monkeypatch.setitem(PROGRAMS, "lxd", ("lxd", "--no-such-option"))
    with pytest.raises(LabUnavailable, match=r"(?s)lxd1: the daemon ended.*no-such-option"):
        up(name, hosts=HOST)
    assert remnants(name) == []


def test_daemon_killed_behind_our_back_still_goes(name: str) -> None:
    """With daemon and monitor killed, the container and its cgroups still go with the lab."""
    lab = up(name, hosts=HOST)
    host = lab.host("lxd1")
    init = host.init_pid("web1")
    monitor = int(Path(f"/proc/{init}/stat").read_text().rsplit(")", 1)[1].split()[1])
    groups = procs.cgroups({init})
    assert groups
    assert {init, monitor} <= procs.members(lab.plan.root)
    host.stop(signal.SIGKILL)
    os.kill(monitor, signal.SIGKILL)
    assert wait_until(lambda: procs.start_time(monitor) is None, 5)
    down(name)
    assert procs.start_time(init) is None
    assert not any(group.exists() for group in groups)
    assert remnants(name) == []


def test_only_marked_processes_are_killed(tmp_path: Path) -> None:
    """The sweep ends a process with the lab's mark, and none that merely names its directory."""
    if os.geteuid() != 0:
        pytest.skip("no lab: needs root")
    root = tmp_path / "base" / NAME
    root.mkdir(parents=True)
    argv = ["sleep", "60"]
    with (
        subprocess.Popen(argv, env={"PATH": os.defpath, MEMBER: str(root)}) as ours,
        subprocess.Popen(["sh", "-c", "read x", str(root)], stdin=subprocess.PIPE) as other,
        subprocess.Popen(argv, env={"PATH": os.defpath, MEMBER: f"{root}2"}) as neighbour,
    ):
        try:
            assert wait_until(lambda: procs.members(root) == {ours.pid}, 5)
            sweep(NAME, base=root.parent)
            assert ours.wait(5) == -signal.SIGKILL
            assert other.poll() is None
            assert neighbour.poll() is None
            assert not root.exists()
        finally:
            for process in (ours, other, neighbour):
                process.kill()


def test_a_mount_below_is_not_walked_into(tmp_path: Path) -> None:
    """A directory mounted below the lab is unmounted, and what it holds survives."""
    if os.geteuid() != 0:
        pytest.skip("no lab: needs root")
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("keep")
    inside = tmp_path / "base" / NAME / "mounted"
    inside.mkdir(parents=True)
    run(["mount", "--bind", str(precious), str(inside)])
    sweep(NAME, base=tmp_path / "base")
    assert (precious / "file").read_text() == "keep"
    assert not inside.exists()


def test_subid_lines_are_added_only_where_missing(tmp_path: Path) -> None:
    """Root's range of ids is added where there is none, and taken out again exactly."""
    bare, given = tmp_path / "subuid", tmp_path / "subgid"
    bare.write_text("alice:100000:65536\n")
    given.write_text("root:100000:65536\n")
    assert len(subids.ensure((bare, given))) == 1
    assert "root:" in bare.read_text()
    assert subids.ensure((bare, given)) == []
    subids.forget((bare, given))
    assert bare.read_text() == "alice:100000:65536\n"
    assert given.read_text() == "root:100000:65536\n"


def test_a_lock_dies_with_its_holder() -> None:
    """A lock keeps others out, and is free the moment its holder is killed."""
    key = f"check {NAME}"
    code = (
        "from tests.lab.tools import Lock\n"
        f"lock = Lock({key!r})\n"
        "print(lock.try_acquire(), flush=True)\n"
        "input()"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=pipe, stdout=pipe, text=True
    ) as child:
        assert child.stdout
        assert child.stdout.readline() == "True\n"
        with pytest.raises(LabError, match="another process"), locked(key, seconds=0.2):
            pass
        child.kill()
    refused = pytest.raises(LabError, match="another process")
    with locked(key, seconds=1), refused, locked(key, seconds=0.2):
        pass
