"""A test with a lab ends, whatever its daemons wait for; and what is frozen is let go."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import procs
from .fixtures import MakeInstance
from .lab import Lab
from .tools import wait_until

ROOT = Path(__file__).resolve().parents[2]
FREEZER = procs.CGROUPS / "freezer"
# As a move does that is interrupted, whose way back needs the same daemon; and as its fixtures do.
HANGS = """
    import time
    import pytest

    @pytest.fixture
    def lab():
        yield None
        time.sleep(60)

    def test_move(lab):
        try:
            time.sleep(60)
        finally:
            time.sleep(60)

    def test_another():
        pass
"""


def test_what_comes_after_is_limited_too(tmp_path: Path) -> None:
    """A test that hangs, does so on its way back, and in its cleaning up, fails; others run."""
    Path(tmp_path, "test_hangs.py").write_text(textwrap.dedent(HANGS))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.lab.limit", "--timeout=1", "-rA", tmp_path],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "1 failed, 1 passed, 1 error" in done.stdout, done.stdout
    assert done.stdout.count("Failed: no end after 1 s") >= 2
    # Where it stood, the way back included.
    assert "    try:\n>           time.sleep(60)" in done.stdout
    assert "    finally:\n>           time.sleep(60)" in done.stdout


@pytest.fixture
def cgroup() -> Iterator[Path]:
    """A cgroup of the v1 freezer, called as a container's, with two busy shells in it."""
    if os.geteuid() != 0:
        pytest.skip("no cgroups: needs root")
    if not Path(FREEZER, "cgroup.procs").exists():
        pytest.skip("the freezer is no hierarchy of its own here (cgroup v1)")
    path = FREEZER / f"lxc.payload.limit-{os.getpid()}"
    path.mkdir()
    shells = []
    try:
        for _ in range(2):
            shells.append(subprocess.Popen(["dash", "-c", "while :; do /bin/true; done"]))
            Path(path, "cgroup.procs").write_text(str(shells[-1].pid))
        yield path
    finally:
        Path(path, "freezer.state").write_text("THAWED")
        for shell in shells:
            shell.kill()
            shell.wait()
        assert procs.remove_cgroups({path}) == []


def test_a_freeze_that_does_not_end_is_told_from_one_that_has(cgroup: Path) -> None:
    """A cgroup that does not get frozen is let go; a frozen one only when all are to be."""
    state = cgroup / "freezer.state"

    def frozen() -> bool:
        return state.read_text() == "FROZEN\n"

    def does_not_get_frozen() -> bool:
        state.write_text("THAWED")
        state.write_text("FROZEN")
        return not wait_until(frozen, 0.3)

    # The shells start programs by vfork(2) all the time: one try of some twenty hits one at it.
    assert wait_until(does_not_get_frozen, 30)
    ours = procs.payloads(f"limit-{os.getpid()}")
    assert ours == {cgroup}
    assert procs.thaw(ours, stuck=True) == {cgroup}
    assert state.read_text() == "THAWED\n"
    while does_not_get_frozen():
        pass
    assert procs.thaw(ours, stuck=True) == set()
    assert frozen()
    assert procs.thaw(ours) == {cgroup}
    assert procs.thaw(ours) == set()


@pytest.mark.parametrize("name", ["lxd1", "incus1"])
def test_a_launched_container_has_settled(lab: Lab, name: str, make_instance: MakeInstance) -> None:
    """When it is there to be tested, a container has its address and starts nothing more."""
    host = lab.host(name)
    name = make_instance(host)
    assert host.wait_address(name, 0)
    group = procs.payloads(name).pop()
    names = [procs.comm(int(pid)) for pid in Path(group, "cgroup.procs").read_text().split()]
    assert sorted(names) == ["init", "sleep"]
