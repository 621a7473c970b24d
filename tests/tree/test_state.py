"""What is remembered between reads: load averages and dear counts."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lxfs.ledger import Ledger
from lxfs.model import SourceError, TaskCount
from lxfs.state import Kept, LoadAverages, decay

KEY = (1, 1)


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


def test_averages_go_on_after_a_restart(tmp_path: Path) -> None:
    """A successor finds who was sampled, and goes on sampling from where the averages were."""
    descriptor = os.open(tmp_path / "state", os.O_RDWR | os.O_CREAT)

    def ledger() -> Ledger:
        return Ledger(descriptor, "a boot", 2)

    def sample(running: int) -> Callable[[], TaskCount]:
        return lambda: TaskCount(running=running, blocked=0, total=9, last_pid=20)

    first = LoadAverages(step=0.01, ledger=ledger())
    first.get(KEY, sample(4), b"c1")
    assert _until(lambda: first.get(KEY, sample(4), b"c1").one > 1000)
    first.close()
    last = first.get(KEY, sample(0), b"c1")
    again = LoadAverages(step=0.01, ledger=ledger())
    assert again.on_file() == [b"c1"]
    again.resume(KEY, sample(4), b"c1")
    assert _until(lambda: again.get(KEY, sample(4), b"c1").one > last.one + 1000)
    again.close()
    kept = LoadAverages(step=5, ledger=ledger())
    assert kept.get(KEY, sample(0), b"c1").one >= last.one + 1000
    kept.close()
    assert LoadAverages(keep=-1, ledger=ledger()).on_file() == []
    os.close(descriptor)


def _until(condition: Callable[[], bool]) -> bool:
    until = time.monotonic() + 10
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


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
        until = time.thread_time() + (0.05 if dear else 0)
        while time.thread_time() < until:
            pass
        made.append(TaskCount(running=len(made), blocked=0, total=9, last_pid=9))
        return made[-1]

    dear = False
    assert kept.get(KEY, make) is not kept.get(KEY, make)
    made.clear()
    dear = True
    assert kept.get(KEY, make) is kept.get(KEY, make)
    assert kept.get((2, 2), make) is made[1]
    kept.forget(KEY)
    assert kept.get(KEY, make) is made[2]
