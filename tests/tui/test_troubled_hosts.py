"""The screen, in use, while a real daemon is frozen, killed and started again, or cut off."""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from threading import current_thread, main_thread
from typing import Any

import pytest
from textual.pilot import Pilot

from lxtui import remotes
from lxtui.app import LxtuiApp
from lxtui.backend.lxd import LxdBackend
from lxtui.config import Settings
from lxtui.fleet import Fleet
from lxtui.model import Ref
from lxtui.screens.main import MainScreen
from lxtui.widgets.fleet_table import FleetTable
from lxtui.widgets.one_line import OneLine
from tests.lab.fixtures import MakeInstance
from tests.lab.lab import Lab
from tests.lab.troubles import TROUBLES
from tests.tui.conftest import until


class Screen:
    """The app on two hosts of the lab, and what can be read from it."""

    def __init__(self, app: LxtuiApp, pilot: Pilot[None]) -> None:
        self.pilot = pilot
        main = app.screen_stack[1]
        assert isinstance(main, MainScreen)
        self.main = main
        self.table = main.query_one(FleetTable)

    def row(self, ref: Ref) -> int | None:
        """The line of an instance."""
        shown = [one.ref for one in self.table.arranged.shown]
        return shown.index(ref) if ref in shown else None

    def state(self, ref: Ref) -> str:
        """Its state as it is written there, with a question mark when that is old."""
        row = self.row(ref)
        slots = [slot.id for slot in self.table.slots]
        return "" if row is None else self.table.cells(row)[slots.index("state")]

    def said(self, where: str) -> str:
        """What a line of the screen says."""
        return str(self.main.query_one(where, OneLine).render())

    async def keys_answer(self) -> None:
        """Press keys: each moves the cursor before the next is pressed."""
        for key, row in (("end", self.table.row_count - 1), ("home", 0), ("down", 1), ("up", 0)):
            await self.pilot.press(key)
            assert self.table.cursor_row == row


def test_the_screen_is_used_while_a_daemon_is_in_trouble(
    lab: Lab, make_instance: MakeInstance, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Frozen, killed and started again, cut off: keys are answered all the while, changes on the
    other host are shown, the silent host's line stays with a question mark and its age, and it
    comes back by itself. Not one request is made by the screen's own thread.
    """
    monkeypatch.setattr("lxtui.backend.rest.TIMEOUT", (2.0, 4.0))  # half a minute is the real one
    ill, well = lab.host("lxd2"), lab.host("incus1")
    refs = {
        one.name: Ref(one.name, "default", make_instance(one, start=False)) for one in (ill, well)
    }
    known = remotes.load(lab.environment, Path("/nonexistent"))
    fleet = Fleet(
        [LxdBackend(known.named(one.name)) for one in (ill, well)], poll_seconds=2, moves=tmp_path
    )
    app = LxtuiApp(fleet, Settings())
    other = LxdBackend(known.named(well.name))  # somebody else, who changes something there
    asking = _who_asks(monkeypatch)

    async def play() -> None:
        async with app.run_test(size=(140, 40)) as pilot:
            screen = Screen(app, pilot)

            async def comes(condition: Callable[[], bool]) -> None:
                await until(pilot, condition, 40)

            await comes(lambda: all(screen.row(ref) is not None for ref in refs.values()))
            for number, begin in enumerate(TROUBLES.values()):
                over = ExitStack()
                await asyncio.to_thread(over.enter_context, begin(ill))
                try:
                    await screen.keys_answer()
                    await asyncio.to_thread(
                        other.set_config, refs[well.name], {"user.mark": f"{number}"}
                    )
                    wanted = partial(_marked, screen, refs[well.name], f"{number}")
                    await comes(wanted)
                    await comes(lambda: screen.state(refs[ill.name]) == "Stopped?")
                    await screen.keys_answer()
                    assert screen.state(refs[well.name]) == "Stopped"
                    assert f"no answer: {ill.name}" in screen.said("#summary")
                    screen.table.select(refs[ill.name])
                    await comes(lambda: "as seen" in screen.said("#about"))
                    assert " ago" in screen.said("#about")
                finally:
                    ending = asyncio.create_task(asyncio.to_thread(over.close))
                await screen.keys_answer()
                await ending
                await comes(lambda: screen.state(refs[ill.name]) == "Stopped")
                assert "hosts 2/2" in screen.said("#summary")

    try:
        asyncio.run(play())
    finally:
        fleet.close()
        other.close()
    assert asking == {"workers"}


def _who_asks(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Whose thread makes requests from now on."""
    asking: set[str] = set()
    ask = http.client.HTTPConnection.putrequest

    def putrequest(self: http.client.HTTPConnection, *given: Any, **named: Any) -> None:
        asking.add("the screen" if current_thread() is main_thread() else "workers")
        ask(self, *given, **named)

    monkeypatch.setattr(http.client.HTTPConnection, "putrequest", putrequest)
    return asking


def _marked(screen: Screen, ref: Ref, mark: str) -> bool:
    row = screen.row(ref)
    return row is not None and screen.table.arranged.shown[row].config.get("user.mark") == mark
