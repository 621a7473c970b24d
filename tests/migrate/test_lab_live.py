"""Moves with running state between two real Incus daemons, with a real CRIU.

The lab's machine must have a CRIU that its kernel bears: that of Debian 12 fails on Linux 6.18.
LXTUI_CRIU=DIR says where one is: a directory with a program `criu` (4.1.1 to 4.3 were tried).
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event as Flag

import pytest

from lxtui import remotes
from lxtui.backend.base import Backend
from lxtui.backend.lxd import LxdBackend
from lxtui.commands import Move
from lxtui.errors import LxtuiError
from lxtui.migrate.options import Mode, MoveOptions, Transport
from lxtui.model import Ref
from lxtui.perform import perform
from tests.lab import counter
from tests.lab.lab import Host, Lab, down, up
from tests.lab.plan import CLUSTER
from tests.lab.rest import instance
from tests.lab.tools import run, wait_until

pytestmark = pytest.mark.skipif(
    "LXTUI_CRIU" not in os.environ,
    reason="LXTUI_CRIU=DIR, the directory of a criu that runs on this kernel, makes a lab with it",
)
NAME = f"counter{os.getpid()}"
PROGRAM = "import sys; from lxtui import cli; sys.exit(cli.main())"


@pytest.fixture(scope="module")
def criu_lab() -> Iterator[Lab]:
    """A lab of its own: two Incus hosts whose daemons have CRIU."""
    try:
        yield up("testl", hosts=CLUSTER, criu=Path(os.environ["LXTUI_CRIU"]))
    finally:
        down("testl")


@pytest.fixture
def ends(criu_lab: Lab) -> Iterator[dict[str, Backend]]:
    """A backend for each host."""
    known = remotes.load(criu_lab.environment, Path("/nonexistent")).remotes
    made: dict[str, Backend] = {one.name: LxdBackend(one) for one in known}
    yield made
    for backend in made.values():
        backend.close()


@pytest.fixture
def here(criu_lab: Lab) -> Iterator[Host]:
    """The first host with a container in which a process counts."""
    host = criu_lab.host("incus1")
    counter.launch(host, NAME)
    try:
        yield host
    finally:
        for one in criu_lab.hosts:
            one.delete(NAME)
        counter.clear(NAME)


def _counted(host: Host) -> tuple[str, int]:
    return counter.counted(host, NAME)


def _goes_on(host: Host, process: str, count: int) -> None:
    counter.goes_on(host, NAME, process, count)


@pytest.mark.parametrize("transport", [Transport.PULL, Transport.PUSH, Transport.RELAY])
def test_a_process_goes_on_at_the_target(
    criu_lab: Lab, ends: dict[str, Backend], here: Host, tmp_path: Path, transport: Transport
) -> None:
    """There and back, its memory is as it was, and exactly one is left."""
    there = criu_lab.host("incus2")
    options = MoveOptions(mode=Mode.LIVE, transport=transport)
    assert wait_until(lambda: _counted(here)[1] > 3, 20)
    for source, target in ((here, there), (there, here)):
        process, count = _counted(source)
        report = perform(
            Move(Ref(source.name, "default", NAME), target.name, options),
            ends,
            lambda _: None,
            Flag(),
            tmp_path,
        )
        assert NAME not in source.instances()
        _goes_on(target, process, count)
        assert report is not None
        arrived = ends[target.name].instance(Ref(target.name, "default", NAME))
        assert not [key for key in arrived.config if key.startswith("user.lxtui.")]


def test_a_restore_that_fails_is_taken_back(
    criu_lab: Lab, ends: dict[str, Backend], here: Host, tmp_path: Path
) -> None:
    """What cannot be brought back runs on at the source, or is started there; nothing is left.

    The profile that the copy is to have is none of this kernel's, so that CRIU refuses it.
    """
    there = criu_lab.host("incus2")
    profile = f"{counter.NO_CONSOLE}\nlxc.apparmor.profile=lxtui-has-none-such"
    options = MoveOptions(mode=Mode.LIVE, config=(f"raw.lxc={profile}",))
    process, count = _counted(here)
    with pytest.raises(LxtuiError, match="runs where it was, nothing is left on incus2") as caught:
        perform(
            Move(Ref("incus1", "default", NAME), "incus2", options),
            ends,
            lambda _: None,
            Flag(),
            tmp_path,
        )
    assert "--mode near-live" in str(caught.value)
    assert NAME not in there.instances()
    source = ends["incus1"].instance(Ref("incus1", "default", NAME))
    assert source.running
    assert not [key for key in source.config if key.startswith("user.lxtui.")]
    if "started anew" not in str(caught.value):
        _goes_on(here, process, count)


def test_a_target_without_criu_says_so_at_once(
    criu_lab: Lab, ends: dict[str, Backend], here: Host, tmp_path: Path
) -> None:
    """A target cannot be asked before, and refuses before the source has noticed anything."""
    there = criu_lab.host("incus2")
    criu = str(Path(os.environ["LXTUI_CRIU"], "criu"))
    inside = ["nsenter", f"--target={there.pid}", "--mount", "--"]
    process, count = _counted(here)
    run([*inside, "mount", "--bind", "/dev/null", criu])
    try:
        with pytest.raises(LxtuiError, match="CRIU isn't installed on the target server"):
            perform(
                Move(Ref("incus1", "default", NAME), "incus2", MoveOptions(mode=Mode.LIVE)),
                ends,
                lambda _: None,
                Flag(),
                tmp_path,
            )
    finally:
        run([*inside, "umount", criu])
    assert NAME not in there.instances()
    _goes_on(here, process, count)


@pytest.mark.parametrize("after", ["resume", "undo"])
def test_a_killed_lxtui_leaves_one_that_runs(
    criu_lab: Lab, ends: dict[str, Backend], here: Host, tmp_path: Path, after: str
) -> None:
    """Killed while the daemons hand it over, it is finished or taken back, and never doubled."""
    there = criu_lab.host("incus2")
    environment = {**os.environ, **criu_lab.environment, "XDG_STATE_HOME": str(tmp_path)}
    moves = tmp_path / "lxtui" / "moves"

    def journals() -> list[Path]:
        return list(moves.glob("*.jsonl")) if moves.is_dir() else []

    def at_work() -> bool:
        return any('"target operation"' in one.read_text() for one in journals())

    move = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "move", f"incus1:{NAME}", "incus2", "--mode", "live"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert wait_until(at_work, 60)
    time.sleep(1)
    move.send_signal(signal.SIGKILL)
    move.wait()
    token = json.loads(journals()[0].read_text().splitlines()[0])["token"]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, after, token, *(["--yes"] if after == "undo" else [])],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    where = there if after == "resume" else here
    other = here if after == "resume" else there
    assert NAME not in other.instances(), done.stderr
    assert where.api.get(instance(NAME, "state"))["status"] == "Running"
    found = ends[where.name].instance(Ref(where.name, "default", NAME))
    assert not [key for key in found.config if re.match(r"user\.lxtui\.", key)]
