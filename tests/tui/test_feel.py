"""Themes, what is said where nothing is shown, layouts, and what has to be typed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from textual.geometry import Region
from textual.pilot import Pilot
from textual.widgets import Footer, Input

from lxtui.actions import Selection
from lxtui.app import LxtuiApp
from lxtui.config import Settings
from lxtui.fleet import Fleet
from lxtui.model import (
    FleetSnapshot,
    Host,
    HostStatus,
    Instance,
    Kind,
    Ref,
    Snapshot,
)
from lxtui.saved_theme import SavedTheme
from lxtui.screens.dialogs import ConfirmDialog
from lxtui.screens.main import MainScreen
from lxtui.screens.texts import about, nothing, summary
from lxtui.themes import TERMINAL
from lxtui.widgets.fleet_table import FleetTable
from lxtui.widgets.fleet_tree import HOST_DOTS, STATE_DOTS, FleetTree
from lxtui.widgets.operations import OperationsPane
from tests.tui.conftest import NOW, Stage, until

ONE = Host("oslo", Kind.LXD, "/run/lxd", HostStatus.ONLINE, "5.0.2")
SILENT = replace(ONE, name="rome", status=HostStatus.OFFLINE, error="rome: no answer; is it on?")
DENIED = replace(SILENT, name="bern", status=HostStatus.UNTRUSTED, error="bern: does not trust us")
ASKED = replace(ONE, name="kiev", status=HostStatus.CONNECTING)
SIZES = [(60, 20), (80, 24), (120, 40), (200, 60)]


def _drawn(app: LxtuiApp) -> list[str]:
    """The lines of the screen as they are drawn."""
    return ["".join(one.text for one in strip) for strip in app.screen._compositor.render_strips()]


def _without_hosts(script: Callable[[Pilot[None], LxtuiApp], Awaitable[None]]) -> None:
    with closing(Fleet([], poll_seconds=3600)) as fleet:
        app = LxtuiApp(fleet, Settings())

        async def play() -> None:
            async with app.run_test(size=(80, 24)) as pilot:
                await pilot.pause()
                await script(pilot, app)

        asyncio.run(play())


def test_a_theme_is_remembered(tmp_path: Path) -> None:
    """What was chosen is there at the next start, until the settings say something else."""
    path = tmp_path / "lxtui/theme.json"

    def begun(configured: str, choose: str = "") -> str:
        stage = Stage(Settings(theme=configured))
        stage.app._saved_theme = SavedTheme(path)
        seen = []

        async def script(pilot: Pilot[None]) -> None:
            seen.append(stage.app.theme)
            if choose:
                stage.app.theme = choose
                await pilot.pause()

        stage.run(script)
        return seen[0]

    assert begun("nord") == "nord"
    assert not path.exists()
    assert begun("nord", choose="ansi-dark") == "nord"
    assert begun("nord") == "ansi-dark"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert begun("dracula") == "dracula"
    path.write_text("{")
    assert begun("") == "textual-dark"


@pytest.mark.parametrize("theme", [*TERMINAL, "textual-light"])
def test_themes_of_other_kinds_can_be_shown(theme: str) -> None:
    """The terminal's own colours, and a light theme, have all that our styles ask for."""
    stage = Stage(Settings(theme=theme))

    async def script(pilot: Pilot[None]) -> None:
        assert stage.app.theme == theme
        assert any("web1" in line for line in _drawn(stage.app))
        await pilot.pause()

    stage.run(script)


def test_no_color_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    """With NO_COLOR every sign on the screen is grey, and states can still be read."""

    def colours() -> set[tuple[int, ...]]:
        stage, found = Stage(), set()

        async def script(pilot: Pilot[None]) -> None:
            await pilot.pause()
            for strip in stage.app.screen._compositor.render_strips():
                for segment in strip:
                    style = segment.style
                    for colour in (style.color, style.bgcolor) if style else ():
                        if colour is not None and colour.triplet is not None:
                            found.add(tuple(colour.triplet))
            text = "\n".join(_drawn(stage.app))
            assert "Running" in text
            assert "✗ quito" in text

        stage.run(script)
        return found

    assert any(len(set(one)) > 1 for one in colours())
    monkeypatch.setenv("NO_COLOR", "1")
    assert all(max(one) - min(one) <= 1 for one in colours())


def test_the_line_on_top_says_why_nothing_comes() -> None:
    """Hosts that answer and let us in not, or by no way of ours, are not said to be silent."""
    oidc = replace(
        SILENT, name="oslo", status=HostStatus.UNSUPPORTED, error="oslo: logs in by OIDC"
    )
    line = str(summary(FleetSnapshot((replace(ONE, name="lima"), SILENT, oidc, DENIED)), 0))
    assert line.endswith("  no answer: rome  unsupported: oslo  untrusted: bern")
    assert "lima" not in line


def test_no_two_states_have_one_sign() -> None:
    """What a dot says is not said by its colour alone."""
    hosts = [sign for sign, _ in HOST_DOTS.values()]
    states = [*(sign for sign, _ in STATE_DOTS.values()), "▲"]
    assert len(set(hosts)) == len(hosts) == len(HostStatus)
    assert len(set(states)) == len(states)


@pytest.mark.parametrize(
    ("fleet", "matching", "told"),
    [
        (FleetSnapshot(), "", ["No hosts yet.", "a adds one", "lxtui doctor", "--demo"]),
        (FleetSnapshot((ONE,)), "", ["No instances on any host."]),
        (FleetSnapshot((ONE, SILENT)), "", ["that answer (1)", "rome is offline: no answer"]),
        (FleetSnapshot((SILENT,)), "x", ["rome is offline: no answer; is it on?"]),
        (FleetSnapshot((DENIED,)), "", ["bern is untrusted: does not trust us"]),
        (FleetSnapshot((ASKED,)), "", ["kiev: asked, no answer yet"]),
        (
            FleetSnapshot((ONE,), (Instance(Ref("oslo", "default", "web1"), "Running"),)),
            "name:db",
            ["Nothing matches name:db", "escape"],
        ),
    ],
    ids=["none", "empty", "partly", "offline", "untrusted", "loading", "filter"],
)
def test_an_empty_table_says_why(fleet: FleetSnapshot, matching: str, told: list[str]) -> None:
    """No hosts, none that answers, no instance, nothing that matches: and what to do."""
    said = "\n".join(nothing(fleet, matching, "a"))
    assert all(one in said for one in told), said


def test_the_about_line_says_how_old_a_state_is() -> None:
    """Of a host that is silent, when it answered last; of one that was only asked, that."""
    earlier = replace(SILENT, seen_at=NOW.replace(hour=11))
    assert "last answer 1h ago: rome: no answer" in str(about(Selection(earlier), NOW, 1, 1))
    assert "has not answered yet" in str(about(Selection(ASKED), NOW, 1, 1))


def test_what_to_do_about_a_host_is_whole_on_a_small_screen() -> None:
    """The advice stands at the end of a long line, which goes on below instead of being cut."""
    stage, advice = Stage(), "on the host, 'lxc config trust add --name NAME' gives a token for us"

    async def script(pilot: Pilot[None]) -> None:
        table = stage.app.screen_stack[1].query_one(FleetTable)
        table.show((), (), NOW)
        table.say_instead((f"bern is untrusted: the host does not trust us; {advice}", "second"))
        rows = ["".join(part.text for part in table.render_line(y)).strip() for y in range(2, 6)]
        assert " ".join(rows).startswith("bern is untrusted: ")
        assert advice in " ".join(rows)
        assert "second" in rows
        await pilot.pause()

    stage.run(script, size=(80, 24))


def test_without_hosts_the_screen_says_what_to_do() -> None:
    """The first screen of somebody new."""

    async def script(pilot: Pilot[None], app: LxtuiApp) -> None:
        drawn = "\n".join(_drawn(app))
        assert "No hosts yet." in drawn
        assert "lxtui hosts add NAME ADDRESS" in drawn
        await pilot.pause()

    _without_hosts(script)


def test_a_filter_that_matches_nothing_says_so_and_goes() -> None:
    """The words stand where the lines were, as long as there are none."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        await pilot.press("slash", *"zzzz")
        await until(pilot, lambda: "Nothing matches zzzz" in "\n".join(_drawn(stage.app)))
        await pilot.press("enter", "escape")
        await until(pilot, lambda: "Nothing matches" not in "\n".join(_drawn(stage.app)))

    stage.run(script)


def test_an_action_without_a_key_is_still_there() -> None:
    """Its key does nothing, and what named the key names the command."""
    stage = Stage(Settings(keys={"moves": "", "help": "f1,f2"}))
    stage.leave_a_move("claim", "stop", "copy")

    async def script(pilot: Pilot[None]) -> None:
        main = stage.app.screen_stack[1]
        await until(pilot, lambda: ":moves shows it" in "\n".join(_drawn(stage.app)))
        await pilot.press("M", "question_mark")
        await pilot.pause()
        assert stage.app.screen is main
        await pilot.press("f2")
        await until(pilot, lambda: stage.app.screen is not main)

    stage.run(script)


def test_half_a_page() -> None:
    """ctrl+d and ctrl+u go half as far as the page keys."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        main = stage.app.screen_stack[1]
        table = main.query_one(FleetTable)
        half = (table._seen - 1) // 2
        assert 0 < half < table.row_count - 1
        await pilot.press("ctrl+d")
        assert table.cursor_row == half
        await pilot.press("ctrl+u")
        assert table.cursor_row == 0
        await pilot.press("ctrl+u")
        assert table.cursor_row == 0

    stage.run(script, size=(80, 24))


def _overlap(regions: list[Region]) -> list[tuple[Region, Region]]:
    return [
        (one, other)
        for at, one in enumerate(regions)
        for other in regions[at + 1 :]
        if one.area and other.area and one.intersection(other).area
    ]


@pytest.mark.parametrize("size", SIZES, ids=[f"{width}x{height}" for width, height in SIZES])
def test_nothing_overlaps(size: tuple[int, int]) -> None:
    """Every pane is within the screen and beside the others; the table has most of it."""
    stage = Stage()
    stage.leave_a_move("claim", "stop", "copy")

    async def script(pilot: Pilot[None]) -> None:
        main = stage.app.screen_stack[1]
        assert isinstance(main, MainScreen)
        await pilot.press("slash")
        for field in (True, False):
            if not field:
                await pilot.press("escape")
            main.query_one("#filter", Input).display = field
            await pilot.pause()
            panes = [
                *(main.query_one(kind) for kind in (FleetTree, FleetTable, OperationsPane, Footer)),
                *(main.query_one(f"#{name}") for name in ("summary", "banner", "filter", "about")),
            ]
            shown = [one.region for one in panes if one.display and one.region.area]
            whole = Region(0, 0, *size)
            assert all(whole.contains_region(one) for one in shown)
            assert _overlap(shown) == []
        table = main.query_one(FleetTable)
        assert table.size.height >= 5
        assert table.region.width >= min(size[0], 70)
        assert any(table.cells(0)[0] in line for line in _drawn(stage.app))
        assert "no answer" in _drawn(stage.app)[0]

    stage.run(script, size=size)


@pytest.mark.parametrize("size", SIZES[:2], ids=["60x20", "80x24"])
@pytest.mark.parametrize("keys", [["question_mark"], ["x"], ["n"], ["m"], ["C"], ["a"], ["M"]])
def test_dialogs_fit(keys: list[str], size: tuple[int, int]) -> None:
    """Each dialog is within the screen, with what has the focus in sight."""
    stage = Stage()
    stage.leave_a_move("claim", "stop", "copy")
    stage.app._main._wiring = replace(stage.app._main._wiring, look_at_host=lambda *_: None)  # type: ignore[arg-type]

    async def script(pilot: Pilot[None]) -> None:
        main = stage.app.screen_stack[1]
        main.query_one(FleetTable).select(Ref("oslo", "default", "web1"))
        await pilot.press(*keys)
        await until(pilot, lambda: stage.app.screen is not main)
        await pilot.pause(0.1)
        (dialog,) = stage.app.screen.query(".dialog")
        assert Region(0, 0, *size).contains_region(dialog.region)
        focused = stage.app.screen.focused
        assert focused is not None
        assert dialog.region.overlaps(focused.region)

    stage.run(script, size=size)


@pytest.mark.parametrize("size", SIZES[:2], ids=["60x20", "80x24"])
def test_nothing_of_a_question_is_cut(size: tuple[int, int]) -> None:
    """What is longer than the dialog goes on below: every sign of a fingerprint can be compared."""
    fingerprint = "0123456789abcdef" * 3 + "fedcba9876543210"
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        question = f"Add it? Look whether this is its fingerprint: {'and look again ' * 3}well"
        stage.app.push_screen(ConfirmDialog(question, [f"fingerprint {fingerprint}"]))
        await until(pilot, lambda: isinstance(stage.app.screen, ConfirmDialog))
        await pilot.pause()
        dialog = stage.app.screen.query_one(".dialog").content_region
        rows = _drawn(stage.app)[dialog.y : dialog.bottom]
        text = "".join(row[dialog.x : dialog.right].strip() for row in rows)
        assert fingerprint in text
        assert "well" in text

    stage.run(script, size=size)


def test_deleting_with_snapshots_asks_for_the_name() -> None:
    """Yes is not enough where snapshots go, too; another word is not, and the name is."""
    stage = Stage()
    ref = Ref("oslo", "default", "old")
    stage.demo.add_instance(
        Instance(ref, "Stopped", created_at=stage.demo.clock(), snapshots=(Snapshot("one"),))
    )

    async def script(pilot: Pilot[None]) -> None:
        table = stage.app.screen_stack[1].query_one(FleetTable)
        await until(pilot, lambda: stage.fleet.snapshot.instance(ref) is not None)
        table.select(ref)
        await pilot.press("d")
        await until(pilot, lambda: isinstance(stage.app.screen, ConfirmDialog))
        assert not stage.app.screen.query("#yes")
        await pilot.press("y", "enter")
        await pilot.pause()
        assert isinstance(stage.app.screen, ConfirmDialog)
        assert stage.fleet.snapshot.jobs == ()
        stage.app.screen.query_one(Input).value = "old"
        await pilot.press("enter")
        await until(pilot, lambda: stage.fleet.snapshot.instance(ref) is None)

    stage.run(script)
