"""Load averages, and counts that are dear to make.

Role: /proc/loadavg is a history, of which cgroups say nothing. With ``cputime`` this is all that
is remembered of a container between two reads. With a ledger the averages outlive the process.
Boundary: numbers in, numbers out; the sampler calls a function that it is given.
Threading: one lock per kind of state, held only over arithmetic. The sampler is one daemon
thread, started by the first read of a load average and gone when nobody asks any more.
"""

import logging
import signal
import struct
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from lxfs.ledger import Entry, Ledger
from lxfs.model import NSEC_PER_SEC, LoadAverage, SourceError, TaskCount

_log = logging.getLogger(__name__)


class Kept:
    """Counts, of which the dear ones are kept for twenty times the CPU time that they took.

    However often a container of many threads reads, counting them takes no more than a twentieth
    of one CPU. A small container's are counted anew for each reader.
    """

    _FACTOR = 20
    _DEAR = 500_000
    """Nanoseconds from which a count is dear: some fifty threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[Hashable, tuple[int, TaskCount]] = {}

    def get(self, key: Hashable, make: Callable[[], TaskCount]) -> TaskCount:
        """Return the kept count, or make one. What ``make`` raises is not kept."""
        with self._lock:
            until, count = self._counts.get(key, (0, None))
        if count is not None and time.monotonic_ns() < until:
            return count
        start = time.thread_time_ns()
        made = make()
        spent = time.thread_time_ns() - start
        if spent > self._DEAR:
            with self._lock:
                self._counts[key] = time.monotonic_ns() + spent * self._FACTOR, made
        return made

    def forget(self, key: Hashable) -> None:
        """Drop a container that is gone."""
        with self._lock:
            self._counts.pop(key, None)


# The kernel's load average (kernel/sched/loadavg.c, include/linux/sched/loadavg.h): 11 bits of
# fraction, a step every 5 seconds, decay of 1/exp(5s/1min), 1/exp(5s/5min), 1/exp(5s/15min).
_FIXED_1 = 1 << 11
_STEP = 5.0
_EXP_1, _EXP_5, _EXP_15 = 1884, 2014, 2037
_KEEP = 15 * 60.0
"""Seconds for which a container that nobody asks about is still sampled: the longest average."""


def decay(load: int, factor: int, active: int) -> int:
    """Return the load one step later, with ``active`` (fixed point) tasks meanwhile.

    Rounds up while rising, as the kernel does, or a constant load would never be reached.
    """
    new = load * factor + active * (_FIXED_1 - factor)
    if active >= load:
        new += _FIXED_1 - 1
    return new // _FIXED_1


KIND = 2
"""The kind of our records in the ledger."""

# The averages, and when the container was last asked about, in nanoseconds of the monotonic clock
# (which is the same for all processes of a boot); then the container's name.
_RECORD = struct.Struct("<4q")
_MAX_NAME = 900


@dataclass(slots=True)
class _Load:
    sample: Callable[[], TaskCount]
    asked: float
    name: bytes
    entry: Entry | None = None
    averages: tuple[int, int, int] = (0, 0, 0)

    def record(self, averages: tuple[int, int, int]) -> bytes:
        # A name that no record could hold costs the sampling between a restart and the next look.
        name = self.name if len(self.name) <= _MAX_NAME else b""
        return _RECORD.pack(*averages, int(self.asked * NSEC_PER_SEC)) + name


class LoadAverages:
    """Load averages of the containers that were asked about in the last fifteen minutes."""

    def __init__(
        self, step: float = _STEP, keep: float = _KEEP, ledger: Ledger | None = None
    ) -> None:
        self._step = step
        self._keep = keep
        self._ledger = ledger
        self._lock = threading.Lock()
        self._loads: dict[Hashable, _Load] = {}
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    def get(
        self,
        key: Hashable,
        sample: Callable[[], TaskCount],
        name: bytes = b"",
        tasks: TaskCount | None = None,
    ) -> LoadAverage:
        """Return the load of a container, which is 0.00 when it is first asked about.

        ``sample`` counts its threads; it is called now, unless they are given in ``tasks``, and
        then every five seconds. ``name`` is what a successor will know the container by.
        """
        if tasks is None:
            tasks = sample()
        with self._lock:
            load = self._known(key, sample, name)
            load.sample, load.asked = sample, time.monotonic()
            return LoadAverage(*load.averages, tasks)

    def on_file(self) -> list[bytes]:
        """Return the names of the containers that a predecessor was sampling when it ended."""
        horizon = (time.monotonic() - self._keep) * NSEC_PER_SEC
        return [
            payload[_RECORD.size :]
            for payload in (self._ledger.found(KIND) if self._ledger else ())
            if len(payload) >= _RECORD.size and _RECORD.unpack_from(payload)[3] >= horizon
        ]

    def resume(self, key: Hashable, sample: Callable[[], TaskCount], name: bytes) -> None:
        """Go on sampling such a container; its averages go on from where they were."""
        with self._lock:
            self._known(key, sample, name)

    def _known(self, key: Hashable, sample: Callable[[], TaskCount], name: bytes) -> _Load:
        load = self._loads.get(key)
        if load is None:
            load = self._loads[key] = _Load(sample, time.monotonic(), name)
            if self._ledger is not None:
                load.entry = self._ledger.entry(KIND, key)
                payload = load.entry.read() or b""
                if len(payload) >= _RECORD.size:
                    one, five, fifteen, asked = _RECORD.unpack_from(payload)
                    load.averages = one, five, fifteen
                    load.asked = asked / NSEC_PER_SEC
        if self._thread is None and not self._stopped.is_set():
            self._thread = threading.Thread(target=self._run, name="lxfs-loadavg", daemon=True)
            self._thread.start()
        return load

    def _run(self) -> None:
        # libfuse's main thread waits for the signals that end the mount; none may land here.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        due = time.monotonic() + self._step
        while not self._stopped.wait(max(0.0, due - time.monotonic())):
            due += self._step
            with self._lock:
                horizon = time.monotonic() - self._keep
                self._loads = {k: v for k, v in self._loads.items() if v.asked >= horizon}
                if not self._loads:
                    self._thread = None
                    return
                loads = list(self._loads.items())
            for key, load in loads:
                self._step_one(key, load)

    def _step_one(self, key: Hashable, load: _Load) -> None:
        try:
            tasks = load.sample()
        except SourceError:
            self.forget(key)  # the container is gone
            return
        except Exception:  # noqa: BLE001 - the sampler must outlive a fault in one container
            _log.exception("sampling the load of %s failed", key)
            self.forget(key)
            return
        active = (tasks.running + tasks.blocked) * _FIXED_1
        one, five, fifteen = load.averages
        averages = (
            decay(one, _EXP_1, active),
            decay(five, _EXP_5, active),
            decay(fifteen, _EXP_15, active),
        )
        if load.entry is not None:
            load.entry.write(load.record(averages))
        load.averages = averages

    def forget(self, key: Hashable) -> None:
        """Drop a container that is gone."""
        with self._lock:
            load = self._loads.pop(key, None)
        if load is not None and load.entry is not None:
            load.entry.give_up()

    def close(self) -> None:
        """Stop the sampler and wait for it."""
        self._stopped.set()
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join()
