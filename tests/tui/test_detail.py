"""The detail screens of an instance and of a host, on the demo fleet."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from threading import Event
from typing import TypeVar

import pytest
from textual.pilot import Pilot
from textual.widgets import OptionList, Static

from lxtui.backend.demo_daemon import frozen
from lxtui.detail.schedule import Moment
from lxtui.errors import HostUnreachableError
from lxtui.model import Profile, Ref
from lxtui.screens.detail.host import HostScreen
from lxtui.screens.detail.instance import InstanceScreen
from lxtui.screens.detail.page import Page
from lxtui.screens.detail.screen import DetailScreen
from lxtui.screens.detail.snapshots import dated
from lxtui.screens.dialogs import ConfirmDialog, NameDialog
from lxtui.screens.main import MainScreen
from lxtui.widgets.fleet_table import FleetTable
from lxtui.widgets.fleet_tree import FleetTree, NodeId
from tests.tui.conftest import SIZE, Stage, until

WEB1 = Ref("oslo", "default", "web1")
SMALL = (80, 24)
T = TypeVar("T", bound=DetailScreen)


async def _open(pilot: Pilot[None], stage: Stage, *keys: str, ref: Ref = WEB1) -> InstanceScreen:
    main = stage.app.screen_stack[1]
    assert isinstance(main, MainScreen)
    main.query_one(FleetTable).select(ref)
    await pilot.press("i")
    await until(pilot, lambda: isinstance(stage.app.screen, InstanceScreen))
    if keys:
        await pilot.press(*keys)
    screen = stage.app.screen
    assert isinstance(screen, InstanceScreen)
    return screen


def _page(screen: DetailScreen) -> Page:
    return next(page for page in screen.query(Page) if page.display)


def _shown(screen: DetailScreen) -> str:
    """The text of the page in sight."""
    return str(_page(screen).query_one(".page-text", Static).content)


def _line(screen: DetailScreen, where: str) -> str:
    return str(screen.query_one(where, Static).content)


def _in_sight(page: Page) -> bool:
    return page.display and page.begun


async def _says(pilot: Pilot[None], screen: DetailScreen, *words: str) -> str:
    await until(pilot, lambda: all(word in _shown(screen) for word in words))
    return _shown(screen)


@pytest.mark.parametrize("size", [SIZE, SMALL], ids=["large", "small"])
def test_each_page_has_its_number_and_nothing_is_cut(size: tuple[int, int]) -> None:
    """1 to 9 and 0 bring each page to sight; all tabs fit, no line is wider than the screen."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        screen = await _open(pilot, stage)
        for number, page in enumerate(screen.query(Page), start=1):
            await pilot.press(str(number % 10))
            await until(pilot, partial(_in_sight, page))
            tabs = _line(screen, "#tabs")
            assert len(tabs) <= size[0]
            assert f"[{number % 10} " in tabs
            assert [one for one in screen.query(Page) if one.display] == [page]
            assert [one for one in screen.query(Page) if one.begun] == [page]
        assert number == 10

    stage.run(script, size)


def test_brackets_turn_pages_round_and_round() -> None:
    """From the first page backwards to the last."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        screen = await _open(pilot, stage, "right_square_bracket")
        assert _page(screen).name_ == "Configuration"
        await pilot.press("left_square_bracket", "left_square_bracket")
        assert _page(screen).name_ == "Files"

    stage.run(script)


def test_a_tab_can_be_clicked() -> None:
    """The names of the pages are where they are drawn."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        screen = await _open(pilot, stage)
        at = _line(screen, "#tabs").index("4 Snap")
        await pilot.click("#tabs", offset=(at + 2, 0))
        assert _page(screen).name_ == "Snapshots"

    stage.run(script)


def test_escape_goes_back_and_ends_all_work() -> None:
    """The table is as it was, and no page asks its host any more."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        screen = await _open(pilot, stage, "5")
        await pilot.press("escape")
        assert isinstance(stage.app.screen, MainScreen)
        assert not any(page.begun for page in screen._pages)

    stage.run(script)


def test_the_overview_has_use_against_limits() -> None:
    """Memory of its limit, the disk by device, what it is made from."""
    stage = Stage(still=True)

    async def script(pilot: Pilot[None]) -> None:
        screen = await _open(pilot, stage)
        shown = await _says(pilot, screen, "512 MiB", "disk root", "10.20.30.11", "Debian")
        assert "█" in shown
        assert "web1" in _line(screen, "#head")
        assert "Running" in _line(screen, "#head")

    stage.run(script)


def _configured(stage: Stage) -> None:
    daemon = stage.demo.daemons["oslo"]
    one = daemon.instances[WEB1]
    base = {"limits.memory": "1GiB", "user.team": "shop"}
    own = {
        "limits.memory": "512MiB",
        "environment.DB_PASSWORD": "hunter2",
        "volatile.uuid": "1-2-3",
        "user.note": "one\ntwo\nthree\nfour\nfive",
        "snapshots.schedule": "@startup, 0 3 * * *",
        "snapshots.expiry": "2d",
        "user.evil": "\x1b[31m[red]",
    }
    daemon.profiles["default"] = replace(daemon.profiles["default"], config=frozen(base))
    daemon.profiles["eth"] = Profile({"eth0": {"type": "nic", "network": "other"}})
    daemon.instances[WEB1] = replace(
        one,
        profiles=("default", "eth"),
        config=frozen(own),
        expanded_config=frozen(base | own),
        devices={"data": {"type": "disk", "path": "/data", "source": "/srv"}},
        expanded_devices={
            "root": daemon.profiles["default"].devices["root"],
            "eth0": {"type": "nic", "network": "other"},
            "data": {"type": "disk", "path": "/data", "source": "/srv"},
        },
    )


def test_configuration_says_where_each_key_is_from() -> None:
    """Origin and what it overrides; secrets hidden until asked, volatile and long values folded."""
    stage = Stage()
    _configured(stage)

    async def script(pilot: Pilot[None]) -> None:
        screen = await _open(pilot, stage, "2")
        shown = await _says(pilot, screen, "from profile default")
        assert "overrides 1GiB of profile default" in shown
        assert "user.team" in shown
        assert "?[31m[red]" in shown
        assert "hunter2" not in shown
        assert "1-2-3" not in shown
        assert "four" not in shown
        assert "2 more lines" in shown
        await pilot.press("z")
        shown = await _says(pilot, screen, "1-2-3", "five")
        assert "hunter2" not in shown
        await pilot.press("h")
        await _says(pilot, screen, "hunter2")
        await pilot.press("3", "2")
        await _says(pilot, screen, "•••")
        assert "hunter2" not in _shown(screen)

    stage.run(script)


def test_devices_say_where_each_is_from() -> None:
    """A device of a later profile is taken whole."""
    stage = Stage()
    _configured(stage)

    async def script(pilot: Pilot[None]) -> None:
        screen = await _open(pilot, stage, "3")
        shown = await _says(pilot, screen, "from profile eth")
        assert "data  disk  set on the instance" in shown
        assert "overrides that of profile default: name=eth0, network=lxdbr0, type=nic" in shown

    stage.run(script)


@pytest.mark.parametrize(
    ("begin", "hours", "expiry", "said"),
    [
        ("2026-11-22", 24, "7d", "Sun 2026-11-22, some time that day; goes 2026-11-29"),
        ("2026-11-22", 24, "", "Sun 2026-11-22, some time that day"),
        (
            "2026-11-21",
            24,
            "1w",
            "Sat 2026-11-21, some time that day if not yet done; goes 2026-11-28",
        ),
        (
            "2026-11-22",
            24,
            "12H",
            "Sun 2026-11-22, some time that day; goes 2026-11-22 12:00 to 11-23 12:00",
        ),
        (
            "2026-11-21 13:00",
            1,
            "1d",
            "Sat 2026-11-21 13:00 to 14:00; goes 2026-11-22 13:00 to 11-22 14:00",
        ),
        ("2026-11-21 13:00", 0, "1d", "Sat 2026-11-21 13:00, in 1h; goes 2026-11-22 13:00"),
    ],
)
def test_what_is_taken_some_time_goes_some_time(
    begin: str, hours: int, expiry: str, said: str
) -> None:
    """Where the server picks the time, the end has no time of the clock either."""
    moment = Moment(datetime.fromisoformat(begin), timedelta(hours=hours))
    assert dated(moment, datetime.fromisoformat("2026-11-21 12:00"), expiry) == said


def test_snapshots_have_their_dates() -> None:
    """The schedule as dates, when those would go, and the sizes of what there is."""
    stage = Stage(still=True)
    _configured(stage)

    async def script(pilot: Pilot[None]) -> None:
        screen = await _open(pilot, stage, "4")
        shown = await _says(pilot, screen, "7 MiB")
        assert "at each start" in shown
        assert "2026-11-22 03:00, in 15h; goes 2026-11-24 03:00" in shown
        assert "daily0" in shown

    stage.run(script)


def test_live_graphs_are_sampled_while_they_are_in_sight() -> None:
    """Rates come with the second sample; a page out of sight asks nothing."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        screen = await _open(pilot, stage, "5")
        page = _page(screen)
        await until(pilot, lambda: "max " in _shown(screen) and "eth0 in" in _shown(screen))
        assert "of 512 MiB" in _shown(screen)
        assert "╌" in _shown(screen)
        await pilot.press("1")
        count = len(page._history.points)  # type: ignore[attr-defined]  # the page's own
        page._sample()
        assert not page._waiting
        assert len(page._history.points) == count  # type: ignore[attr-defined]  # the page's own

    stage.run(script, SMALL)


def test_a_dead_host_is_an_error_on_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page says what failed and keeps what it knows; the screen goes on."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        screen = await _open(pilot, stage, "6")
        await _says(pilot, screen, "nginx: worker", "www-data")

        def dead(ref: Ref) -> None:
            raise HostUnreachableError(f"{ref.host}: it is [b]dead[/b]")

        monkeypatch.setattr(stage.fleet.backends["oslo"], "files", dead)
        await pilot.press("r")
        await _says(pilot, screen, "it is [b]dead[/b]", "nginx: worker")
        await pilot.press("1")
        assert _page(screen).name_ == "Overview"

    stage.run(script)


def test_a_slow_host_is_said_to_be_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """The screen goes on and says how long it waits; the page does not ask twice at a time."""
    stage = Stage()
    asked, answer = [], Event()

    async def script(pilot: Pilot[None]) -> None:
        def slow(ref: Ref) -> None:
            asked.append(ref)
            answer.wait(30)
            raise HostUnreachableError(f"{ref.host}: too late")

        monkeypatch.setattr(stage.fleet.backends["oslo"], "files", slow)
        monkeypatch.setattr("lxtui.screens.detail.screen._PATIENCE", 0.0)
        screen = await _open(pilot, stage, "6")
        await until(pilot, lambda: "oslo has not answered" in _line(screen, "#work"))
        await pilot.press("r", "r")
        assert len(asked) == 1
        answer.set()
        await _says(pilot, screen, "too late")
        await until(pilot, lambda: not screen.query_one("#work").display)

    stage.run(script)


def test_a_surprise_in_a_thread_is_an_error_on_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page does not wait for ever for a thread that died."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        def broken(ref: Ref) -> None:
            raise ZeroDivisionError(ref.name)

        monkeypatch.setattr(stage.fleet.backends["oslo"], "files", broken)
        screen = await _open(pilot, stage, "6")
        await _says(pilot, screen, "internal error", "please report it")

    stage.run(script)


def test_logs_and_the_console() -> None:
    """A log is read when the cursor is on it, the console by its key alone."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        screen = await _open(pilot, stage, "7")
        await until(pilot, lambda: screen.query_one(OptionList).option_count == 3)
        await _says(pilot, screen, "takes it away")
        await pilot.press("down")
        await _says(pilot, screen, "lxc.uts.name = web1")
        await pilot.press("l")
        await _says(pilot, screen, "Welcome to the demo fleet!")
        await pilot.press("up", "l")
        await until(pilot, lambda: _shown(screen).count("Welcome") == 1)

    stage.run(script)


def test_the_console_is_not_read_without_being_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading may empty the server's buffer, so coming to the page must not."""
    stage = Stage()
    asked = []

    async def script(pilot: Pilot[None]) -> None:
        backend = stage.fleet.backends["oslo"]
        download = backend.download

        def noted(path: tuple[str, ...], parameters: dict[str, str] | None = None) -> object:
            asked.append(path[-1])
            return download(path, parameters)

        monkeypatch.setattr(backend, "download", noted)
        screen = await _open(pilot, stage, "7")
        await until(pilot, lambda: screen.query_one(OptionList).option_count == 3)
        await pilot.press("down", "down", "up", "up", "r")
        await pilot.pause(0.3)

    stage.run(script)
    assert asked
    assert "console" not in asked


def test_events_come_as_they_happen() -> None:
    """Those of the instance, and no other's."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        screen = await _open(pilot, stage, "8")
        await _says(pilot, screen, "nothing since")
        other = stage.fleet.backends["oslo"].instance(WEB1._replace(name="db1"))
        with stage.demo.lock:
            stage.demo.daemons["oslo"].put(other)
            stage.demo.daemons["oslo"].put(stage.demo.daemons["oslo"].instances[WEB1])
        await until(pilot, lambda: "instance-updated" in _shown(screen))
        assert _shown(screen).count("instance-updated") == 1

    stage.run(script)


def test_the_inside_view_says_why_there_is_none() -> None:
    """A container of another machine cannot be looked into from here."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        screen = await _open(pilot, stage, "9")
        await _says(pilot, screen, "reached over the network", "Run lxtui there")

    stage.run(script)


def test_the_keys_of_the_table_act_on_the_instance() -> None:
    """The stop key asks and stops it, whatever is marked in the table; the head says so."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        main = stage.app.screen_stack[1]
        main.query_one(FleetTable).select(WEB1._replace(name="db1"))
        await pilot.press("space")
        screen = await _open(pilot, stage)
        await pilot.press("x")
        dialog = stage.app.screen
        assert isinstance(dialog, ConfirmDialog)
        await pilot.press("y")
        await until(pilot, lambda: "Stopped" in _line(screen, "#head"))
        instances = stage.demo.daemons["oslo"].instances
        assert instances[WEB1].stopped
        assert instances[WEB1._replace(name="db1")].running

    stage.run(script)


def test_what_cannot_be_done_says_why() -> None:
    """A running instance is not started again."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        await _open(pilot, stage, "s")
        assert any("is not stopped" in one.message for one in stage.app._notifications)

    stage.run(script)


def test_an_instance_that_goes_is_said_to_be_gone() -> None:
    """Its last state stays to be read."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        build = WEB1._replace(name="build")
        screen = await _open(pilot, stage, ref=build)
        backend = stage.fleet.backends["oslo"]
        backend.wait(backend.delete_instance(build))
        stage.fleet.refresh()
        await until(pilot, lambda: "gone" in _line(screen, "#head"))
        await pilot.press("2")
        assert "image.os" in _shown(screen)

    stage.run(script)


def test_an_instance_that_moved_is_found_again() -> None:
    """The head says where there is one of its name."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        build = WEB1._replace(name="build")
        screen = await _open(pilot, stage, ref=build)
        with stage.demo.lock:
            one = stage.demo.daemons["oslo"].instances.pop(build)
            moved = build._replace(host="kyoto")
            stage.demo.daemons["kyoto"].instances[moved] = replace(one, ref=moved)
        stage.fleet.refresh()
        await until(pilot, lambda: "now there is kyoto:build" in _line(screen, "#head"))

    stage.run(script)


def test_dialogs_of_the_table_open_here_too() -> None:
    """Keys and palette: what opens a dialog in the table opens it on the page."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        screen = await _open(pilot, stage)
        titles = [command.title for command in screen.commands()]
        assert {"Inside view", "Limits", "Copy", "Stop"} <= set(titles)
        screen.action_do("copy")
        await until(pilot, lambda: isinstance(stage.app.screen, NameDialog))

    stage.run(script)


def test_a_host_has_pages_of_its_own() -> None:
    """The detail key opens a host in the tree; graphs of it and of the sum of its instances."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        tree = stage.app.screen.query_one(FleetTree)
        tree.focus()
        tree.move_cursor(tree._shown[NodeId("oslo")])
        await pilot.press("i")
        await until(pilot, lambda: isinstance(stage.app.screen, HostScreen))
        screen = stage.app.screen
        assert isinstance(screen, HostScreen)
        await _says(pilot, screen, "3 running, 1 stopped", "lxd 5.0.6")
        await pilot.press("2")
        await _says(pilot, screen, "memory used", "CPU of its instances", "load", "network in")
        await pilot.press("3")
        await _says(pilot, screen, "nothing since")
        await pilot.press("x")
        assert stage.app.screen is screen
        assert not stage.app._notifications

    stage.run(script)
