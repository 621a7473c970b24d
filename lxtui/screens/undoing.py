"""Taking the last thing back by one key.

Role: what was done, or marked, last → a look at the way back → a command. Boundary: gets what it
needs to reach the fleet as a Wiring; imports no backend. Threading: the screen's; the hosts are
asked in a thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import ClassVar

from textual.content import Content
from textual.screen import Screen

from lxtui import format as text
from lxtui.model import FleetSnapshot, Kind, Ref
from lxtui.screens.asking import Wiring
from lxtui.screens.looking_first import LookingDialog
from lxtui.undoing import STAYS, Done, Plan, plan
from lxtui.widgets.fleet_table import FleetTable

_MARKINGS = 50
"""How many changes of the marks can be taken back."""


class UndoDialog(LookingDialog[Plan]):
    """What was done, what would take it back."""

    title_: ClassVar[str] = "undo"
    looks: ClassVar[str] = "asking how it is now …"
    classes_: ClassVar[str] = "dialog undo"

    def shown(self, found: Plan) -> Content:
        """The way back, or why there is none."""
        said = Content("\n".join(map(text.plain, found.lines)))
        return said if self.allows(found) else said.stylize("red")

    def allows(self, found: Plan) -> bool:
        """There is a way back."""
        return found.command is not None


class Undoing:
    """The part of the main screen that takes things back."""

    def __init__(
        self, screen: Screen[None], wiring: Wiring, fleet: Callable[[], FleetSnapshot]
    ) -> None:
        self._screen = screen
        self._wiring = wiring
        self._fleet = fleet
        self._marks: frozenset[Ref] = frozenset()
        self._markings: list[tuple[datetime, frozenset[Ref]]] = []
        """When the marks were changed, and how they were before."""
        self._stuck: dict[int, str] = {}
        """Why jobs could not be taken back when that was last looked at."""

    def saw_marks(self) -> None:
        """The marks may have changed: remember how they were."""
        now = self._table.marked
        if now != self._marks:
            self._markings = [*self._markings[1 - _MARKINGS :], (self._wiring.clock(), self._marks)]
            self._marks = now

    def undo(self) -> None:
        """Take back what was done last: marks at once, all else after a look."""
        done = self._wiring.done()
        latest = self._latest(done)
        marked_at = self._markings[-1][0] if self._markings else None
        if marked_at is not None and (latest is None or marked_at > latest.ended_at):
            self._restore_marks()
        elif latest is None:
            why = f" {_staying(done[0])}" if done else ""
            self._say(f"nothing was done here that can be taken back.{why}")
        else:
            self._ask(latest, done[: done.index(latest)])

    def _latest(self, done: Sequence[Done]) -> Done | None:
        """The latest that may go back; what was found to be stuck only after all the others."""
        free = [one for one in done if not one.reason]
        return next((one for one in free if one.number not in self._stuck), next(iter(free), None))

    def _ask(self, done: Done, later: Sequence[Done]) -> None:
        age = text.age(done.ended_at, self._wiring.clock())
        stay = (_staying(one, self._stuck.get(one.number, "")) for one in later)
        question = (f"Take back: {done.title}, {age} ago?", *stay)

        def look() -> Plan:
            found = plan(done, self._wiring.read, self._kind)
            if found.command is None:
                self._stuck[done.number] = "; ".join(found.lines).removeprefix(STAYS)
            else:
                self._stuck.pop(done.number, None)
            return found

        def go(found: Plan | None) -> None:
            if found is not None and found.command is not None:
                self._wiring.take_back(found.command, done.number)

        self._screen.app.push_screen(UndoDialog(question, look), go)

    def _restore_marks(self) -> None:
        _, before = self._markings.pop()
        self._marks = before
        self._table.set_marks(before)
        self._say(f"the marks are as they were: {len(before)}")

    def _kind(self, name: str) -> Kind:
        host = self._fleet().host(name)
        return host.kind if host is not None else Kind.LXD

    def _say(self, line: str) -> None:
        self._screen.notify(text.plain(line), title="Undo", markup=False)

    @property
    def _table(self) -> FleetTable:
        return self._screen.query_one(FleetTable)


def _staying(done: Done, stuck: str = "") -> str:
    return f"Not taken back: {done.title}: {done.reason or stuck}."
