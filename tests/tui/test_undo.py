"""``u``: the last thing is taken back, after a look at what that means."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot
from textual.widgets import Button, Static

from lxtui.calls.documents import PutDocument
from lxtui.commands import ChangeState, Command, CreateSnapshot, DeleteSnapshot, Many
from lxtui.editing.documents import of_instance, shown
from lxtui.model import JobState, Ref, StateAction
from lxtui.screens.detail.instance import InstanceScreen
from lxtui.screens.main import MainScreen
from lxtui.screens.undoing import UndoDialog
from lxtui.widgets.fleet_table import FleetTable
from tests.tui.conftest import SIZE, Stage, until

WEB1 = Ref("oslo", "default", "web1")
WEB2 = Ref("oslo", "default", "web2")


def _main(stage: Stage) -> MainScreen:
    main = stage.app.screen_stack[1]
    assert isinstance(main, MainScreen)
    return main


async def _did(pilot: Pilot[None], stage: Stage, command: Command | Many) -> None:
    """Something is done, and has ended."""
    number = stage.fleet.submit(command)

    def ended() -> bool:
        jobs = {job.id: job for job in stage.fleet.snapshot.jobs}
        return jobs[number].state is JobState.DONE

    await until(pilot, ended)


async def _way_back(pilot: Pilot[None], stage: Stage, known: str) -> tuple[str, str]:
    """Press the key; the question and the way back, once that says *known*."""
    await pilot.press("u")
    await until(pilot, lambda: isinstance(stage.app.screen, UndoDialog))
    way = stage.app.screen.query_one("#found", Static)
    await until(pilot, lambda: known in str(way.render()))
    questions = stage.app.screen.query(".question").results(Static)
    return "\n".join(str(one.render()) for one in questions), str(way.render())


def _status(stage: Stage, ref: Ref) -> str:
    one = stage.fleet.snapshot.instance(ref)
    return one.status if one is not None else ""


@pytest.mark.parametrize("size", [SIZE, (80, 24)], ids=["large", "small"])
def test_a_stop_is_taken_back(size: tuple[int, int]) -> None:
    """The dialog shows the command and what does not come back; yes starts it, once."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        await _did(pilot, stage, ChangeState(WEB1, StateAction.STOP))
        question, way = await _way_back(pilot, stage, "as: lxc start oslo:web1")
        assert question.startswith("Take back: stop oslo:web1")
        assert "Its processes begin anew." in way
        await pilot.press("y")
        await until(pilot, lambda: _status(stage, WEB1) == "Running" and not stage.fleet.jobs.done)
        await pilot.press("u")
        await pilot.pause()
        assert stage.app.screen is _main(stage)

    stage.run(script, size)


def test_no_leaves_it() -> None:
    """And it can be taken back later."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        await _did(pilot, stage, ChangeState(WEB1, StateAction.STOP))
        for _ in range(2):
            await _way_back(pilot, stage, "lxc start")
            await pilot.press("n")
            await until(pilot, lambda: stage.app.screen is _main(stage))
        assert stage.demo.daemons["oslo"].instances[WEB1].stopped

    stage.run(script)


def test_what_has_changed_since_is_not_touched() -> None:
    """Then there is no yes, and the reason stands there."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        await _did(pilot, stage, ChangeState(WEB1, StateAction.STOP))
        backend = stage.demo.backend("oslo")
        backend.wait(backend.change_state(WEB1, StateAction.START))
        await _way_back(pilot, stage, "web1 is Running now, and was Stopped when it was done")
        assert stage.app.screen.query_one("#yes", Button).disabled
        await pilot.press("y")
        assert isinstance(stage.app.screen, UndoDialog)

    stage.run(script)


def test_what_cannot_be_taken_back_is_passed_over_and_said() -> None:
    """The latest that can be is offered; alone, a deletion says why there is nothing to do."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        await _did(pilot, stage, DeleteSnapshot(WEB1, "daily0"))
        await pilot.press("u")
        await pilot.pause()
        assert stage.app.screen is _main(stage)
        await _did(pilot, stage, CreateSnapshot(WEB1, "mine"))
        await _did(pilot, stage, DeleteSnapshot(WEB1, "daily1"))
        question, _ = await _way_back(pilot, stage, "lxc delete oslo:web1/mine")
        assert "Not taken back: delete oslo:web1/daily1: what is deleted is gone." in question

    stage.run(script)


def test_what_is_stuck_does_not_hold_up_what_was_done_before() -> None:
    """A snapshot was taken and deleted again: the next ``u`` goes to what was done before, and says
    what stays; where nothing else is left, the stuck one is looked at again.
    """
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        await _did(pilot, stage, ChangeState(WEB1, StateAction.STOP))
        await _did(pilot, stage, CreateSnapshot(WEB1, "mine"))
        await _did(pilot, stage, DeleteSnapshot(WEB1, "mine"))
        question, way = await _way_back(pilot, stage, "stays: ")
        assert question.startswith("Take back: snapshot oslo:web1/mine")
        await pilot.press("n")
        question, _ = await _way_back(pilot, stage, "as: lxc start oslo:web1")
        assert question.startswith("Take back: stop oslo:web1")
        assert f"Not taken back: snapshot oslo:web1/mine: {way.removeprefix('stays: ')}" in question
        await pilot.press("y")
        await until(pilot, lambda: _status(stage, WEB1) == "Running" and len(_free(stage)) == 1)
        question, _ = await _way_back(pilot, stage, "stays: ")
        assert question.startswith("Take back: snapshot oslo:web1/mine")

    stage.run(script)


def _free(stage: Stage) -> list[str]:
    return [one.title for one in stage.fleet.jobs.done if not one.reason]


def test_many_are_taken_back_at_once() -> None:
    """Each with its line; what one has become since stays, and is named."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        stops = tuple(ChangeState(ref, StateAction.STOP) for ref in (WEB1, WEB2))
        await _did(pilot, stage, Many(stops, "stop 2 instances"))
        backend = stage.demo.backend("oslo")
        backend.wait(backend.change_state(WEB1, StateAction.START))
        question, way = await _way_back(pilot, stage, "as: lxc start oslo:web2")
        assert question.startswith("Take back: stop 2 instances")
        assert "stays: oslo:web1 is Running now" in way
        await pilot.press("y")
        await until(pilot, lambda: _status(stage, WEB2) == "Running")

    stage.run(script)


def test_marks_come_back() -> None:
    """Those that escape took off, and those of a bulk action that was begun."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        table = _main(stage).query_one(FleetTable)
        table.select(WEB1)
        await pilot.press("space", "space")
        marked = table.marked
        assert len(marked) == 2
        await pilot.press("escape")
        assert not table.marked
        await pilot.press("u")
        assert table.marked == marked
        await pilot.press("u")
        assert table.marked == {WEB1}

    stage.run(script)


def test_a_host_that_is_gone_says_so() -> None:
    """Instead of the way back; the screen did not wait for it."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        await _did(pilot, stage, ChangeState(WEB1, StateAction.STOP))
        stage.demo.daemons["oslo"].alive = False
        await _way_back(pilot, stage, "plays dead")
        assert stage.app.screen.query_one("#yes", Button).disabled

    stage.run(script)


def test_edits_of_many_are_taken_back() -> None:
    """Each from a document of its own."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        backend = stage.demo.backend("oslo")
        edits = []
        for ref in (WEB1, WEB2):
            what = of_instance(ref)
            document = backend.read(what.path, what.parameters)
            after = shown(what, document.value)
            after["config"] = {**after["config"], "limits.memory": "1GiB"}
            edits.append(PutDocument(what, document, after))
        await _did(pilot, stage, Many(tuple(edits), "limits of 2 instances"))
        limit = "limits.memory"
        assert stage.demo.daemons["oslo"].instances[WEB2].config[limit] == "1GiB"
        await _way_back(pilot, stage, "lxc config set oslo:web2 limits.memory=512MiB")
        await pilot.press("y")
        await until(pilot, lambda: not stage.fleet.jobs.done)
        for ref in (WEB1, WEB2):
            assert stage.demo.daemons["oslo"].instances[ref].config[limit] == "512MiB"

    stage.run(script)


def test_the_key_works_on_an_instances_pages() -> None:
    """What was done there is taken back there."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        _main(stage).query_one(FleetTable).select(WEB1)
        await pilot.press("i")
        await until(pilot, lambda: isinstance(stage.app.screen, InstanceScreen))
        await _did(pilot, stage, CreateSnapshot(WEB1, "mine"))
        await _way_back(pilot, stage, "lxc delete oslo:web1/mine")
        await pilot.press("y")
        await until(pilot, lambda: not stage.fleet.jobs.done)
        names = [one.name for one in stage.demo.daemons["oslo"].instances[WEB1].snapshots]
        assert "mine" not in names
        assert isinstance(stage.app.screen, InstanceScreen)

    stage.run(script)
