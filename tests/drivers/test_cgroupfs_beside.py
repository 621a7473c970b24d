"""Control files beside the running kernel's own, for one caller, where the kernel has the shape.

As root, on whatever hierarchies are mounted: v1's directories are compared on a host of v1,
`unified` on one of v2, and as far as the kernel has it on one of both (tests/machine runs this).
"""

import contextlib
import errno
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from lxfs.cgroupfs.layout import DIRECTORIES
from lxfs.sources.cgroups import Hierarchies
from lxfs.sources.host import Host
from tests.drivers.conftest import Mount
from tests.drivers.inmate import beside
from tests.drivers.inmates import Inmate, inmate_in, public_mount
from tests.fixtures.groups import made

_HIERARCHIES = Hierarchies.find(Host())
_ON_V1 = {{"blkio": "io"}.get(name, name) for name in _HIERARCHIES.v1}
"""By the names that they have in v2."""
_IS_HYBRID = _HIERARCHIES.v2 is not None and bool(_HIERARCHIES.v1)
_NAME = f"lxfs-beside-{os.getpid()}"
_LIMITS = {
    "cpuset.cpus": Path("/sys/devices/system/cpu/online").read_text().strip(),
    "cpuset.cpus.exclusive": str(max(os.sched_getaffinity(0))),
    "cpuset.mems": "0",
    "memory.limit_in_bytes": "256M",
    "memory.max": "256M",
    "memory.low": "16M",
    "cpu.cfs_quota_us": "80000",
    "cpu.max": "80000 100000",
    "pids.max": "200",
    "hugetlb.2MB.max": "8M",
    "hugetlb.2MB.limit_in_bytes": "8M",
}
_ABSENT = re.compile(
    r"cgroup\.event_control|memory\.pressure_level"  # made with descriptors of the caller
    r"|release_agent|cgroup\.sane_behavior"  # of the root of a hierarchy
    r"|(misc|rdma|dmem|net_cls|net_prio|perf_event)\..*"  # controllers that we serve nothing of
    r"|memory\.shown_ram_in_bytes"  # of no released kernel, but of this computer's
)
_OF_BOTH = {"cgroup.controllers", "cgroup.subtree_control", "cpu.stat", "cpu.stat.local"}
"""Where v1 has controllers these know of them too, and the v2 tree's own do not."""
_LISTS = {"cgroup.procs", "cgroup.threads", "tasks"}
_TRIES = 10


def _tops() -> dict[str, Path]:
    """Return where the kernel's own directories are mounted, by the name that they have with us."""
    names: dict[str, list[str]] = {}
    for name, place in _HIERARCHIES.v1.items():
        names.setdefault(place.point, []).append(name.removeprefix("name="))
    tops = {",".join(n for n in some if n != "rw"): Path(p) for p, some in names.items()}
    if _HIERARCHIES.v2 is not None:
        tops["unified"] = Path(_HIERARCHIES.v2.point)
    return {name: top for name, top in tops.items() if name in DIRECTORIES}


TOPS = _tops() if os.geteuid() == 0 else {}
of_each = pytest.mark.parametrize("name", TOPS)


class Side(NamedTuple):
    """A container, and what it finds its cgroup beside."""

    one: Inmate
    view: Mount

    def paths(self, name: str, below: str = "") -> tuple[str, str]:
        """Return the kernel's path and the served one of its cgroup, or of one below."""
        return f"{TOPS[name]}/{_NAME}{below}", f"{self.view.directory}/cgroup/{name}{below}"


@pytest.fixture(scope="module")
def view(driver: str) -> Iterator[Mount]:  # noqa: ARG001
    """A mount in which cgroups can be written to."""
    with public_mount("--cgroupfs", "rw") as mount:
        yield mount


@pytest.fixture(scope="module")
def side(view: Mount) -> Iterator[Side]:
    """An unprivileged container in a cgroup of every hierarchy, with a child that it may use.

    In v2 its processes are in an init.scope, as systemd has it, so that its cgroup can have others.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(made(_HIERARCHIES, {_NAME: _LIMITS}))
        unified = TOPS.get("unified")
        scope = None if unified is None else unified / _NAME / "init.scope"
        if scope is not None:
            scope.mkdir()
            stack.callback(scope.rmdir)
        one = stack.enter_context(inmate_in([top / _NAME for top in TOPS.values()], user=True))
        if scope is not None:
            for pid in (one.pid, one.starter):
                (scope / "cgroup.procs").write_text(str(pid))
        stack.enter_context(made(_HIERARCHIES, {f"{_NAME}/child": _LIMITS}))
        yield Side(one, view)


def _is_between(before: str | int, served: str | int, after: str | int) -> bool:
    """Return whether a text is another but for numbers, which have moved on to a third one's."""
    if served in (before, after):
        return True
    if not (isinstance(before, str) and isinstance(served, str) and isinstance(after, str)):
        return False
    texts = [re.split(r"(\d+(?:\.\d+)?)", text) for text in (before, served, after)]
    if len({len(text) for text in texts}) > 1:
        return False
    for number, (first, middle, last) in enumerate(zip(*texts, strict=True)):
        if number % 2:
            low, high = sorted((float(first), float(last)))
            if not low <= float(middle) <= high:
                return False
        elif not first == middle == last:
            return False
    return True


def test_what_is_between() -> None:
    """The comparison lets numbers move on and nothing else."""
    assert _is_between("a 1\nb 5\n", "a 2\nb 5\n", "a 3\nb 5\n")
    assert not _is_between("a 1\nb 5\n", "a 4\nb 5\n", "a 3\nb 5\n")
    assert not _is_between("a 1\n", "b 1\n", "a 1\n")
    assert not _is_between("a 1\n", "a 1", "a 1\n")
    assert not _is_between("a 1\n", errno.EIO, "a 1\n")
    assert _is_between(errno.EINVAL, errno.EINVAL, errno.EINVAL)


Compare = Callable[[str, str], list[list[str | int]]]


def _wrong(compare: Compare, paths: tuple[str, str], ignored: set[str]) -> dict[str, object]:
    """Return what a caller sees in two directories that is not the same, by file."""
    wrong: dict[str, object] = {}
    for turn in range(_TRIES):  # a figure may go up and down again between two readings
        wrong_before, wrong = wrong, {}
        for file, mine, theirs, before, served, after in compare(*paths):
            name = str(file)
            if turn and name not in wrong_before:
                continue
            # What is written there is a trigger, which is of the descriptor.
            if mine != theirs and not (name.endswith(".pressure") and name != "cgroup.pressure"):
                wrong[name] = mine, theirs
            elif name not in ignored and not _is_between(before, served, after):
                wrong[name] = before, served, after
        if not wrong:
            break
    return wrong


@of_each
@pytest.mark.parametrize("below", ["", "/child"])
def test_a_container_reads_the_kernel_s_own(side: Side, name: str, below: str) -> None:
    """To a container every file of its cgroup and of a child is the kernel's, byte for byte."""

    def compare(kernels: str, served: str) -> list[list[str | int]]:
        found: list[list[str | int]] = side.one(f"beside({kernels!r}, {served!r})")
        return found

    superseded = _OF_BOTH if _IS_HYBRID else set()
    # v2's own lists have zeros for those that the reader cannot see.
    paths = side.paths(name, below)
    assert _wrong(compare, paths, superseded | _LISTS) == {}
    for file, _, _, own, served, _ in compare(*paths):
        if file in _LISTS:
            seen = [pid for pid in str(own).split() if pid != "0"]
            assert (file, str(served).split()) == (file, seen)


@of_each
def test_the_host_reads_the_kernel_s_own(side: Side, name: str) -> None:
    """To the host every file of a root and of a cgroup is the kernel's, byte for byte."""
    superseded = _OF_BOTH if _IS_HYBRID else set()
    # Of the whole machine, processes come and go, and the server needs memory for its answer.
    moving = {"memory.kmem.usage_in_bytes", *_LISTS}
    for path, ignored in (("", superseded | moving), (f"/{_NAME}", superseded)):
        paths = f"{TOPS[name]}{path}", f"{side.view.directory}/cgroup/{name}{path}"
        assert (path, _wrong(beside, paths, ignored)) == (path, {})


def _files(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir() if path.is_file()}


@of_each
def test_names_are_the_kernel_s(side: Side, name: str) -> None:
    """The files of a root and of a cgroup are the kernel's, and no others."""
    for path in ("", f"/{_NAME}"):
        kernels = _files(Path(f"{TOPS[name]}{path}"))
        served = _files(Path(f"{side.view.directory}/cgroup/{name}{path}"))
        wanted = {file for file in kernels if not _ABSENT.fullmatch(file)}
        # On a host of both, v2's directory has the files of v1's controllers as well.
        more = {file for file in served if name == "unified" and file.split(".")[0] in _ON_V1}
        assert (path, served ^ wanted ^ (more - wanted)) == (path, set())


# Accepted by some files and refused by others; a hundred are tried in test_control_files.py. The
# empty one is not here: FUSE does not pass it on, and says that nothing was written.
_TEXTS = (
    *("\n", "0", "1", "-1", "max", "8M", "50000 100000", "0-1", "1", "root", "FROZEN", "THAWED"),
    *("254:0 rbps=1048576", "254:0 1048576", "+nothing", "1" * 4095),
)


@of_each
def test_writes_are_the_kernel_s(side: Side, name: str) -> None:
    """What a container writes has the kernel's errno, and is then in the kernel's file."""
    kernels, served = side.paths(name, "/written")
    superseded = _OF_BOTH if _IS_HYBRID else set()
    names = side.one(
        f"os.mkdir({kernels!r}) or [n for n in sorted(os.listdir({kernels!r}))"
        f" if os.stat({kernels!r} + '/' + n).st_mode & 0o222]"
    )
    side.one(f"os.rmdir({kernels!r})")
    chosen = [
        file
        for file in names
        if not _ABSENT.fullmatch(file)
        and file not in superseded | _LISTS
        and (file == "cgroup.pressure" or not file.endswith(".pressure"))
    ]
    histories = [
        side.one(f"history({path!r}, {kernels!r}, {chosen!r}, {list(_TEXTS)!r})")
        for path in (kernels, served)
    ]
    assert len(histories[0]) == len(chosen) * len(_TEXTS) > 0
    different = [pair for pair in zip(*histories, strict=True) if pair[0] != pair[1]]
    assert different == []


# In a row. Not here: what we refuse for reasons of our own, to rename cgroups of v1 and to give
# away the own one.
_DONE = (
    "os.mkdir('{0}/x')",
    "os.mkdir('{0}/x')",
    "os.mkdir('{0}/a\\nb')",
    "os.mkdir('{0}/cgroup.procs')",
    "os.mkdir('{0}/cgroup.procs/x')",
    "os.mkdir('{0}/no/x')",
    "os.rmdir('{0}/no')",
    "os.rmdir('{0}/cgroup.procs')",
    "os.unlink('{0}/cgroup.procs')",
    "os.unlink('{0}/x')",
    "os.unlink('{0}/no')",
    "os.symlink('/', '{0}/s')",
    "os.mkfifo('{0}/n')",
    "os.link('{0}/cgroup.procs', '{0}/l')",
    "os.open('{0}/new', os.O_CREAT | os.O_WRONLY)",
    "os.open('{0}/x', os.O_WRONLY)",
    "os.open('{0}/x', os.O_RDONLY | os.O_CREAT)",
    "os.truncate('{0}/x/cgroup.procs', 0)",
    "os.write(os.open('{0}/x/cgroup.procs', os.O_RDONLY), b'1')",
    "os.chmod('{0}/pids.max', 0o666)",
    "write('{0}/pids.max', '10')",
    "write('{0}/memory.max', '0')",
    "write('{0}/memory.limit_in_bytes', '0')",
    "os.chown('{0}/x', 33, 34)",
    "os.chown('{0}/x', 70000, 0)",
    "os.chmod('{0}/x', 0o750)",
    "os.chown('{0}/x/cgroup.procs', 35, -1)",
    "os.chown('{0}/x/cgroup.procs', 0, 0)",
    "os.chown('{0}/x', 0, 0)",
    "write('{0}/x/cgroup.procs', 'x')",
    "write('{0}/x/cgroup.procs', '-1')",
    "write('{0}/x/cgroup.procs', '32000')",
    "write('{0}/x/cgroup.procs', '99999999999')",
    "write('{0}/x/cgroup.procs', '1' * 5000)",
    "write('{0}/x/cgroup.procs', '0x')",
    "write('{0}/x/cgroup.procs', '%d' % p.pid)",
    "write('{0}/x/cgroup.procs', ' %d \\n' % p.pid)",
    "os.rmdir('{0}/x')",
    "write('{0}/cgroup.procs', '%d' % p.pid)",
    "write('{0}/x/cgroup.threads', '%d' % p.pid)",
    "write('{0}/x/tasks', '%d' % p.pid)",
    "os.mkdir('{0}/x/y')",
    "write('{0}/x/cgroup.subtree_control', '+pids')",
    "write('{0}/x/cgroup.subtree_control', '+memory +nothing')",
    "write('{0}/x/cgroup.subtree_control', '+misc')",
    "write('{0}/x/cgroup.subtree_control', 'pids')",
    "write('{0}/x/cgroup.type', 'domain')",
    "write('{0}/x/y/cgroup.type', 'threaded')",
    "write('{0}/x/y/cgroup.threads', '%d' % p.pid)",
    "write('{0}/x/y/cgroup.procs', '%d' % p.pid)",
    "read('{0}/x/cgroup.procs')",
    "read('{0}/x/y/cgroup.procs')",
    "os.rmdir('{0}/x/y')",
    "write('{0}/child/cgroup.procs', '%d' % p.pid)",
    "os.rmdir('{0}/x/y')",
    "write('{0}/x/cgroup.max.descendants', '0')",
    "os.mkdir('{0}/x/z')",
    "write('{0}/x/cgroup.max.descendants', 'max')",
    "write('{0}/cgroup.subtree_control', '-pids')",
    "write('{0}/cgroup.subtree_control', '+pids')",
    "write('{0}/memory.oom.group', '1')",
    "write('{0}/memory.oom.group', '0')",
    "write('{0}/memory.reclaim', '4096')",
    "os.rmdir('{0}/x')",
)


@of_each
def test_what_is_done_is_done_as_by_the_kernel(side: Side, name: str) -> None:
    """Making, removing, giving away and moving come to the same, refusals in their errno."""
    is_part = _IS_HYBRID and name == "unified"  # the rest of its files are made of v1's
    done = [text for text in _DONE if not (is_part and re.search("pids|memory|subtree", text))]
    came: list[list[object]] = []
    for path in side.paths(name):
        side.one("p = subprocess.Popen(['sleep', '100'])")
        came.append([side.one.errno(text.format(path)) for text in done])
        side.one("p.kill() or p.wait()")
        for left in ("/x/y", "/x/z", "/x"):
            side.one.errno(f"os.rmdir('{path}{left}')")
    different = [row for row in zip(done, *came, strict=True) if row[1] != row[2]]
    assert different == []


def test_a_controller_that_is_not_there(side: Side) -> None:
    """A refusal that is ENOENT is told as that, and not as ENODEV of a file that is gone."""
    kernels, served = side.paths("unified")
    text = "write('{}/cgroup.subtree_control', '+rdma')"
    wanted = errno.ENOENT if _IS_HYBRID else side.one.errno(text.format(kernels))
    assert side.one.errno(text.format(served)) == wanted != errno.ENODEV
