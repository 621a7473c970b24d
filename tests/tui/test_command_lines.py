"""The lxc or incus command of whatever is done: shown, whole, and into the clipboard."""

from __future__ import annotations

import asyncio

import pytest
from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widgets import Static

from lxtui.backend.demo import DemoBackend
from lxtui.calls.documents import PutDocument
from lxtui.config import Settings
from lxtui.editing.documents import of_instance, shown
from lxtui.errors import OperationError
from lxtui.model import FleetSnapshot, Job, JobState, Operation, Progress, Ref
from lxtui.screens.main import MainScreen
from lxtui.screens.operation import OperationDialog
from lxtui.widgets.fleet_table import FleetTable
from lxtui.widgets.operations import OperationsPane
from tests.tui.conftest import NOW, Stage, until


def _main(stage: Stage) -> MainScreen:
    screen = stage.app.screen_stack[1]
    assert isinstance(screen, MainScreen)
    return screen


async def _on(stage: Stage, pilot: Pilot[None], host: str, name: str) -> None:
    table = _main(stage).query_one(FleetTable)
    await until(pilot, lambda: table.row_count == 10)
    table.select(Ref(host, "default", name))


def _row(stage: Stage) -> list[str]:
    pane = _main(stage).query_one(OperationsPane)
    return [str(cell) for cell in pane.get_row_at(0)] if pane.row_count else ["", "", "", ""]


def test_what_asks_nothing_is_shown_when_it_is_done_and_copied() -> None:
    """After a start its command is in the operations pane, and ctrl+y copies it."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        await _on(stage, pilot, "oslo", "build")
        await pilot.press("s")
        await until(pilot, lambda: _row(stage)[0] == "done")
        assert _row(stage)[2] == "as: lxc start oslo:build"
        await pilot.press("ctrl+y")
        assert stage.app.clipboard == "lxc start oslo:build"

    stage.run(script)


def test_a_dialog_s_command_is_copied() -> None:
    """ctrl+y takes it from a question, from a field to fill in, and from a list of many."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        await _on(stage, pilot, "oslo", "web1")
        await pilot.press("x")
        await until(pilot, lambda: len(stage.app.screen_stack) == 3)
        await pilot.press("ctrl+y", "n")
        assert stage.app.clipboard == "lxc stop oslo:web1"
        await pilot.press("n")
        await until(pilot, lambda: len(stage.app.screen_stack) == 3)
        await pilot.press("home", "ctrl+k", *"new")
        await pilot.press("ctrl+y", "escape")
        assert stage.app.clipboard == "lxc snapshot oslo:web1 new"
        await pilot.press("space")
        await _on(stage, pilot, "kyoto", "web3")
        await pilot.press("space", "x")
        await until(pilot, lambda: len(stage.app.screen_stack) == 3)
        await pilot.press("ctrl+y", "escape")
        assert stage.app.clipboard == "incus stop kyoto:web3\nlxc stop oslo:web1"

    stage.run(script)


def test_where_no_command_is_shown_that_is_said() -> None:
    """Nothing is put into the clipboard for it."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        await _on(stage, pilot, "oslo", "web1")
        await pilot.press("question_mark", "ctrl+y")
        assert stage.app.clipboard == ""
        await pilot.press("escape", "ctrl+y")
        assert stage.app.clipboard == ""

    stage.run(script)


def test_a_long_line_is_cut_and_whole_behind_enter(monkeypatch: pytest.MonkeyPatch) -> None:
    """At 80 columns SINCE stays on the screen; enter on the line shows all that was said."""
    stage, why = Stage(), "no space left on device, " * 8 + "and so on"

    def refuse(*_: object, **__: object) -> None:
        raise OperationError(why)

    monkeypatch.setattr(DemoBackend, "change_state", refuse)

    async def script(pilot: Pilot[None]) -> None:
        await _on(stage, pilot, "oslo", "web1")
        await pilot.press("x")
        await until(pilot, lambda: len(stage.app.screen_stack) == 3)
        await pilot.press("y")
        await until(pilot, lambda: [job.state for job in stage.fleet.jobs.all] == [JobState.FAILED])
        await until(pilot, lambda: _row(stage)[0] == "failed")
        pane = _main(stage).query_one(OperationsPane)
        assert _row(stage)[2].endswith("…")
        assert pane.virtual_size.width <= pane.size.width
        pane.focus()
        await pilot.press("enter")
        dialog = stage.app.screen_stack[-1]
        assert isinstance(dialog, OperationDialog)
        said = str(dialog.query_one("#operation", Static).content)
        assert why in said
        assert "as: lxc stop oslo:web1" in said

    stage.run(script, size=(80, 24))


@pytest.mark.parametrize("width", [80, 120])
def test_rate_and_time_left_of_what_runs_stay_on_the_screen(width: int) -> None:
    """They are at the end: what runs is cut in front, and the line fits."""
    said = f"pushing to oslo:web1: {'x' * 60} 87.8 MiB of 381 MiB, 27.5 MiB/s, 11s left"
    job = Job(1, "push " + "/a/long/name" * 6, JobState.RUNNING, Progress(said), NOW)
    stage = Stage()

    async def script(_: Pilot[None]) -> None:
        pane = _main(stage).query_one(OperationsPane)
        pane.show(FleetSnapshot(jobs=(job,)), NOW)
        row = _row(stage)  # at once: the fleet's next snapshot has no such job
        assert row[1].endswith("…")
        assert row[2].startswith("…")
        assert row[2].endswith("27.5 MiB/s, 11s left")
        assert sum(cell_len(cell) for cell in row) <= pane.size.width

    stage.run(script, size=(width, 24))


@pytest.mark.parametrize(("key", "hint"), [("f6", "f6 copies the command"), ("", "")])
def test_another_key_copies_where_the_user_says_so(key: str, hint: str) -> None:
    """Everywhere, and the frame names that one; without any it names none."""
    stage = Stage(Settings(keys={"copy-command": key}))

    async def script(pilot: Pilot[None]) -> None:
        await _on(stage, pilot, "oslo", "web1")
        await pilot.press("x")
        await until(pilot, lambda: len(stage.app.screen_stack) == 3)
        box = stage.app.screen.query_one(".dialog")
        assert (box.border_subtitle or "") == hint
        await pilot.press("ctrl+y")
        assert stage.app.clipboard == ""
        if key:
            await pilot.press(key)
            assert stage.app.clipboard == "lxc stop oslo:web1"

    stage.run(script)


def test_no_secret_stays_in_the_operations_pane() -> None:
    """What looks like one is left out there and in what is copied later, as in the journal."""
    stage = Stage()
    what = of_instance(Ref("oslo", "default", "web1"))

    async def script(pilot: Pilot[None]) -> None:
        await _on(stage, pilot, "oslo", "web1")
        document = stage.demo.backends()[0].read(what.path, what.parameters)
        config = {**document.value["config"], "environment.TOKEN": "hunter2"}
        after = {**shown(what, document.value), "config": config}
        stage.fleet.submit(PutDocument(what, document, after))
        await until(pilot, lambda: _row(stage)[0] == "done")
        (job,) = stage.fleet.jobs.all
        assert "environment.TOKEN" in job.commands[0]
        assert "hunter2" not in f"{job} {_row(stage)}"

    stage.run(script)


class Bare(App[None]):
    """The pane alone."""

    def compose(self) -> ComposeResult:
        """Nothing else."""
        yield OperationsPane()


def test_a_long_line_that_is_gone_leaves_no_wide_column() -> None:
    """What was wide in WHAT and what is wide in HOW FAR after it fit the pane, one by one."""
    wide = Operation("1", "oslo", "Backing up " + "x" * 40, created_at=NOW)
    said = Progress("exporting oslo:web1: " + "y" * 60)
    job = Job(1, "export oslo:web1", JobState.RUNNING, said, NOW)

    async def play() -> None:
        app = Bare()
        async with app.run_test(size=(80, 24)) as pilot:
            pane = app.query_one(OperationsPane)
            for fleet in (
                FleetSnapshot(operations=(wide,)),
                FleetSnapshot(jobs=(job,)),
                FleetSnapshot(operations=(wide,)),
            ):
                pane.show(fleet, NOW)
                await pilot.pause()
                assert pane.virtual_size.width <= pane.size.width

    asyncio.run(play())
