"""Limits as text, and where their cgroups are made: on trees that no kernel watches."""

import errno
from fractions import Fraction
from pathlib import Path

import pytest

from lxfs import limits
from lxfs.errors import UsageError, UserError
from lxfs.limits import Cell, Limits
from lxfs.sources.cgroups import Hierarchies
from lxfs.sources.place import Place
from tests.fixtures import V2, FixedHost, fixture_host


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("256M", 256 << 20),
        ("256m", 256 << 20),
        ("1G", 1 << 30),
        ("1.5G", 3 << 29),
        ("512k", 512 << 10),
        ("64MiB", 64 << 20),
        ("64MB", 64 << 20),
        ("4096", 4096),
        ("0", 0),
    ],
)
def test_sizes(text: str, value: int) -> None:
    """Units are of 1024, upper or lower case, with or without B."""
    assert limits.size(text) == value


@pytest.mark.parametrize("text", ["", "M", "-1", "1.M", "1e3", "12X", "1 G", "0x10", "1,5G"])
def test_what_is_no_size(text: str) -> None:
    """Anything else is refused with examples of what is a size."""
    with pytest.raises(ValueError, match=r"256M, 1\.5G"):
        limits.size(text)


def test_numbers_of_cpus_and_processes() -> None:
    """Fractions of CPUs are exact; lists of CPUs are the kernel's."""
    assert limits.cpu_count("1.5") == Fraction(3, 2)
    assert limits.cpu_set("0-1,3") == (0, 1, 3)
    assert limits.task_count("2") == 2


def test_swap_alone_is_bad_usage() -> None:
    """The kernel of v1 limits swap only together with memory, so both must be given."""
    with pytest.raises(UsageError, match="--swap needs --memory"):
        Limits(swap=0)


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """The root of the synthesised v2 tree."""
    fixture_host(V2, tmp_path)
    return tmp_path / "sys/fs/cgroup"


def _parent(top: Path, path: str, needed: set[str]) -> str:
    return limits._v2_parent(Place(str(top), "/", path), needed).path


def test_v2_takes_the_nearest_ancestor_that_hands_down(top: Path) -> None:
    """A cgroup with processes hands nothing down; the next above it that does is taken."""
    leaf = "/system.slice/lxc.payload.c1/init.scope"
    assert _parent(top, leaf, {"memory", "pids"}) == "/system.slice/lxc.payload.c1"
    (top / "system.slice/lxc.payload.c1/cgroup.subtree_control").write_text("memory\n")
    assert _parent(top, leaf, {"memory", "cpu"}) == "/system.slice"


def test_v2_enables_what_is_needed_where_no_process_is(top: Path) -> None:
    """Where nothing above hands a controller down, an empty cgroup that has it does."""
    for level in (".", "system.slice", "system.slice/lxc.payload.c1"):
        (top / level / "cgroup.subtree_control").write_text("pids\n")
    leaf = "/system.slice/lxc.payload.c1/init.scope"
    assert _parent(top, leaf, {"memory", "cpu"}) == "/system.slice/lxc.payload.c1"
    control = top / "system.slice/lxc.payload.c1/cgroup.subtree_control"
    assert control.read_text() == "+cpu +memory"


def test_v2_enables_at_the_root_in_spite_of_processes(top: Path) -> None:
    """The root is exempt from the rule of no internal processes."""
    for level in (".", "system.slice", "system.slice/lxc.payload.c1"):
        (top / level / "cgroup.subtree_control").write_text("\n")
        (top / level / "cgroup.procs").write_text("77\n")
    assert _parent(top, "/system.slice/lxc.payload.c1", {"memory"}) == ""
    assert (top / "cgroup.subtree_control").read_text() == "+memory"


def test_v2_without_the_controller_says_so(top: Path) -> None:
    """A controller that nothing above can hand down is one line of what to do."""
    with pytest.raises(UserError, match="delegate the controllers"):
        _parent(top, "/system.slice", {"misc", "nonsense"})


def test_v2_settings(top: Path) -> None:
    """Each limit goes into the file of v2 that enforces it."""
    place = Place(str(top), "/", "/new")
    asked = Limits(memory=64 << 20, swap=0, cpus=Fraction(3, 2), cpuset=(0, 1, 3), pids=9)
    made = dict.fromkeys(("memory", "cpu", "cpuacct", "cpuset", "pids"), (place, 2))
    assert [setting[2:] for setting in limits._settings(asked, made)] == [
        ("cpuset.cpus", "0-1,3"),
        ("memory.max", "67108864"),
        ("memory.swap.max", "0"),
        ("cpu.max", "150000 100000"),
        ("pids.max", "9"),
    ]


class _RunningHost(FixedHost):
    """A host on which this very process is in the container's cgroup."""

    def cgroup_paths(self, _pid: int, *, keep: bool = True) -> dict[str, str]:  # noqa: ARG002
        """Return the recorded container's."""
        return {"": "/system.slice/lxc.payload.c1"}

    def starttime(self, pid: int) -> int:
        """Return a start time for any process but the dead one."""
        if pid == 4711:
            return super().starttime(pid)
        return 77


def test_a_limit_that_cannot_be_set_leaves_nothing(tmp_path: Path) -> None:
    """When the kernel refuses a value the cgroup is removed again."""
    fixture_host(V2, tmp_path)
    host = _RunningHost(str(tmp_path))
    with pytest.raises(UserError, match=r"memory\.max .* failed: this kernel has no such file"):
        Cell.make(Limits(memory=64 << 20), host, Hierarchies.find(host))
    assert list(tmp_path.rglob("lxfs-run-*")) == []


def test_only_cgroups_of_dead_runs_are_swept(tmp_path: Path) -> None:
    """What a dead run left is removed; a living run's and another namespace's stays."""
    fixture_host(V2, tmp_path)
    host = _RunningHost(str(tmp_path))
    here = tmp_path / "sys/fs/cgroup/system.slice/lxc.payload.c1"
    namespace = host.pid_namespace("self")
    names = {
        "dead": f"lxfs-run-{namespace}-4711-1",
        "recycled": f"lxfs-run-{namespace}-1000-76",
        "alive": f"lxfs-run-{namespace}-1000-77",
        "foreign": "lxfs-run-1-4711-1",
        "other": "somebody-else",
    }
    for name in names.values():
        (here / name).mkdir()
    cell = Cell.make(Limits(), host, Hierarchies.find(host))
    left = {name for name, path in names.items() if (here / path).exists()}
    assert left == {"alive", "foreign", "other"}
    cell.remove()
    assert len(list(here.glob("lxfs-run-*"))) == 2


def test_reading_a_removed_cgroup_names_it(top: Path) -> None:
    """A parent that vanished is an error with its path."""
    with pytest.raises(OSError, match="gone") as caught:
        _parent(top, "/gone", {"memory"})
    assert caught.value.errno == errno.ENOENT
