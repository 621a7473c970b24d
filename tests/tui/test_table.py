"""The table: columns, order, groups, folds, marks, by keys and mouse on the demo fleet."""

from __future__ import annotations

from dataclasses import replace
from time import monotonic

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Static

from lxtui import columns
from lxtui.actions import ACTIONS
from lxtui.app import FleetChanged
from lxtui.arranging import View
from lxtui.model import Instance, Ref
from lxtui.screens.columns import ColumnsDialog
from lxtui.screens.detail.screen import DetailScreen
from lxtui.screens.dialogs import ChoiceDialog, LineDialog, NameDialog
from lxtui.screens.main import MainScreen
from lxtui.widgets.fleet_table import FleetTable
from lxtui.widgets.fleet_tree import FleetTree
from lxtui.widgets.line_table import sized
from tests.tui.conftest import Stage, settled, until


def _table(stage: Stage) -> FleetTable:
    return stage.app.screen_stack[1].query_one(FleetTable)


def _names(table: FleetTable) -> list[str]:
    return [table.cells(row)[0] for row in range(table.row_count)]


async def _filled(pilot: Pilot[None], stage: Stage, count: int = 10) -> FleetTable:
    await until(pilot, lambda: _table(stage).row_count == count)
    return _table(stage)


def test_every_key_is_of_one_action() -> None:
    """No key of the table of actions is taken twice, by the table of instances neither."""
    own: list[str] = []
    for widget in FleetTable.__mro__:
        for binding in widget.__dict__.get("BINDINGS", []):
            key = binding[0] if isinstance(binding, tuple) else binding.key
            own += key.split(",")
    keys = [action.key for action in ACTIONS if action.key]
    assert len(keys) == len(set(keys))
    assert not set(keys) & set(own)


@pytest.mark.parametrize(
    ("width", "dropped"),
    [(80, {"processes", "profiles", "image"}), (120, {"profiles", "image"}), (160, set())],
)
def test_columns_fit_the_screen(width: int, dropped: set[str]) -> None:
    """Where there is little room the most important remain, and none is cut in half."""
    idle = {"project", "type", "location"}  # they say the same of every instance
    shown = [name for name in columns.DEFAULT if name not in dropped | idle]
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        table = await _filled(pilot, stage)
        assert [slot.id for slot in table.slots] == shown
        assert sum(slot.width + 1 for slot in table.slots) - 1 <= table.room

    stage.run(script, (width, 24))


def test_a_project_without_a_column_of_its_own_is_not_cut() -> None:
    """Where the column of projects has no room, there is room for them behind the names."""
    stage = Stage()
    ref = Ref("oslo", "staging", "frontend")
    stage.demo.add_instance(Instance(ref, "Stopped", created_at=stage.demo.clock()))

    async def script(pilot: Pilot[None]) -> None:
        table = await _filled(pilot, stage, 11)
        slots = [slot.id for slot in table.slots]
        assert "project" not in slots
        assert "project" not in table.subtitle
        drawn = [table.render_line(row + 1).text for row in range(table.row_count)]
        assert any("frontend (staging) " in line for line in drawn)

    stage.run(script, (80, 24))


def test_o_sorts_by_the_next_column_and_reverse_turns_it_over() -> None:
    """The header shows the order; numbers begin with the largest; unknown ones stay last."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        table = await _filled(pilot, stage)
        await pilot.press("o")
        assert table.view.sort == "name"
        assert _names(table)[0] == "archive"
        assert table.slots[0].label == "NAME↑"
        await pilot.press("O")
        assert _names(table)[:3] == ["web3", "web2", "web1"]
        while table.view.sort != "memory":
            await pilot.press("o")
        assert _names(table)[0] == "db1"
        assert set(_names(table)[-2:]) == {"archive", "build"}
        await pilot.press("O")
        assert _names(table)[0] == "ldap"
        assert set(_names(table)[-2:]) == {"archive", "build"}

    stage.run(script)


def test_a_click_on_a_header_sorts() -> None:
    """Once by the column, again the other way round, a third time as it was."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        table = await _filled(pilot, stage)
        usual = _names(table)
        seen = []
        for _ in range(3):
            await pilot.click(FleetTable, offset=(2, 1))
            await pilot.pause()
            seen.append(_names(table))
        assert seen == [sorted(usual), sorted(usual, reverse=True), usual]

    stage.run(script)


def test_a_click_takes_the_cursor_and_a_second_opens() -> None:
    """One click selects the line; a double click shows the instance."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        table = await _filled(pilot, stage)
        await pilot.click(FleetTable, offset=(3, 4))
        await pilot.pause()
        assert table.cursor_row == 2
        await pilot.click(FleetTable, offset=(3, 4), times=2)
        await until(pilot, lambda: isinstance(stage.app.screen, DetailScreen))

    stage.run(script)


def test_columns_are_chosen_and_moved() -> None:
    """C offers all; space and J change them, a typed key is added, enter shows them."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        table = await _filled(pilot, stage)
        await pilot.press("C")
        await until(pilot, lambda: isinstance(stage.app.screen, ColumnsDialog))
        await pilot.press("J")  # the name goes after the host
        await pilot.press("down", "space")  # and the project, third, goes
        field = stage.app.screen.query_one(Input)
        field.focus()
        field.value = "image.os"
        await pilot.press("enter")
        assert isinstance(stage.app.screen, ColumnsDialog)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(stage.app.screen, MainScreen))
        assert table.view.columns[:4] == ("config:image.os", "host", "name", "state")
        assert table.cells(0)[:3] == ["Debian", "kyoto", "ldap"]
        assert "no room for" in table.subtitle

    stage.run(script, (60, 24))


def test_at_least_one_column_stays() -> None:
    """A choice of nothing is refused in the dialog."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        table = await _filled(pilot, stage)
        table.set_view(replace(table.view, columns=("name",)))
        await pilot.press("C")
        await until(pilot, lambda: isinstance(stage.app.screen, ColumnsDialog))
        await pilot.press("space", "enter")
        trouble = stage.app.screen.query_one("#trouble", Static)
        assert "at least one" in str(trouble.render())
        await pilot.press("ctrl+r", "enter")
        await until(pilot, lambda: isinstance(stage.app.screen, MainScreen))
        assert table.view.columns == columns.DEFAULT

    stage.run(script)


def test_groups_fold() -> None:
    """Key g groups, enter on a header folds it, z all; the cursor stays with what it was on."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        table = await _filled(pilot, stage)
        table.select(Ref("oslo", "default", "web1"))
        await pilot.press("g")
        await until(pilot, lambda: isinstance(stage.app.screen, ChoiceDialog))
        await pilot.press("down", "enter")
        await until(pilot, lambda: table.row_count == 13)
        assert table.selected == Ref("oslo", "default", "web1")
        header = _names(table)[0]  # with a rate of the CPU as soon as there have been two looks
        assert header.startswith("▾ kyoto  3 instances · 3 running · ")
        assert " · memory " in header
        await pilot.press("home", "enter")
        assert table.row_count == 10
        assert table.group is not None
        assert table.group.folded
        await pilot.press("down", "down", "left")
        assert table.group.label == "lima"
        assert table.row_count == 7
        await pilot.press("z")
        assert table.row_count == 3
        await pilot.press("z")
        assert table.row_count == 13
        await pilot.press("home", "x")  # a header is no instance
        await pilot.pause()
        assert isinstance(stage.app.screen, MainScreen)

    stage.run(script)


def test_a_header_that_is_cut_beside_the_scrollbar_says_so() -> None:
    """What does not fit of a group's sums ends in an ellipsis that can be seen."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        table = await _filled(pilot, stage)
        table.set_view(replace(table.view, group="profiles"))
        await until(pilot, lambda: table.show_vertical_scrollbar)
        await pilot.pause()
        (whole,) = table.cells(0)
        assert len(whole) > table.room
        assert table.render_line(1).text[: table.room] == whole[: table.room - 1] + "…"

    stage.run(script, (60, 20))


def test_labels_are_offered_as_groups() -> None:
    """Every user.* key of the fleet can be grouped by; those without it come last."""
    stage = Stage()
    ref = Ref("oslo", "default", "web1")
    oslo = stage.demo.daemons["oslo"]
    oslo.instances[ref] = replace(oslo.instances[ref], expanded_config={"user.team": "shop"})

    async def script(pilot: Pilot[None]) -> None:
        table = await _filled(pilot, stage)
        await pilot.press("g")
        await until(pilot, lambda: isinstance(stage.app.screen, ChoiceDialog))
        offered = stage.app.screen.query_one(OptionList)
        assert str(offered.options[-1].prompt) == "user.team"
        await pilot.press("end", "enter")
        await until(pilot, lambda: table.row_count == 12)
        assert _names(table)[0].startswith("▾ shop  1 instance")
        assert _names(table)[2].startswith("▾ no team  9 instances")

    stage.run(script)


def test_what_is_not_understood_is_said_whole_where_nothing_is_left() -> None:
    """Below 80 columns there is no room for two sentences; in the empty table there is."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        table = await _filled(pilot, stage)
        await pilot.press("slash")
        stage.app.screen.query_one("#filter", Input).value = "mem>x hosst:oslo"
        await until(pilot, lambda: table.row_count == 0)
        await pilot.pause()
        drawn = "\n".join(table.render_line(row).text for row in range(1, 10))
        for problem in table.arranged.query.problems:
            assert problem in drawn
        assert table.subtitle.startswith("0 of 10 match; mem>x")

    stage.run(script, (80, 24))


def test_what_a_filter_does_not_understand_is_said_below() -> None:
    """It hides nothing, and the subtitle says so."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        table = await _filled(pilot, stage)
        await pilot.press("slash", *"web mem>x")
        await until(pilot, lambda: table.row_count == 3)
        assert "mem>x does not count: write a number" in table.subtitle
        assert "3 of 10 match" in table.subtitle
        about = stage.app.screen.query_one("#about", Static)
        await until(pilot, lambda: "/3 " in str(about.render()))

    stage.run(script)


def test_marks_survive_a_filter_and_are_counted() -> None:
    """ctrl+a marks what is shown, * turns it over, others keep theirs; the summary counts."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        table = await _filled(pilot, stage)
        summary = stage.app.screen.query_one("#summary", Static)
        await pilot.press("slash", *"web", "enter", "ctrl+a")
        assert {ref.name for ref in table.marked} == {"web1", "web2", "web3"}
        assert "marked 3" in str(summary.render())
        await pilot.press("escape")
        await until(pilot, lambda: table.row_count == 10)
        assert len(table.marked) == 3
        assert "✓ web1" in _names(table)
        await pilot.press("asterisk")
        assert len(table.marked) == 7
        assert "web1" in _names(table)
        await pilot.press("escape")
        assert not table.marked
        assert "marked" not in str(summary.render())

    stage.run(script)


def test_the_cursor_moves_by_pages_and_stays_in_sight() -> None:
    """Among many lines end, page up and vim's keys move it, and it is always on the screen."""
    stage = Stage()
    for number in range(100):
        stage.demo.add_instance(Instance(Ref("oslo", "default", f"x{number}"), "Stopped"))

    async def script(pilot: Pilot[None]) -> None:
        table = await _filled(pilot, stage, 110)
        seen = table.size.height - 1
        for key, row in (("end", 109), ("pageup", 110 - seen), ("k", 109 - seen), ("home", 0)):
            await pilot.press(key)
            await pilot.pause()
            assert table.cursor_row == row
            assert 0 <= row - table.scroll_offset.y < seen
        await pilot.press("G", "j")
        assert table.selected == Ref("oslo", "default", "x99")

    stage.run(script)


@pytest.mark.parametrize(
    ("text", "width", "right", "shown"),
    [
        ("web", 5, False, "web  "),
        ("12", 4, True, "  12"),
        ("a long name", 6, False, "a lon…"),
        ("箱箱箱", 5, False, "箱箱…"),
        ("箱", 3, True, " 箱"),
        ("x", 0, False, ""),
    ],
)
def test_cells_have_their_width(text: str, width: int, right: bool, shown: str) -> None:
    """A text is as wide as its column, whatever its letters, and a cut is seen."""
    assert sized(text, width, right=right) == shown


def test_a_large_host_begins_closed_in_the_tree() -> None:
    """Its instances are made when somebody opens it, and only then."""
    stage = Stage()
    for number in range(40):
        stage.demo.add_instance(Instance(Ref("oslo", "default", f"x{number}"), "Stopped"))

    async def script(pilot: Pilot[None]) -> None:
        await _filled(pilot, stage, 50)
        tree = stage.app.screen_stack[1].query_one(FleetTree)
        oslo, lima = tree.root.children[:2]
        assert not oslo.is_expanded
        assert not oslo.children
        assert len(lima.children) == 3
        oslo.expand()
        await until(pilot, lambda: len(oslo.children) == 44)

    stage.run(script)


@pytest.mark.usefixtures("one_look")  # a look at the rates would be one more change
def test_what_comes_often_is_shown_soon() -> None:
    """Of many changes in a row the last is on the screen, though not each was drawn."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        table = await _filled(pilot, stage)
        await settled(pilot, stage)
        drawn = []
        table._show = lambda: drawn.append(1)  # type: ignore[method-assign]
        stage.app._cost = 0.05  # as if showing took that long
        stage.app._shown_at = monotonic()
        for _ in range(100):
            stage.app.post_message(FleetChanged())
        await until(pilot, lambda: bool(drawn))
        await pilot.pause(0.1)
        assert len(drawn) == 1

    stage.run(script)


def test_views_are_saved_chosen_and_come_back() -> None:
    """V saves, v and :view show, forget forgets; the last view is there at the next start."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        table = await _filled(pilot, stage)
        await pilot.press("slash", *"web", "enter", "o", "V")
        await until(pilot, lambda: isinstance(stage.app.screen, NameDialog))
        await pilot.press(*"webs", "enter")
        await until(pilot, lambda: isinstance(stage.app.screen, MainScreen))
        await pilot.press("escape", "O", "v")
        await until(pilot, lambda: isinstance(stage.app.screen, ChoiceDialog))
        await pilot.press("enter")
        await until(pilot, lambda: table.row_count == 3)
        assert table.view == View(filter="web", sort="name")
        assert stage.app.screen.query_one("#filter", Input).value == "web"
        await pilot.press("colon")
        await until(pilot, lambda: isinstance(stage.app.screen, LineDialog))
        await pilot.press(*"view none", "enter")
        trouble = stage.app.screen.query_one("#trouble", Static)
        assert "there is no view 'none' (saved: webs)" in str(trouble.render())
        stage.app.screen.query_one(Input).value = "group host"
        await pilot.press("enter")
        await until(pilot, lambda: table.row_count == 5)
        await pilot.press("colon")
        await until(pilot, lambda: isinstance(stage.app.screen, LineDialog))
        await pilot.press(*"details", "enter")
        await pilot.pause()
        saved = stage.views
        assert saved.last == View(filter="web", sort="name", group="host")
        assert saved.named("webs") == View(filter="web", sort="name")

    stage.run(script)
    again = Stage(views=stage.views)

    async def second(pilot: Pilot[None]) -> None:
        table = again.app.screen_stack[1].query_one(FleetTable)
        await until(pilot, lambda: table.row_count == 5)
        assert table.view.group == "host"
        assert again.app.screen.query_one("#filter", Input).display

    again.run(second)
