"""When a worker looks out for the next request instead of going to sleep."""

import itertools
import os
from collections.abc import Iterator

import pytest

from lxfs.drivers.native.lookout import Lookout
from lxfs.drivers.native.protocol import OPEN, READ, RELEASE

pytestmark = pytest.mark.skipif(
    len(os.sched_getaffinity(0)) == 1, reason="with one CPU nobody looks out"
)


class Clock:
    """A clock that says how often it was asked, a second later each time."""

    asked = 0

    def __call__(self) -> float:
        """Return the seconds."""
        self.asked += 1
        return float(self.asked)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Yield what stands for the device: an end to poll, and one to put something in."""
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)
    os.close(writing)


def test_a_request_that_is_there_is_found(pipe: tuple[int, int]) -> None:
    """Each time, without leaving any out."""
    os.write(pipe[1], b"x")
    look = Lookout(pipe[0]).look
    assert all(look(READ) for _ in range(100))


def test_after_a_release_nobody_is_waited_for(pipe: tuple[int, int]) -> None:
    """Whoever has closed a file may be done."""
    os.write(pipe[1], b"x")
    assert not Lookout(pipe[0], clock=lambda: pytest.fail("looked")).look(RELEASE)


def test_the_less_it_pays_the_less_it_is_tried(pipe: tuple[int, int]) -> None:
    """Twice as many occasions are left out each time, up to 64."""
    clock = Clock()
    lookout = Lookout(pipe[0], clock)
    looked = []
    for occasion in range(400):
        before = clock.asked
        assert not lookout.look(OPEN)
        if clock.asked > before:
            looked.append(occasion)
    gaps = [after - before for before, after in itertools.pairwise(looked)]
    assert gaps[:8] == [2, 4, 8, 16, 32, 64, 65, 65]
    assert set(gaps[8:]) == {65}


def test_it_is_tried_each_time_again_when_it_has_paid(pipe: tuple[int, int]) -> None:
    """At the latest after the 64 that were left out."""
    lookout = Lookout(pipe[0], Clock())
    for _ in range(100):
        lookout.look(OPEN)
    os.write(pipe[1], b"x")
    assert sum(lookout.look(READ) for _ in range(200)) > 130
