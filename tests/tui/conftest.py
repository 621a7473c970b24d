"""The demo fleet at one moment, for keys and pictures.

Role: an app whose clock stands still, so that every picture of it is the same. Boundary: the demo
backend only. Threading: each app runs in its own event loop.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import weakref
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from textual.pilot import Pilot

from lxtui import host_worker
from lxtui.app import LxtuiApp
from lxtui.audit.journal import SILENT, Audit
from lxtui.backend.demo import DemoFleet
from lxtui.backend.demo_data import demo_fleet
from lxtui.config import Settings
from lxtui.fleet import Fleet
from lxtui.migrate.journal import Header, Journal
from lxtui.migrate.options import MoveOptions
from lxtui.model import Ref
from lxtui.saved_views import SavedViews
from lxtui.screens import launch
from lxtui.screens.detail.overview import OverviewPage
from lxtui.screens.detail.processes import ProcessesPage

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SIZE = (130, 38)
Script = Callable[[Pilot[None]], Awaitable[None]]


def still_clock() -> datetime:
    """The moment at which all pictures are taken."""
    return NOW


class Stage:
    """A demo fleet with an app on it."""

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        still: bool = False,
        views: SavedViews | None = None,
        audit: Audit = SILENT,
        cluster: bool = False,
    ) -> None:
        """*cluster*: with the host of the demo that is one."""
        self.demo: DemoFleet = (
            demo_fleet(still_clock, tempo=0.0, cluster=cluster)
            if still
            else demo_fleet(tempo=0.0, cluster=cluster)
        )
        clock = still_clock if still else self.demo.clock
        # Nothing changes on its own: each look is made by a key or an event.
        self.moves = Path(tempfile.mkdtemp(prefix="lxtui-moves-"))
        weakref.finalize(self, shutil.rmtree, self.moves)
        backends = self.demo.backends()
        self.fleet = Fleet(backends, poll_seconds=3600, clock=clock, moves=self.moves, audit=audit)
        self.views = views or SavedViews()
        self.app = LxtuiApp(self.fleet, settings or Settings(), clock, views=self.views)

    def leave_a_move(self, *steps: str) -> None:
        """Leave the move of oslo:web1 to kyoto as a crash after *steps* would."""
        source = Ref("oslo", "default", "web1")
        header = Header(
            token="0123456789abcdef",
            source=source,
            destination=source._replace(host="kyoto"),
            options=MoveOptions(),
            was_running=True,
            autostart=None,
            began_at=NOW - timedelta(minutes=7),
        )
        with closing(Journal.create(self.moves, header)) as journal:
            for step in steps:
                journal.begin(step)

    def run(self, script: Script, size: tuple[int, int] = SIZE) -> None:
        """Run the app without a terminal and let *script* press its keys."""

        async def play() -> None:
            async with self.app.run_test(size=size) as pilot:
                pilot.press = self._pressing(pilot)  # type: ignore[method-assign]
                await settled(pilot, self)
                await script(pilot)

        try:
            asyncio.run(play())
        finally:
            self.close()

    def _pressing(self, pilot: Pilot[None]) -> Callable[..., Coroutine[None, None, None]]:
        """Pilot's ``press``, which knows nothing of keys that wait for others (lxtui.turns)."""
        press = pilot.press

        async def until_done(*keys: str) -> None:
            for key in keys:
                await press(key)
                await until(pilot, lambda: not self.app.turns.busy)

        return until_done

    def close(self) -> None:
        """End what runs: threads of hosts that nobody looks at any more would slow what follows."""
        self.fleet.jobs.stop_all(10.0)  # their journals go with the stage
        self.fleet.close()


async def settled(pilot: Pilot[None], stage: Stage) -> None:
    """Wait until every host was asked once and the screen shows it."""
    await until(pilot, lambda: all(one.seen_at or one.error for one in stage.fleet.snapshot.hosts))


async def until(pilot: Pilot[None], condition: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for *condition*; AssertionError when it does not come true."""
    for _ in range(int(seconds / 0.02)):
        if condition():
            await pilot.pause()
            return
        await pilot.pause(0.02)
    raise AssertionError("did not happen in time")


@pytest.fixture
def one_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be asked again by itself, nor drawn by lot: both would be in the picture."""
    monkeypatch.setattr(launch, "random_name", lambda _: "quiet-seal")
    monkeypatch.setattr(host_worker, "_RATE_SECONDS", 3600.0)
    for page in (OverviewPage, ProcessesPage):
        monkeypatch.setattr(page, "refresh_seconds", 3600.0)
