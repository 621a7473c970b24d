"""What happened on a host lately, kept within bounds.

Role: a ring of events for each host, and what of it is about one instance. Boundary: pure but for
the ring, which is the one thing here that changes. Threading: a lock guards the rings; workers
write, the screen reads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Lock
from urllib.parse import parse_qs, unquote, urlsplit

from lxtui.model import Event, Ref

KEPT = 500
"""Events of each host: a noisy host does not push out another's."""
FOLLOWED = 1000
"""Events of what a page follows: these a noisy host does not push out either."""
_PARTS = 3
"""Of a source: version, collection, name."""


@dataclass(frozen=True, slots=True)
class Happening:
    """One event, and when it came here."""

    at: datetime
    event: Event


class Happenings:
    """The latest events of each host."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._lock = Lock()
        self._rings: dict[str, deque[Happening]] = {}

    def add(self, event: Event, at: datetime) -> None:
        """Keep one more, and of its host no more than so many.

        An operation's raw document stays out: it is large, and holds the secrets of a migration.
        """
        if event.operation is not None:
            event = replace(event, operation=replace(event.operation, metadata={}))
        with self._lock:
            ring = self._rings.setdefault(event.host, deque(maxlen=self._kept))
            ring.append(Happening(at, event))

    def on(self, host: str) -> tuple[Happening, ...]:
        """Those of a host, the oldest first."""
        with self._lock:
            return tuple(self._rings.get(host, ()))

    def of(self, ref: Ref) -> tuple[Happening, ...]:
        """Those about one instance."""
        return about(self.on(ref.host), ref)


class Following:
    """What happens to one instance, or on a host, from the ring as it stood on."""

    def __init__(self, ref: Ref | None, kept: int = FOLLOWED) -> None:
        """*ref* is the instance; None follows all."""
        self._ref = ref
        self._found: deque[Happening] = deque(maxlen=kept)
        self._last: Happening | None = None

    def look(self, ring: Sequence[Happening]) -> tuple[Happening, ...]:
        """All that it found so far, with what the *ring* has anew; see ``about``."""
        fresh = []
        for one in reversed(ring):
            if one is self._last:
                break
            fresh.append(one)
        self._last = ring[-1] if ring else self._last
        ref = self._ref
        self._found += [one for one in reversed(fresh) if ref is None or concerns(one.event, ref)]
        return tuple(self._found) if ref is None else about(self._found, ref)


def about(happenings: Iterable[Happening], ref: Ref) -> tuple[Happening, ...]:
    """Those about one instance; of an operation only the latest word, where its first one stood."""
    found: dict[object, Happening] = {}
    for number, one in enumerate(happenings):
        if concerns(one.event, ref):
            operation = one.event.operation
            key = operation.id if operation is not None else number
            first = found.get(key, one)
            found[key] = Happening(first.at, one.event)
    return tuple(found.values())


def concerns(event: Event, ref: Ref) -> bool:
    """Whether an event is about an instance, its snapshots and backups included."""
    if event.operation is not None:
        return event.project in {"", ref.project} and ref.name in event.operation.resources
    url = urlsplit(event.source)
    parts = url.path.strip("/").split("/")
    if len(parts) < _PARTS or parts[1] not in {"instances", "containers", "virtual-machines"}:
        return False
    # Newer daemons put the project into the source, all say it beside.
    project = parse_qs(url.query).get("project", [event.project or "default"])[0]
    return unquote(parts[2]) == ref.name and project == ref.project
