"""Many hosts as one snapshot that is always there.

Role: one worker for each host connects, lists, listens for events, lists again, reconnects; what
they find is merged into FleetSnapshot values. A dead host costs its own worker's time only, and
keeps its last known instances. Boundary: backends below, a listener above; knows no screen.
Threading: ``snapshot`` may be read from any thread; the listener is called from workers' threads
and must only hand over.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event as Flag
from threading import Lock, Thread
from time import monotonic

from lxtui.backend.base import Backend
from lxtui.clock import Clock, utc_now
from lxtui.commands import Command, Many, MoveMany
from lxtui.errors import LxtuiError
from lxtui.jobs import Jobs
from lxtui.migrate.journal import default_folder
from lxtui.migrate.recovery import described, unfinished
from lxtui.model import (
    Event,
    FleetSnapshot,
    Host,
    Instance,
    JobState,
    Operation,
    Ref,
    UnfinishedMove,
    host_unseen,
    status_of,
)

_log = logging.getLogger(__name__)
_SETTLE = 0.2
"""Seconds that a burst of events may gather before the host is asked again."""
_BACKOFF = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds between tries to reach a host that does not answer."""

_SETTLED = 5.0
"""Seconds after which an event stream counts as one that worked."""
_JOURNAL_SECONDS = 2.0
"""How old the list of unfinished moves may be: another lxtui may leave one, or see to it."""
_PATIENCE = 3.0
"""Seconds that closing waits for all workers together."""
_RATE_SECONDS = 1.0
"""Two samples nearer than this make a rate of noise."""


@dataclass(frozen=True, slots=True)
class HostState:
    """What one worker knows."""

    host: Host
    instances: tuple[Instance, ...] = ()
    operations: tuple[Operation, ...] = ()


class Fleet:
    """The hosts, their workers and the jobs that run on them."""

    def __init__(
        self,
        backends: Iterable[Backend],
        *,
        poll_seconds: float = 5.0,
        clock: Clock = utc_now,
        moves: Path | None = None,
    ) -> None:
        self.backends = {backend.remote.name: backend for backend in backends}
        self.folder = moves or default_folder(os.environ, Path.home())
        self._moves: tuple[UnfinishedMove, ...] = ()
        self._looked = (float("-inf"), 0)
        """When the journals were read, and how many jobs ran then."""
        self.jobs = Jobs(self.backends, self._changed, clock, moves)
        self._listener: Callable[[], None] = lambda: None
        self._lock = Lock()
        self._states: dict[str, HostState] = {}
        self._workers: list[_Worker] = []
        self._begun = False
        self._worker: Callable[[Backend], _Worker] = lambda backend: _Worker(
            backend, self._set, poll_seconds, clock
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
            instances=tuple(one for state in states for one in state.instances),
            operations=tuple(
                one for state in states for one in state.operations if not one.finished
            ),
            jobs=self.jobs.all,
            moves=self._moves,
        )

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

    def _take_in(self, backend: Backend) -> _Worker:
        worker = self._worker(backend)
        with self._lock:
            self._states[backend.remote.name] = HostState(host_unseen(backend.remote))
        self._workers = [*self._workers, worker]
        return worker

    def refresh(self) -> None:
        """Ask every host again now, the unreachable ones too."""
        for worker in self._workers:
            worker.wake()

    def submit(self, command: Command | MoveMany | Many) -> int:
        """Begin a command; its progress is in the snapshot's jobs."""
        return self.jobs.submit(command)

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
        self._moves = tuple(map(described, found))


class _Worker:
    """One host's thread, and the thread of its event stream."""

    def __init__(
        self,
        backend: Backend,
        publish: Callable[[HostState], None],
        poll_seconds: float,
        clock: Clock,
    ) -> None:
        remote = backend.remote
        self.backend = backend
        self._publish = publish
        self._poll_seconds = poll_seconds
        self._clock = clock
        self._stop = Flag()
        self._dirty = Flag()
        self._state = HostState(host_unseen(remote))
        self._answered = False
        """Whether it was listed since the last try to reach it."""
        self._baseline: tuple[float, tuple[Instance, ...]] = (monotonic(), ())
        self._lock = Lock()
        self._thread = Thread(target=self._run, name=f"host-{remote.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._dirty.set()

    def stop(self) -> None:
        self._stop.set()
        self._dirty.set()

    def ended(self, seconds: float) -> bool:
        if self._thread.is_alive():
            self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            began, self._answered = monotonic(), False
            try:
                self._live()
            except LxtuiError as error:
                self._unreachable(error)
            except Exception as error:  # noqa: BLE001 one host's surprise stays its own
                _log.exception("worker of %s", self._state.host.name)
                self._unreachable(LxtuiError(f"internal error: {error!r}; please report it"))
            # One that was there for a while has failed once, whatever was before.
            lasted = self._answered and monotonic() - began > _SETTLED
            failures = 0 if lasted else failures + 1
            self._dirty.wait(_BACKOFF[min(failures, len(_BACKOFF) - 1)])
            self._dirty.clear()

    def _live(self) -> None:
        """Follow the host until it fails or the fleet closes."""
        host = self.backend.connect()
        session = Flag()
        listener = Thread(
            target=self._listen, args=(session,), name=f"events-{host.name}", daemon=True
        )
        listener.start()
        pause = min(_RATE_SECONDS, self._poll_seconds)  # the second look makes the first rates
        try:
            while not self._stop.is_set():
                self._dirty.clear()
                self._sample(host)
                woken = self._dirty.wait(pause)
                pause = self._poll_seconds
                if woken:
                    # Bursts of events are one change to the eye.
                    self._stop.wait(_SETTLE)
        finally:
            session.set()
            listener.join(2.0)

    def _listen(self, session: Flag) -> None:
        """Keep an event stream open; where there is none to be had, the polls have to do."""
        failures = 0
        while not session.is_set():
            began = monotonic()
            try:
                self.backend.listen(self._on_event, session)
            except LxtuiError as error:
                _log.info("%s", error)
            except Exception:  # noqa: BLE001 a thread that dies would leave no events, unseen
                _log.exception("events of %s", self.backend.remote.name)
            if monotonic() - began > _SETTLED:
                failures = 0
                self._dirty.set()  # what was missed while nobody listened must be asked for
            session.wait(_BACKOFF[min(failures, len(_BACKOFF) - 1)])
            failures += 1

    def _on_event(self, event: Event) -> None:
        if event.operation is not None:
            self._set_operation(event.operation)
            if not event.operation.finished:
                return
        self._dirty.set()

    def _sample(self, host: Host) -> None:
        instances = self.backend.instances()
        operations = self.backend.operations()
        now = monotonic()
        with self._lock:
            since, before = self._baseline
            if now - since >= _RATE_SECONDS:
                measured = with_rates(before, instances, now - since)
                self._baseline = (now, instances)
            else:
                measured = _with_old_rates(self._state.instances, instances)
            self._state = HostState(replace(host, seen_at=self._clock()), measured, operations)
            state = self._state
        self._answered = True
        self._publish(state)

    def _set_operation(self, operation: Operation) -> None:
        with self._lock:
            others = [one for one in self._state.operations if one.id != operation.id]
            kept = others if operation.finished else [*others, operation]
            self._state = replace(self._state, operations=tuple(kept))
            state = self._state
        self._publish(state)

    def _unreachable(self, error: LxtuiError) -> None:
        with self._lock:
            # The instances stay: what was there is worth more than an empty screen.
            self._state = replace(
                self._state,
                host=replace(self._state.host, status=status_of(error), error=str(error)),
                operations=(),
            )
            state = self._state
        if not self._stop.is_set():
            self._publish(state)


def _with_old_rates(before: Iterable[Instance], now: Iterable[Instance]) -> tuple[Instance, ...]:
    known = {one.ref: one.cpu_percent for one in before}
    return tuple(replace(one, cpu_percent=known.get(one.ref)) for one in now)


def with_rates(
    before: Iterable[Instance], now: Iterable[Instance], seconds: float
) -> tuple[Instance, ...]:
    """*now* with each instance's share of one CPU over the last *seconds*, in percent.

    The API gives CPU time since the instance's start; two samples make a rate. A counter that went
    back belongs to an instance that was restarted, which has no rate yet.
    """
    earlier: dict[Ref, int | None] = {one.ref: one.cpu_ns for one in before}

    def rate(instance: Instance) -> float | None:
        past, present = earlier.get(instance.ref), instance.cpu_ns
        if past is None or present is None or present < past or seconds <= 0:
            return None
        return (present - past) / (seconds * 1e9) * 100

    return tuple(replace(one, cpu_percent=rate(one)) for one in now)
