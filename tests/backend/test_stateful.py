"""Snapshots with running state, taken and restored by a real Incus with a real CRIU.

The lab's machine must have a CRIU that its kernel bears: see tests/migrate/test_lab_live.py.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.widgets import Checkbox, Input

from lxtui import cli, remotes
from lxtui.app import LxtuiApp
from lxtui.backend.lxd import LxdBackend
from lxtui.config import Settings
from lxtui.fleet import Fleet
from lxtui.model import JobState, Ref
from lxtui.screens.main import MainScreen
from lxtui.screens.restore import RestoreDialog
from lxtui.screens.snapshots import NewSnapshotDialog, SnapshotsDialog
from lxtui.widgets.fleet_table import FleetTable
from tests.lab import counter
from tests.lab.lab import Host, Lab, down, up
from tests.lab.tools import wait_until
from tests.tui.conftest import until

pytestmark = pytest.mark.skipif(
    "LXTUI_CRIU" not in os.environ,
    reason="LXTUI_CRIU=DIR, the directory of a criu that runs on this kernel, makes a lab with it",
)
NAME = f"stateful{os.getpid()}"


@pytest.fixture(scope="module")
def criu_lab() -> Iterator[Lab]:
    """A lab of its own: an Incus host whose daemon has CRIU."""
    try:
        yield up("tests", hosts=("incus1",), criu=Path(os.environ["LXTUI_CRIU"]))
    finally:
        down("tests")


@pytest.fixture
def here(criu_lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Host]:
    """The host with a container in which a process counts."""
    for name, value in {**criu_lab.environment, "XDG_STATE_HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    host = criu_lab.host("incus1")
    counter.launch(host, NAME)
    assert wait_until(lambda: counter.counted(host, NAME)[1] > 3, 20)
    try:
        yield host
    finally:
        host.delete(NAME)
        counter.clear(NAME)


def test_by_the_verbs(here: Host, capsys: pytest.CaptureFixture[str]) -> None:
    """The process counts on after the snapshot, and from it again after the restore."""
    process, _ = counter.counted(here, NAME)
    assert cli.main(["snapshot", f"incus1:{NAME}", "s1", "--stateful"]) == 0
    _, at = counter.counted(here, NAME)
    counter.goes_on(here, NAME, process, at)
    here.exec(NAME, ["sh", "-c", "echo later >/root/later"])
    capsys.readouterr()
    assert cli.main(["snapshots", f"incus1:{NAME}", "--json"]) == 0
    (listed,) = json.loads(capsys.readouterr().out)
    assert listed["stateful"] is True
    assert cli.main(["restore", f"incus1:{NAME}", "s1", "--dry-run"]) == 0
    assert "processes go on where they were then" in capsys.readouterr().out
    _, before = counter.counted(here, NAME)
    assert cli.main(["restore", f"incus1:{NAME}", "s1"]) == 0
    assert here.status(NAME) == "Running"
    _, after = counter.counted(here, NAME)
    assert after < before
    assert here.exec(NAME, ["ls", "/root/later"], check=False).returncode != 0
    counter.goes_on(here, NAME, process, after)


def test_on_the_screen(here: Host, criu_lab: Lab, tmp_path: Path) -> None:
    """The box can be ticked; the restore says that the processes go on; both are done."""
    known = remotes.load(criu_lab.environment, Path("/nonexistent"))
    fleet = Fleet([LxdBackend(known.named("incus1"))], poll_seconds=2, moves=tmp_path)
    app = LxtuiApp(fleet, Settings())
    ref = Ref("incus1", "default", NAME)
    process, _ = counter.counted(here, NAME)

    async def play() -> None:
        async with app.run_test(size=(120, 40)) as pilot:

            async def comes(*kinds: type) -> None:
                await until(pilot, lambda: isinstance(app.screen, kinds), 60)

            await comes(MainScreen)
            main = app.screen
            await until(pilot, lambda: fleet.snapshot.instance(ref) is not None)
            main.query_one(FleetTable).select(ref)
            await pilot.press("S")
            await comes(SnapshotsDialog)
            await pilot.press("n")
            await comes(NewSnapshotDialog)
            app.screen.query_one("#name", Input).value = "s2"
            box = app.screen.query_one(Checkbox)
            assert not box.disabled
            box.value = True
            app.screen.query_one("#name", Input).focus()
            await pilot.press("enter")
            await until(pilot, lambda: bool(fleet.jobs.all), 60)
            await until(pilot, lambda: fleet.jobs.all[0].state is not JobState.RUNNING, 60)
            assert fleet.jobs.all[0].state is JobState.DONE, fleet.jobs.all[0].progress.text

            def taken() -> bool:
                now = fleet.snapshot.instance(ref)
                return now is not None and bool(now.snapshots)

            await until(pilot, taken)
            await pilot.press("b")
            await comes(RestoreDialog)
            await pilot.press("y")
            await until(pilot, lambda: len(fleet.jobs.all) > 1, 60)
            await until(pilot, lambda: fleet.jobs.all[0].state is not JobState.RUNNING, 60)
            assert fleet.jobs.all[0].state is JobState.DONE, fleet.jobs.all[0].progress.text

    try:
        asyncio.run(play())
    finally:
        fleet.close()
    counter.goes_on(here, NAME, process, counter.counted(here, NAME)[1])
