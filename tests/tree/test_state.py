"""What is remembered between reads: CPU counters and load averages."""

import threading
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lxfs.model import NSEC_PER_SEC, CpuCounters, Cpus, CpuTime, SourceError, TaskCount
from lxfs.state import CpuClocks, Kept, LoadAverages, decay

SECOND = NSEC_PER_SEC
TWO = Cpus((0, 1), Fraction(2))
KEY = (1, 1)


def _advance(
    clocks: CpuClocks,
    at: float,
    user: float,
    cpus: Cpus = TWO,
    system: float = 0,
    source: str = "/c1",
) -> CpuCounters:
    """Advance a container that started at 0 on a host of four CPUs."""
    now = int(at * SECOND)
    used = CpuTime(int(user * SECOND), int(system * SECOND))
    return clocks.advance(KEY, source=source, now=now, age=now, used=used, cpus=cpus, online=4)


def test_first_read_divides_age_into_busy_and_idle() -> None:
    """Idle is what the CPUs could have given since the start, less what was used."""
    counters = _advance(CpuClocks(), 10, 4, system=1)
    assert (counters.total.user, counters.total.system) == (4 * SECOND, SECOND)
    assert counters.total.idle == 15 * SECOND
    assert [ticks.user for _, ticks in counters.each] == [2 * SECOND, 2 * SECOND]


def test_full_use_of_a_fractional_quota_leaves_nothing_idle() -> None:
    """A container that uses all of 1.5 CPUs reads 100 % busy."""
    clocks = CpuClocks()
    cpus = Cpus((0, 1), Fraction(3, 2))
    before = _advance(clocks, 10, 3, cpus).total
    after = _advance(clocks, 12, 6, cpus).total
    assert after.user - before.user == 3 * SECOND
    assert after.idle == before.idle


def test_half_use_of_a_quota_reads_half() -> None:
    """A container that uses half of its half CPU reads 50 % busy."""
    clocks = CpuClocks()
    cpus = Cpus((0,), Fraction(1, 2))
    before = _advance(clocks, 10, 0, cpus).total
    after = _advance(clocks, 14, 1, cpus).total
    assert after.user - before.user == SECOND
    assert after.idle - before.idle == SECOND


def test_bursts_within_a_period_do_not_count_as_idle_later() -> None:
    """Use beyond the quota in one interval is set off against the next, so full use stays full."""
    clocks = CpuClocks()
    cpus = Cpus((0, 1), Fraction(1))
    start = _advance(clocks, 10, 10, cpus).total
    _advance(clocks, 10.05, 10.1, cpus)  # both CPUs busy for half a period
    end = _advance(clocks, 10.1, 10.1, cpus).total  # throttled for the other half
    assert end.idle == start.idle


def test_a_deficit_is_bounded() -> None:
    """After a limit was cut, idle time counts again within a second of what was overdrawn."""
    clocks = CpuClocks()
    _advance(clocks, 10, 0, Cpus((0,), Fraction(1, 10)))
    _advance(clocks, 20, 10, Cpus((0,), Fraction(1, 10)))
    before = _advance(clocks, 20, 10, Cpus((0,), Fraction(1))).total
    after = _advance(clocks, 22, 10, Cpus((0,), Fraction(1))).total
    assert after.idle - before.idle == SECOND


def test_use_from_before_the_container_is_not_its_own() -> None:
    """A cgroup that used more than all CPUs could since the start begins at zero."""
    clocks = CpuClocks()
    assert _advance(clocks, 1, 1000).total.user == 0
    assert _advance(clocks, 2, 1001).total.user == SECOND


def test_a_move_to_another_cgroup_goes_on_counting() -> None:
    """When init is moved, the sum of its new cgroup is counted on from where the old one was."""
    clocks = CpuClocks()
    assert _advance(clocks, 10, 9000, source="/").total.user == 0
    assert _advance(clocks, 10, 0.5, source="/c1").total.user == 0
    assert _advance(clocks, 12, 2.5, source="/c1").total.user == 2 * SECOND
    assert _advance(clocks, 14, 700, source="/c2").total.user == 2 * SECOND


def test_a_forgotten_container_begins_anew() -> None:
    """Counters are dropped with the container."""
    clocks = CpuClocks()
    _advance(clocks, 10, 4)
    clocks.forget(KEY)
    assert _advance(clocks, 10, 2).total.user == 2 * SECOND


_steps = st.lists(
    st.tuples(
        st.integers(-SECOND, 5 * SECOND),
        st.integers(-SECOND, 20 * SECOND),
        st.sets(st.integers(0, 3), min_size=1),
        st.fractions(Fraction(1, 100), 4),
    ),
    min_size=2,
    max_size=12,
)


@given(_steps)
def test_no_counter_ever_goes_back(steps: list[tuple[int, int, set[int], Fraction]]) -> None:
    """Whatever time, use, visible CPUs and quota do, no counter of any CPU decreases."""
    clocks = CpuClocks()
    now, used = 100 * SECOND, 50 * SECOND
    last: dict[object, tuple[int, ...]] = {}
    for elapsed, more, numbers, quota in steps:
        now, used = now + elapsed, max(0, used + more)
        visible = tuple(sorted(numbers))
        counters = clocks.advance(
            KEY,
            source="/c1",
            now=now,
            age=max(0, now),
            used=CpuTime(used * 2 // 3, used // 3),
            cpus=Cpus(visible, min(quota, Fraction(len(visible)))),
            online=4,
        )
        assert tuple(number for number, _ in counters.each) == visible
        for name, ticks in (("total", counters.total), *counters.each):
            values = (ticks.user, ticks.nice, ticks.system, ticks.idle)
            assert min(values) >= 0
            previous = last.get(name, (0, 0, 0, 0))
            assert all(new >= old for new, old in zip(values, previous, strict=True))
            last[name] = values


def test_load_follows_the_kernels_formula() -> None:
    """One task for a minute reads 0.63 (1 - 1/e) of it; steps are those of the kernel."""
    load = 0
    for _ in range(12):
        load = decay(load, 1884, 2048)
    assert load / 2048 == pytest.approx(0.632, abs=0.005)
    assert decay(0, 1884, 2048) == 164
    assert decay(2048, 1884, 0) == 1884


@given(st.integers(0, 1 << 24), st.integers(0, 4096))
def test_load_stays_between_what_it_was_and_what_runs(load: int, tasks: int) -> None:
    """An average moves towards the tasks that run and never past them."""
    active = tasks * 2048
    after = decay(load, 1884, active)
    assert min(load, active) - 1 <= after <= max(load, active)


def test_sampler_samples_who_is_asked_about_and_stops() -> None:
    """The first read is 0.00, later ones rise; the thread ends when closed."""
    sampled = threading.Event()
    count = 0

    def sample() -> TaskCount:
        nonlocal count
        count += 1
        if count > 3:
            sampled.set()
        return TaskCount(running=4, blocked=0, total=9, last_pid=20)

    loads = LoadAverages(step=0.01)
    try:
        assert loads.get(KEY, sample).one == 0
        assert sampled.wait(10)
        risen = loads.get(KEY, sample)
        assert risen.one > risen.five > risen.fifteen > 0
        assert risen.tasks.total == 9
    finally:
        loads.close()
    assert "lxfs-loadavg" not in {thread.name for thread in threading.enumerate()}


def test_sampler_forgets_who_is_gone_or_not_asked_about() -> None:
    """A container that cannot be sampled is dropped, and without any the thread ends."""
    gone = threading.Event()
    calls = 0

    def sample() -> TaskCount:
        nonlocal calls
        calls += 1
        if calls > 1:
            gone.set()
            raise SourceError(2, "gone", "/proc/1/status")
        return TaskCount(running=1, blocked=0, total=1, last_pid=1)

    loads = LoadAverages(step=0.01)
    loads.get(KEY, sample)
    thread = next(t for t in threading.enumerate() if t.name == "lxfs-loadavg")
    assert gone.wait(10)
    thread.join(10)
    assert not thread.is_alive()
    loads.close()


def test_dear_counts_are_kept_and_cheap_ones_made_anew() -> None:
    """A count that took long is given again for a while, for its own container only."""
    kept = Kept()
    made: list[TaskCount] = []

    def make() -> TaskCount:
        threading.Event().wait(0.05)
        made.append(TaskCount(running=len(made), blocked=0, total=9, last_pid=9))
        return made[-1]

    assert kept.get(KEY, make) is kept.get(KEY, make)
    assert kept.get((2, 2), make) is made[1]
    kept.forget(KEY)
    assert kept.get(KEY, make) is made[2]
