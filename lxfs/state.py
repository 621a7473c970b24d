"""The only mutable state: CPU counters that never go back, and load averages.

Role: /proc/stat and /proc/loadavg are histories; cgroups give only sums. What has to be
remembered between two reads is remembered here, per container, and nowhere else.
Boundary: numbers in, numbers out; the sampler calls a function that it is given.
Threading: one lock per kind of state, held only over arithmetic. The sampler is one daemon
thread, started by the first read of a load average and gone when nobody asks any more.
"""

import logging
import signal
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from lxfs.model import (
    NSEC_PER_SEC,
    CpuCounters,
    Cpus,
    CpuTicks,
    CpuTime,
    LoadAverage,
    SourceError,
    TaskCount,
)

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Cpu:
    user: int = 0
    nice: int = 0
    system: int = 0
    idle: int = 0

    def frozen(self) -> CpuTicks:
        return CpuTicks(self.user, self.nice, self.system, self.idle)


@dataclass(slots=True)
class _Clock:
    """One container's CPU history.

    ``due`` is the CPU time that has been available so far, ``before`` what the cgroup had used
    before the container was in it, ``source`` names that cgroup.
    """

    source: str
    at: int
    before: CpuTime
    due: int = 0
    used: CpuTime = field(default_factory=lambda: CpuTime(0, 0))
    idle: int = 0
    cpus: dict[int, _Cpu] = field(default_factory=dict)

    def spread(self, cpus: Cpus, name: str, amount: int) -> None:
        """Share an increment among the visible CPUs; the odd nanoseconds go to the first."""
        share, odd = divmod(amount, len(cpus.visible))
        for index, number in enumerate(cpus.visible):
            cpu = self.cpus.setdefault(number, _Cpu())
            setattr(cpu, name, getattr(cpu, name) + share + (index < odd))


class CpuClocks:
    """Per container: time used, and the idle time that its limits would still have allowed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clocks: dict[Hashable, _Clock] = {}

    def advance(
        self,
        key: Hashable,
        *,
        source: str,
        now: int,
        age: int,
        used: CpuTime,
        cpus: Cpus,
        online: int,
    ) -> CpuCounters:
        """Return the container's counters as of ``now``.

        ``source`` names the cgroup that ``used`` is of. ``now`` and ``age`` (of the container) are
        nanoseconds of the same clock; ``online`` is the number of the host's CPUs. What is idle is
        capacity times wall-clock time less what was used: with a quota of 1.5 CPUs full use of it
        leaves nothing idle, so that top reads 100 %. The use is spread evenly over the visible
        CPUs, since cgroup v2 does not say which of them it was. No counter ever decreases,
        whatever the limits, the visible CPUs or the kernel's own sums do meanwhile.
        """
        with self._lock:
            clock = self._clocks.get(key)
            if clock is None:
                # More than all CPUs could have given: the cgroup is older than the container, or
                # the whole machine's. What is not the container's own is not shown.
                before = used if used.total > age * online else CpuTime(0, 0)
                clock = self._clocks[key] = _Clock(source=source, at=now, before=before)
                # What was used before we looked may exceed today's limit.
                clock.due = max(int(age * cpus.capacity), used.since(before).total)
            if clock.source != source:
                # Moved to another cgroup, whose sum began elsewhere: go on from where we are.
                clock.source, clock.before = source, used.since(clock.used)
            used = used.since(clock.before)
            for name in ("user", "nice", "system"):
                more = getattr(used, name) - getattr(clock.used, name)
                if more > 0:
                    clock.spread(cpus, name, more)
            clock.used = CpuTime(
                user=max(clock.used.user, used.user),
                system=max(clock.used.system, used.system),
                nice=max(clock.used.nice, used.nice),
            )
            elapsed = max(0, now - clock.at)
            clock.at += elapsed
            clock.due += int(elapsed * cpus.capacity)
            # A quota is enforced per period: between two reads more may be used than was due. The
            # deficit is worked off before anything counts as idle, but not for longer than a
            # second, or a container that once had more CPUs would stand still for hours.
            floor = clock.used.total + clock.idle - NSEC_PER_SEC * len(cpus.visible)
            clock.due = max(clock.due, floor)
            idle = clock.due - clock.used.total - clock.idle
            if idle > 0:
                clock.idle += idle
                clock.spread(cpus, "idle", idle)
            return CpuCounters(
                total=CpuTicks(clock.used.user, clock.used.nice, clock.used.system, clock.idle),
                each=tuple(
                    (number, clock.cpus.setdefault(number, _Cpu()).frozen())
                    for number in cpus.visible
                ),
            )

    def forget(self, key: Hashable) -> None:
        """Drop a container that is gone."""
        with self._lock:
            self._clocks.pop(key, None)


class Kept:
    """Counts that are dear to make, each kept for twenty times what making it took.

    However often a container of many threads reads, counting them takes no more than a twentieth
    of one CPU; a small container's count is as good as fresh.
    """

    _FACTOR = 20

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[Hashable, tuple[int, TaskCount]] = {}

    def get(self, key: Hashable, make: Callable[[], TaskCount]) -> TaskCount:
        """Return the kept count, or make one. What ``make`` raises is not kept."""
        start = time.monotonic_ns()
        with self._lock:
            until, count = self._counts.get(key, (0, None))
        if count is not None and start < until:
            return count
        made = make()
        now = time.monotonic_ns()
        with self._lock:
            self._counts[key] = now + (now - start) * self._FACTOR, made
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


@dataclass(slots=True)
class _Load:
    sample: Callable[[], TaskCount]
    tasks: TaskCount
    asked: float
    averages: tuple[int, int, int] = (0, 0, 0)


class LoadAverages:
    """Load averages of the containers that were asked about in the last fifteen minutes."""

    def __init__(self, step: float = _STEP, keep: float = _KEEP) -> None:
        self._step = step
        self._keep = keep
        self._lock = threading.Lock()
        self._loads: dict[Hashable, _Load] = {}
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    def get(self, key: Hashable, sample: Callable[[], TaskCount]) -> LoadAverage:
        """Return the load of a container, which is 0.00 when it is first asked about.

        ``sample`` counts its threads; it is called now, and then every five seconds.
        """
        tasks = sample()
        with self._lock:
            load = self._loads.setdefault(key, _Load(sample, tasks, 0.0))
            load.sample, load.tasks, load.asked = sample, tasks, time.monotonic()
            if self._thread is None and not self._stopped.is_set():
                self._thread = threading.Thread(target=self._run, name="lxfs-loadavg", daemon=True)
                self._thread.start()
            return LoadAverage(*load.averages, tasks)

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
        with self._lock:
            load.tasks = tasks
            active = (tasks.running + tasks.blocked) * _FIXED_1
            one, five, fifteen = load.averages
            load.averages = (
                decay(one, _EXP_1, active),
                decay(five, _EXP_5, active),
                decay(fifteen, _EXP_15, active),
            )

    def forget(self, key: Hashable) -> None:
        """Drop a container that is gone."""
        with self._lock:
            self._loads.pop(key, None)

    def close(self) -> None:
        """Stop the sampler and wait for it."""
        self._stopped.set()
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join()
