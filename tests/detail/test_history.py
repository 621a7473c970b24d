"""Counters as rates: what a graph may say, and where it has a hole."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lxtui.detail.history import HOLE, MOST, History, Point, cpu_limit, point_of, together
from lxtui.detail.samples import Sample, host_sample_from, sample_from

SECOND = 10**9


def _sample(at: float, cpu: int = 0, **more: object) -> Sample:
    base = Sample(at, cpu_ns=cpu, memory=100, received={"eth0": 0}, sent={"eth0": 0}, init=7)
    return replace(base, **more)  # type: ignore[arg-type]  # a test's few


def _history(*samples: Sample) -> History:
    return reduce(History.after, samples, History(1.0))


def test_rates_are_of_the_time_between_two_samples() -> None:
    """Half a CPU for two seconds is 50 %, whatever the interval was meant to be."""
    history = _history(_sample(0), _sample(2, SECOND, received={"eth0": 4096}, sent={"eth0": 1024}))
    first, second = history.points
    assert (first.cpu, first.memory, first.received) == (None, 100, {})
    assert second.cpu == pytest.approx(50)
    assert second.received == {"eth0": 2048}
    assert second.sent == {"eth0": 512}


@pytest.mark.parametrize(
    "after",
    [_sample(1, 5, init=8), _sample(1, 5, init=None), replace(_sample(1, 5), cpu_ns=None)],
    ids=["another init", "no init", "no counter"],
)
def test_another_life_has_no_rate_yet(after: Sample) -> None:
    """A restart between two samples leaves a hole, not a negative or a huge rate."""
    point = _history(_sample(0, 0), after).points[-1]
    assert point.cpu is None
    assert point.memory == 100


def test_a_counter_that_went_back_has_no_rate() -> None:
    """Each counter for itself: an interface that was replugged does not blind the others."""
    before = _sample(0, 100, received={"eth0": 500, "eth1": 0})
    now = _sample(1, 100 + SECOND // 10, received={"eth0": 20, "eth1": 70, "eth2": 9})
    point = point_of(before, now)
    assert point.cpu == pytest.approx(10)
    assert point.received == {"eth1": 70}


def test_a_while_without_looks_is_a_hole() -> None:
    """Nobody knows when in it the work was done: columns stay empty, and the next rate is none."""
    history = _history(
        _sample(0), _sample(1, SECOND), _sample(6, 2 * SECOND), _sample(7, SECOND * 5 // 2)
    )
    assert [one.cpu for one in history.points] == [None, 100, None, None, None, None, None, 50]
    assert history.points[2:6] == (HOLE,) * 4
    assert history.points[6].memory == 100


def test_two_samples_at_once_make_no_rate() -> None:
    """A rate over no time would be noise."""
    assert point_of(_sample(0), _sample(0.01, SECOND)).cpu is None


@given(st.lists(st.floats(0.1, 10_000), max_size=20), st.integers(0, 3))
def test_a_history_is_bounded(steps: list[float], many: int) -> None:
    """However long the pauses and however many the samples, it keeps so many points."""
    history, at = History(1.0), 0.0
    for step in steps * (1 + 30 * many):
        at += step
        history = history.after(_sample(at))
    assert len(history.points) <= MOST


def test_the_sum_of_instances_leaves_out_what_is_not_known() -> None:
    """One that was just started does not hide what the others use."""
    summed = together(
        [
            Point(cpu=50, memory=10, received={"eth0": 1, "eth1": 2}),
            Point(cpu=None, memory=5, sent={"eth0": 4}),
        ]
    )
    assert summed == Point(cpu=50, memory=15, received={"": 3}, sent={"": 4})
    assert together([]) == Point(received={}, sent={})


@pytest.mark.parametrize(
    ("config", "said", "cpus"),
    [
        ({}, None, None),
        ({"limits.cpu": "2"}, None, 2),
        ({"limits.cpu": "0-2,5"}, None, 4),
        ({"limits.cpu": "3"}, 1.5, 1.5),
        ({"limits.cpu.allowance": "50%"}, None, None),
        ({"limits.cpu.allowance": "25ms/100ms"}, None, 0.25),
        ({"limits.cpu": "4", "limits.cpu.allowance": "150ms/100ms"}, None, 1.5),
        ({"limits.cpu": "2-0"}, None, None),
        ({"limits.cpu": "many"}, None, None),
        ({"limits.cpu.allowance": "1ms/0ms"}, None, None),
    ],
)
def test_cpu_limits(config: dict[str, str], said: float | None, cpus: float | None) -> None:
    """Numbers, lists and hard quotas are limits; shares are none; what is odd is none."""
    assert cpu_limit(config, said) == cpus


LXD = {
    "status": "Running",
    "pid": 19816,
    "processes": 3,
    "cpu": {"usage": 39593701},
    "disk": {},
    "memory": {"swap_usage": 0, "usage": 1052672},
    "network": {
        "eth0": {"counters": {"bytes_received": 344, "bytes_sent": 518}, "type": "broadcast"},
        "lo": {"counters": {"bytes_received": 9, "bytes_sent": 9}, "type": "loopback"},
    },
}


def test_states_of_both_servers() -> None:
    """LXD 5.0.2's and Incus 6.0.4's documents; the loopback is no network."""
    sample = sample_from(LXD, 5.0)
    assert sample.cpu_ns == 39593701
    assert (sample.received, sample.sent) == ({"eth0": 344}, {"eth0": 518})
    assert (sample.init, sample.processes, sample.memory, sample.cpus) == (19816, 3, 1052672, None)
    incus = {"cpu": {"allocated_time": 1500000000, "usage": 1}, "memory": {"total": 256}}
    assert sample_from(incus, 0).cpus == 1.5
    assert sample_from(incus, 0).memory_total == 256


@pytest.mark.parametrize(
    "odd",
    [None, [], "x", {"cpu": 3, "memory": [], "network": {"e": None}, "disk": {"d": 1}, "pid": -1},
     {"cpu": {"usage": -1}, "memory": {"usage": True}, "network": {"e": {"counters": "x"}}}],
)  # fmt: skip
def test_odd_documents_know_nothing(odd: object) -> None:
    """What has another shape is not known, and no error."""
    sample = sample_from(odd, 1.0)
    assert (sample.cpu_ns, sample.memory, sample.init) == (None, None, None)
    assert not sample.received
    assert host_sample_from(odd) == host_sample_from({})


def test_resources_of_a_host() -> None:
    """Memory and load; a server that tells no load has none."""
    document = {
        "memory": {"total": 100, "used": 40},
        "cpu": {"total": 2},
        "load": {"Average1Min": 1.5, "Average5Min": 1, "Average10Min": 0.5, "Processes": 9},
    }
    found = host_sample_from(document)
    assert (found.memory_total, found.memory_used, found.cpus) == (100, 40, 2)
    assert (found.load, found.tasks) == ((1.5, 1.0, 0.5), 9)
    assert host_sample_from({"memory": {}}).load == ()
