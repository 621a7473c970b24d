"""What is not needed is not loaded, and what must not be known is not known."""

from __future__ import annotations

import subprocess
import sys

import pytest


def _loaded_by(module: str) -> set[str]:
    """The top-level packages that importing *module* alone loads."""
    script = f"import sys, {module}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("module", "without"),
    [
        ("lxtui.cli", {"textual", "pylxd", "mfusepy"}),
        ("lxtui.headless", {"textual", "pylxd"}),
        ("lxtui.fleet", {"textual", "pylxd"}),
        ("lxtui.backend.lxd", {"textual"}),
        ("lxtui.screens.main", {"pylxd", "requests"}),
        ("lxtui.migrate.plan", {"textual", "pylxd", "websockets"}),
    ],
)
def test_modules_load_only_what_they_may(module: str, without: set[str]) -> None:
    """Importing the module leaves these packages unloaded."""
    assert not without & _loaded_by(module)


def test_the_version_is_said_before_the_program_is_loaded() -> None:
    """The entry point alone loads neither the argument parser nor what the program needs."""
    assert not {"argparse", "yaml", "dataclasses", "email"} & _loaded_by("lxtui.start")
