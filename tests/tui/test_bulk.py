"""Actions on all that are marked: the list, the confirmation, the work, the summary."""

from __future__ import annotations

from dataclasses import replace
from threading import Event as Flag

import pytest
from textual.pilot import Pilot
from textual.widgets import Button, Input, Log, Static

from lxtui.actions import ACTIONS, BY_ID, Ask
from lxtui.bulk import common_snapshots, plan
from lxtui.commands import ChangeState, Many
from lxtui.errors import OperationError
from lxtui.model import FleetSnapshot, Host, Instance, JobState, Kind, Progress, Ref, StateAction
from lxtui.perform_many import perform_many
from lxtui.screens.bulk import BulkDialog
from lxtui.screens.dialogs import ChoiceDialog, NameDialog
from lxtui.screens.main import MainScreen
from lxtui.widgets.fleet_table import FleetTable
from tests.tui.conftest import Stage, until


def _ref(host: str, name: str) -> Ref:
    return Ref(host, "default", name)


def _mark(stage: Stage, *names: tuple[str, str]) -> FleetTable:
    table = stage.app.screen_stack[1].query_one(FleetTable)
    for host, name in names:
        table.mark(_ref(host, name))
    return table


def _status(stage: Stage, host: str, name: str) -> str | None:
    instance = stage.fleet.snapshot.instance(_ref(host, name))
    return instance.status if instance is not None else None


def _said(stage: Stage) -> tuple[str, list[str]]:
    dialog = stage.app.screen
    return str(dialog.query_one("#question", Static).render()), list(dialog.query_one(Log).lines)


def test_stop_lists_each_and_who_is_left_out_and_why() -> None:
    """One confirmation for all that run; no has the focus; yes stops them, each with its line."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        table = _mark(stage, ("oslo", "web1"), ("oslo", "build"), ("lima", "mail"))
        await pilot.press("x")
        await until(pilot, lambda: isinstance(stage.app.screen, BulkDialog))
        question, lines = _said(stage)
        assert question == "Stop 2 instances? 1 left out."
        assert lines == [
            "lima:mail  lxc stop lima:mail",
            "oslo:web1  lxc stop oslo:web1",
            " ",
            "left out: 1",
            "oslo:build  oslo:build is stopped",
        ]
        assert stage.app.screen.query_one("#no", Button).has_focus
        await pilot.press("y")
        await until(pilot, lambda: _said(stage)[0].endswith("2 done"))
        assert set(_said(stage)[1]) == {"lima:mail  done", "oslo:web1  done"}
        await until(pilot, lambda: _status(stage, "lima", "mail") == "Stopped")
        await until(pilot, lambda: _status(stage, "oslo", "web1") == "Stopped")
        assert table.marked == frozenset()
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(stage.app.screen, MainScreen))

    stage.run(script)


def test_no_leaves_everything_and_the_marks() -> None:
    """Enter and escape both say no; what was marked is still marked."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        table = _mark(stage, ("oslo", "web1"), ("lima", "mail"))
        for key in ("enter", "escape"):
            await pilot.press("x")
            await until(pilot, lambda: isinstance(stage.app.screen, BulkDialog))
            await pilot.press(key)
            await until(pilot, lambda: isinstance(stage.app.screen, MainScreen))
        assert not stage.fleet.jobs.all
        assert len(table.marked) == 2

    stage.run(script)


def test_deletion_is_typed() -> None:
    """A key is not enough and a wrong number neither; the count deletes all that are stopped."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        _mark(stage, ("oslo", "build"), ("lima", "archive"), ("oslo", "web1"))
        await pilot.press("d")
        await until(pilot, lambda: isinstance(stage.app.screen, BulkDialog))
        _, lines = _said(stage)
        assert "lima:archive: Its 4 snapshots go with it." in lines
        assert "oslo:web1  oslo:web1 is not stopped" in lines
        await pilot.press("y", "enter", "3", "enter")
        await pilot.pause()
        assert not stage.fleet.jobs.all
        assert stage.app.screen.query_one(Input).value == ""
        await pilot.press("2", "enter")
        await until(pilot, lambda: _status(stage, "oslo", "build") is None)
        await until(pilot, lambda: _status(stage, "lima", "archive") is None)
        assert _status(stage, "oslo", "web1") == "Running"

    stage.run(script)


def test_it_goes_on_over_failures() -> None:
    """One that fails is said with its reason; the others are done; the job counts as failed."""
    stage = Stage()
    oslo = stage.demo.daemons["oslo"]
    stubborn = replace(oslo.instances[_ref("oslo", "db1")], config={"user.demo.stubborn": "true"})
    oslo.instances[stubborn.ref] = stubborn

    async def script(pilot: Pilot[None]) -> None:
        _mark(stage, ("oslo", "db1"), ("oslo", "web1"))
        await pilot.press("x")
        await until(pilot, lambda: isinstance(stage.app.screen, BulkDialog))
        await pilot.press("y")
        await until(pilot, lambda: "1 done, 1 failed" in _said(stage)[0])
        assert any("oslo:db1  failed: " in line for line in _said(stage)[1])
        assert stage.fleet.jobs.all[0].state is JobState.FAILED
        await until(pilot, lambda: _status(stage, "oslo", "web1") == "Stopped")

    stage.run(script)


def test_snapshots_of_many_and_back() -> None:
    """One name for all; restoring offers the names with how many have them, and is typed."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        marks = (("oslo", "web1"), ("lima", "mail"))
        _mark(stage, *marks)
        await pilot.press("n")
        await until(pilot, lambda: isinstance(stage.app.screen, NameDialog))
        stage.app.screen.query_one(Input).value = "daily1"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(stage.app.screen, BulkDialog))
        assert "oslo:web1  oslo:web1 has a snapshot 'daily1' already" in _said(stage)[1]
        await pilot.press("y")
        await until(pilot, lambda: _said(stage)[0].endswith("1 done"))
        await pilot.press("escape")
        _mark(stage, *marks)
        await pilot.press("b")
        await until(pilot, lambda: isinstance(stage.app.screen, ChoiceDialog))
        await pilot.press("enter")  # the latest: daily1
        await until(pilot, lambda: isinstance(stage.app.screen, BulkDialog))
        assert _said(stage)[0] == "Restore 2 instances?"
        await pilot.press("2", "enter")
        await until(pilot, lambda: _said(stage)[0].endswith("2 done"))

    stage.run(script)


def test_marks_count_even_when_the_cursor_is_elsewhere_or_nothing_is_left() -> None:
    """A mark whose instance has gone is said; with nothing to do yes cannot be pressed."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        table = _mark(stage, ("oslo", "build"), ("oslo", "gone"))
        table.select(_ref("oslo", "web1"))
        await pilot.press("x")
        await until(pilot, lambda: isinstance(stage.app.screen, BulkDialog))
        question, lines = _said(stage)
        assert question == "Stop 0 instances? 2 left out."
        assert "oslo:gone  it is no longer there" in lines
        await pilot.press("y")
        await pilot.pause()
        assert not stage.fleet.jobs.all

    stage.run(script)


def test_a_read_only_host_is_left_out() -> None:
    """The reasons of the table of actions count for each."""
    hosts = {
        "a": Host("a", Kind.LXD, "", seen_at=None, read_only=True),
        "b": Host("b", Kind.LXD, ""),
    }
    marked = [Instance(_ref(name, "x"), "Running") for name in ("a", "b", "c")]
    bulk = plan(BY_ID["stop"], marked, hosts.get)
    assert bulk.command.commands == ()
    assert [why.split()[0] for why in bulk.left_out.values()] == ["a", "b", "there"]


@pytest.mark.parametrize(
    "action",
    [
        one
        for one in ACTIONS
        if one.build is not None and one.ask is not Ask.TARGET and not one.single
    ],
    ids=lambda one: one.id,
)
def test_every_command_of_one_is_one_of_many(action: object) -> None:
    """Whatever can be done to one instance can be planned for many."""
    fleet = Stage().demo
    instances = [
        replace(one, status=("Running", "Stopped", "Frozen")[at % 3])
        for daemon in fleet.daemons.values()
        for at, one in enumerate(daemon.instances.values())
    ]
    hosts = FleetSnapshot(hosts=tuple(daemon.host for daemon in fleet.daemons.values())).host
    name, _ = common_snapshots(instances)[0]
    bulk = plan(action, instances, hosts, answer=name)  # type: ignore[arg-type]
    assert bulk.command.commands
    assert len(bulk.command.commands) + len(bulk.left_out) == len(instances)
    assert len(bulk.lines) == len(bulk.command.commands)


def test_after_a_stop_no_more_is_begun() -> None:
    """What was not begun is said as such, and the whole has not succeeded."""
    stop, said = Flag(), []
    stop.set()
    stage = Stage()
    backends = {backend.remote.name: backend for backend in stage.demo.backends()}
    command = Many((ChangeState(_ref("oslo", "web1"), StateAction.STOP),), "stop 1 instances")

    def report(progress: Progress) -> None:
        said.append(progress.details)

    with pytest.raises(OperationError, match="1 not begun"):
        perform_many(command, backends, report, stop)
    assert said[-1] == ("oslo:web1  not begun: stopped on request",)
