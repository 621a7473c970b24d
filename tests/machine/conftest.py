"""The machine as a fixture: booted when the first test asks, with each kernel one after the other.

LXTUI_MACHINE=0 leaves the rung out; LXTUI_MACHINE=all runs the long tests too, as `make machine`
does; LXTUI_MACHINE=full also runs all the mount tests in it, and each test on each kernel;
LXTUI_MACHINE_REQUIRED=1 makes its skips failures. LXTUI_MACHINE_SECONDS is how long the rung may
take in all: what has not begun by then is not run, and says so.
"""

import os
import time
from collections.abc import Iterator

import pytest

from .errors import MachineUnavailable
from .incus import Incus
from .machine import Machine, booted
from .recipe import Recipe

COLD_SECONDS = 900  # of one test, with the making of the image
RUNG_SECONDS = 1020  # then it ends with the longest run of tests.whole on a slow day
KERNELS = tuple(version for version, _ in Recipe().kernels)

MARKERS = (
    "newest_kernel: of the machine's kernels only the newest, unless LXTUI_MACHINE=full",
    "full: only with LXTUI_MACHINE=full",
)

_began = pytest.StashKey[float]()


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers of this rung."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark whatever uses the machine, and give it time: emulation is slow."""
    spared = []
    for item in items:
        if "machine" in getattr(item, "fixturenames", ()):
            item.add_marker("machine")
            item.add_marker(pytest.mark.timeout(COLD_SECONDS))
        if not _is_worth_it(item):
            spared.append(item)
    # The longest tests of an older kernel last: the rung's time is short.
    items.sort(key=_comes_late)
    if spared:
        config.hook.pytest_deselected(items=spared)
        items[:] = [item for item in items if item not in spared]


def _comes_late(item: pytest.Item) -> bool:
    callspec = getattr(item, "callspec", None)
    old = callspec is not None and callspec.params.get("machine") in KERNELS[1:]
    return old and item.path.name == "test_drivers.py"


def _is_worth_it(item: pytest.Item) -> bool:
    asked = os.environ.get("LXTUI_MACHINE")
    if asked == "full":
        return True
    if item.get_closest_marker("full") is not None:
        return False
    callspec = getattr(item, "callspec", None)
    if item.get_closest_marker("newest_kernel") is None or callspec is None:
        return True
    return bool(callspec.params.get("machine") == KERNELS[0])


def _skip(reason: str) -> None:
    if os.environ.get("LXTUI_MACHINE_REQUIRED"):
        pytest.fail(f"no machine: {reason}", pytrace=False)
    pytest.skip(f"no machine: {reason}")


def _left(config: pytest.Config) -> float:
    """Return the seconds that the rung has left."""
    may = float(os.environ.get("LXTUI_MACHINE_SECONDS", RUNG_SECONDS))
    began = config.stash.setdefault(_began, time.monotonic())
    return may - (time.monotonic() - began)


@pytest.fixture(scope="session", params=KERNELS)
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """A Debian 13 machine with cgroup v2 alone, on its own kernel and on Debian 12's."""
    if os.environ.get("LXTUI_MACHINE") == "0":
        _skip("left out by LXTUI_MACHINE=0")
    _check_time(request.config)
    began = False
    try:
        with booted(request.param) as running:
            began = True
            yield running
    except MachineUnavailable as error:
        if began:
            raise
        _skip(str(error))


@pytest.fixture(scope="session")
def incus(machine: Machine) -> Incus:
    """Incus in the machine, with an image."""
    return Incus(machine)


def _check_time(config: pytest.Config) -> None:
    if _left(config) <= 0:
        _skip("this computer is too slow, the rung's time is over (LXTUI_MACHINE_SECONDS)")


@pytest.fixture(autouse=True)
def _in_time(request: pytest.FixtureRequest) -> None:
    """Begin no test of the machine when the rung's time is over."""
    if "machine" in request.fixturenames:
        _check_time(request.config)
