"""Keys on the demo fleet: what is pressed is what happens."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

from rich.table import Table
from textual.pilot import Pilot
from textual.widgets import Button, Footer, Input, Label, OptionList, Static

from lxtui.actions import ACTIONS
from lxtui.commands import Move
from lxtui.config import Settings
from lxtui.migrate import MARK
from lxtui.model import Instance, JobState, Pool, Profile, Ref
from lxtui.screens.detail.screen import DetailScreen
from lxtui.screens.dialogs import ChoiceDialog, ConfirmDialog, NameDialog, TextDialog
from lxtui.screens.main import MainScreen
from lxtui.screens.move import MoveDialog
from lxtui.screens.move_many import MoveManyDialog
from lxtui.screens.restore import RestoreDialog
from lxtui.screens.unfinished import UnfinishedDialog
from lxtui.widgets.fleet_table import FleetTable
from lxtui.widgets.fleet_tree import FleetTree
from lxtui.widgets.operations import OperationsPane
from tests.tui.conftest import NOW, Stage, until


def _main(stage: Stage) -> MainScreen:
    screen = stage.app.screen_stack[1]
    assert isinstance(screen, MainScreen)
    return screen


def _select(stage: Stage, host: str, name: str) -> None:
    _main(stage).query_one(FleetTable).select(Ref(host, "default", name))


def _column(table: FleetTable, name: str) -> list[str]:
    at = [slot.id for slot in table.slots].index(name)
    return [table.cells(row)[at] for row in range(table.row_count)]


def _status(stage: Stage, host: str, name: str) -> str | None:
    instance = stage.fleet.snapshot.instance(Ref(host, "default", name))
    return instance.status if instance is not None else None


def test_everything_is_on_the_screen() -> None:
    """All instances are in the table, all hosts in the tree, the dead one named on top."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        main = _main(stage)
        await until(pilot, lambda: main.query_one(FleetTable).row_count == 10)
        labels = [str(node.label) for node in main.query_one(FleetTree).root.children]
        assert [label.split()[1] for label in labels] == ["oslo", "lima", "kyoto", "quito"]
        assert "no answer: quito" in str(main.query_one("#summary", Static).render())

    stage.run(script)


def test_start_runs_at_once_and_stop_asks() -> None:
    """Key s starts what is stopped; x stops what runs, after a yes to its name and host."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        _select(stage, "oslo", "build")
        await pilot.press("s")
        await until(pilot, lambda: _status(stage, "oslo", "build") == "Running")
        await pilot.press("x")
        await until(pilot, lambda: isinstance(stage.app.screen, ConfirmDialog))
        question = str(stage.app.screen.query_one(".question", Static).render())
        assert question == "Stop build on host oslo?"
        await pilot.press("y")
        await until(pilot, lambda: _status(stage, "oslo", "build") == "Stopped")

    stage.run(script)


def test_no_is_the_default_answer() -> None:
    """Enter in a confirmation says no: nothing happens."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        _select(stage, "oslo", "build")
        await pilot.press("d")
        await until(pilot, lambda: isinstance(stage.app.screen, ConfirmDialog))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(stage.app.screen, MainScreen))
        assert stage.fleet.snapshot.jobs == ()
        assert _status(stage, "oslo", "build") == "Stopped"

    stage.run(script)


def test_delete_removes_after_yes() -> None:
    """Key d and yes delete the stopped instance; its row goes and the cursor stays in the table."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        _select(stage, "oslo", "build")
        await pilot.press("d", "y")
        await until(pilot, lambda: _status(stage, "oslo", "build") is None)
        table = _main(stage).query_one(FleetTable)
        await until(pilot, lambda: table.row_count == 9)
        assert table.selected is not None

    stage.run(script)


def test_unavailable_actions_say_why() -> None:
    """Deleting a running instance does not ask: it says that it is not stopped."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        _select(stage, "oslo", "web1")
        await pilot.press("d")
        await pilot.pause()
        assert isinstance(stage.app.screen, MainScreen)
        (notification,) = stage.app._notifications
        assert notification.message == "oslo:web1 is not stopped"

    stage.run(script)


def test_snapshot_then_restore() -> None:
    """Key n asks for a name and takes a snapshot; b offers the newest first, asks, restores."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        _select(stage, "lima", "cache1")
        await pilot.press("n")
        await until(pilot, lambda: isinstance(stage.app.screen, NameDialog))
        stage.app.screen.query_one(Input).value = "before"
        await pilot.press("enter")
        await until(
            pilot,
            lambda: (
                [s.name for one in [_main(stage).selection.instance] if one for s in one.snapshots]
                == ["before"]
            ),
        )
        await pilot.press("b")
        await until(pilot, lambda: isinstance(stage.app.screen, ChoiceDialog))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(stage.app.screen, RestoreDialog))
        await until(pilot, lambda: not stage.app.screen.query_one("#yes", Button).disabled)
        await pilot.press("y")
        await until(
            pilot,
            lambda: any(
                job.title == "restore lima:cache1/before" and job.state is JobState.DONE
                for job in stage.fleet.snapshot.jobs
            ),
        )

    stage.run(script)


def test_a_taken_snapshot_name_is_refused_in_the_dialog() -> None:
    """The dialog stays open and says that the name exists."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        _select(stage, "oslo", "web1")
        await pilot.press("n")
        await until(pilot, lambda: isinstance(stage.app.screen, NameDialog))
        stage.app.screen.query_one(Input).value = "daily0"
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(stage.app.screen, NameDialog)
        assert "exists" in str(stage.app.screen.query_one("#trouble", Static).render())

    stage.run(script)


def test_move_by_keys() -> None:
    """m, a host, enter: the plan is shown, the instance goes there and is gone from its host."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        _select(stage, "oslo", "web1")
        await pilot.press("m")
        await until(pilot, lambda: isinstance(stage.app.screen, MoveDialog))
        targets = stage.app.screen.query_one(OptionList)
        assert [str(option.prompt).split()[0] for option in targets.options] == [
            "lima",
            "kyoto",
            "quito",
        ]
        await pilot.press("down")  # kyoto; quito is dead and cannot be chosen
        plan = stage.app.screen.query_one("#plan", Static)
        await until(pilot, lambda: "kyoto pulls web1" in str(plan.render()))
        await pilot.press("enter")
        await until(pilot, lambda: _status(stage, "kyoto", "web1") == "Running")
        await until(pilot, lambda: _status(stage, "oslo", "web1") is None)
        progress = stage.app.screen.query_one("#progress", Static)
        await until(pilot, lambda: "oslo:web1 is now kyoto:web1" in str(progress.render()))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(stage.app.screen, MainScreen))
        table = _main(stage).query_one(FleetTable)
        await until(pilot, lambda: table.selected == Ref("kyoto", "default", "web1"))

    stage.run(script)


def test_another_pool_of_the_same_host_is_offered() -> None:
    """Below the hosts are the other pools of its own; enter moves it there, name and all."""
    stage = Stage()
    oslo = stage.demo.daemons["oslo"]
    oslo.pools["fast"] = Pool("zfs", 10**12, frozenset())

    async def script(pilot: Pilot[None]) -> None:
        _select(stage, "oslo", "web1")
        await pilot.press("m")
        await until(pilot, lambda: isinstance(stage.app.screen, MoveDialog))
        targets = stage.app.screen.query_one(OptionList)
        await until(pilot, lambda: str(targets.options[-1].prompt) == "oslo  pool fast")
        await pilot.press("end")
        plan = stage.app.screen.query_one("#plan", Static)
        await until(pilot, lambda: "is renamed web1-moved" in str(plan.render()))
        await pilot.press("enter")
        progress = stage.app.screen.query_one("#progress", Static)
        await until(pilot, lambda: "oslo:web1 is now in pool fast" in str(progress.render()))
        moved = oslo.instances[Ref("oslo", "default", "web1")]
        assert moved.running
        assert moved.expanded_devices["root"]["pool"] == "fast"
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(stage.app.screen, MainScreen))

    stage.run(script)


def test_the_move_is_made_as_wished() -> None:
    """n, k and p change how the move is made: the plan shows it, and enter does it."""
    stage = Stage()
    oslo = stage.demo.daemons["oslo"]
    oslo.profiles["special"] = Profile({}, {"limits.processes": "9"})
    ref = Ref("oslo", "default", "web1")
    oslo.instances[ref] = replace(oslo.instances[ref], profiles=("default", "special"))

    async def script(pilot: Pilot[None]) -> None:
        _select(stage, "oslo", "web1")
        await pilot.press("m")
        await until(pilot, lambda: isinstance(stage.app.screen, MoveDialog))
        plan = stage.app.screen.query_one("#plan", Static)
        await until(pilot, lambda: "has no profile 'special'" in str(plan.render()))
        await pilot.press("n", "k", "p")
        await until(pilot, lambda: "profile special of oslo copied to lima" in str(plan.render()))
        shown = str(plan.render())
        assert "until it is little" in shown
        assert "is kept, stopped, as web1-moved" in shown
        assert "(assumed)" in shown
        assert "as: lxc profile copy oslo:special lima:special" in shown
        await pilot.press("enter")
        await until(pilot, lambda: _status(stage, "lima", "web1") == "Running")
        await until(pilot, lambda: _status(stage, "oslo", "web1-moved") == "Stopped")
        assert stage.demo.daemons["lima"].profiles["special"].config == {"limits.processes": "9"}

    stage.run(script)


def test_a_wish_can_be_taken_back() -> None:
    """The second press of a key wishes for it no longer."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        _select(stage, "oslo", "web1")
        await pilot.press("m")
        await until(pilot, lambda: isinstance(stage.app.screen, MoveDialog))
        await pilot.press("n", "n")
        wishes = stage.app.screen.query_one("#wishes", Static)
        assert "☑" not in str(wishes.render())
        plan = stage.app.screen.query_one("#plan", Static)
        await until(pilot, lambda: "lima pulls web1" in str(plan.render()))
        assert "until it is little" not in str(plan.render())

    stage.run(script)


def test_an_unfinished_move_is_shown_and_undone() -> None:
    """The banner names the key, the dialog says what is where, u puts everything back."""
    stage = Stage()
    stage.leave_a_move("claim", "stop")
    ref = Ref("oslo", "default", "web1")
    oslo = stage.demo.daemons["oslo"]
    config = {**oslo.instances[ref].config, MARK: "0123456789abcdef"}
    oslo.instances[ref] = replace(oslo.instances[ref], config=config, status="Stopped")

    async def script(pilot: Pilot[None]) -> None:
        banner = _main(stage).query_one("#banner", Static)
        assert banner.display
        assert "1 unfinished move: M shows it" in str(banner.render())
        await pilot.press("M")
        await until(pilot, lambda: isinstance(stage.app.screen, UnfinishedDialog))
        advice = stage.app.screen.query_one("#advice", Static)
        await until(pilot, lambda: "web1 may be stopped" in str(advice.render()))
        assert "as: lxtui undo 0123456789abcdef" in str(advice.render())
        await pilot.press("u")
        await until(pilot, lambda: _status(stage, "oslo", "web1") == "Running")
        await until(pilot, lambda: stage.fleet.snapshot.moves == ())
        await until(pilot, lambda: not banner.display)

    stage.run(script)


def test_a_copy_that_runs_is_not_undone_by_a_double_tap() -> None:
    """The dialog says since when it runs, u asks once more, u again does nothing, y gives it up."""
    stage = Stage()
    stage.leave_a_move("claim", "stop", "copy", "verify", "start")
    source, copy = Ref("oslo", "default", "web1"), Ref("kyoto", "default", "web1")
    mark = {MARK: "0123456789abcdef"}
    oslo, kyoto = stage.demo.daemons["oslo"], stage.demo.daemons["kyoto"]
    now = oslo.instances[source]
    oslo.instances[source] = replace(now, config={**now.config, **mark}, status="Stopped")
    used = NOW - timedelta(hours=3)
    kyoto.instances[copy] = replace(
        now, ref=copy, config={**now.config, **mark}, last_used_at=used, snapshots=()
    )

    async def script(pilot: Pilot[None]) -> None:
        await until(pilot, lambda: bool(_main(stage).query_one("#banner", Static).display))
        await pilot.press("M")
        await until(pilot, lambda: isinstance(stage.app.screen, UnfinishedDialog))
        advice = stage.app.screen.query_one("#advice", Static)
        await until(pilot, lambda: "kyoto:web1 runs since" in str(advice.render()))
        assert "undo would lose what it has written since" in str(advice.render())
        await pilot.press("u")
        await until(pilot, lambda: isinstance(stage.app.screen, ConfirmDialog))
        shown = " ".join(str(one.render()) for one in stage.app.screen.query(Label))
        assert "): whatever it has written since would be lost" in shown
        await pilot.press("u", "enter")
        await until(pilot, lambda: isinstance(stage.app.screen, UnfinishedDialog))
        assert _status(stage, "kyoto", "web1") == "Running"
        assert stage.fleet.snapshot.jobs == ()
        await pilot.press("u")
        await until(pilot, lambda: isinstance(stage.app.screen, ConfirmDialog))
        await pilot.press("y")
        await until(pilot, lambda: _status(stage, "kyoto", "web1") is None)
        await until(pilot, lambda: _status(stage, "oslo", "web1") == "Running")

    stage.run(script)


def test_an_unfinished_move_is_resumed() -> None:
    """R finishes it: the instance runs at the target alone."""
    stage = Stage()
    stage.leave_a_move("claim")

    async def script(pilot: Pilot[None]) -> None:
        await pilot.press("M")
        await until(pilot, lambda: isinstance(stage.app.screen, UnfinishedDialog))
        await pilot.press("r")
        await until(pilot, lambda: _status(stage, "kyoto", "web1") == "Running")
        await until(pilot, lambda: _status(stage, "oslo", "web1") is None)
        await until(pilot, lambda: stage.fleet.snapshot.moves == ())

    stage.run(script)


def test_what_has_taken_over_cannot_be_undone() -> None:
    """Of a move that is over but for its clearing up, u says so and does nothing."""
    stage = Stage()
    stage.leave_a_move("claim", "delete")

    async def script(pilot: Pilot[None]) -> None:
        await pilot.press("M")
        await until(pilot, lambda: isinstance(stage.app.screen, UnfinishedDialog))
        await pilot.press("u")
        said = stage.app.screen.query_one("#progress", Static)
        assert "kyoto:web1 has taken over: r clears up" in str(said.render())
        assert stage.fleet.snapshot.jobs == ()

    stage.run(script)


def test_without_unfinished_moves_there_is_no_dialog() -> None:
    """No banner, and M only says that there is nothing."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        assert not _main(stage).query_one("#banner", Static).display
        await pilot.press("M")
        await pilot.pause()
        assert isinstance(stage.app.screen, MainScreen)

    stage.run(script)


def test_a_blocked_move_does_not_start() -> None:
    """Where the name is taken the dialog shows the blocker, and enter moves nothing."""
    stage = Stage()
    taken = stage.demo.daemons["oslo"].instances[Ref("oslo", "default", "web1")]
    stage.demo.add_instance(replace(taken, ref=Ref("lima", "default", "web1")))

    async def script(pilot: Pilot[None]) -> None:
        _select(stage, "oslo", "web1")
        await pilot.press("m")
        await until(pilot, lambda: isinstance(stage.app.screen, MoveDialog))
        plan = stage.app.screen.query_one("#plan", Static)
        await until(pilot, lambda: "blocker" in str(plan.render()))
        assert "lima has an instance named web1 already" in str(plan.render())
        await pilot.press("enter")
        await pilot.pause(0.1)
        assert stage.fleet.snapshot.jobs == ()

    stage.run(script)


def test_filter_shows_what_matches() -> None:
    """Slash and words leave the matching rows; escape brings all back."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        table = _main(stage).query_one(FleetTable)
        await pilot.press("slash", *"web")
        await until(pilot, lambda: table.row_count == 3)
        await pilot.press("escape")
        await until(pilot, lambda: table.row_count == 10)

    stage.run(script)


def test_help_lists_every_action() -> None:
    """The help page has every action's label and help text."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(stage.app.screen, TextDialog))
        told = _helped(stage)
        for action in ACTIONS:
            assert {action.label, action.help} <= set(told)

    stage.run(script)


def test_help_begins_with_the_keys_of_the_page() -> None:
    """On the page of files help names first what can be done with files."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        await pilot.press("F")
        await until(pilot, lambda: isinstance(stage.app.screen, DetailScreen))
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(stage.app.screen, TextDialog))
        told = _helped(stage)
        assert told.index("Pull") < told.index("Push") < told.index("Start")

    stage.run(script)


def test_tab_goes_round_as_help_says() -> None:
    """From the table tab leads to the panes in the order that the help page names."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        met = []
        for _ in range(3):
            await pilot.press("tab")
            assert stage.app.focused is not None
            met.append({"instances": "table"}.get(str(stage.app.focused.id), stage.app.focused.id))
        assert met[-1] == "table"
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(stage.app.screen, TextDialog))
        (told,) = (one for one in _helped(stage) if one.startswith("From the table"))
        words = [one for one in re.findall(r"\w+", told) if one in met]
        assert words == ["table", *met[:-1]]

    stage.run(script)


def _helped(stage: Stage) -> list[str]:
    """What the help page says, column by column."""
    page = stage.app.screen.query_one(Static).content
    assert isinstance(page, Table)
    return [str(cell) for column in page.columns for cell in column.cells]


def test_palette_finds_every_action() -> None:
    """The command palette holds every action of the table."""
    stage = Stage()

    async def script(_pilot: Pilot[None]) -> None:
        titles = {command.title for command in stage.app.get_system_commands(stage.app.screen)}
        assert {action.label for action in ACTIONS} <= titles

    stage.run(script)


def test_keys_can_be_changed() -> None:
    """A key of the user's settings does the action, and the footer shows it."""
    stage = Stage(Settings(keys={"start": "ctrl+s"}))

    async def script(pilot: Pilot[None]) -> None:
        _select(stage, "oslo", "build")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: _status(stage, "oslo", "build") == "Running")
        assert _main(stage).query_one(Footer)

    stage.run(script)


def test_the_tree_selects_snapshots() -> None:
    """With the tree's cursor on a snapshot, restore asks about that snapshot at once."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        tree = _main(stage).query_one(FleetTree)
        await until(pilot, lambda: len(tree.root.children) == 4)
        host = tree.root.children[0]
        instance = next(node for node in host.children if "web1" in str(node.label))
        instance.expand()
        tree.focus()
        await pilot.pause()
        tree.move_cursor(instance.children[0])
        await pilot.press("b")
        await until(pilot, lambda: isinstance(stage.app.screen, RestoreDialog))
        question = str(stage.app.screen.query_one(".question", Static).render())
        assert "daily0 of web1 on host oslo" in question

    stage.run(script)


def test_a_dead_host_keeps_its_instances() -> None:
    """A host that stops answering leaves its rows on the screen, marked as not current."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        table = _main(stage).query_one(FleetTable)
        await until(pilot, lambda: table.row_count == 10)
        stage.demo.daemons["lima"].alive = False
        await pilot.press("r")
        await until(
            pilot,
            lambda: (
                not all(host.online for host in stage.fleet.snapshot.hosts if host.name == "lima")
            ),
        )
        assert table.row_count == 10
        await until(pilot, lambda: _column(table, "state").count("Running?") == 2)
        _select(stage, "lima", "mail")
        await pilot.press("x")
        await pilot.pause()
        assert isinstance(stage.app.screen, MainScreen)

    stage.run(script)


def test_cancelling_a_move_puts_everything_back() -> None:
    """Key c on the running job rolls the move back; the instance runs where it was."""
    stage = Stage()
    stage.demo.tempo = 1.0

    async def script(pilot: Pilot[None]) -> None:
        _select(stage, "oslo", "web1")
        await pilot.press("m")
        await until(pilot, lambda: isinstance(stage.app.screen, MoveDialog))
        plan = stage.app.screen.query_one("#plan", Static)
        await until(pilot, lambda: "pulls web1" in str(plan.render()))
        await pilot.press("enter")
        await until(pilot, lambda: bool(stage.fleet.snapshot.jobs))
        await pilot.press("c")
        await until(
            pilot, lambda: stage.fleet.snapshot.jobs[0].state is JobState.CANCELLED, seconds=20
        )
        assert "runs where it was" in stage.fleet.snapshot.jobs[0].progress.text
        await until(pilot, lambda: _status(stage, "oslo", "web1") == "Running")
        await pilot.press("escape")
        operations = _main(stage).query_one(OperationsPane)
        await until(pilot, lambda: operations.row_count >= 1)

    stage.run(script)


def test_quitting_with_a_running_move_asks_first() -> None:
    """ctrl+q while a move runs asks; saying no goes on."""
    stage = Stage()
    stage.demo.tempo = 0.5

    async def script(pilot: Pilot[None]) -> None:
        stage.fleet.submit(Move(Ref("oslo", "default", "web1"), "lima"))
        await pilot.press("ctrl+q")
        await until(pilot, lambda: isinstance(stage.app.screen, ConfirmDialog))
        await pilot.press("n")
        await until(pilot, lambda: isinstance(stage.app.screen, MainScreen))
        await until(pilot, lambda: _status(stage, "lima", "web1") == "Running", seconds=20)

    stage.run(script)


def test_the_cursor_waits_for_an_instance_that_moved() -> None:
    """Gone from one host before it is seen on the other: the cursor goes to it all the same."""
    stage = Stage()
    old, new = Ref("oslo", "default", "web1"), Ref("kyoto", "default", "web1")

    async def script(pilot: Pilot[None]) -> None:
        table = _main(stage).query_one(FleetTable)
        await until(pilot, lambda: table.row_count == 10)
        table.select(old)
        everything = stage.fleet.snapshot
        now = stage.demo.clock()
        without = [one for one in everything.instances if one.ref != old]
        moved = replace(next(one for one in everything.instances if one.ref == old), ref=new)
        table.show(without, everything.hosts, now)
        assert table.selected != old
        table.show([*without, moved], everything.hosts, now)
        assert table.selected == new

    stage.run(script)


def test_brackets_are_no_markup() -> None:
    """A filter of brackets filters; it is not read as markup."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        table = _main(stage).query_one(FleetTable)
        await pilot.press("slash", "left_square_bracket", "slash")
        await until(pilot, lambda: table.row_count == 0)
        await pilot.press("escape")
        await until(pilot, lambda: table.row_count == 10)

    stage.run(script)


def test_cancel_asks_with_the_title_of_the_job() -> None:
    """On the main screen c names the job that it would cancel, and no leaves it alone."""
    stage = Stage()
    stage.demo.tempo = 0.5

    async def script(pilot: Pilot[None]) -> None:
        stage.fleet.submit(Move(Ref("oslo", "default", "web1"), "lima"))
        operations = _main(stage).query_one(OperationsPane)
        await until(pilot, lambda: operations.job is not None)
        await pilot.press("c")
        await until(pilot, lambda: isinstance(stage.app.screen, ConfirmDialog))
        question = str(stage.app.screen.query_one(".question", Static).render())
        assert question == "Cancel: move oslo:web1 → lima?"
        await pilot.press("n")
        await until(pilot, lambda: _status(stage, "lima", "web1") == "Running", seconds=20)

    stage.run(script)


def test_a_confirmation_names_the_project() -> None:
    """Of two instances of one name the question and the command say which is meant."""
    stage = Stage()
    ref = Ref("oslo", "prod", "web1")
    stage.demo.add_instance(Instance(ref, "Stopped", created_at=stage.demo.clock()))

    async def script(pilot: Pilot[None]) -> None:
        table = _main(stage).query_one(FleetTable)
        await until(pilot, lambda: table.row_count == 11)
        table.select(ref)
        await pilot.press("d")
        await until(pilot, lambda: isinstance(stage.app.screen, ConfirmDialog))
        lines = [str(one.render()) for one in stage.app.screen.query(Static)]
        assert "Delete web1 on host oslo (project prod)?" in lines
        assert "as: lxc delete oslo:web1 --project prod" in lines

    stage.run(script)


def test_hostile_names_do_not_drive_the_screen() -> None:
    """Markup and control characters of a container's name are shown as text."""
    stage = Stage()
    ref = Ref("oslo", "default", "[red]x\x1b[2J")
    stage.demo.add_instance(Instance(ref, "Running", created_at=stage.demo.clock()))

    async def script(pilot: Pilot[None]) -> None:
        table = _main(stage).query_one(FleetTable)
        await until(pilot, lambda: table.row_count == 11)
        names = _column(table, "name")
        assert "[red]x?[2J" in names
        table.select(ref)
        await pilot.press("x")
        await until(pilot, lambda: isinstance(stage.app.screen, ConfirmDialog))
        question = str(stage.app.screen.query_one(".question", Static).render())
        assert question == "Stop [red]x?[2J on host oslo?"

    stage.run(script)


def _marks(stage: Stage, *names: tuple[str, str]) -> None:
    table = _main(stage).query_one(FleetTable)
    for host, name in names:
        table.mark(Ref(host, "default", name))
    _main(stage).show(stage.fleet.snapshot)


def test_marked_instances_are_moved_together() -> None:
    """Space marks, m shows who goes where, enter moves all; the end is said for each."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        table = _main(stage).query_one(FleetTable)
        _select(stage, "oslo", "web1")
        await pilot.press("space")
        _select(stage, "lima", "mail")
        await pilot.press("space")
        assert table.marked == {Ref("oslo", "default", "web1"), Ref("lima", "default", "mail")}
        await pilot.press("m")
        await until(pilot, lambda: isinstance(stage.app.screen, MoveManyDialog))
        plan = stage.app.screen.query_one("#plan", Static)
        assert "choose where to move lima:mail, oslo:web1" in str(plan.render())
        await pilot.press("enter")
        progress = stage.app.screen.query_one("#progress", Static)
        assert "choose a host first" in str(progress.render())
        await pilot.press("down", "down", "space", "plus")  # kyoto, two at a time
        await until(pilot, lambda: "oslo:web1 → kyoto" in str(plan.render()))
        assert "lima:mail → kyoto" in str(plan.render())
        assert "2 at a time" in str(stage.app.screen.query_one("#wishes", Static).render())
        await pilot.press("enter")
        await until(pilot, lambda: "2 moved" in str(progress.render()), 30)
        assert "lima:mail → kyoto  moved" in str(plan.render())
        await until(pilot, lambda: _status(stage, "kyoto", "web1") == "Running")
        await until(pilot, lambda: _status(stage, "kyoto", "mail") == "Running")
        await until(pilot, lambda: _status(stage, "oslo", "web1") is None)
        await until(pilot, lambda: _status(stage, "lima", "mail") is None)
        assert table.marked == frozenset()

    stage.run(script)


def test_what_does_not_fit_is_said_and_holds_the_others_back() -> None:
    """One taken name keeps all where they are, until g asks for what can be moved."""
    stage = Stage()
    taken = stage.demo.daemons["oslo"].instances[Ref("oslo", "default", "web1")]
    stage.demo.add_instance(replace(taken, ref=Ref("lima", "default", "web1"), status="Stopped"))

    async def script(pilot: Pilot[None]) -> None:
        _marks(stage, ("oslo", "web1"), ("oslo", "web2"))
        _select(stage, "oslo", "db1")  # the marks count, not the cursor
        await pilot.press("m")
        await until(pilot, lambda: isinstance(stage.app.screen, MoveManyDialog))
        await pilot.press("down", "space")
        plan = stage.app.screen.query_one("#plan", Static)
        await until(pilot, lambda: "oslo:web1 does not fit" in str(plan.render()))
        assert "has an instance named web1 already" in str(plan.render())
        await pilot.press("enter")
        progress = stage.app.screen.query_one("#progress", Static)
        assert "g moves those that can" in str(progress.render())
        assert not stage.fleet.jobs.all
        await pilot.press("g", "enter")
        await until(pilot, lambda: "1 moved, 1 does-not-fit" in str(progress.render()), 30)
        await until(pilot, lambda: _status(stage, "lima", "web2") == "Running")
        assert _status(stage, "oslo", "web1") == "Running"
        assert _status(stage, "oslo", "db1") == "Running"

    stage.run(script)


def test_one_mark_is_moved_alone_and_escape_unmarks() -> None:
    """With one mark m opens the dialog of that instance; escape takes marks off."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        table = _main(stage).query_one(FleetTable)
        _marks(stage, ("oslo", "web1"))
        assert "✓ web1" in _column(table, "name")
        _select(stage, "oslo", "db1")
        await pilot.press("m")
        await until(pilot, lambda: isinstance(stage.app.screen, MoveDialog))
        plan = stage.app.screen.query_one("#plan", Static)
        await until(pilot, lambda: "web1" in str(plan.render()))
        assert "db1" not in str(plan.render())
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(stage.app.screen, MainScreen))
        await pilot.press("escape")
        assert table.marked == frozenset()
        assert not any("✓" in name for name in _column(table, "name"))

    stage.run(script)


def test_a_read_only_host_is_only_looked_at() -> None:
    """Keys that would change something there say why not and ask nothing; the host is marked."""
    stage = Stage()
    for backend in stage.fleet.backends.values():
        vars(backend)["read_only"] = backend.remote.name == "kyoto"

    async def script(pilot: Pilot[None]) -> None:
        table = pilot.app.screen.query_one(FleetTable)
        assert table.selected is not None
        assert table.selected.host == "kyoto"
        for key in ("s", "x", "X", "R", "m", "n", "b", "D", "d"):
            await pilot.press(key)
            assert pilot.app.screen is table.screen
        said = {str(note.message) for note in pilot.app._notifications}
        assert all("kyoto is read-only" in one for one in said)
        assert said
        labels = [str(node.label) for node in pilot.app.screen.query_one(FleetTree).root.children]
        assert [label for label in labels if "read-only" in label] == [
            label for label in labels if "kyoto" in label
        ]

    stage.run(script)
    assert not stage.fleet.jobs.all
