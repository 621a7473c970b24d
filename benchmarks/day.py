"""Whether anything grows in a day of a fleet, which is run faster than time.

Run: ``make bench-day``, or ``python -m benchmarks.day [--hours N] [--events N] [--tempo N]``.

Role: a simulated fleet whose clock runs fast, with the real workers, the real jobs and the real
screen on it. Instances are started, stopped and changed by themselves, made and deleted under names
of their own; hosts fall silent and come back, commands succeed and fail, keys are pressed, pages
are opened. Counts what the process holds, caches of limited length emptied: memory blocks of Python
and resident bytes. The first part is the time in which every ring of limited length fills.
Boundary: one process, no terminal, no daemon. Threading: the screen's loop is the caller's.
"""

import argparse
import asyncio
import gc
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import chain, combinations, count, cycle
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from textual._styles_cache import StylesCache
from textual.cache import LRUCache
from textual.pilot import Pilot

from lxtui.app import LxtuiApp
from lxtui.audit.journal import Audit
from lxtui.backend.demo import DemoFleet
from lxtui.backend.demo_scale import scaled_fleet
from lxtui.commands import ChangeState, CreateSnapshot, DeleteSnapshot
from lxtui.config import Settings
from lxtui.fleet import Fleet
from lxtui.jobs import KEEP
from lxtui.model import Event, Ref, StateAction

_Memo = type(lru_cache(str))
_BEGAN = datetime(2026, 11, 21, tzinfo=UTC)
KEPT = 0.1
"""Blocks for each event from which on something grows: one that is kept takes several."""
_NAMES = 20
"""Names under which instances come and go."""
_SCREENS = 2
"""Of the stack, while no page or dialog is open."""
_ROUNDS = 3
"""How often each key is pressed at least between two counts."""
_KEYS = (
    "down",
    "pagedown",
    "o",
    "up",
    "t",
    "t",
    "end",
    "enter",
    "escape",
    "home",
    "space",
    "space",
)


class FastClock:
    """A clock that goes so many times as fast as others."""

    def __init__(self, tempo: float) -> None:
        self._tempo = tempo
        self._began = time.monotonic()

    def __call__(self) -> datetime:
        """The moment."""
        return _BEGAN + timedelta(seconds=(time.monotonic() - self._began) * self._tempo)


@dataclass(frozen=True, slots=True)
class Held:
    """What the process holds at one moment."""

    events: int
    """That were told until then."""
    blocks: int
    """Of Python's allocator."""
    resident: int
    """Bytes."""


class Day:
    """A fleet and what befalls it."""

    def __init__(
        self, folder: Path, *, hosts: int, instances: int, events: float, tempo: float
    ) -> None:
        """*events* are those of a simulated second, in all."""
        self.clock = FastClock(tempo)
        self.demo: DemoFleet = scaled_fleet(hosts, instances, events, self.clock, tempo=0.0)
        self.fleet = Fleet(
            self.demo.backends(),
            poll_seconds=0.5,
            clock=self.clock,
            moves=folder / "moves",
            audit=Audit(folder / "audit"),
        )
        self.app = LxtuiApp(self.fleet, Settings(), self.clock)
        self._hosts = cycle(self.demo.daemons)
        self._guests = [
            Ref(next(self._hosts), "default", f"guest{number}") for number in range(_NAMES)
        ]
        self._down = ""
        self._turns = count()
        self._count = instances
        self._memos = list(_memos())

    @property
    def told(self) -> int:
        """How many events there were."""
        return sum(daemon.told for daemon in self.demo.daemons.values())

    @property
    def settled(self) -> bool:
        """Whether the fleet is as it was in the beginning, and that is known."""
        known = self.fleet.snapshot
        return len(known.instances) == self._count and all(host.online for host in known.hosts)

    def held(self) -> Held:
        """What is held, but for what is held by cycles alone or by a cache of limited length."""
        for screen in self.app.screen_stack:
            for widget in (screen, *screen.walk_children()):
                for cache in vars(widget).values():
                    if isinstance(cache, LRUCache | StylesCache):
                        cache.clear()
        for memo in self._memos:
            memo.cache_clear()
        gc.collect()
        status = Path("/proc/self/statm").read_text().split()
        return Held(self.told, sys.getallocatedblocks(), int(status[1]) * 4096)

    async def live(self, pilot: Pilot[None], going: Callable[[], bool]) -> None:
        """Let things happen and press all keys some times, and on for as long as *going* says."""
        for key in chain(_KEYS * _ROUNDS, cycle(_KEYS)):
            turn = next(self._turns)
            self._come_and_go(self._guests[turn % _NAMES])
            self._command(turn)
            if turn % 25 == 0:
                self._host_trouble()
            await pilot.press(key)
            await asyncio.sleep(0.02)
            if key == _KEYS[-1] and not going():
                break
        if self._down:
            self.demo.daemons[self._down].alive = True
            self._down = ""
        for ref in self._there:
            self._come_and_go(ref)

    def fill(self) -> None:
        """Have as many commands run as are remembered."""
        for turn in range(KEEP):
            self._command(turn)

    @property
    def _there(self) -> list[Ref]:
        """The guests that are there."""
        return [ref for ref in self._guests if ref in self.demo.daemons[ref.host].instances]

    def _come_and_go(self, ref: Ref) -> None:
        """An instance is made, or, when there is one of that name, deleted."""
        daemon = self.demo.daemons[ref.host]
        with self.demo.lock:
            known = next(iter(daemon.instances.values()))
            if daemon.instances.pop(ref, None) is None:
                self.demo.add_instance(replace(known, ref=ref, created_at=self.clock()))
                action = "instance-created"
            else:
                daemon.load.pop(ref, None)
                action = "instance-deleted"
            source = f"/1.0/instances/{ref.name}"
            daemon.tell(Event(ref.host, "lifecycle", action, source, ref.project))

    def _command(self, turn: int) -> None:
        """A command that succeeds or fails, as it happens."""
        ref = next(iter(self.demo.daemons[next(self._hosts)].instances))
        self.fleet.submit(
            (
                ChangeState(ref, StateAction.START),
                CreateSnapshot(ref, "daily"),
                ChangeState(ref, StateAction.STOP),
                DeleteSnapshot(ref, "daily"),
            )[turn % 4]
        )

    def _host_trouble(self) -> None:
        """The host that was silent answers again, and the next falls silent."""
        if self._down:
            self.demo.daemons[self._down].alive = True
        self._down = next(self._hosts) if not self._down else ""
        if self._down:
            self.demo.daemons[self._down].alive = False


async def lived(day: Day, until: list[int]) -> list[Held]:
    """What is held whenever so many events have been told."""
    found = []
    async with day.app.run_test(size=(120, 40)) as pilot:
        day.fill()
        for events in until:
            await day.live(pilot, lambda events=events: day.told < events)  # type: ignore[misc]
            while len(day.app.screen_stack) > _SCREENS:
                await pilot.press("escape")
            while not day.settled:
                await pilot.pause(0.1)
            await pilot.pause(1.0)
            found.append(day.held())
    return found


def _memos() -> Iterator[Any]:
    """The functions that remember a limited number of their answers.

    Found by name: whoever takes all objects from the interpreter breaks those that other threads
    are about to make.
    """
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in {"lxtui", "rich", "textual"}:
            named = list(vars(module).values())
            inside = [
                value for one in named if isinstance(one, type) for value in vars(one).values()
            ]
            for one in (*named, *inside):
                plain = getattr(one, "__func__", one)
                if isinstance(plain, _Memo) and plain.cache_parameters()["maxsize"] is not None:
                    yield plain


def grown(found: list[Held]) -> float:
    """How many blocks more are held with each event: the median of the slopes between all counts
    (Theil and Sen). One count says little, it differs by some thousands with what was painted last.
    """
    pairs = combinations(found, 2)
    return median(
        (late.blocks - early.blocks) / (late.events - early.events) for early, late in pairs
    )


def table(found: list[Held], arguments: argparse.Namespace) -> Iterator[str]:
    """The figures as lines."""
    yield (
        f"{arguments.hours:g} simulated hours, {arguments.instances} instances on "
        f"{arguments.hosts} hosts, {arguments.events:g} events a second, {arguments.tempo:g} times "
        f"as fast as time."
    )
    yield ""
    yield "| events so far | memory blocks | resident, MiB |"
    yield "|---|---|---|"
    for one in found:
        yield f"| {one.events} | {one.blocks} | {one.resident / 2**20:.1f} |"


def main() -> int:
    """Run the day, print what was held; 1 when it grew with the events."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    for name, usual in (("hosts", 5), ("instances", 500)):
        parser.add_argument(f"--{name}", type=int, default=usual, help=f"{usual} unless given")
    for name, normal in (("hours", 24.0), ("events", 5.0), ("tempo", 600.0)):
        parser.add_argument(f"--{name}", type=float, default=normal, help=f"{normal} unless given")
    arguments = parser.parse_args()
    total = int(arguments.hours * 3600 * arguments.events)
    steps = [total * part // 10 for part in range(2, 11)]
    with TemporaryDirectory() as folder:
        day = Day(
            Path(folder),
            hosts=arguments.hosts,
            instances=arguments.instances,
            events=arguments.events,
            tempo=arguments.tempo,
        )
        try:
            found = asyncio.run(lived(day, steps))
        finally:
            day.fleet.jobs.stop_all(10.0)
            day.fleet.close()
    print("\n".join(table(found, arguments)))
    print(f"\nBlocks that came with each event after the beginning: {grown(found):.4f}")
    return int(grown(found) > KEPT)


if __name__ == "__main__":
    sys.exit(main())
