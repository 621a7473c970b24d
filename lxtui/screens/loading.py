"""Asks the hosts for one table while its screen is shown.

Role: when a host is asked, and handing its answer to the screen; the answers are on a Shelf.
Boundary: gets functions that block; imports no backend. Threading: one thread for each request, at
most one for each host, so that a dead host delays nobody; the rest is the screen's.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from threading import Thread
from time import monotonic
from typing import Any, Protocol

from textual.message import Message
from textual.screen import Screen

from lxtui.errors import LxtuiError
from lxtui.model import Host
from lxtui.resources.entry import Entry
from lxtui.resources.shelf import Shelf
from lxtui.resources.table import Table

_log = logging.getLogger(__name__)
_GAP = 2.0
"""Seconds between two requests to one host, however many events there are."""
_OLD = 30.0
"""Seconds after which a host is asked even if there was no event."""
_OLD_OPERATIONS = 3.0
"""The same for operations, whose progress not every daemon tells."""


class Reach(Protocol):
    """What may be asked; each blocks its caller."""

    def read(self, table: Table, host: str) -> tuple[Entry, ...]:
        """All entries of a host."""

    def more(self, table: Table, entry: Entry) -> list[tuple[str, Any]]:
        """What else the host says of an entry."""

    @property
    def heard(self) -> Mapping[str, Mapping[str, int]]:
        """By host: how many events of each action there were. Does not block."""


class Answered(Message):
    """A host has answered, or has not."""

    def __init__(self, host: str, found: tuple[Entry, ...] | LxtuiError) -> None:
        super().__init__()
        self.host = host
        self.found = found


class Loading:
    """The part of a table's screen that asks."""

    def __init__(self, screen: Screen[None], shelf: Shelf, reach: Reach) -> None:
        self._screen = screen
        self._shelf = shelf
        self._reach = reach
        self._begun: dict[str, float] = {}
        self._heard: dict[str, int] = {}
        self._online: frozenset[str] = frozenset()

    def ask(self, hosts: Iterable[Host]) -> None:
        """Ask these now, each at once; one that is being asked is asked again after that."""
        heard = self._reach.heard
        for host in hosts:
            if self._shelf.begin(host):
                self._begun[host.name] = monotonic()
                # What happens from now on may not be in the answer.
                self._heard[host.name] = self._count(heard.get(host.name, {}))
                Thread(
                    target=self._work, args=(host.name,), name=f"table-{host.name}", daemon=True
                ).start()

    def follow(self, hosts: Iterable[Host]) -> None:
        """Ask those that have come back, and those that were never asked."""
        known = list(hosts)
        online = frozenset(host.name for host in known if host.online)
        for name in online - self._online:
            self._shelf.forget_error(name)
        self._online = online
        self.ask(self._shelf.unasked(known))

    def look(self, hosts: Iterable[Host]) -> None:
        """Ask those of which events were heard, or whose answer is old."""
        now = monotonic()
        old = _OLD_OPERATIONS if self._shelf.table.id == "operations" else _OLD
        heard = self._reach.heard
        due = []
        for host in hosts:
            passed = now - self._begun.get(host.name, now)
            changed = self._count(heard.get(host.name, {})) != self._heard.get(host.name)
            if passed >= old or (changed and passed >= _GAP):
                due.append(host)
        self.ask(due)

    def _count(self, heard: Mapping[str, int]) -> int:
        """How many events there were that may have changed the table."""
        families = self._shelf.table.families
        return sum(
            count
            for action, count in heard.items()
            if any(action.startswith(f"{family}-") for family in families)
        )

    def _work(self, host: str) -> None:
        found: tuple[Entry, ...] | LxtuiError
        try:
            found = self._reach.read(self._shelf.table, host)
        except LxtuiError as error:
            found = error
        except Exception as error:  # noqa: BLE001 one host's surprise stays its own
            _log.exception("%s of %s", self._shelf.table.id, host)
            found = LxtuiError(f"{host}: internal error: {error!r}; please report it")
        self._screen.post_message(Answered(host, found))
