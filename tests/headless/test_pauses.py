"""The interpreter's looks at everything wait until nobody does."""

from __future__ import annotations

import gc
import sys

from lxtui.pauses import LATEST, OFTEN, QUIET, Pauses


class Clock:
    """A clock that is set by hand."""

    now = 1000.0

    def __call__(self) -> float:
        """The moment."""
        return self.now


def _pauses() -> tuple[Clock, list[float], Pauses]:
    clock, looks = Clock(), list[float]()
    return clock, looks, Pauses(clock, lambda: looks.append(clock.now))


def test_nobody_waits_for_a_look() -> None:
    """While keys are pressed there is none; after a quiet moment there is one."""
    clock, looks, pauses = _pauses()
    while clock.now < 1000 + LATEST - 1:
        clock.now += QUIET / 2
        pauses.touched()
        assert not pauses.look()
    clock.now += QUIET
    assert pauses.look()
    assert looks == [clock.now]


def test_looks_are_rare_and_come_in_the_end() -> None:
    """Not even in quiet are they frequent; and who never lets go of the keys has one all the same,
    or memory would grow.
    """
    clock, looks, pauses = _pauses()
    for _ in range(100):
        clock.now += 1
        pauses.look()
    assert len(looks) == 100 // OFTEN
    looks.clear()
    for _ in range(int(LATEST) + 1):
        clock.now += 1
        pauses.touched()
        pauses.look()
    assert len(looks) == 1


def test_the_interpreter_is_left_as_it_was() -> None:
    """While the screen is there no allocation looks at all objects; then all is as before."""
    before = gc.get_threshold(), sys.getswitchinterval()
    end = Pauses().begin()
    try:
        assert gc.get_threshold()[2] > 100_000
        assert sys.getswitchinterval() < 0.005
        assert gc.isenabled()
    finally:
        end()
    assert (gc.get_threshold(), sys.getswitchinterval()) == before
