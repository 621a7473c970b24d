"""Many hosts as one snapshot that is always there.

Role: what one worker for each host finds (host_worker) is merged into FleetSnapshot values. A dead
host costs its own worker's time only, and keeps its last known instances. Boundary: backends below,
a listener above; knows no screen. Threading: ``snapshot`` may be read from any thread; the listener
is called from workers' threads and must only hand over.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from pathlib import Path
from threading import Lock
from time import monotonic

from lxtui.audit.journal import SILENT, Audit
from lxtui.backend.base import Backend
from lxtui.clock import Clock, utc_now
from lxtui.commands import Command, Many, MoveMany
from lxtui.detail.happenings import Happenings
from lxtui.host_worker import HostState, HostWorker
from lxtui.jobs import Ended, Jobs
from lxtui.migrate.journal import default_folder
from lxtui.migrate.recovery import unfinished
from lxtui.migrate.standing import described
from lxtui.model import (
    Event,
    FleetSnapshot,
    JobState,
    UnfinishedMove,
    host_unseen,
)

_JOURNAL_SECONDS = 2.0
"""How old the list of unfinished moves may be: another lxtui may leave one, or see to it."""
_PATIENCE = 3.0
"""Seconds that closing waits for all workers together."""


class Fleet:
    """The hosts, their workers and the jobs that run on them."""

    def __init__(
        self,
        backends: Iterable[Backend],
        *,
        poll_seconds: float = 5.0,
        clock: Clock = utc_now,
        moves: Path | None = None,
        audit: Audit = SILENT,
    ) -> None:
        self.backends = {backend.remote.name: backend for backend in backends}
        self.audit = audit
        self.folder = moves or default_folder(os.environ, Path.home())
        self._moves: tuple[UnfinishedMove, ...] = ()
        self._looked = (float("-inf"), 0)
        """When the journals were read, and how many jobs ran then."""
        self.jobs = Jobs(self.backends, self._changed, clock, moves, audit)
        self._listener: Callable[[], None] = lambda: None
        self._lock = Lock()
        self._states: dict[str, HostState] = {}
        self._workers: list[HostWorker] = []
        self._begun = False
        self._clock = clock
        self.happenings = Happenings()
        """What was heard of late."""
        self._worker: Callable[[Backend], HostWorker] = lambda backend: HostWorker(
            backend, self._set, poll_seconds, clock, self._hear
        )
        for backend in self.backends.values():
            self._take_in(backend)

    @property
    def snapshot(self) -> FleetSnapshot:
        """The fleet as it is known at this moment."""
        with self._lock:
            states = list(self._states.values())
        return FleetSnapshot(
            hosts=tuple(state.host for state in states),
            instances=tuple(chain.from_iterable(state.instances for state in states)),
            operations=tuple(
                one for state in states for one in state.operations if not one.finished
            ),
            jobs=self.jobs.all,
            moves=self._moves,
        )

    @property
    def tallies(self) -> Mapping[str, Mapping[str, int]]:
        """By host: how many events of each action there were."""
        return {worker.backend.remote.name: worker.tally for worker in self._workers}

    def start(self, listener: Callable[[], None]) -> None:
        """Let the workers run; *listener* is told that there is a new snapshot."""
        self._listener = listener
        self._begun = True
        self._changed()
        for worker in self._workers:
            worker.start()

    def add(self, backend: Backend) -> None:
        """Take one more host in; from any thread."""
        self.backends[backend.remote.name] = backend
        worker = self._take_in(backend)
        if self._begun:
            worker.start()
            self._changed()

    def _take_in(self, backend: Backend) -> HostWorker:
        worker = self._worker(backend)
        with self._lock:
            self._states[backend.remote.name] = HostState(host_unseen(backend.remote))
        self._workers = [*self._workers, worker]
        return worker

    def refresh(self) -> None:
        """Ask every host again now, the unreachable ones too."""
        for worker in self._workers:
            worker.wake()

    def submit(self, command: Command | MoveMany | Many, ended: Ended = lambda _: None) -> int:
        """Begin a command; its progress is in the snapshot's jobs."""
        return self.jobs.submit(command, ended)

    def close(self) -> None:
        """End the workers and let go of the connections."""
        self._listener = lambda: None
        for worker in self._workers:
            worker.stop()
        until = monotonic() + _PATIENCE
        for worker in self._workers:
            # One in the middle of a request to a dead host is left behind, with its connection: it
            # is a daemon thread.
            if worker.ended(max(until - monotonic(), 0.0)):
                worker.backend.close()

    def _set(self, state: HostState) -> None:
        with self._lock:
            self._states[state.host.name] = state
        self._changed()

    def _hear(self, event: Event) -> None:
        self.happenings.add(event, self._clock())

    def _changed(self) -> None:
        self._look_for_moves()
        self._listener()

    def _look_for_moves(self) -> None:
        """Read the journals anew when a job has begun or ended, else once in a while."""
        running = sum(job.state is JobState.RUNNING for job in self.jobs.all)
        now = monotonic()
        with self._lock:
            since, before = self._looked
            if running == before and now - since < _JOURNAL_SECONDS:
                return
            self._looked = (now, running)
        found, _ = unfinished(self.folder)
        with self._lock:
            seen = {one.ref: one for state in self._states.values() for one in state.instances}
        self._moves = tuple(described(one, seen, self._clock()) for one in found)
