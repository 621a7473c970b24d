"""The machine as a fixture: booted once, when the first test asks, for the whole session.

Emulation takes minutes, so the rung is asked for: LXTUI_MACHINE=1 (`make machine`) runs it,
LXTUI_MACHINE=full runs all the mount tests in it; LXTUI_MACHINE_REQUIRED=1 makes its skips
failures.
"""

import os
from collections.abc import Iterator

import pytest

from .errors import MachineUnavailable
from .machine import Machine, booted

COLD_SECONDS = 900  # with the making of the image


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark whatever uses the machine, and give it time: emulation is slow."""
    for item in items:
        if "machine" in getattr(item, "fixturenames", ()):
            item.add_marker("machine")
            item.add_marker(pytest.mark.timeout(COLD_SECONDS))


def _skip(reason: str) -> None:
    if os.environ.get("LXTUI_MACHINE_REQUIRED"):
        pytest.fail(f"no machine: {reason}", pytrace=False)
    pytest.skip(f"no machine: {reason}")


@pytest.fixture(scope="session")
def machine() -> Iterator[Machine]:
    """A Debian 13 machine with cgroup v2 alone."""
    if os.environ.get("LXTUI_MACHINE", "0") == "0":
        _skip("minutes of emulation, run only when asked for: make machine")
    began = False
    try:
        with booted() as running:
            began = True
            yield running
    except MachineUnavailable as error:
        if began:
            raise
        _skip(str(error))
