"""One host, followed for as long as the program runs.

Role: connects, lists, listens for events, looks again, reconnects. An event names what has changed,
and only that is asked for; everything at once at times, because an event can be lost. Boundary: a
backend below, a listener above; knows no screen. Threading: a thread of its own and one for its
event stream; the listener is called from both and must only hand over.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from random import uniform
from threading import Event as Flag
from threading import Lock, Thread
from time import monotonic
from urllib.parse import unquote, urlsplit

from lxtui.backend.base import Backend
from lxtui.clock import Clock
from lxtui.errors import HostUnreachableError, LxtuiError, NotFoundError
from lxtui.model import Event, Host, Instance, Operation, Ref, host_unseen, status_of

_log = logging.getLogger(__name__)
_SETTLE = 0.2
"""Seconds that a burst of events may gather before the host is asked again."""
_BACKOFF = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds between tries to reach a host that does not answer."""

_SETTLED = 5.0
"""Seconds after which an event stream counts as one that worked."""
_RATE_SECONDS = 1.0
"""Two samples nearer than this make a rate of noise."""
_SPREAD = 0.25
"""Share of the time between two looks by which one comes sooner at most, by chance: hosts that
began together would else all answer together, and a key has to wait until they are read.
"""
_NAMED = 3
"""Parts of the path of something with a name; before them are nothing, ``1.0`` and its kind."""
_INSTANCES = frozenset({"instances", "containers", "virtual-machines"})
_ELSEWHERE = frozenset(
    {"certificates", "images", "network-acls", "operations", "storage-pools", "warnings"}
)
"""What can change without anything changing that is shown: neither instances nor members."""
_ACTIONS = 500
"""Daemons know fewer; a host that makes them up is not to fill our memory."""
_ONE_BY_ONE = 8
"""More instances than this are not asked for singly: one list is cheaper."""


@dataclass(frozen=True, slots=True)
class HostState:
    """What one worker knows."""

    host: Host
    instances: tuple[Instance, ...] = ()
    operations: tuple[Operation, ...] = ()


class HostWorker:
    """One host's thread, and the thread of its event stream."""

    def __init__(
        self,
        backend: Backend,
        publish: Callable[[HostState], None],
        poll_seconds: float,
        clock: Clock,
        heard: Callable[[Event], None],
    ) -> None:
        """*heard* is told of every event; it must only hand over."""
        remote = backend.remote
        self.backend = backend
        self._heard = heard
        self._publish = publish
        self._poll_seconds = poll_seconds
        self._clock = clock
        self._stop = Flag()
        self._dirty = Flag()
        self._named: set[Ref] = set()
        """What events have named since the last look."""
        self._all = True
        """Whether it is time to look at everything, whatever was named."""
        self._state = HostState(host_unseen(remote))
        self._answered = False
        """Whether it was listed since the last try to reach it."""
        self._baseline: tuple[float, tuple[Instance, ...]] = (monotonic(), ())
        self._tally: Counter[str] = Counter()
        self._lock = Lock()
        self._thread = Thread(target=self._run, name=f"host-{remote.name}", daemon=True)

    @property
    def tally(self) -> Mapping[str, int]:
        """How many events of each action there were: tables are asked for anew after theirs."""
        with self._lock:
            return dict(self._tally)

    def start(self) -> None:
        """Begin to follow it."""
        self._thread.start()

    def wake(self) -> None:
        """Look at everything now."""
        with self._lock:
            self._all = True
        self._dirty.set()

    def stop(self) -> None:
        """End soon."""
        self._stop.set()
        self._dirty.set()

    def ended(self, seconds: float) -> bool:
        """Whether it has ended, after so many seconds at most."""
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
        self.wake()
        session = Flag()
        listener = Thread(
            target=self._listen, args=(session,), name=f"events-{host.name}", daemon=True
        )
        listener.start()
        # The second look makes the first rates, and none comes too soon for them.
        pause = soonest = min(_RATE_SECONDS, self._poll_seconds)
        try:
            until = 0.0
            while not self._stop.is_set():
                self._dirty.clear()
                named = self._taken()
                if named is None or monotonic() >= until:
                    self._sample(host)
                    until = monotonic() + pause
                    sooner = self._poll_seconds * uniform(1 - _SPREAD, 1)  # noqa: S311 no secret
                    pause = max(soonest, sooner)
                elif named and not self._look_at(named):
                    self._sample(host)
                if self._dirty.wait(max(until - monotonic(), 0.0)):
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
                self.wake()  # what was missed while nobody listened must be asked for
            session.wait(_BACKOFF[min(failures, len(_BACKOFF) - 1)])
            failures += 1

    def _on_event(self, event: Event) -> None:
        self._heard(event)
        action = "operation-updated" if event.operation is not None else event.action
        with self._lock:
            if action in self._tally or len(self._tally) < _ACTIONS:
                self._tally[action] += 1
        if event.operation is not None:
            self._set_operation(event.operation)
            if not event.operation.finished:
                return
        named = instances_of(event)
        with self._lock:
            if named is None:
                self._all = True
            else:
                self._named |= named
        if named is None or named:
            self._dirty.set()

    def _taken(self) -> frozenset[Ref] | None:
        """What events have named, which is then forgotten; None for everything."""
        with self._lock:
            named = None if self._all or len(self._named) > _ONE_BY_ONE else frozenset(self._named)
            self._named, self._all = set(), False
        return named

    def _look_at(self, named: frozenset[Ref]) -> bool:
        """Ask for some instances, and have them in place of what was known of them.

        False when the host does not say of each what it is.
        """
        found: dict[Ref, Instance | None] = {}
        for ref in named:
            try:
                found[ref] = self.backend.instance(ref)
            except NotFoundError:
                found[ref] = None
            except HostUnreachableError:
                raise
            except LxtuiError as error:
                _log.info("%s", error)
                return False
        with self._lock:
            self._state = replace(self._state, instances=merged(self._state.instances, found))
            state = self._state
        self._publish(state)
        return True

    def _sample(self, host: Host) -> None:
        instances = self.backend.instances()
        operations = self.backend.operations()
        if host.clustered:
            host = replace(host, members=self.backend.members())
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


def instances_of(event: Event) -> frozenset[Ref] | None:
    """The instances that an event says to have changed; None when it may be any.

    A source is a path of the API: ``/1.0/instances/NAME``, with more parts for what belongs to the
    instance. A name that was changed is two, of which the event has one.
    """
    if event.operation is not None:
        # What it has done to instances was said by events of their own.
        return frozenset() if event.operation.status == "Success" else None
    parts = urlsplit(event.source).path.split("/")
    kind, name = (parts[2], parts[3]) if len(parts) > _NAMED else ("", "")
    if kind in _INSTANCES and event.action != "instance-renamed":
        return frozenset({Ref(event.host, event.project or "default", unquote(name))})
    return frozenset() if kind in _ELSEWHERE else None


def merged(known: Iterable[Instance], found: Mapping[Ref, Instance | None]) -> tuple[Instance, ...]:
    """*known* with what was *found* in the places that it has; None is no more."""
    refs, result = set(), []
    for one in known:
        refs.add(one.ref)
        now = found.get(one.ref, one)
        if now is not None:
            result.append(now if now is one else replace(now, cpu_percent=one.cpu_percent))
    fresh = [one for ref, one in found.items() if one is not None and ref not in refs]
    return (*result, *fresh)


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
