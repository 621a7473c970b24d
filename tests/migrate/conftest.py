"""What the moves between real daemons share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lxtui import remotes
from lxtui.backend.base import Backend
from lxtui.backend.lxd import LxdBackend
from tests.lab.lab import Lab


@pytest.fixture
def backends(lab: Lab) -> Iterator[dict[str, Backend]]:
    """One backend for each host of the lab, as the command lines' configuration names them."""
    known = remotes.load(lab.environment, Path("/nonexistent")).remotes
    made: dict[str, Backend] = {one.name: LxdBackend(one) for one in known}
    yield made
    for backend in made.values():
        backend.close()
