"""Control files of recorded cgroups, byte by byte."""

from pathlib import Path

import pytest

from lxfs import stats
from lxfs.cgroupfs.files import Lists
from lxfs.cgroupfs.table import TABLE, UNIFIED
from lxfs.model import MemoryUse
from lxfs.views import meminfo
from tests.fixtures.cgroups import (
    RECORDS,
    RecordedGroup,
    expectation,
    recorded,
    renderings,
    without_v2,
)
from tests.fixtures.groups import Broken

of_each = pytest.mark.parametrize("record", RECORDS, ids=lambda path: path.parent.name)


def _read(group: RecordedGroup | Broken, directory: str, name: str) -> bytes | None:
    view = TABLE[directory][name].view
    assert not isinstance(view, Lists)
    return view(group)


@of_each
def test_other_shape_is_as_expected(record: Path) -> None:
    """Every file of the shape that the kernel does not have is byte by byte what was reviewed."""
    found, expected = renderings(recorded(record)), expectation(record)
    assert sorted(found) == sorted(expected)
    assert [name for name in found if found[name] != expected[name]] == []


@of_each
def test_own_shape_is_the_kernel_s(record: Path) -> None:
    """Every recorded file of the shape that the kernel has is there, and says the same."""
    group = recorded(record)
    found = renderings(group, own=True)
    for controller, texts in group.said["levels"][0].items():
        for name, text in texts.items():
            if name in {"cgroup.procs", "cgroup.threads", "tasks"}:
                continue
            directory = {"": UNIFIED, "io": "blkio", "name=systemd": "systemd"}.get(
                controller, controller
            )
            if (controller, name) in _SUPERSEDED and group.version("cpuacct") == 1:
                continue
            assert found[f"{directory}/{name}"] == text.encode()


_SUPERSEDED = {
    ("", name)
    for name in ("cgroup.controllers", "cgroup.subtree_control", "cpu.stat", "cpu.stat.local")
}
"""Files of the v2 tree of a hybrid host, which know nothing of the controllers on v1."""


@of_each
def test_free_and_memory_stat_agree(record: Path) -> None:
    """What meminfo makes of a cgroup are the figures of memory.stat in the other shape."""
    group = recorded(record)
    host = b"MemTotal: 8388608 kB\nMemAvailable: 8388608 kB\nAnonPages: 0 kB\nCached: 0 kB\n"
    own, other = (UNIFIED, "memory") if group.version("memory") == 2 else ("memory", UNIFIED)
    shape = {UNIFIED: stats.v2_memory, "memory": stats.v1_memory}
    seen = []
    for directory in (own, other):
        text = _read(group, directory, "memory.stat")
        assert text is not None
        use = MemoryUse(0, None, None, None, shape[directory](text))
        seen.append(meminfo.render(host, use))
    assert seen[0] == seen[1]


@of_each
def test_a_host_of_v1_alone_has_both_shapes(record: Path) -> None:
    """Where no v2 tree is mounted, the core's files are derived as well, and pressure is absent."""
    group = without_v2(recorded(record))
    if group.version("memory") != 1:
        pytest.skip("a record of v2")
    found = renderings(group)
    assert found["unified/cgroup.controllers"] == b"cpuset cpu io memory pids\n"
    assert found["unified/cgroup.events"] == b"populated 1\nfrozen 0\n"
    assert found["unified/cgroup.freeze"] == b"0\n"
    assert found["unified/cgroup.type"] == b"domain\n"
    assert found["unified/cgroup.max.depth"] == b"max\n"
    assert "unified/cgroup.stat" not in found
    assert not [name for name in found if name.endswith(".pressure")]
