"""The served tree without FUSE: listings, handles, whole files, failures."""

import errno
import json
import os
import shutil
import stat
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import astuple, replace
from pathlib import Path

import pytest

from lxfs import parse
from lxfs.entries import File
from lxfs.identity import Identity
from lxfs.ledger import Ledger
from lxfs.model import MemoryUse, SourceError
from lxfs.sources.cgroups import ContainerCgroup
from lxfs.state import Kept
from lxfs.table import FILES
from lxfs.tree import Tree
from lxfs.world import Snapshot, World
from tests.fixtures import HYBRID, INIT, MEMBER, STRANGER, V2, FixedHost, fixture_host

NO_FIGURES = ("proc/slabinfo",)
"""Files that show the same to each container."""

C1 = "sys/fs/cgroup/system.slice/lxc.payload.c1"


class Mounted:
    """A tree over a copy of a fixture, and reads through it."""

    def __init__(
        self,
        source: Path,
        root: Path,
        *,
        by_cgroup: bool = False,
        ledger: Ledger | None = None,
        pins: bool = False,
    ) -> None:
        self.root = root
        self.host: FixedHost = fixture_host(source, root)
        self.host.pins = pins
        self.world = World.of(self.host, by_cgroup=by_cgroup, ledger=ledger)
        self.tree = Tree(self.world)

    def restart(self, ledger: Ledger) -> None:
        """Serve the same host anew."""
        self.tree.close()
        self.world = World.of(self.host, ledger=ledger)
        self.tree = Tree(self.world)

    def read(self, path: str, pid: int = MEMBER, uid: int = 0) -> str:
        """Return a whole file as a caller sees it."""
        handle = self.tree.open(f"/{path}", os.O_RDONLY, pid, uid)
        try:
            return self.tree.read(handle, 1 << 20, 0).decode()
        finally:
            self.tree.release(handle)


@pytest.fixture(params=[False, True], ids=["located", "remembered"])
def v2(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Mounted]:
    """A tree over the synthesised v2 host, which finds a container anew or remembers where."""
    mounted = Mounted(V2, tmp_path, pins=request.param)
    yield mounted
    mounted.tree.close()


@pytest.fixture(params=[False, True], ids=["located", "remembered"])
def hybrid(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Mounted]:
    """A tree over the recorded hybrid host, likewise."""
    mounted = Mounted(HYBRID, tmp_path, pins=request.param)
    yield mounted
    mounted.tree.close()


def test_the_table_is_the_listing(v2: Mounted) -> None:
    """Every file that is served is reached by listings from the root, and nothing else is."""

    def walk(path: str) -> Iterator[str]:
        for name in v2.tree.listing(path, MEMBER):
            below = f"{path.rstrip('/')}/{name}"
            if stat.S_ISDIR(v2.tree.attributes(below, MEMBER).mode):
                yield from walk(below)
            else:
                yield below[1:]

    mirrored = ["sys/devices/system/cpu/online"]  # all that was recorded of it
    assert sorted(walk("/")) == sorted([*(file.path for file in FILES), *mirrored])


def test_attributes_look_like_the_kernels(v2: Mounted) -> None:
    """Files are 0444; directories count their links."""
    assert v2.tree.attributes("/proc/meminfo").mode == stat.S_IFREG | 0o444
    assert v2.tree.attributes("/").links == 4
    assert v2.tree.attributes("/proc").mode == stat.S_IFDIR | 0o555


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.path)
def test_sizes_are_the_callers(v2: Mounted, file: File) -> None:
    """Each caller is told the size of what it would read, and never 0."""
    for pid in (STRANGER,) if file.remembers else (MEMBER, STRANGER):
        assert v2.tree.attributes(f"/{file.path}", pid, 0).size == len(v2.read(file.path, pid))
    if not file.remembers:
        assert v2.tree.attributes(f"/{file.path}", 4711).size == 1


def test_stat_begins_no_history(v2: Mounted) -> None:
    """Looking at the files' attributes starts neither counters nor the load sampler."""
    for file in FILES:
        v2.tree.attributes(f"/{file.path}", MEMBER)
    assert "lxfs-loadavg" not in {thread.name for thread in threading.enumerate()}
    assert v2.world.clocks._clocks == {}


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda tree: tree.attributes("/proc/kcore"), errno.ENOENT),
        (lambda tree: tree.listing("/etc"), errno.ENOENT),
        (lambda tree: tree.listing("/proc/stat"), errno.ENOTDIR),
        (lambda tree: tree.open("/proc/kcore", os.O_RDONLY, MEMBER), errno.ENOENT),
        (lambda tree: tree.open("/proc", os.O_RDONLY, MEMBER), errno.EISDIR),
        (lambda tree: tree.open("/proc/stat", os.O_WRONLY, MEMBER), errno.EROFS),
        (lambda tree: tree.open("/proc/stat", os.O_RDWR, MEMBER), errno.EROFS),
        (lambda tree: tree.open("/proc/stat", os.O_RDONLY, 0), errno.ESRCH),
        (lambda tree: tree.open("/proc/stat", os.O_RDONLY, 4711), errno.ESRCH),
        (lambda tree: tree.read(99, 10, 0), errno.EBADF),
    ],
)
def test_errnos(v2: Mounted, call: Callable[[Tree], object], expected: int) -> None:
    """Each mistake has the errno that the kernel's own files would give."""
    with pytest.raises(OSError, match=r".") as caught:
        call(v2.tree)
    assert caught.value.errno == expected


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.path)
def test_the_host_sees_the_hosts_bytes(v2: Mounted, file: File) -> None:
    """A caller in the host's own pid namespace reads the host's file unchanged."""
    assert v2.read(file.path, STRANGER) == (v2.root / file.path).read_text()


def test_v2_container(v2: Mounted) -> None:
    """The files of the synthesised container agree with its cgroup and with each other."""
    assert "MemTotal:         524288 kB\n" in v2.read("proc/meminfo")
    assert "262144" in v2.read("proc/swaps")
    assert v2.read("sys/devices/system/cpu/online") == "1-2\n"
    numbers = [line for line in v2.read("proc/cpuinfo").splitlines() if "processor" in line]
    assert numbers == ["processor\t: 1", "processor\t: 2"]
    # 1000 s old at 1.5 CPUs, of which it used 80 s user, 10 s nice and 30 s system.
    assert v2.read("proc/uptime") == "1000.00 1380.00\n"
    lines = v2.read("proc/stat").splitlines()
    assert lines[:3] == [
        "cpu  8000 1000 3000 138000 0 0 0 0 0 0",
        "cpu1 4000 500 1500 69000 0 0 0 0 0 0",
        "cpu2 4000 500 1500 69000 0 0 0 0 0 0",
    ]
    assert "procs_running 1" in lines
    assert v2.read("proc/loadavg") == "0.00 0.00 0.00 1/2 42\n"


def test_hybrid_container(hybrid: Mounted) -> None:
    """The files of the recorded container agree with the limits it was recorded under."""
    meminfo = hybrid.read("proc/meminfo")
    assert meminfo.startswith("MemTotal:         262144 kB\nMemFree:          195856 kB\n")
    assert hybrid.read("sys/devices/system/cpu/online") == "0-1\n"
    assert hybrid.read("proc/stat").startswith("cpu  15 0 41 ")
    assert hybrid.read("proc/loadavg") == "0.00 0.00 0.00 1/1 1\n"


@pytest.mark.parametrize("pid", [MEMBER, STRANGER])
def test_slabinfo_is_roots(v2: Mounted, pid: int) -> None:
    """A file of mode 0400 is opened by the host's root alone, and its size is told to nobody else.

    Root of a container in a user namespace of its own is another user of the host.
    """
    assert v2.tree.attributes("/proc/slabinfo", pid, 0).mode == stat.S_IFREG | 0o400
    for uid in (1000, 100000, None):
        with pytest.raises(PermissionError):
            v2.tree.open("/proc/slabinfo", os.O_RDONLY, pid, uid)
        assert v2.tree.attributes("/proc/slabinfo", pid, uid).size == 1
        v2.tree.release(v2.tree.open("/proc/meminfo", os.O_RDONLY, pid, uid))


def test_a_container_has_no_caches_of_its_own(v2: Mounted) -> None:
    """In slabinfo of a container there is the heading, and no cache of the host's."""
    host = v2.read("proc/slabinfo", STRANGER)
    assert v2.read("proc/slabinfo") == "".join(host.splitlines(keepends=True)[:2])
    assert "neighbours_cache" in host


def test_pressure_is_the_containers_or_none(v2: Mounted) -> None:
    """Pressure is the bytes of the container's cgroup; where there are none, EOPNOTSUPP."""
    for resource in ("cpu", "memory", "io"):
        path = v2.root / C1 / f"{resource}.pressure"
        assert v2.read(f"proc/pressure/{resource}") == path.read_text()
        path.unlink()
        with pytest.raises(OSError, match=r".") as caught:
            v2.read(f"proc/pressure/{resource}")
        assert caught.value.errno == errno.EOPNOTSUPP
        path.write_text("some avg10=0.00\n")
        with pytest.raises(OSError, match=r".") as caught:
            v2.read(f"proc/pressure/{resource}")
        assert caught.value.errno == errno.EIO


def test_the_roots_pressure_is_nobodys(v2: Mounted) -> None:
    """A container in the root cgroup has no pressure and no block I/O: those are the machine's."""
    (v2.root / f"proc/{INIT}/cgroup").write_text("0::/\n")
    with pytest.raises(OSError, match=r".") as caught:
        v2.read("proc/pressure/io")
    assert caught.value.errno == errno.EOPNOTSUPP
    assert v2.read("proc/diskstats") == ""


def test_files_about_memory_agree(v2: Mounted) -> None:
    """In vmstat the pages are meminfo's kilobytes, and the transfers are those of diskstats."""
    kilobytes = {
        line.split(":")[0]: int(line.split()[1]) for line in v2.read("proc/meminfo").splitlines()
    }
    counts = {name: int(n) for name, n in map(str.split, v2.read("proc/vmstat").splitlines())}
    page = os.sysconf("SC_PAGE_SIZE") // 1024
    for line, name in (
        ("MemFree", "nr_free_pages"),
        ("AnonPages", "nr_anon_pages"),
        ("Mapped", "nr_mapped"),
        ("Dirty", "nr_dirty"),
        ("Shmem", "nr_shmem"),
        ("PageTables", "nr_page_table_pages"),
    ):
        assert counts[name] == kilobytes[line] // page
    assert counts["nr_file_pages"] == (kilobytes["Cached"] + kilobytes["SwapCached"]) // page
    assert kilobytes["HugePages_Total"] == 10
    disks = [line.split() for line in v2.read("proc/diskstats").splitlines()]
    assert [fields[2] for fields in disks] == ["nvme0n1", "dm-0"]
    assert counts["pgpgin"] == int(disks[0][5]) // 2
    assert (counts["oom_kill"], counts["pgmajfault"]) == (2, 78)


def test_hybrid_pressure_and_block_io(hybrid: Mounted) -> None:
    """On a hybrid machine pressure is in the v2 tree and block I/O in v1's blkio."""
    recorded = hybrid.root / "sys/fs/cgroup/unified/lxfs-run/io.pressure"
    assert hybrid.read("proc/pressure/io") == recorded.read_text()
    line = " 254       0 vda 1 0 8 0 7 0 8224 0 0 0 0 1 0 8192 0 0 0\n"
    assert hybrid.read("proc/diskstats") == line


@pytest.mark.parametrize("source", [HYBRID, V2])
def test_a_restart_with_a_state_file_goes_on(tmp_path: Path, source: Path) -> None:
    """Stat and uptime after a restart are what they were, whatever limits were in between."""
    with os.fdopen(os.memfd_create("state"), "rb") as file:

        def ledger() -> Ledger:
            return Ledger(file.fileno(), "a boot", 4)

        mounted = Mounted(source, tmp_path, ledger=ledger())
        shown = [mounted.read(path) for path in ("proc/stat", "proc/uptime")]
        assert mounted.read("proc/loadavg").startswith("0.00")
        mounted.restart(ledger())
        assert [mounted.read(path) for path in ("proc/stat", "proc/uptime")] == shown
        assert mounted.world.loads.on_file() == []  # not before its first step
        mounted.tree.close()


def test_who_was_sampled_is_sampled_again(v2: Mounted) -> None:
    """Of the containers on file those that live are sampled from the start, others never."""
    with os.fdopen(os.memfd_create("state"), "rb") as file:
        ledger = Ledger(file.fileno(), "a boot", 4)
        for number, name in enumerate((b"[4026532200, 1000, 400000]", b"[1, 2]", b"what", b"[7]")):
            ledger.entry(2, number).write(struct.pack("<4q", 9, 9, 9, 1 << 62) + name)
        container = v2.world.identity.container(MEMBER)
        assert container is not None
        alive = json.dumps(astuple(container)).encode()
        gone = json.dumps(astuple(replace(container, starttime=7))).encode()
        for number, name in enumerate((alive, gone)):
            ledger.entry(2, 10 + number).write(struct.pack("<4q", 9, 9, 9, 1 << 62) + name)
        v2.restart(ledger)
        assert list(v2.world.loads._loads) == [container.key]


def test_uptime_has_the_idle_time_of_stat(v2: Mounted) -> None:
    """Both files, at one moment, have the same idle time, which the age could have held."""
    stat, uptime = v2.read("proc/stat"), v2.read("proc/uptime")
    idle = int(stat.splitlines()[0].split()[4])
    age, summed = (float(field) for field in uptime.split())
    assert summed * 100 == pytest.approx(idle, abs=0.5)
    assert summed <= age * stat.count("\ncpu")


def test_a_read_through_is_one_snapshot(v2: Mounted) -> None:
    """Later offsets come from the text of offset 0, which alone renders anew."""
    handle = v2.tree.open("/proc/meminfo", os.O_RDONLY, MEMBER)
    whole = v2.tree.read(handle, 1 << 20, 0)
    start = v2.tree.read(handle, 10, 0)
    (v2.root / C1 / "memory.max").write_text("268435456\n")
    rest = b"".join(iter(_reader(v2.tree, handle, 10), b""))
    assert start + rest == whole
    assert v2.tree.read(handle, 27, 0) == b"MemTotal:         262144 kB"


def _reader(tree: Tree, handle: int, offset: int) -> Callable[[], bytes]:
    position = offset

    def read() -> bytes:
        nonlocal position
        chunk = tree.read(handle, 7, position)
        position += len(chunk)
        return chunk

    return read


def test_a_failed_lookup_is_an_error(v2: Mounted) -> None:
    """When the cgroup is gone but init lives the read is EIO and names the kernel's file."""
    handle = v2.tree.open("/proc/meminfo", os.O_RDONLY, MEMBER)
    shutil.rmtree(v2.root / C1)
    with pytest.raises(OSError, match="memory") as caught:
        v2.tree.read(handle, 100, 0)
    assert caught.value.errno == errno.EIO


def test_a_dead_container_is_esrch(v2: Mounted) -> None:
    """A descriptor that outlives its container's init is ESRCH."""
    handle = v2.tree.open("/proc/stat", os.O_RDONLY, MEMBER)
    shutil.rmtree(v2.root / f"proc/{INIT}")
    with pytest.raises(ProcessLookupError):
        v2.tree.read(handle, 100, 0)


@pytest.mark.parametrize(
    "file", [file for file in FILES if file.path not in NO_FIGURES], ids=lambda file: file.path
)
def test_a_recycled_init_shows_nobodys_figures(v2: Mounted, file: File) -> None:
    """A descriptor that outlives its container is ESRCH, whoever has the pid of its init now."""
    handle = v2.tree.open(f"/{file.path}", os.O_RDONLY, MEMBER)
    shutil.rmtree(v2.root / f"proc/{INIT}")
    shutil.copytree(v2.root / f"proc/{STRANGER}", v2.root / f"proc/{INIT}", symlinks=True)
    fields = " ".join(["0"] * 18)
    (v2.root / f"proc/{INIT}/stat").write_text(f"{INIT} (new) S {fields} 450000 0\n")
    (v2.root / f"proc/{INIT}/cgroup").write_text("0::/system.slice\n")
    with pytest.raises(ProcessLookupError):
        v2.tree.read(handle, 100, 0)


def test_texts_are_let_go_at_their_end(v2: Mounted) -> None:
    """Who has read a file to its end and keeps it open costs no memory, and may still seek."""
    handle = v2.tree.open("/proc/meminfo", os.O_RDONLY, MEMBER)
    whole = v2.tree.read(handle, 1 << 20, 0)
    assert v2.tree._kept == len(whole)
    assert v2.tree.read(handle, 100, len(whole)) == b""
    assert v2.tree._kept == 0
    assert v2.tree.read(handle, 100, len(whole)) == b""
    assert v2.tree.read(handle, 100, 10) == whole[10:110]
    v2.tree.release(handle)
    assert v2.tree._kept == 0


def test_texts_are_bounded(v2: Mounted, monkeypatch: pytest.MonkeyPatch) -> None:
    """When readers that stop half-way have used the room up, others still get their files."""
    whole = v2.read("proc/meminfo").encode()
    monkeypatch.setattr("lxfs.tree._MAX_KEPT", 3 * len(whole))
    handles = [v2.tree.open("/proc/meminfo", os.O_RDONLY, MEMBER) for _ in range(9)]
    for handle in handles:
        assert v2.tree.read(handle, 100, 0) == whole[:100]
    assert v2.tree._kept == 3 * len(whole)
    assert b"".join(iter(_reader(v2.tree, handles[-1], 0), b"")) == whole
    for handle in handles:
        v2.tree.release(handle)
    assert v2.tree._kept == 0


def test_a_slow_container_holds_up_no_other(v2: Mounted, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one reader's figures take their time, another's of the same kind are computed."""
    slow, finish = threading.Event(), threading.Event()
    quick = ContainerCgroup.memory

    def memory(cgroup: ContainerCgroup, *, swap: bool = True) -> MemoryUse:
        if not slow.is_set():
            slow.set()
            assert finish.wait(10)
        return quick(cgroup, swap=swap)

    monkeypatch.setattr(ContainerCgroup, "memory", memory)
    others: list[str] = []
    threads = [
        threading.Thread(target=lambda: others.append(v2.read("proc/meminfo")), daemon=True)
        for _ in range(2)
    ]
    threads[0].start()
    assert slow.wait(10)
    threads[1].start()
    threads[1].join(5)
    done = len(others)
    finish.set()
    for thread in threads:
        thread.join(10)
    assert (done, len(others)) == (1, 2)


@pytest.mark.parametrize("name", ["meminfo", "stat", "cpuinfo", "vmstat", "diskstats"])
def test_a_malformed_host_file_is_eio(v2: Mounted, name: str) -> None:
    """A host file of another shape is EIO for a container."""
    (v2.root / f"proc/{name}").write_text("gibberish\n")
    with pytest.raises(OSError, match=r".") as caught:
        v2.read(f"proc/{name}")
    assert caught.value.errno == errno.EIO


def test_released_handles_are_gone(v2: Mounted) -> None:
    """A handle is of no use after release, and releasing twice does no harm."""
    handle = v2.tree.open("/proc/stat", os.O_RDONLY, MEMBER)
    v2.tree.release(handle)
    v2.tree.release(handle)
    with pytest.raises(OSError, match=r".") as caught:
        v2.tree.read(handle, 1, 0)
    assert caught.value.errno == errno.EBADF


def test_one_container_cannot_open_everything(v2: Mounted) -> None:
    """A container that keeps opening is stopped at ENFILE, others are not, and closing helps."""
    handles = [v2.tree.open("/proc/stat", os.O_RDONLY, MEMBER) for _ in range(4096)]
    with pytest.raises(OSError, match=r".") as caught:
        v2.tree.open("/proc/stat", os.O_RDONLY, MEMBER)
    assert caught.value.errno == errno.ENFILE
    v2.tree.release(v2.tree.open("/proc/stat", os.O_RDONLY, STRANGER))
    v2.tree.release(handles.pop())
    assert v2.read("proc/swaps")


def test_views_are_given_a_lazy_snapshot(tmp_path: Path) -> None:
    """A view that asks for nothing reads nothing: what it does not need cannot fail it."""
    mounted = Mounted(V2, tmp_path)
    shutil.rmtree(tmp_path / C1)

    def view(now: Snapshot) -> bytes:
        return f"{now.age}\n".encode()

    tree = Tree(mounted.world, (File("proc/age", view),))
    handle = tree.open("/proc/age", os.O_RDONLY, MEMBER)
    assert tree.read(handle, 100, 0) == b"1000000000000\n"
    tree.close()


def test_many_threads_get_whole_files(v2: Mounted) -> None:
    """Parallel readers each get a whole file; none sees another's position or container."""
    expected = {
        MEMBER: v2.read("proc/meminfo"),
        STRANGER: v2.read("proc/meminfo", STRANGER),
    }
    wrong: list[object] = []

    def work(pid: int) -> None:
        try:
            wrong.extend(
                text for _ in range(50) if (text := v2.read("proc/meminfo", pid)) != expected[pid]
            )
        except OSError as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(pid,)) for pid in [MEMBER, STRANGER] * 8]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.fixture
def pod(tmp_path: Path) -> Iterator[Mounted]:
    """A tree over the v2 host that tells callers of a pid namespace apart by cgroup."""
    mounted = Mounted(V2, tmp_path, by_cgroup=True)
    shutil.copy(tmp_path / f"proc/{INIT}/stat", tmp_path / f"proc/{MEMBER}/stat")
    yield mounted
    mounted.tree.close()


def _beside(pod: Mounted, name: str) -> Path:
    """Make the cgroup, a copy of init's, put the reader into it and return it."""
    path = f"/system.slice/{name}"
    shutil.copytree(pod.root / C1, pod.root / f"sys/fs/cgroup{path}")
    (pod.root / f"sys/fs/cgroup{path}/cgroup.events").write_text("populated 1\nfrozen 0\n")
    (pod.root / f"proc/{MEMBER}/cgroup").write_text(f"0::{path}\n")
    return pod.root / f"sys/fs/cgroup{path}"


def test_what_is_kept_of_a_neighbour_goes_with_its_cgroup(
    pod: Mounted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counters, loads and counts are each neighbour's own, and dropped with it; init lives on."""
    monkeypatch.setattr(Kept, "_DEAR", -1)
    one = _beside(pod, "a")
    (one / "cpu.stat").write_text("usage_usec 7000000\nuser_usec 7000000\nsystem_usec 0\n")
    assert pod.read("proc/stat").startswith("cpu  700 0 0 ")
    assert pod.read("proc/stat", INIT).startswith("cpu  8000 1000 3000 ")
    for pid in (MEMBER, INIT):
        pod.read("proc/loadavg", pid)
    kept = (pod.world.clocks._clocks, pod.world.loads._loads, pod.world.counts._counts)
    assert [len(some) for some in kept] == [2, 2, 2]
    shutil.rmtree(one)
    pod.world.reap()
    whole = pod.world.identity.container(INIT)
    assert whole is not None
    assert [list(some) for some in kept] == [[whole.key]] * 3


def test_a_neighbour_that_is_gone_is_esrch(pod: Mounted) -> None:
    """A descriptor that outlives its cgroup is ESRCH though the init of its namespace lives."""
    one = _beside(pod, "a")
    handle = pod.tree.open("/proc/meminfo", os.O_RDONLY, MEMBER)
    assert pod.tree.read(handle, 1 << 20, 0).startswith(b"MemTotal:         524288 kB")
    shutil.rmtree(one)
    with pytest.raises(ProcessLookupError):
        pod.tree.read(handle, 100, 0)


def test_without_a_memory_controller_the_machine_is_everybodys(tmp_path: Path) -> None:
    """Booted without the controller, a container sees the machine's sizes and nobody's use."""
    mounted = Mounted(V2, tmp_path)
    controllers = tmp_path / "sys/fs/cgroup/cgroup.controllers"
    controllers.write_text(controllers.read_text().replace("memory", ""))
    mounted.world = World.of(mounted.host)
    mounted.tree = Tree(mounted.world)
    shown = parse.meminfo(mounted.read("proc/meminfo").encode())
    host = parse.meminfo(mounted.host.read("proc/meminfo"))
    assert shown[b"MemTotal"] == host[b"MemTotal"]
    assert shown[b"MemFree"] == shown[b"MemAvailable"] == host[b"MemAvailable"]
    assert shown[b"SwapFree"] == host[b"SwapFree"]
    assert {shown[name] for name in (b"Cached", b"AnonPages", b"Active", b"Slab")} == {0}
    assert "nr_free_pages" in mounted.read("proc/vmstat")
    assert mounted.read("proc/swaps").startswith("Filename")


def test_a_cgroup_that_is_being_removed_shows_nothing(pod: Mounted) -> None:
    """Limits whose files are gone while the directory is still there are not taken for no limit."""
    one = _beside(pod, "a")
    handle = pod.tree.open("/proc/meminfo", os.O_RDONLY, MEMBER)
    (one / "memory.max").unlink()
    (one / "cgroup.events").write_text("populated 0\nfrozen 0\n")
    with pytest.raises(ProcessLookupError):
        pod.tree.read(handle, 1 << 20, 0)


def test_an_init_that_ends_while_its_figures_are_read_is_esrch(v2: Mounted) -> None:
    """What was read of a cgroup that may have been removed meanwhile is not shown."""

    def dies(now: Snapshot) -> bytes:
        assert now.memory.limit
        shutil.rmtree(v2.root / f"proc/{INIT}")
        return b"figures of whatever was there"

    tree = Tree(v2.world, (File("proc/meminfo", dies),))
    handle = tree.open("/proc/meminfo", os.O_RDONLY, MEMBER)
    with pytest.raises(ProcessLookupError):
        tree.read(handle, 1 << 20, 0)


def test_making_cgroups_gives_no_more_handles(
    pod: Mounted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Handles are counted for a whole pid namespace: who makes cgroups in it gains none."""
    monkeypatch.setattr("lxfs.tree._MAX_HANDLES", 3)
    for name in ("a", "b", "c"):
        _beside(pod, name)
        pod.tree.open("/proc/meminfo", os.O_RDONLY, MEMBER)
    _beside(pod, "d")
    with pytest.raises(OSError, match=r".") as caught:
        pod.tree.open("/proc/meminfo", os.O_RDONLY, MEMBER)
    assert caught.value.errno == errno.ENFILE


def _elsewhere(mounted: Mounted, limit: int) -> str:
    """Make a cgroup like the container's with another limit; return its path."""
    path = "/system.slice/elsewhere"
    shutil.copytree(mounted.root / C1, mounted.root / f"sys/fs/cgroup{path}")
    (mounted.root / f"sys/fs/cgroup{path}/memory.max").write_text(f"{limit}\n")
    return path


def _total(mounted: Mounted) -> int:
    return parse.meminfo(mounted.read("proc/meminfo").encode())[b"MemTotal"]


def test_a_container_is_followed(v2: Mounted) -> None:
    """When its init was moved between two reads, the second shows where it is."""
    assert _total(v2) == _total(v2) == 512 << 20
    path = _elsewhere(v2, 64 << 20)
    (v2.root / f"proc/{INIT}/cgroup").write_text(f"0::{path}\n")
    assert _total(v2) == _total(v2) == 64 << 20


def test_who_moves_while_it_is_looked_at_is_looked_at_again(v2: Mounted) -> None:
    """What was read where it no longer is is not shown, nor remembered."""
    v2.read("proc/uptime")
    v2.read("proc/meminfo")
    path = _elsewhere(v2, 64 << 20)
    seen: list[int | None] = []

    def view(now: Snapshot) -> bytes:
        seen.append(now.memory.limit)
        if len(seen) == 1 and v2.host.pins:
            (v2.root / f"proc/{INIT}/cgroup").write_text(f"0::{path}\n")
        return b"%d" % (now.memory.limit or 0)

    container = v2.world.identity.container(MEMBER)
    assert container is not None
    shown = v2.world.show(container, view)
    if v2.host.pins:
        assert (shown, seen) == (b"%d" % (64 << 20), [512 << 20, 64 << 20])
    else:
        assert (shown, seen) == (b"%d" % (512 << 20), [512 << 20])


def test_what_was_not_the_containers_is_not_counted(v2: Mounted) -> None:
    """CPU time that was read where the container is not does not enter its counters."""
    v2.read("proc/stat")
    before = v2.world.clocks._clocks.copy()
    key, clock = next(iter(before.items()))
    was = (clock.at, clock.used, clock.idle)
    v2.host.now += 10**9
    container = v2.world.identity.container(MEMBER)
    assert container is not None
    now = Snapshot(v2.world, container, v2.world.homes.get(container))
    assert now.cpus.visible
    shutil.rmtree(v2.root / f"proc/{INIT}")
    with pytest.raises(SourceError):
        _ = now.counters
    clock = v2.world.clocks._clocks[key]
    assert (clock.at, clock.used, clock.idle) == was


def test_one_that_is_reaped_is_remembered_nowhere(v2: Mounted) -> None:
    """Where a container was is forgotten with it, also when somebody has just found it there."""
    v2.read("proc/meminfo")
    container = v2.world.identity.container(MEMBER)
    assert container is not None
    assert (container in v2.world.homes) == v2.host.pins
    home = v2.world.locate(container)
    shutil.rmtree(v2.root / f"proc/{INIT}")
    v2.world.reap()
    v2.world.homes[container] = home
    v2.world.reap()
    assert v2.world.homes == {}


def test_who_was_gone_for_a_moment_is_esrch(pod: Mounted, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cgroup that is deserted while it is read is ESRCH, also when somebody has come back."""
    _beside(pod, "a")
    handle = pod.tree.open("/proc/meminfo", os.O_RDONLY, MEMBER)
    monkeypatch.setattr(Identity, "is_at", lambda *_: False)
    with pytest.raises(ProcessLookupError):
        pod.tree.read(handle, 100, 0)
    monkeypatch.undo()
    assert pod.tree.read(handle, 100, 0).startswith(b"MemTotal:")
