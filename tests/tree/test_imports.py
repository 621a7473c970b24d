"""What is imported when, proven by importing: the written contracts are only half of it."""

import subprocess
import sys

import pytest

_HEAVY = ("textual", "pylxd", "mfusepy", "lxtui", "psutil", "requests")


def _imported(module: str) -> set[str]:
    code = f"import sys, {module}; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "module",
    ["lxfs.cli", "lxfs.tree", "lxfs.identity", "lxfs.state", "lxfs.sources.cgroups", "lxfs.run"],
)
def test_nothing_heavy_is_imported(module: str) -> None:
    """No module but the driver brings FUSE in, and none the TUI's libraries."""
    assert _imported(module).isdisjoint(_HEAVY)


@pytest.mark.parametrize(
    "name", ["meminfo", "swaps", "cpuinfo", "stat", "uptime", "loadavg", "cpu_sysfs", "node_sysfs"]
)
def test_views_bring_only_model_and_parse(name: str) -> None:
    """A view brings in nothing else of ours but other views, the model, origins and the parser."""
    ours = {m for m in _imported(f"lxfs.views.{name}") if m.startswith("lxfs")}
    views = {m for m in ours if m.startswith("lxfs.views")}
    assert ours - views <= {"lxfs", "lxfs.model", "lxfs.origin", "lxfs.parse"}
