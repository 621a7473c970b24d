"""What the moves between real daemons share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lxtui import remotes
from lxtui.backend.base import Backend
from lxtui.backend.lxd import LxdBackend
from tests.lab.lab import Lab
from tests.migrate.matrix import table
from tests.migrate.scene import Cell

RESULTS = pytest.StashKey[dict[Cell, str]]()
"""What came of each cell of the fault matrix."""


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the fault matrix, when there was one."""
    if results := config.stash.get(RESULTS, {}):
        terminalreporter.section("fault matrix")
        terminalreporter.write_line(table(results))


@pytest.fixture
def backends(lab: Lab) -> Iterator[dict[str, Backend]]:
    """One backend for each host of the lab, as the command lines' configuration names them."""
    known = remotes.load(lab.environment, Path("/nonexistent")).remotes
    made: dict[str, Backend] = {one.name: LxdBackend(one) for one in known}
    yield made
    for backend in made.values():
        backend.close()
