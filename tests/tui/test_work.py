"""How much is done for how little: what an event and a key cost, counted and not timed."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest
from textual.events import Key
from textual.pilot import Pilot
from textual.screen import Screen
from textual.strip import Strip

from lxtui.app import LxtuiApp
from lxtui.backend.demo import DemoBackend, DemoFleet
from lxtui.backend.demo_scale import scaled_fleet
from lxtui.config import Settings
from lxtui.fleet import Fleet
from lxtui.model import Event, Operation, Ref
from lxtui.screens.main import MainScreen
from lxtui.widgets.fleet_table import FleetTable
from tests.tui.conftest import Script, until

_HOSTS, _INSTANCES = 4, 1200


class Counting(DemoBackend):
    """Notes how often it was listed."""

    def __init__(self, demo: DemoFleet, name: str, looks: Counter[str]) -> None:
        super().__init__(demo, name)
        self._looks = looks

    def operations(self, project: str = "") -> tuple[Operation, ...]:
        """As the demo; the last that a look asks for."""
        self._looks[self.remote.name] += 1
        return super().operations(project)


class Large:
    """A fleet of a thousand instances in which nothing happens by itself."""

    def __init__(self, folder: Path) -> None:
        self.demo = scaled_fleet(_HOSTS, _INSTANCES)
        self.looks: Counter[str] = Counter()
        backends = [Counting(self.demo, name, self.looks) for name in self.demo.daemons]
        self.fleet = Fleet(backends, poll_seconds=3600, moves=folder)
        self.app = LxtuiApp(self.fleet, Settings())

    def change(self, ref: Ref) -> None:
        """Stop or start an instance, as its daemon tells it."""
        daemon = self.demo.daemons[ref.host]
        with self.demo.lock:
            one = daemon.instances[ref]
            now = "Stopped" if one.running else "Running"
            daemon.instances[ref] = replace(one, status=now)
            source = f"/1.0/instances/{ref.name}"
            daemon.tell(Event(ref.host, "lifecycle", "instance-updated", source))

    def run(self, script: Script) -> None:
        """The app with all its hosts in the table."""

        async def play() -> None:
            async with self.app.run_test(size=(120, 40)) as pilot:
                await until(pilot, lambda: self._listed(2), 60)  # the second look makes rates
                await until(pilot, self._shown, 60)
                await pilot.pause(0.5)
                await script(pilot)

        try:
            asyncio.run(play())
        finally:
            self.fleet.close()

    def _shown(self) -> bool:
        """Whether the table has all that is known."""
        known = self.fleet.snapshot.instances
        return {id(one) for one in self.table.arranged.shown} == {id(one) for one in known}

    def _listed(self, times: int) -> bool:
        """Whether every host has been listed so often."""
        return all(self.looks[name] >= times for name in self.demo.daemons)

    @property
    def table(self) -> FleetTable:
        """The table."""
        main = self.app.screen_stack[1]
        assert isinstance(main, MainScreen)
        return main.query_one(FleetTable)


class Counts:
    """What was done."""

    def __init__(self) -> None:
        self.lines: list[int] = []
        self.layouts = 0


@contextmanager
def _counted() -> Iterator[Counts]:
    counts = Counts()
    line, layout = FleetTable.render_line, Screen._refresh_layout

    def render_line(table: FleetTable, y: int) -> Strip:
        counts.lines.append(y)
        return line(table, y)

    def refresh_layout(screen: Screen[object], *given: object, **named: object) -> None:
        counts.layouts += 1
        layout(screen, *given, **named)  # type: ignore[arg-type]

    with (
        patch.object(FleetTable, "render_line", render_line),
        patch.object(Screen, "_refresh_layout", refresh_layout),
    ):
        yield counts


@pytest.fixture
def large(tmp_path: Path) -> Large:
    """The fleet."""
    return Large(tmp_path)


def test_an_event_of_one_instance_draws_one_line(large: Large) -> None:
    """Its line, and no other of the table; nothing is laid out anew."""

    async def script(pilot: Pilot[None]) -> None:
        table = large.table
        ref, before = _shown(table, 5), table.cells(5)
        with _counted() as counts:
            large.change(ref)
            await until(pilot, lambda: table.cells(5) != before)
            await pilot.pause(0.3)
        assert set(counts.lines) == {6}
        assert counts.layouts == 0

    large.run(script)


def test_an_event_out_of_sight_draws_nothing(large: Large) -> None:
    """The table changes, and no line of it is drawn."""

    async def script(pilot: Pilot[None]) -> None:
        table = large.table
        ref, before = _shown(table, 900), table.cells(900)
        with _counted() as counts:
            large.change(ref)
            await until(pilot, lambda: table.cells(900) != before)
            await pilot.pause(0.3)
        assert counts.lines == []
        assert counts.layouts == 0

    large.run(script)


def test_a_key_draws_two_lines(large: Large) -> None:
    """The cursor's line and the one where it was; nothing is laid out anew."""

    async def script(pilot: Pilot[None]) -> None:
        with _counted() as counts:
            await pilot.press("down")
            await pilot.pause(0.3)
        assert sorted(set(counts.lines)) == [1, 2]
        assert counts.layouts == 0

    large.run(script)


def test_letters_that_came_together_are_one_filter(large: Large) -> None:
    """Of keys that wait each is not a look at every instance, and the last one counts."""

    async def script(pilot: Pilot[None]) -> None:
        await pilot.press("slash")
        await pilot.pause(0.3)
        with patch.object(FleetTable, "set_view", autospec=True, side_effect=set_view) as looks:
            for letter in "shopweb" * 3:
                large.app.post_message(Key(letter, letter))
            await until(pilot, lambda: large.table.view.filter == "shopweb" * 3)
        assert looks.call_count < 7

    set_view = FleetTable.set_view
    large.run(script)


def _shown(table: FleetTable, row: int) -> Ref:
    line = table.arranged.shown[row]
    return line.ref
