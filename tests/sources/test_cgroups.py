"""Cgroup files to values: recorded v1, synthesised v2, and what goes wrong in each."""

import errno
import shutil
from fractions import Fraction
from mmap import PAGESIZE
from pathlib import Path

import pytest

from lxfs import parse
from lxfs.model import (
    BlockIo,
    CpuSpread,
    CpuTime,
    HugePages,
    MemoryUse,
    SourceError,
    SwapUse,
    UncountedError,
)
from lxfs.sources.cgroups import Cgroup, Hierarchies
from lxfs.sources.files import Files
from lxfs.sources.place import Place
from tests.fixtures import HYBRID, INIT, V2, fixture_host

MIB = 1 << 20
V1_MEMORY = "sys/fs/cgroup/memory/session"
CPUACCT = "sys/fs/cgroup/cpuacct/lxfs-run"
V2_C1 = "sys/fs/cgroup/system.slice/lxc.payload.c1"


def _cgroup(source: Path, root: Path, path: str | None = None) -> Cgroup:
    host = fixture_host(source, root)
    paths = host.cgroup_paths(INIT) if path is None else {"": path}
    return Hierarchies.find(host).cgroup(paths)


def _v2(root: Path) -> Cgroup:
    return _cgroup(V2, root, "/system.slice/lxc.payload.c1")


def test_v1_memory(tmp_path: Path) -> None:
    """The recorded v1 container's use and limit are read from its own files."""
    use = _cgroup(HYBRID, tmp_path).memory()
    assert (use.usage, use.limit) == (67878912, 256 * MIB)
    assert (use.stat.anon, use.stat.file, use.stat.shmem) == (50851840, 16777216, 16777216)
    assert use.stat.slab_reclaimable is None
    assert use.swap == SwapUse(usage=0, limit=None)
    assert use.ancestor_headroom is None


def test_v2_memory(tmp_path: Path) -> None:
    """Every kind that memory.stat of v2 counts arrives under its name."""
    use = _v2(tmp_path).memory()
    assert (use.usage, use.limit) == (200 * MIB, 512 * MIB)
    assert use.swap == SwapUse(usage=5 * MIB, limit=256 * MIB)
    stat = use.stat
    assert (stat.file_mapped, stat.file_dirty, stat.file_writeback) == (20 * MIB, MIB, MIB // 2)
    assert (stat.anon_thp, stat.slab_reclaimable, stat.zswapped) == (40 * MIB, 6 * MIB, 4 * MIB)


def test_v1_limit_is_the_smallest_of_the_ancestors(tmp_path: Path) -> None:
    """A tighter limit above holds, and what is left below it bounds the headroom."""
    cgroup = _cgroup(HYBRID, tmp_path)
    session = tmp_path / V1_MEMORY
    (session / "memory.limit_in_bytes").write_text(f"{100 * MIB}\n")
    (session / "memory.usage_in_bytes").write_text(f"{70 * MIB}\n")
    use = cgroup.memory()
    assert use.limit == 100 * MIB
    stat = _totals(session / "memory.stat")
    reclaimable = stat["total_active_file"] + stat["total_inactive_file"]
    assert use.ancestor_headroom == 30 * MIB + reclaimable


def _totals(path: Path) -> dict[str, int]:
    return {name: int(value) for name, value in map(str.split, path.read_text().splitlines())}


def test_v2_limit_is_the_smallest_of_the_ancestors(tmp_path: Path) -> None:
    """A tighter memory.max, swap.max or cpu.max above holds on v2."""
    cgroup = _v2(tmp_path)
    above = tmp_path / "sys/fs/cgroup/system.slice"
    (above / "memory.max").write_text(f"{300 * MIB}\n")
    (above / "memory.swap.max").write_text("0\n")
    (above / "cpu.max").write_text("50000 100000\n")
    use = cgroup.memory()
    assert use.limit == 300 * MIB
    assert use.swap == SwapUse(usage=5 * MIB, limit=0)
    assert use.ancestor_headroom == 0
    assert cgroup.cpu_limit((0, 1, 2, 3)).quota == Fraction(1, 2)


def test_v2_block_io(tmp_path: Path) -> None:
    """Of io.stat the devices that something was transferred on."""
    cgroup = _v2(tmp_path)
    assert cgroup.block_io() == {
        (253, 0): BlockIo(rbytes=70 * MIB, wbytes=40 * MIB, rios=700, wios=500),
        (259, 0): BlockIo(100 * MIB, 50 * MIB, rios=800, wios=600, dbytes=4 * MIB, dios=4),
        (9, 9): BlockIo(rbytes=512, rios=1),
    }
    (tmp_path / V2_C1 / "io.stat").write_text("8:0 rbytes=x\n")
    with pytest.raises(SourceError) as caught:
        cgroup.block_io()
    assert caught.value.errno == errno.EIO
    assert caught.value.filename.endswith("c1/io.stat")


def test_v2_without_the_io_controller_has_none(tmp_path: Path) -> None:
    """Where io is not handed down, no ancestor's count is taken: it is the neighbours', too."""
    cgroup = _v2(tmp_path)
    (tmp_path / V2_C1 / "io.stat").unlink()
    assert cgroup.block_io() == {}
    shutil.rmtree(tmp_path / V2_C1)
    with pytest.raises(SourceError) as caught:
        cgroup.block_io()
    assert caught.value.errno == errno.ENOENT


def test_v1_block_io(tmp_path: Path) -> None:
    """The recorded v1 container has written 4 MiB, as its throttle counts it."""
    cgroup = _cgroup(HYBRID, tmp_path)
    assert cgroup.block_io() == {
        (254, 0): BlockIo(4096, 4210688, rios=1, wios=7, dbytes=4194304, dios=1)
    }


def test_v1_block_io_by_bfq(tmp_path: Path) -> None:
    """A device whose throttle sleeps is counted by its scheduler, if that is BFQ."""
    cgroup = _cgroup(HYBRID, tmp_path)
    own = tmp_path / "sys/fs/cgroup/blkio/lxfs-run"
    (own / "blkio.bfq.io_service_bytes_recursive").write_text(
        "254:0 Read 1\n254:0 Total 1\n8:0 Read 512\n8:0 Write 0\n8:0 Total 512\nTotal 513\n"
    )
    (own / "blkio.bfq.io_serviced_recursive").write_text("8:0 Read 1\nTotal 1\n")
    io = cgroup.block_io()
    assert io[8, 0] == BlockIo(rbytes=512, rios=1)
    assert io[254, 0].wbytes == 4210688
    for path in own.glob("blkio.*"):
        path.write_text("Total 0\n")
    assert cgroup.block_io() == {}


def test_no_block_io_without_its_hierarchy(tmp_path: Path) -> None:
    """A machine without blkio and io, or a container in the root, has none."""
    host = fixture_host(HYBRID, tmp_path)
    hierarchies = Hierarchies.find(host)
    assert hierarchies.cgroup({"blkio": "/"}).block_io() == {}
    assert hierarchies.cgroup({"": "/lxfs-run"}).block_io() == {}


def test_v2_memory_events(tmp_path: Path) -> None:
    """Events come by vmstat's names; the one count of older kernels is direct reclaim's."""
    cgroup = _v2(tmp_path)
    events = cgroup.memory_events()
    assert (events[b"oom_kill"], events[b"pgfault"], events[b"pgscan_direct"]) == (2, 123456, 44)
    stat = tmp_path / V2_C1 / "memory.stat"
    lines = [x for x in stat.read_text().splitlines(keepends=True) if "_direct" not in x]
    stat.write_text("".join(lines))
    assert cgroup.memory_events()[b"pgscan_direct"] == 47
    (tmp_path / V2_C1 / "memory.events").unlink()
    assert cgroup.memory_events()[b"oom_kill"] == 0


def test_v1_memory_events(tmp_path: Path) -> None:
    """Of v1 the sums with the descendants, without pgpgin: it counts charges, not transfers."""
    cgroup = _cgroup(HYBRID, tmp_path)
    own = tmp_path / V1_MEMORY / "lxfs-run"
    (own / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n")
    events = cgroup.memory_events()
    totals = _totals(own / "memory.stat")
    assert totals["total_pgpgin"] > 0
    assert b"pgpgin" not in events
    assert events[b"pgfault"] == totals["total_pgfault"]
    assert events[b"oom_kill"] == 3


def test_huge_pages_of_both_versions(tmp_path: Path) -> None:
    """Use and the smallest limit, by the size in the files' names; none without a controller."""
    v2 = _cgroup(V2, tmp_path / "v2", "/system.slice/lxc.payload.c1")
    assert v2.huge_pages(2 * MIB) == HugePages(4 * MIB, 6 * MIB, 20 * MIB)
    assert v2.huge_pages(1 << 30) == HugePages(None, 0, None)
    (tmp_path / "v2/sys/fs/cgroup/system.slice/hugetlb.2MB.max").write_text(f"{8 * MIB}\n")
    assert v2.huge_pages(2 * MIB).limit == 8 * MIB
    hybrid = fixture_host(HYBRID, tmp_path / "v1")
    assert _cgroup(HYBRID, tmp_path / "no").huge_pages(2 * MIB) == HugePages()
    own = tmp_path / "v1/sys/fs/cgroup/hugetlb/c1"
    own.mkdir(parents=True)
    for name, value in (("usage", 2 * MIB), ("limit", 4 * MIB), ("rsvd.usage", 2 * MIB)):
        (own / f"hugetlb.2MB.{name}_in_bytes").write_text(f"{value}\n")
        (own / f"hugetlb.64KB.{name}_in_bytes").write_text("65536\n")
    v1 = Hierarchies({"hugetlb": Place(hybrid.path("sys/fs/cgroup/hugetlb"))})
    cgroup = v1.cgroup({"hugetlb": "/c1"})
    assert cgroup.huge_pages(2 * MIB) == HugePages(2 * MIB, 2 * MIB, 4 * MIB)
    assert cgroup.huge_pages(65536) == HugePages(65536, 65536, 65536)


def test_pressure_needs_a_tree_and_psi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No v2 tree, and a kernel that refuses, are both EOPNOTSUPP; other failures are not."""
    cgroup = _v2(tmp_path)
    with pytest.raises(UncountedError) as caught:
        Hierarchies({}, None).cgroup({"": "/c1"}).pressure("cpu")
    assert caught.value.errno == errno.EOPNOTSUPP

    def refuse(number: int) -> None:
        def read(*_: object) -> bytes:
            raise SourceError(number, "no", "path")

        monkeypatch.setattr(Files, "value", read)

    refuse(errno.EOPNOTSUPP)
    with pytest.raises(UncountedError):
        cgroup.pressure("cpu")
    refuse(errno.EACCES)
    with pytest.raises(SourceError) as other:
        cgroup.pressure("cpu")
    assert not isinstance(other.value, UncountedError)


def test_v1_swap_is_what_memsw_allows_beyond_memory(tmp_path: Path) -> None:
    """The limit of v1's memsw includes memory, and use of it is a difference never below zero."""
    cgroup = _cgroup(HYBRID, tmp_path)
    own = tmp_path / V1_MEMORY / "lxfs-run"
    (own / "memory.memsw.limit_in_bytes").write_text(f"{300 * MIB}\n")
    (own / "memory.memsw.usage_in_bytes").write_text("1\n")
    assert cgroup.memory().swap == SwapUse(usage=0, limit=44 * MIB)


def test_v1_swappiness_zero_means_no_more_swap(tmp_path: Path) -> None:
    """A v1 cgroup of swappiness 0 has the swap that it has already used."""
    cgroup = _cgroup(HYBRID, tmp_path)
    own = tmp_path / V1_MEMORY / "lxfs-run"
    (own / "memory.swappiness").write_text("0\n")
    (own / "memory.memsw.usage_in_bytes").write_text(f"{67878912 + MIB}\n")
    assert cgroup.memory().swap == SwapUse(usage=MIB, limit=MIB)


@pytest.mark.parametrize("source", [HYBRID, V2])
def test_swap_that_is_not_accounted(tmp_path: Path, source: Path) -> None:
    """Without the kernel's swap accounting there is no swap to show."""
    cgroup = _cgroup(source, tmp_path)
    for name in ("memory.memsw.usage_in_bytes", "memory.swap.current"):
        for path in tmp_path.rglob(name):
            path.unlink()
    assert cgroup.memory().swap is None


def test_cpu_time(tmp_path: Path) -> None:
    """v1 counts ticks, v2 microseconds of which nice time is a part."""
    assert _cgroup(HYBRID, tmp_path / "1").cpu_time() == CpuTime(150_000_000, 410_000_000)
    assert _v2(tmp_path / "2").cpu_time() == CpuTime(80 * 10**9, 30 * 10**9, 10 * 10**9)


def test_v1_says_where_time_was_used(tmp_path: Path) -> None:
    """The spread over CPUs is v1's; v2, and a kernel without the file, has none."""
    v1 = _cgroup(HYBRID, tmp_path / "1")
    columns = ((0, 1), (88_000_000, 72_000_000), (272_000_000, 147_987_391))
    assert v1.cpu_spread() == CpuSpread(*columns)
    (tmp_path / "1" / CPUACCT / "cpuacct.usage_all").unlink()
    assert v1.cpu_spread() is None
    assert _v2(tmp_path / "2").cpu_spread() is None


def test_cpu_limits(tmp_path: Path) -> None:
    """Quota and cpuset are read on both versions."""
    v1 = _cgroup(HYBRID, tmp_path / "1").cpu_limit((0, 1))
    assert (v1.allowed, v1.quota) == ((0, 1), Fraction(3, 2))
    v2 = _v2(tmp_path / "2").cpu_limit((0, 1, 2, 3))
    assert (v2.allowed, v2.quota) == ((1, 2, 3), Fraction(3, 2))


def test_offline_cpus_are_not_allowed(tmp_path: Path) -> None:
    """CPUs of the cpuset that went offline are left out; if all did, the online ones remain."""
    cgroup = _v2(tmp_path)
    assert cgroup.cpu_limit((0, 2)).allowed == (2,)
    assert cgroup.cpu_limit((0,)).allowed == (0,)


def test_memory_nodes(tmp_path: Path) -> None:
    """The nodes of the cpuset's memory are read on both versions, as far as they are online."""
    v1, v2 = _cgroup(HYBRID, tmp_path / "1"), _v2(tmp_path / "2")
    assert v1.memory_nodes((0, 1)) == v2.memory_nodes((0, 1)) == (0, 1)
    run = tmp_path / "1/sys/fs/cgroup/cpuset/lxfs-run"
    (run / "cpuset.mems").write_text("0-1\n")
    (run / "cpuset.effective_mems").write_text("1\n")
    (tmp_path / "2" / V2_C1).with_name("cpuset.mems.effective").write_text("1-2\n")
    assert v1.memory_nodes((0, 1)) == v2.memory_nodes((0, 1)) == (1,)
    assert v2.memory_nodes((0,)) == (0,)


def test_memory_by_node(tmp_path: Path) -> None:
    """v1 counts pages of the whole subtree, v2 bytes, in itself or where it is charged."""
    v1, v2 = _cgroup(HYBRID, tmp_path / "1"), _v2(tmp_path / "2")
    assert (v1.memory_use_by_node(), v2.memory_use_by_node()) == ({}, {})
    (tmp_path / "1" / V1_MEMORY / "lxfs-run/memory.numa_stat").write_text(
        "total=9 N0=9\nanon=9 N0=9\nhierarchical_anon=5 N0=3 N1=2\n"
    )
    assert v1.memory_use_by_node() == {"anon": {0: 3 * PAGESIZE, 1: 2 * PAGESIZE}}
    (tmp_path / "2" / V2_C1).with_name("memory.numa_stat").write_text("anon N0=4096 N1=0\n")
    assert v2.memory_use_by_node() == {"anon": {0: 4096, 1: 0}}


def test_a_controller_that_is_not_handed_down_counts_above(tmp_path: Path) -> None:
    """A v2 cgroup without memory files is charged to the nearest ancestor that has them."""
    cgroup = _v2(tmp_path)
    for path in (tmp_path / V2_C1).glob("memory.*"):
        path.unlink()
    assert cgroup.memory().usage == 1610612736


def test_threads_of_descendants_are_counted(tmp_path: Path) -> None:
    """Threads are listed over the whole tree of the container."""
    assert _v2(tmp_path).threads() == [1000, 1001]


def test_joined_controllers_are_found(tmp_path: Path) -> None:
    """A hierarchy of cpu and cpuacct together serves both."""
    host = fixture_host(HYBRID, tmp_path)
    (tmp_path / "sys/fs/cgroup/cpu,cpuacct").mkdir()
    mountinfo = "1 0 0:1 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    (tmp_path / "proc/self/mountinfo").write_text(mountinfo)
    found = Hierarchies.find(host)
    places = {name: found.place(name, {"cpu": "/a", "cpuacct": "/a"}) for name in found.v1}
    assert places["cpu"] == places["cpuacct"]
    assert places["cpu"] == (Place(f"{tmp_path}/sys/fs/cgroup/cpu,cpuacct", "/", "/a"), 1)


def test_no_hierarchy_at_all(tmp_path: Path) -> None:
    """A host without any cgroup mount is an error that names mountinfo."""
    host = fixture_host(HYBRID, tmp_path)
    (tmp_path / "proc/self/mountinfo").write_text("")
    with pytest.raises(SourceError, match="mountinfo"):
        Hierarchies.find(host)


def test_a_controller_that_nobody_has_limits_nothing_but_counts_nothing(tmp_path: Path) -> None:
    """Without a cpu controller there is no quota; without memory there is an error."""
    host = fixture_host(V2, tmp_path)
    (tmp_path / "sys/fs/cgroup/cgroup.controllers").write_text("io\n")
    cgroup = Hierarchies.find(host).cgroup({"": "/system.slice/lxc.payload.c1"})
    assert cgroup.cpu_limit((0, 1)).quota is None
    with pytest.raises(SourceError, match="memory controller"):
        cgroup.memory()


def test_a_name_may_begin_with_dots() -> None:
    """A cgroup called ..data or ... is one of ours; .. alone is the parent, which is not."""
    assert Place("/mnt").below("/lxc/..data/...").path == "/lxc/..data/..."


@pytest.mark.parametrize("path", ["/../other", "/elsewhere", "/lxc/.."])
def test_a_cgroup_outside_of_what_is_mounted(path: str) -> None:
    """A cgroup that our mount does not show is an error, not the root's numbers."""
    with pytest.raises(SourceError) as caught:
        Place("/mnt", "/lxc").below(path)
    assert caught.value.errno == errno.EXDEV


def test_a_cgroup_that_is_nested_without_end() -> None:
    """Who nests cgroups beyond any use is refused, instead of being followed up level by level."""
    assert len(Place("/mnt").below("/a" * 60).ancestry) == 61
    with pytest.raises(SourceError) as caught:
        Place("/mnt").below("/a" * 1000)
    assert caught.value.errno == errno.ELOOP


def test_the_top_of_a_hierarchy_limits_nothing() -> None:
    """The top has no limits to look for; the top of a cgroup namespace's mount may have."""
    levels = [level.path for level in Place("/mnt").below("/a/b").limiting]
    assert levels == ["/a/b", "/a"]
    assert [level.path for level in Place("/mnt", "/lxc").below("/lxc/b").limiting] == ["/b", ""]


def test_the_top_of_our_own_namespace_limits_v2(tmp_path: Path) -> None:
    """In a container of v2, whose own cgroup is called /, its limit holds for all in it."""
    host = fixture_host(V2, tmp_path)
    top = tmp_path / "sys/fs/cgroup"
    paths = {"": "/system.slice/lxc.payload.c1"}
    (top / "memory.max").write_text(f"{64 * MIB}\n")
    assert Hierarchies.find(host).cgroup(paths).memory().limit == 512 * MIB
    shutil.copy(top / "system.slice/lxc.payload.c1/memory.stat", top)
    (top / "memory.current").write_text("0\n")
    (top / "cgroup.events").write_text("populated 1\nfrozen 0\n")
    assert Hierarchies.find(host).cgroup(paths).memory().limit == 64 * MIB


def test_the_top_of_our_own_namespace_limits_v1(tmp_path: Path) -> None:
    """The same of v1, where the root cgroup alone has a release agent."""
    host = fixture_host(HYBRID, tmp_path)
    shutil.copytree(
        tmp_path / V1_MEMORY, top := tmp_path / "sys/fs/cgroup/memory", dirs_exist_ok=True
    )
    (top / "memory.limit_in_bytes").write_text(f"{64 * MIB}\n")
    (top / "notify_on_release").write_text("0\n")
    assert Hierarchies.find(host).cgroup({"memory": "/"}).memory().limit == 64 * MIB
    (top / "release_agent").write_text("\n")
    assert Hierarchies.find(host).cgroup({"memory": "/"}).memory().limit is None


def test_a_hierarchy_that_another_mount_hides(tmp_path: Path) -> None:
    """What mountinfo lists but no path leads to is passed over."""
    host = fixture_host(V2, tmp_path)
    mountinfo = tmp_path / "proc/self/mountinfo"
    hidden = (
        "1 0 0:1 / /hidden rw - cgroup2 none rw\n2 0 0:2 / /hidden/cpu rw - cgroup none rw,cpu\n"
    )
    mountinfo.write_text(hidden + mountinfo.read_text())
    found = Hierarchies.find(host)
    assert found.v2 == Place(f"{tmp_path}/sys/fs/cgroup")
    assert not found.v1


@pytest.mark.parametrize("record", ["linux-6.12-v2", "linux-6.1-v2"])
def test_the_memory_of_the_root_is_the_machines(tmp_path: Path, record: str) -> None:
    """The root of v2 has no memory.current; a container in it is shown what v1's root would say."""
    cgroup = _cgroup(V2.parent / record, tmp_path, "/")
    stat = parse.flat_keyed((tmp_path / "sys/fs/cgroup/memory.stat").read_bytes())
    use = cgroup.memory()
    assert (use.usage, use.limit) == (stat[b"anon"] + stat[b"file"], None)
    assert cgroup.memory_events()[b"pgfault"] == stat[b"pgfault"]


def test_a_cgroup_that_is_gone_is_not_unlimited(tmp_path: Path) -> None:
    """When the cgroup is removed the missing limit files are an error."""
    cgroup = _v2(tmp_path)
    (tmp_path / V2_C1).rename(tmp_path / "gone")
    with pytest.raises(SourceError):
        cgroup.memory()
    with pytest.raises(SourceError):
        cgroup.cpu_limit((0, 1))


_FILES = [
    (HYBRID, f"{V1_MEMORY}/lxfs-run/memory.usage_in_bytes", "memory"),
    (HYBRID, f"{V1_MEMORY}/lxfs-run/memory.stat", "memory"),
    (HYBRID, "sys/fs/cgroup/cpuacct/lxfs-run/cpuacct.stat", "cpu_time"),
    (HYBRID, f"{V1_MEMORY}/lxfs-run/tasks", "threads"),
    (V2, f"{V2_C1}/memory.stat", "memory"),
    (V2, f"{V2_C1}/cpu.stat", "cpu_time"),
    (V2, f"{V2_C1}/cgroup.threads", "threads"),
]


@pytest.mark.parametrize(("source", "path", "method"), _FILES)
def test_missing_file_is_named(tmp_path: Path, source: Path, path: str, method: str) -> None:
    """A file that must be there and is not is named by the error."""
    cgroup = _v2(tmp_path) if source == V2 else _cgroup(source, tmp_path)
    (tmp_path / path).unlink()
    with pytest.raises(SourceError) as caught:
        getattr(cgroup, method)()
    assert caught.value.errno == errno.ENOENT
    assert caught.value.filename == str(tmp_path / path)


_LIMITS = [
    (HYBRID, f"{V1_MEMORY}/lxfs-run/memory.limit_in_bytes"),
    (HYBRID, f"{V1_MEMORY}/lxfs-run/memory.memsw.usage_in_bytes"),
    (HYBRID, "sys/fs/cgroup/cpu/lxfs-run/cpu.cfs_quota_us"),
    (HYBRID, f"{CPUACCT}/cpuacct.usage_all"),
    (HYBRID, "sys/fs/cgroup/cpuset/lxfs-run/cpuset.effective_cpus"),
    (V2, f"{V2_C1}/memory.current"),
    (V2, f"{V2_C1}/memory.max"),
    (V2, f"{V2_C1}/memory.swap.max"),
    (V2, f"{V2_C1}/cpu.max"),
    (V2, f"{V2_C1}/cpuset.cpus.effective"),
]


@pytest.mark.parametrize(("source", "path"), [f[:2] for f in _FILES] + _LIMITS)
def test_malformed_file_is_named(tmp_path: Path, source: Path, path: str) -> None:
    """A file of the wrong shape is an EIO that names it, never a limit of nothing."""
    cgroup = _v2(tmp_path) if source == V2 else _cgroup(source, tmp_path)
    (tmp_path / path).write_text("what is this\n")

    def everything() -> None:
        cgroup.cpu_limit((0, 1, 2, 3))
        cgroup.cpu_time()
        cgroup.cpu_spread()
        cgroup.threads()
        cgroup.memory()
        cgroup.memory_nodes((0,))
        cgroup.memory_use_by_node()

    with pytest.raises(SourceError) as caught:
        everything()
    assert caught.value.errno == errno.EIO
    assert caught.value.filename == str(tmp_path / path)


def test_memory_stat_without_a_line_that_must_be_there(tmp_path: Path) -> None:
    """A memory.stat that lacks a line every kernel writes is malformed."""
    cgroup = _v2(tmp_path)
    (tmp_path / V2_C1 / "memory.stat").write_text("anon 1\n")
    with pytest.raises(SourceError, match="no file line"):
        cgroup.memory()


def test_memory_is_a_value(tmp_path: Path) -> None:
    """Reading twice gives equal values."""
    cgroup = _v2(tmp_path)
    first: MemoryUse = cgroup.memory()
    assert first == cgroup.memory()
