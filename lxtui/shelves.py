"""Tables of a running fleet.

Role: what the screen of tables may ask: one table of one host, more about one entry, which events
there were. Boundary: the fleet's backends below; knows no screen. Threading: ``read`` and ``more``
block their caller, which is a thread of its own for each host.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lxtui.errors import HostUnreachableError
from lxtui.fleet import Fleet
from lxtui.resources import reading
from lxtui.resources.entry import Entry
from lxtui.resources.table import Table


class Shelves:
    """The tables of a fleet's hosts."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def read(self, table: Table, host: str) -> tuple[Entry, ...]:
        """All entries of a host; LxtuiError when it does not say."""
        known = self._fleet.snapshot.host(host)
        if known is None:
            raise HostUnreachableError(f"{host}: there is no such host")
        return reading.read_table(table, known, self._fleet.backends[host].read)

    def more(self, table: Table, entry: Entry) -> list[tuple[str, Any]]:
        """What else the host says of an entry."""
        return reading.more(table, entry, self._fleet.backends[entry.ref.host].read)

    @property
    def heard(self) -> Mapping[str, Mapping[str, int]]:
        """By host: how many events of each action there were."""
        return self._fleet.tallies
