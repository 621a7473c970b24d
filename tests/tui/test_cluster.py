"""Clusters on the screen: members in the tree, the table of one member, moves between members."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot
from textual.widgets import OptionList, Static

from lxtui.actions import BY_ID
from lxtui.arranging import Scope
from lxtui.model import Ref
from lxtui.screens.dialogs import ConfirmDialog
from lxtui.screens.main import MainScreen
from lxtui.screens.move import MoveDialog
from lxtui.screens.tables import TableScreen
from lxtui.widgets.fleet_table import FleetTable
from lxtui.widgets.fleet_tree import FleetTree, NodeId
from lxtui.widgets.resource_table import ResourceTable
from tests.tui.conftest import SIZE, Stage, until

SMALL = (80, 24)
SHOP = Ref("perth", "default", "shop1")


def _main(stage: Stage) -> MainScreen:
    main = stage.app.screen_stack[1]
    assert isinstance(main, MainScreen)
    return main


def _tree(stage: Stage) -> FleetTree:
    return _main(stage).query_one(FleetTree)


def _below(stage: Stage, member: str) -> list[str]:
    """What the tree has below a member."""
    node = _tree(stage)._shown[NodeId("perth", member=member)]
    return [str(child.label) for child in node.children]


def _names(stage: Stage) -> list[str]:
    return [one.ref.name for one in _main(stage).query_one(FleetTable).arranged.shown]


async def _at(pilot: Pilot[None], stage: Stage, node: NodeId) -> None:
    """Put the tree's cursor there, with the focus."""
    tree = _tree(stage)
    await until(pilot, lambda: node in tree._shown)
    tree.focus()
    tree.move_cursor(tree._shown[node])
    await pilot.pause()


def test_the_tree_has_the_members_of_a_cluster() -> None:
    """Each with its state and what is on it; other hosts have their instances right below."""
    stage = Stage(cluster=True)

    async def script(pilot: Pilot[None]) -> None:
        tree = _tree(stage)
        await until(pilot, lambda: NodeId("perth", member="perth3") in tree._shown)
        labels = [str(one.label) for one in tree._shown[NodeId("perth")].children]
        assert labels == ["▪ perth1 2", "▪ perth2 1", "✗ perth3 offline 1"]
        assert _below(stage, "perth1") == ["● shop1", "○ wiki"]
        assert "● web1" in [str(one.label) for one in tree._shown[NodeId("oslo")].children]

    stage.run(script)


@pytest.mark.parametrize("size", [SIZE, SMALL], ids=["large", "small"])
def test_the_table_is_narrowed_to_what_is_chosen_in_the_tree(size: tuple[int, int]) -> None:
    """A member, its host; the filter comes on top; escape, or the same key again, widens it."""
    stage = Stage(cluster=True)

    async def script(pilot: Pilot[None]) -> None:
        table = _main(stage).query_one(FleetTable)
        everything = _names(stage)
        if size == SMALL:
            await pilot.press("t")
        await _at(pilot, stage, NodeId("perth", member="perth1"))
        await pilot.press("enter")
        assert _names(stage) == ["shop1", "wiki"]
        assert str(table.border_title) == "instances of perth · perth1"
        await pilot.press("slash", *"wiki", "enter")
        assert _names(stage) == ["wiki"]
        await pilot.press("escape")
        assert _names(stage) == ["shop1", "wiki"]
        await pilot.press("escape")
        assert _names(stage) == everything
        await _at(pilot, stage, NodeId("perth"))
        await pilot.press("enter")
        assert table.scope == Scope("perth")
        assert len(_names(stage)) == 4
        assert _tree(stage)._shown[NodeId("perth")].is_expanded
        await pilot.press("enter")
        assert _names(stage) == everything

    stage.run(script, size)


def test_an_empty_member_says_so() -> None:
    """With the way back to the whole fleet."""
    stage = Stage(cluster=True)
    with stage.demo.lock:
        del stage.demo.daemons["perth"].instances[Ref("perth", "default", "shop2")]

    async def script(pilot: Pilot[None]) -> None:
        await _at(pilot, stage, NodeId("perth", member="perth2"))
        await pilot.press("enter")
        said = _main(stage).query_one(FleetTable)._instead
        assert said[0] == "No instances on perth · perth2."
        assert "escape" in said[1]

    stage.run(script)


def test_left_and_right_close_and_open_nodes() -> None:
    """As does space; enter is for the table."""
    stage = Stage(cluster=True)

    async def script(pilot: Pilot[None]) -> None:
        member = NodeId("perth", member="perth1")
        await _at(pilot, stage, member)
        node = _tree(stage)._shown[member]
        await pilot.press("left")
        assert not node.is_expanded
        await pilot.press("left")
        assert _tree(stage).selected == NodeId("perth")
        await pilot.press("j", "l")
        assert node.is_expanded

    stage.run(script)


def test_a_member_is_evacuated_from_its_line() -> None:
    """``i`` on it leads to the table of members; who leaves is named, and seen on the other one."""
    stage = Stage(cluster=True)

    async def script(pilot: Pilot[None]) -> None:
        await _at(pilot, stage, NodeId("perth", member="perth1"))
        about = str(_main(stage).query_one("#about", Static).render())
        assert "perth1 · Online · Fully operational · database, database-leader" in about
        await pilot.press("i")
        await until(pilot, lambda: isinstance(stage.app.screen, TableScreen))
        table = stage.app.screen.query_one(ResourceTable)
        await until(pilot, lambda: table.entry is not None and table.entry.ref.name == "perth1")
        await pilot.press("e")
        await until(pilot, lambda: isinstance(stage.app.screen, ConfirmDialog))
        said = "\n".join(str(one.render()) for one in stage.app.screen.query(Static))
        assert "shop1, wiki go to other members" in said
        assert "incus cluster evacuate perth:perth1" in said
        await pilot.press("y")
        moved = NodeId("perth", SHOP, member="perth2")
        await until(pilot, lambda: moved in _tree(stage)._shown)
        member = _tree(stage)._shown[NodeId("perth", member="perth1")]
        await until(pilot, lambda: str(member.label) == "▫ perth1 evacuated 0")
        assert _below(stage, "perth2") == ["● shop1", "● shop2", "○ wiki"]

    stage.run(script)


def test_the_move_dialog_offers_the_members() -> None:
    """Its own cluster's first, but the one it is on; one that is offline cannot be chosen."""
    stage = Stage(cluster=True)

    async def script(pilot: Pilot[None]) -> None:
        _main(stage).query_one(FleetTable).select(SHOP)
        await pilot.press("m")
        await until(pilot, lambda: isinstance(stage.app.screen, MoveDialog))
        dialog = stage.app.screen
        targets = dialog.query_one("#targets", OptionList)
        offered = [str(one.prompt) for one in targets.options]
        assert offered[:2] == ["perth  member perth2", "perth  member perth3, offline"]
        assert targets.options[1].disabled
        assert targets.highlighted == 0
        plan = dialog.query_one("#plan", Static)
        await until(pilot, lambda: "--target perth2" in str(plan.render()))
        await pilot.press("enter")

        def there() -> bool:
            one = stage.fleet.snapshot.instance(SHOP)
            return one is not None and one.location == "perth2" and one.running

        await until(pilot, there)

    stage.run(script)


def test_what_is_on_a_dead_member_cannot_be_acted_on() -> None:
    """The reason is the member, not the instance's state."""
    stage = Stage(cluster=True)

    async def script(pilot: Pilot[None]) -> None:
        queue = SHOP._replace(name="queue")
        _main(stage).query_one(FleetTable).select(queue)
        await pilot.pause()
        selection = _main(stage).selection
        why = "member perth3 of perth is offline, and queue with it"
        assert BY_ID["stop"].why_not(selection) == why
        assert BY_ID["move"].why_not(selection) == why

    stage.run(script)
