"""The mirrored directories of /sys on a host of 128 CPUs: who is shown what, in every operation."""

import errno
import os
import stat
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lxfs import parse
from lxfs.tree import Tree
from lxfs.world import World
from tests.fixtures import INIT, MEMBER, STRANGER, FixedHost
from tests.fixtures.numa import C1, CPUS, limit, numa_host

CPU = "/sys/devices/system/cpu"
NODE = "/sys/devices/system/node"
FOUR = "0-1,64-65"


class Sysfs:
    """A tree over the 128-CPU host, and reads through it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.host: FixedHost = numa_host(root)
        self.tree = Tree(World.of(self.host))

    def read(self, path: str, pid: int = MEMBER) -> str:
        """Return a whole file as a caller sees it."""
        handle = self.tree.open(path, os.O_RDONLY, pid)
        try:
            return self.tree.read(handle, 1 << 20, 0).decode()
        finally:
            self.tree.release(handle)

    def cpus(self, pid: int = MEMBER) -> list[int]:
        """Return the numbers of the cpuN directories, by type, as the C library counts them."""
        names = self.tree.listing(CPU, pid).items()
        found = [name[3:] for name, mode in names if name.startswith("cpu") and stat.S_ISDIR(mode)]
        return sorted(int(name) for name in found if name.isdigit())


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Sysfs:
    """A host whose limits each test sets for itself."""
    return Sysfs(tmp_path_factory.mktemp("numa"))


@pytest.fixture
def sysfs(shared: Sysfs) -> Sysfs:
    """The same with the container on two whole cores."""
    limit(shared.root, FOUR, mems="0")
    return shared


def test_cpu_directory_lists_the_visible(sysfs: Sysfs) -> None:
    """A container's listing has its CPUs and the listed names, and nothing else."""
    assert list(sysfs.tree.listing(CPU, MEMBER)) == [
        "cpu0",
        "cpu1",
        "cpu64",
        "cpu65",
        "cpufreq",
        "enabled",
        "isolated",
        "kernel_max",
        "offline",
        "online",
        "possible",
        "present",
        "smt",
        "uevent",
        "vulnerabilities",
    ]
    assert list(sysfs.tree.listing(f"{CPU}/cpu1", MEMBER)) == [
        "cache",
        "cpufreq",
        "node0",
        "online",
        "subsystem",
        "topology",
        "uevent",
    ]
    assert list(sysfs.tree.listing(f"{CPU}/cpufreq", MEMBER)) == ["policy0"]


def test_quota_hides_cpus(sysfs: Sysfs) -> None:
    """With a quota of 1.5 CPUs two directories are left of four."""
    limit(sysfs.root, FOUR, "150000")
    assert sysfs.cpus() == [0, 1]
    assert sysfs.read(f"{CPU}/cpu0/topology/core_cpus_list") == "0\n"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("online", FOUR),
        ("possible", FOUR),
        ("present", FOUR),
        ("enabled", FOUR),
        ("offline", ""),
        ("isolated", ""),
        ("kernel_max", "8191"),
        ("vulnerabilities/meltdown", "Not affected"),
        ("cpu64/online", "1"),
        ("cpu64/topology/core_id", "0"),
        ("cpu64/topology/core_cpus_list", "0,64"),
        ("cpu64/topology/core_cpus", "00000000,00000001,00000000,00000001"),
        ("cpu64/topology/package_cpus", "00000000,00000003,00000000,00000003"),
        ("cpu1/cache/index3/shared_cpu_list", FOUR),
        ("cpu1/cache/index3/size", "65536K"),
        ("cpufreq/policy0/affected_cpus", "0 1 64 65"),
        ("cpufreq/policy0/cpuinfo_max_freq", "3900000"),
    ],
)
def test_cpu_files(sysfs: Sysfs, path: str, text: str) -> None:
    """What names CPUs names the visible ones, constants are the host's."""
    assert sysfs.read(f"{CPU}/{path}") == f"{text}\n"


def test_links(sysfs: Sysfs) -> None:
    """Links say what the host's say."""
    assert sysfs.tree.readlink(f"{CPU}/cpu64/node0", MEMBER) == "../../node/node0"
    assert sysfs.tree.readlink(f"{CPU}/cpu64/subsystem", MEMBER) == "../../../../bus/cpu"
    assert sysfs.tree.readlink(f"{CPU}/cpu64/cpufreq", MEMBER) == "../cpufreq/policy0"
    attributes = sysfs.tree.attributes(f"{CPU}/cpu64/node0", MEMBER)
    assert attributes.mode == stat.S_IFLNK | 0o777


def test_nodes_of_a_container_on_one(sysfs: Sysfs) -> None:
    """Memory and CPUs on node 0 alone: there is no other, and it has all that meminfo has."""
    assert list(sysfs.tree.listing(NODE, MEMBER)) == [
        *("has_cpu", "has_generic_initiator", "has_memory", "has_normal_memory"),
        *("node0", "online", "possible", "uevent"),
    ]
    assert list(sysfs.tree.listing(f"{NODE}/node0", MEMBER)) == [
        *("cpu0", "cpu1", "cpu64", "cpu65", "cpulist", "cpumap", "distance", "meminfo"),
        *("numastat", "uevent"),
    ]
    for name in ("online", "possible", "has_cpu", "has_memory", "has_normal_memory"):
        assert sysfs.read(f"{NODE}/{name}") == "0\n"
    assert sysfs.read(f"{NODE}/node0/cpulist") == f"{FOUR}\n"
    assert sysfs.read(f"{NODE}/node0/cpumap") == "00000000,00000003,00000000,00000003\n"
    assert sysfs.read(f"{NODE}/node0/distance") == "10\n"
    assert sysfs.read(f"{NODE}/node0/numastat").startswith("numa_hit 0\n")
    assert sysfs.tree.readlink(f"{NODE}/node0/cpu64", MEMBER) == "../../cpu/cpu64"
    assert "Node 0 MemTotal:         524288 kB\n" in sysfs.read(f"{NODE}/node0/meminfo")
    for path in ("node1", "node1/meminfo", "node0/cpu2", "node0/vmstat", "node0/compact"):
        with pytest.raises(FileNotFoundError):
            sysfs.tree.find(f"{NODE}/{path}", MEMBER)


def test_nodes_of_a_container_across_two(sysfs: Sysfs) -> None:
    """Memory on both nodes and CPUs on the second: both are there, and add up to meminfo."""
    limit(sysfs.root, "40", mems="0-1")
    assert sysfs.read(f"{NODE}/online") == "0-1\n"
    assert sysfs.read(f"{NODE}/has_cpu") == "1\n"
    assert sysfs.read(f"{NODE}/node0/cpulist") == "\n"
    assert sysfs.read(f"{NODE}/node1/distance") == "21 10\n"
    first, second = (
        {line.split()[2]: int(line.split()[3]) for line in text.splitlines()}
        for text in (sysfs.read(f"{NODE}/node{node}/meminfo") for node in (0, 1))
    )
    whole = parse.meminfo(sysfs.read("/proc/meminfo").encode())
    assert first["MemTotal:"] == 349525
    for name in ("MemTotal", "MemFree", "AnonPages", "Dirty", "SReclaimable"):
        both = first[f"{name}:"] + second[f"{name}:"]
        assert both == whole[name.encode()] // 1024
    # 104 MiB of anonymous memory, a tenth of it on the second node.
    assert second["AnonPages:"] == 10240


def test_a_node_of_cpus_alone(sysfs: Sysfs) -> None:
    """CPUs on a node that the memory may not be on: the node is there, without memory."""
    limit(sysfs.root, "0", mems="1")
    assert sysfs.read(f"{NODE}/online") == "0-1\n"
    assert sysfs.read(f"{NODE}/has_memory") == "1\n"
    assert "Node 0 MemTotal:              0 kB\n" in sysfs.read(f"{NODE}/node0/meminfo")
    assert "Node 1 MemTotal:         524288 kB\n" in sysfs.read(f"{NODE}/node1/meminfo")


OPERATIONS: list[Callable[[Tree, str, int], object]] = [
    lambda tree, path, pid: tree.find(path, pid),
    lambda tree, path, pid: tree.attributes(path, pid),
    lambda tree, path, pid: tree.listing(path, pid),
    lambda tree, path, pid: tree.readlink(path, pid),
    lambda tree, path, pid: tree.open(path, os.O_RDONLY, pid),
]


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    "path",
    [
        "cpu2",
        "cpu2/online",
        "cpu2/node0",
        "cpu2/topology",
        "cpu0/node1",
        "cpu00",
        "cpu0/crash_notes",
        "cpu0/cpuidle",
        "cpu0/cpuidle/state0/usage",
        "cpuidle",
        "microcode/reload",
        "cpufreq/policy1",
        "cpufreq/policy7",
        "cpu999",
        "cpufreq/policy0/scaling_cur_freq",
        "cpu0/topology/nothing",
        "vulnerabilities/..",
        "vulnerabilities/../../../../../proc/kcore",
        "..",
        "cpu0//topology",
    ],
)
def test_what_is_not_the_callers_does_not_exist(
    sysfs: Sysfs, operation: Callable[[Tree, str, int], object], path: str
) -> None:
    """Each operation by itself denies CPUs that are not visible and names that are not listed."""
    with pytest.raises(FileNotFoundError):
        operation(sysfs.tree, f"{CPU}/{path}", MEMBER)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda tree: tree.open(f"{CPU}/cpu0", os.O_RDONLY, MEMBER), errno.EISDIR),
        (lambda tree: tree.open(f"{CPU}/cpu0/node0", os.O_RDONLY, MEMBER), errno.ELOOP),
        (lambda tree: tree.open(f"{CPU}/online", os.O_WRONLY, MEMBER), errno.EROFS),
        (lambda tree: tree.listing(f"{CPU}/online", MEMBER), errno.ENOTDIR),
        (lambda tree: tree.readlink(f"{CPU}/online", MEMBER), errno.EINVAL),
        (lambda tree: tree.attributes(f"{CPU}/cpu0", 4711), errno.ESRCH),
        (lambda tree: tree.listing(CPU, 0), errno.ESRCH),
    ],
)
def test_errnos(sysfs: Sysfs, call: Callable[[Tree], object], expected: int) -> None:
    """Each mistake has the errno of the kernel's own files; an unknown caller sees nothing."""
    with pytest.raises(OSError, match=r".") as caught:
        call(sysfs.tree)
    assert caught.value.errno == expected


def test_the_hosts_callers_see_the_hosts_values(sysfs: Sysfs) -> None:
    """Outside of containers all CPUs are there, with the host's bytes, and still by white list."""
    assert sysfs.cpus(STRANGER) == list(CPUS)
    path = f"{CPU}/cpu2/topology/package_cpus"
    assert sysfs.read(path, STRANGER) == (sysfs.root / path[1:]).read_text()
    assert sysfs.read(f"{CPU}/isolated", STRANGER) == "30-33\n"
    path = f"{NODE}/node1/meminfo"
    assert sysfs.read(path, STRANGER) == (sysfs.root / path[1:]).read_text()
    with pytest.raises(FileNotFoundError):
        sysfs.tree.find(f"{CPU}/cpu2/crash_notes", STRANGER)


def test_attributes_are_those_of_sysfs(sysfs: Sysfs) -> None:
    """Files state 4096 bytes whatever is in them, nothing may be written, links are not counted."""
    attributes = sysfs.tree.attributes(f"{CPU}/cpu1/online", MEMBER)
    assert (attributes.mode, attributes.size) == (stat.S_IFREG | 0o444, 4096)
    attributes = sysfs.tree.attributes(f"{CPU}/cpu1", MEMBER)
    assert (attributes.mode, attributes.links) == (stat.S_IFDIR | 0o555, 1)


def test_what_is_not_for_all_is_for_none(sysfs: Sysfs) -> None:
    """A file that only the host's root may read is not served, though its name is listed."""
    path = sysfs.root / f"{CPU[1:]}/cpu1/uevent"
    path.chmod(0o400)
    try:
        assert "uevent" not in sysfs.tree.listing(f"{CPU}/cpu1", MEMBER)
        with pytest.raises(FileNotFoundError):
            sysfs.tree.open(f"{CPU}/cpu1/uevent", os.O_RDONLY, MEMBER)
    finally:
        path.chmod(0o644)


def test_a_malformed_host_file_is_eio(tmp_path: Path) -> None:
    """A mask or a list of another shape is EIO for a container, which sees none of it."""
    sysfs = Sysfs(tmp_path)
    limit(tmp_path, FOUR)
    for name in ("topology/package_cpus", "topology/package_cpus_list"):
        (tmp_path / f"{CPU[1:]}/cpu1/{name}").write_text("gibberish\n")
        with pytest.raises(OSError, match="gibberish") as caught:
            sysfs.read(f"{CPU}/cpu1/{name}")
        assert caught.value.errno == errno.EIO
    (tmp_path / f"{CPU[1:]}/cpufreq/policy0/related_cpus").write_text("gibberish\n")
    with pytest.raises(OSError, match="gibberish") as caught:
        sysfs.tree.find(f"{CPU}/cpufreq/policy0", MEMBER)
    assert caught.value.errno == errno.EIO


def test_cpus_that_cannot_be_known_are_an_error(tmp_path: Path) -> None:
    """When the limits cannot be read nothing is listed, rather than everything."""
    sysfs = Sysfs(tmp_path)
    (tmp_path / C1 / "cpu.max").write_text("gibberish\n")
    for call in (sysfs.tree.listing, sysfs.tree.find):
        with pytest.raises(OSError, match="gibberish") as caught:
            call(f"{CPU}/cpu0", MEMBER)
        assert caught.value.errno == errno.EIO
    (tmp_path / f"proc/{INIT}/stat").unlink()
    with pytest.raises(ProcessLookupError):
        sysfs.tree.find(f"{CPU}/cpu0", MEMBER)


def test_hosts_without_a_directory_serve_none(tmp_path: Path) -> None:
    """A host without NUMA has no directory of nodes, and one whose CPU is gone no such CPU."""
    numa_host(tmp_path)
    (tmp_path / "sys/devices/system/node").rename(tmp_path / "elsewhere")
    tree = Tree(World.of(FixedHost(str(tmp_path))))
    assert list(tree.listing("/sys/devices/system")) == ["cpu"]
    (tmp_path / f"{CPU[1:]}/cpu1").rename(tmp_path / "cpu1")
    for pid in (MEMBER, STRANGER):
        with pytest.raises(FileNotFoundError):
            tree.find(f"{CPU}/cpu1/online", pid)


@given(
    allowed=st.sets(st.sampled_from(CPUS), min_size=1),
    quota=st.none() | st.integers(1000, 13_000_000),
)
def test_every_file_counts_the_same_cpus(
    shared: Sysfs, allowed: set[int], quota: int | None
) -> None:
    """Whatever cpuset and quota, lists, directories, masks, cpuinfo and stat name the same CPUs."""
    limit(shared.root, parse.format_cpulist(allowed), "max" if quota is None else str(quota))
    cpus = shared.cpus()
    assert set(cpus) <= allowed
    most = len(allowed) if quota is None else max(1, -(-Fraction(quota, 100_000) // 1))
    assert len(cpus) == min(len(allowed), most)
    for name in ("online", "possible", "present"):
        assert parse.cpulist(shared.read(f"{CPU}/{name}").encode()) == tuple(cpus)
    cpuinfo = shared.read("/proc/cpuinfo").splitlines()
    assert [int(line.split()[2]) for line in cpuinfo if line.startswith("processor")] == cpus
    lines = shared.read("/proc/stat").splitlines()[1:]
    assert [int(line.split()[0][3:]) for line in lines if line.startswith("cpu")] == cpus
    siblings = {
        sibling
        for cpu in cpus
        for sibling in parse.cpumask(shared.read(f"{CPU}/cpu{cpu}/topology/package_cpus").encode())
    }
    assert siblings == set(cpus)
