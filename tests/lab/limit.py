"""The limit of a test with a lab: it ends the test, what the test does then, and its cleaning up.

Role: hooks of pytest and of pytest-timeout, whose own alarm comes once, and none after a failure. A
move that it interrupts goes its way back, and asks the very daemon that did not answer: so this one
comes again. Before each it lets go of containers that do not get frozen, for which daemons wait for
ever. Boundary: knows the lab by the fixture of that name. Threading: the main one.
"""

import faulthandler
import signal
import sys
from collections.abc import Generator
from types import FrameType
from typing import Any

import pytest

from . import procs

AGAIN_SECONDS = 60
_settings = pytest.StashKey[Any]()


def _thawed(item: pytest.Item) -> str:
    lab = getattr(item, "funcargs", {}).get("lab")
    members = procs.members(lab.plan.root) if lab else set()
    stuck = procs.thaw(procs.cgroups(members), stuck=True)
    return "".join(f"; {path} did not get frozen" for path in sorted(stuck))


@pytest.hookimpl
def pytest_timeout_set_timer(item: pytest.Item, settings: Any) -> bool | None:
    """Set the alarm of a test with a lab; leave those of other tests to pytest-timeout."""
    if "lab" not in getattr(item, "fixturenames", ()) or settings.method != "signal":
        return None

    def ring(_number: int, _frame: FrameType | None) -> None:
        # The main thread stands where the failure is reported to come from.
        faulthandler.dump_traceback(sys.__stderr__ or 2)
        pytest.fail(f"no end after {settings.timeout:.0f} s{_thawed(item)}")

    def cancel() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)

    item.stash[_settings] = settings
    item.cancel_timeout = cancel  # type: ignore[attr-defined] # where pytest-timeout looks for it
    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, settings.timeout, min(AGAIN_SECONDS, settings.timeout))
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """Set it anew for the cleaning up: at a failure pytest-timeout takes it away."""
    if settings := item.stash.get(_settings, None):
        item.config.hook.pytest_timeout_set_timer(item=item, settings=settings)
    yield
