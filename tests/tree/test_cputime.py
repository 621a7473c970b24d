"""CPU counters between reads: idle, CPUs, cgroups, restarts; nothing goes back."""

import contextlib
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from lxfs.cputime import CpuClocks, Look
from lxfs.ledger import Ledger
from lxfs.model import (
    NSEC_PER_SEC,
    NSEC_PER_TICK,
    CpuCounters,
    Cpus,
    CpuSpread,
    CpuTicks,
    CpuTime,
    SourceError,
)

SECOND = NSEC_PER_SEC
TICK = NSEC_PER_TICK
TWO = Cpus((0, 1), Fraction(2))
KEY = (1, 1)
NOWHERE = CpuTime(0, 0)
INODES = {"/": 1, "/c1": 11, "/c2": 12, "/renamed": 11}


def _seconds(*values: float) -> tuple[int, ...]:
    return tuple(int(value * SECOND) for value in values)


def _look(
    at: float,
    user: float,
    cpus: Cpus = TWO,
    system: float = 0,
    source: str = "/c1",
    spread: tuple[float, ...] | None = None,
    born: float = 0,
) -> Look:
    """Look at a container that started at ``born``, on a host of four CPUs.

    ``spread`` is the user time of each CPU.
    """
    return Look(
        now=int(at * SECOND),
        age=int((at - born) * SECOND),
        source=source,
        cgroup=lambda: INODES[source],
        used=CpuTime(int(user * SECOND), int(system * SECOND)),
        spread=CpuSpread((0, 1, 2, 3), _seconds(*spread), (0,) * 4) if spread else None,
        cpus=cpus,
        online=4,
    )


def _columns(ticks: CpuTicks) -> tuple[int, ...]:
    return (ticks.user, ticks.nice, ticks.system, ticks.idle)


def test_first_read_divides_age_into_busy_and_idle() -> None:
    """Idle is what the CPUs could have given since the start, less what was used."""
    counters = CpuClocks().advance(KEY, _look(10, 4, system=1))
    assert (counters.total.user, counters.total.system) == (4 * SECOND, SECOND)
    assert counters.total.idle == 15 * SECOND
    assert [ticks.user for _, ticks in counters.each] == [2 * SECOND, 2 * SECOND]


def test_full_use_of_a_fractional_quota_leaves_nothing_idle() -> None:
    """A container that uses all of 1.5 CPUs reads 100 % busy."""
    clocks = CpuClocks()
    cpus = Cpus((0, 1), Fraction(3, 2))
    before = clocks.advance(KEY, _look(10, 3, cpus)).total
    after = clocks.advance(KEY, _look(12, 6, cpus)).total
    assert after.user - before.user == 3 * SECOND
    assert after.idle == before.idle


def test_half_use_of_a_quota_reads_half() -> None:
    """A container that uses half of its half CPU reads 50 % busy."""
    clocks = CpuClocks()
    cpus = Cpus((0,), Fraction(1, 2))
    before = clocks.advance(KEY, _look(10, 0, cpus)).total
    after = clocks.advance(KEY, _look(14, 1, cpus)).total
    assert after.user - before.user == SECOND
    assert after.idle - before.idle == SECOND


def test_bursts_within_a_period_do_not_count_as_idle_later() -> None:
    """Use beyond the quota in one interval is set off against the next, so full use stays full."""
    clocks = CpuClocks()
    cpus = Cpus((0, 1), Fraction(1))
    start = clocks.advance(KEY, _look(10, 10, cpus)).total
    clocks.advance(KEY, _look(10.05, 10.1, cpus))  # both CPUs busy for half a period
    end = clocks.advance(KEY, _look(10.1, 10.1, cpus)).total  # throttled for the other half
    assert end.idle == start.idle


def test_a_debt_is_bounded() -> None:
    """After a limit was cut, idle time counts again within a second of what was overdrawn."""
    clocks = CpuClocks()
    clocks.advance(KEY, _look(10, 0, Cpus((0,), Fraction(1, 10))))
    clocks.advance(KEY, _look(20, 10, Cpus((0,), Fraction(1, 10))))
    before = clocks.advance(KEY, _look(20, 10, Cpus((0,), Fraction(1)))).total
    after = clocks.advance(KEY, _look(22, 10, Cpus((0,), Fraction(1)))).total
    assert after.idle - before.idle == SECOND


def test_use_before_the_first_look_is_no_debt() -> None:
    """A container that was given a smaller quota after its work is idle from the first look on."""
    clocks = CpuClocks()
    cpus = Cpus((0,), Fraction(1, 10))
    assert clocks.advance(KEY, _look(10, 9, cpus)).total.idle == 0
    assert clocks.advance(KEY, _look(20, 9, cpus)).total.idle == SECOND


def test_time_is_on_the_cpus_where_it_was_used() -> None:
    """One busy thread on CPU 1 is on CPU 1 alone, and the idle time on the other."""
    clocks = CpuClocks()
    first = clocks.advance(KEY, _look(10, 4, spread=(3, 1, 0, 0)))
    assert [ticks.user for _, ticks in first.each] == [3 * SECOND, SECOND]
    after = clocks.advance(KEY, _look(12, 6, spread=(3, 3, 0, 0)))
    moved = [
        tuple(new - old for new, old in zip(_columns(now), _columns(then), strict=True))
        for (_, then), (_, now) in zip(first.each, after.each, strict=True)
    ]
    assert moved == [(0, 0, 0, 2 * SECOND), (2 * SECOND, 0, 0, 0)]


def test_user_and_system_have_their_own_cpus() -> None:
    """A thread in the kernel on one CPU and one in user mode on another are told apart."""
    clocks = CpuClocks()
    look = _look(10, 2, system=1)
    spread = CpuSpread((0, 1), _seconds(0, 2), _seconds(1, 0))
    counters = clocks.advance(KEY, look._replace(spread=spread))
    assert [(ticks.user, ticks.system) for _, ticks in counters.each] == [
        (0, SECOND),
        (2 * SECOND, 0),
    ]


def test_time_on_hidden_cpus_is_on_those_with_room() -> None:
    """Two busy CPUs that a container does not see are two busy ones that it sees."""
    clocks = CpuClocks()
    clocks.advance(KEY, _look(10, 0, spread=(0, 0, 0, 0)))
    counters = clocks.advance(KEY, _look(12, 3.5, spread=(0, 0, 2, 1.5)))
    assert [ticks.user for _, ticks in counters.each] == [2 * SECOND, int(1.5 * SECOND)]
    counters = clocks.advance(KEY, _look(14, 7, spread=(2, 0, 3.5, 1.5)))
    assert [ticks.user for _, ticks in counters.each] == [4 * SECOND, 3 * SECOND]


def test_no_cpu_has_more_than_the_wall_clock() -> None:
    """Samples that blame one CPU for more than it can have had are believed to that point."""
    clocks = CpuClocks()
    clocks.advance(KEY, _look(10, 0, spread=(0, 0, 0, 0)))
    counters = clocks.advance(KEY, _look(11, 1.8, spread=(1, 0, 0, 0)))
    assert counters.each[0][1].user == SECOND + 2 * TICK
    assert counters.each[1][1].user == int(0.8 * SECOND) - 2 * TICK


def test_time_that_a_quota_has_withheld_is_not_made_up_for() -> None:
    """After an idle hour at half a CPU each, no CPU has more than the second that passed."""
    clocks = CpuClocks()
    cpus = Cpus((0, 1), Fraction(1))
    before = clocks.advance(KEY, _look(3600, 0, cpus, spread=(0, 0, 0, 0)))
    after = clocks.advance(KEY, _look(3601, 0.9, TWO, spread=(0.9, 0, 0, 0)))
    for (_, then), (_, now) in zip(before.each, after.each, strict=True):
        assert sum(_columns(now)) - sum(_columns(then)) <= SECOND + 2 * TICK


def test_a_load_between_the_ticks_is_where_it_usually_is() -> None:
    """Use that no tick has sampled goes by the sums so far."""
    clocks = CpuClocks()
    clocks.advance(KEY, _look(10, 1, spread=(0, 1, 0, 0)))
    counters = clocks.advance(KEY, _look(12, 1.5, spread=(0, 1, 0, 0)))
    assert [ticks.user for _, ticks in counters.each] == [0, int(1.5 * SECOND)]


def test_ticks_that_come_late_stay_on_their_cpu() -> None:
    """However short the intervals, a busy CPU is busy and the other idle: use comes in ticks."""
    clocks = CpuClocks()
    start = clocks.advance(KEY, _look(10, 0, spread=(0, 0, 0, 0)))
    for step in range(1, 401):
        elapsed = step * 0.003
        exact = int(elapsed / 0.01) * 0.01
        end = clocks.advance(KEY, _look(10 + elapsed, exact, spread=(0, elapsed, 0, 0)))
    grown = [
        tuple(new - old for new, old in zip(_columns(now), _columns(then), strict=True))
        for (_, then), (_, now) in zip(start.each, end.each, strict=True)
    ]
    assert grown[0][0] == 0
    assert abs(grown[0][3] - int(1.2 * SECOND)) <= 3 * TICK
    assert grown[1][3] <= 3 * TICK


def test_use_from_before_the_container_is_not_its_own() -> None:
    """A cgroup that used more than all CPUs could since the start begins at zero."""
    clocks = CpuClocks()
    assert clocks.advance(KEY, _look(1, 1000)).total.user == 0
    assert clocks.advance(KEY, _look(2, 1001)).total.user == SECOND


def test_a_successor_in_the_same_cgroup_begins_at_zero() -> None:
    """A container started again in its old cgroup is not shown its predecessor's time."""
    clocks = CpuClocks()
    clocks.advance(KEY, _look(10, 4))
    clocks.forget(KEY)
    counters = clocks.advance((2, 100), _look(20, 5, born=15))
    assert counters.total.user == SECOND
    assert counters.total.idle == 9 * SECOND
    assert clocks.advance((2, 100), _look(21, 6, born=15)).total.user == 2 * SECOND


def test_a_successor_cannot_have_used_more_than_there_was() -> None:
    """What the predecessor used after our last look is not the successor's either."""
    clocks = CpuClocks()
    clocks.advance(KEY, _look(10, 4))
    assert clocks.advance((2, 100), _look(100, 90, born=99)).total.user == 0


def test_a_cgroup_made_anew_is_counted_from_its_beginning() -> None:
    """A container started again in a new cgroup of the old name shows all of its own time."""
    clocks = CpuClocks()
    clocks.advance(KEY, _look(10, 1))
    look = _look(20, 3, born=15)._replace(cgroup=lambda: 99)
    assert clocks.advance((2, 100), look).total.user == 3 * SECOND


def test_a_move_to_another_cgroup_goes_on_counting() -> None:
    """When init is moved, the sum of its new cgroup is counted on from where the old one was."""
    clocks = CpuClocks()
    assert clocks.advance(KEY, _look(10, 9000, source="/")).total.user == 0
    assert clocks.advance(KEY, _look(10, 0.5, source="/c1")).total.user == 0
    assert clocks.advance(KEY, _look(12, 2.5, source="/c1")).total.user == 2 * SECOND
    assert clocks.advance(KEY, _look(14, 700, source="/c2")).total.user == 2 * SECOND


def test_a_renamed_cgroup_is_the_same() -> None:
    """A cgroup under another name goes on with its own sum."""
    clocks = CpuClocks()
    clocks.advance(KEY, _look(10, 4))
    assert clocks.advance(KEY, _look(12, 5, source="/renamed")).total.user == 5 * SECOND


def test_a_look_that_comes_late_changes_nothing() -> None:
    """Of two looks at once the earlier one may arrive last: its time is not counted twice."""
    clocks = CpuClocks()
    clocks.advance(KEY, _look(12, 6))
    late = clocks.advance(KEY, _look(11, 5)).total
    assert late.user == 6 * SECOND
    assert clocks.advance(KEY, _look(13, 7)).total.user == 7 * SECOND


def test_a_forgotten_container_that_comes_back_is_itself() -> None:
    """A container that was given up and is asked about again is not its own successor."""
    clocks = CpuClocks()
    clocks.advance(KEY, _look(10, 4))
    clocks.forget(KEY)
    assert clocks.advance(KEY, _look(12, 5)).total.user == 5 * SECOND


def test_a_cgroup_that_cannot_be_told_begins_nothing() -> None:
    """When the cgroup goes away at the first look, that is the error, and nothing is kept."""
    clocks = CpuClocks()

    def gone() -> int:
        raise SourceError(2, "gone", "/c1")

    with pytest.raises(SourceError):
        clocks.advance(KEY, _look(10, 4)._replace(cgroup=gone))
    assert clocks.advance(KEY, _look(10, 4)).total.user == 4 * SECOND


def test_forks_are_the_highest_pid_seen() -> None:
    """The counter of processes does not go back when the highest pid ends."""
    clocks = CpuClocks()
    assert clocks.forks(KEY, 7) == 7  # nothing is known of the container yet
    clocks.advance(KEY, _look(10, 4))
    assert [clocks.forks(KEY, pid) for pid in (20, 5, 21)] == [20, 20, 21]


@pytest.fixture
def ledger(tmp_path: Path) -> Callable[[], Ledger]:
    """Open one state file again and again, as each successor does."""
    descriptor = os.open(tmp_path / "state", os.O_RDWR | os.O_CREAT)
    return lambda: Ledger(descriptor, "a boot", 4)


def test_counters_go_on_after_a_restart(ledger: Callable[[], Ledger]) -> None:
    """A successor goes on from the file, and counts the time in between."""
    cpus = Cpus((0, 1), Fraction(1, 2))
    first = CpuClocks(ledger())
    first.advance(KEY, _look(10, 3, TWO, spread=(1, 2, 0, 0)))
    before = first.advance(KEY, _look(12, 4, cpus, system=1, spread=(1, 3, 0, 0)))
    first.forks(KEY, 33)
    again = CpuClocks(ledger())
    assert again.advance(KEY, _look(12, 4, cpus, system=1, spread=(1, 3, 0, 0))) == before
    assert again.forks(KEY, 4) == 33
    later = again.advance(KEY, _look(15, 4, cpus, system=1)).total
    # Half a second of idle for the 3 seconds: 1.5 less the 1 that was overdrawn.
    assert (later.user, later.idle) == (4 * SECOND, before.total.idle + SECOND // 2)


def test_a_successor_is_known_after_a_restart(ledger: Callable[[], Ledger]) -> None:
    """A container started again in its old cgroup begins at zero, lxfs restarted or not."""
    CpuClocks(ledger()).advance(KEY, _look(10, 4))
    assert CpuClocks(ledger()).advance((2, 100), _look(20, 5, born=15)).total.user == SECOND


def test_a_record_of_another_shape_is_no_history(ledger: Callable[[], Ledger]) -> None:
    """Bytes that are no record are as good as none."""
    ledger().entry(1, KEY).write(b"what is this")
    assert CpuClocks(ledger()).advance(KEY, _look(10, 4)).total.user == 4 * SECOND


class Shown:
    """What has been shown of one container, to compare what is shown next with."""

    def __init__(self) -> None:
        self._last: dict[object, tuple[int, ...]] = {}
        self._forks = 0

    def check(self, counters: CpuCounters, forks: int) -> None:
        """No column of the sum or of any CPU, and no count of forks, is less than it was."""
        for name, ticks in (("total", counters.total), *counters.each):
            values = _columns(ticks)
            before = self._last.get(name, (0, 0, 0, 0))
            assert all(new >= old for new, old in zip(values, before, strict=True)), name
            self._last[name] = values
        assert forks >= self._forks
        self._forks = forks


@dataclass
class Kernel:
    """A cgroup as the kernel counts it, on four CPUs."""

    inode: int
    user: list[int] = field(default_factory=lambda: [0] * 4)
    system: list[int] = field(default_factory=lambda: [0] * 4)

    def time(self) -> CpuTime:
        """Return the sums in whole ticks, as cpuacct.stat has them."""
        return CpuTime(sum(self.user) // TICK * TICK, sum(self.system) // TICK * TICK)


_cpus = st.sets(st.integers(0, 3), min_size=1)


class History(RuleBasedStateMachine):
    """One container through everything that may happen to it and to us."""

    def __init__(self) -> None:
        super().__init__()
        self._stack = contextlib.ExitStack()
        folder = self._stack.enter_context(tempfile.TemporaryDirectory())
        self.descriptor = os.open(f"{folder}/state", os.O_RDWR | os.O_CREAT)
        self._stack.callback(os.close, self.descriptor)
        self.restart()
        self.inode = 1
        self.here = Kernel(1)
        self.spreads = True

    def teardown(self) -> None:
        """Remove the state file."""
        self._stack.close()

    @initialize(
        age=st.integers(0, 1000 * SECOND),
        used=st.integers(0, 4000 * SECOND),
        visible=_cpus,
        spreads=st.booleans(),
    )
    def begin(self, age: int, used: int, visible: set[int], spreads: bool) -> None:
        """Start with a container that has run for a while, on a kernel that says where or not."""
        self.start = 50 * SECOND
        self.now = self.start + age
        self.here.user[0] = used
        self.visible = tuple(sorted(visible))
        self.quota = Fraction(4)
        self.spreads = spreads
        self.born(1)

    def born(self, key: int) -> None:
        """Begin to watch a container."""
        self.key = key
        self.shown = Shown()
        self.bound = Fraction(0)
        self.counters: CpuCounters | None = None
        self.seen_at = self.start

    @rule(seconds=st.floats(0, 5), busy=st.lists(st.floats(0, 1), min_size=4, max_size=4))
    def work(self, seconds: float, busy: list[float]) -> None:
        """Time passes, and CPUs are used for no more of it than there is."""
        elapsed = int(seconds * SECOND)
        self.now += elapsed
        for cpu, share in enumerate(busy):
            self.here.user[cpu] += int(elapsed * share * 0.75)
            self.here.system[cpu] += int(elapsed * share * 0.25)

    @rule(visible=_cpus, quota=st.fractions(Fraction(1, 100), 4))
    def limit(self, visible: set[int], quota: Fraction) -> None:
        """The cpuset and the quota change."""
        self.visible, self.quota = tuple(sorted(visible)), quota

    @rule(used=st.integers(0, 1000 * SECOND))
    def move(self, used: int) -> None:
        """Init is moved to another cgroup, which has used time before."""
        self.inode += 1
        self.here = Kernel(self.inode, [used, 0, 0, 0])

    @rule(back=st.integers(0, 10 * SECOND))
    def sums_go_back(self, back: int) -> None:
        """The kernel's sums are less than they were."""
        self.here.user = [max(0, value - back) for value in self.here.user]

    @rule(step=st.integers(-2 * SECOND, 0))
    def late(self, step: int) -> None:
        """A look arrives that was taken earlier."""
        now, self.now = self.now, max(self.start, self.now + step)
        self.look(1)
        self.now = now

    @rule()
    def restart(self) -> None:
        """The server is killed and another starts on the file: nothing is told to end."""
        self.clocks = CpuClocks(Ledger(self.descriptor, "a boot", 4))

    @rule()
    def again(self) -> None:
        """The container is started again in the same cgroup."""
        if self.counters is None:
            return
        self.look(1)
        self.start = self.now
        last = self.here.time().total
        self.born(self.key + 1)
        self.look(1)
        assert self.counters.total.user + self.counters.total.system <= max(
            0, self.here.time().total - last
        )

    @rule(last_pid=st.integers(1, 100))
    def look(self, last_pid: int) -> None:
        """Somebody reads."""
        capacity = min(self.quota, Fraction(len(self.visible)))
        spread = CpuSpread((0, 1, 2, 3), tuple(self.here.user), tuple(self.here.system))
        look = Look(
            now=self.now,
            age=self.now - self.start,
            source=f"/{self.here.inode}",
            cgroup=lambda: self.here.inode,
            used=self.here.time(),
            spread=spread if self.spreads else None,
            cpus=Cpus(self.visible, capacity),
            online=4,
        )
        self.counters = self.clocks.advance(self.key, look)
        # What may be idle grows with the clock, by the capacity of each look.
        self.bound += max(0, self.now - self.seen_at) * capacity
        self.seen_at = max(self.now, self.seen_at)
        self.shown.check(self.counters, self.clocks.forks(self.key, last_pid))
        assert tuple(number for number, _ in self.counters.each) == self.visible

    @invariant()
    def idle_is_within_what_was_due(self) -> None:
        """Idle time never exceeds the capacity that there was, nor the age times all CPUs."""
        if self.counters is not None:
            assert self.counters.total.idle <= self.bound
            assert self.bound <= (self.seen_at - self.start) * 4

    @invariant()
    def the_sum_is_that_of_the_cpus(self) -> None:
        """The first line is at least the sum of the visible CPUs: all, when all are visible."""
        if self.counters is None:
            return
        each = [_columns(ticks) for _, ticks in self.counters.each]
        sums = [sum(column) for column in zip(*each, strict=True)]
        total = _columns(self.counters.total)
        assert all(one <= whole for one, whole in zip(sums, total, strict=True))
        if len(self.counters.each) == 4:
            assert tuple(sums) == total


TestHistory = History.TestCase
TestHistory.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


class Steady(RuleBasedStateMachine):
    """A container whose CPUs stay as they are, read at any times."""

    def __init__(self) -> None:
        super().__init__()
        self.clocks = CpuClocks()
        self.here = Kernel(1)
        self.now = 0
        self.start: CpuCounters | None = None

    @initialize(visible=_cpus, quota=st.fractions(Fraction(1, 10), 4))
    def begin(self, visible: set[int], quota: Fraction) -> None:
        """Take a first look at time 0."""
        self.visible = tuple(sorted(visible))
        self.capacity = min(quota, Fraction(len(self.visible)))
        self.look()
        self.start = self.counters

    @rule(seconds=st.floats(0, 3), busy=st.lists(st.floats(0, 1), min_size=4, max_size=4))
    def work(self, seconds: float, busy: list[float]) -> None:
        """Use what the limits allow, on any CPUs."""
        elapsed = int(seconds * SECOND)
        self.now += elapsed
        share = min(1.0, float(self.capacity) / (sum(busy) or 1))
        for cpu, part in enumerate(busy):
            self.here.user[cpu] += int(elapsed * part * share)

    @rule()
    def look(self) -> None:
        """Somebody reads."""
        look = Look(
            now=self.now,
            age=self.now,
            source="/1",
            cgroup=lambda: 1,
            used=self.here.time(),
            spread=CpuSpread((0, 1, 2, 3), tuple(self.here.user), tuple(self.here.system)),
            cpus=Cpus(self.visible, self.capacity),
            online=4,
        )
        self.counters = self.clocks.advance(KEY, look)

    @invariant()
    def all_time_is_accounted_for(self) -> None:
        """Busy and idle time are together what the limits would have given, to a few ticks."""
        if self.start is not None:
            self.look()
            total = sum(_columns(self.counters.total))
            assert abs(total - int(self.now * self.capacity)) <= 2 * TICK

    @invariant()
    def no_cpu_outruns_the_wall_clock(self) -> None:
        """No CPU's time grows faster than the clock, to a few ticks."""
        if self.start is not None:
            for _, ticks in self.counters.each:
                assert sum(_columns(ticks)) <= self.now + 6 * TICK


TestSteady = Steady.TestCase
TestSteady.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
