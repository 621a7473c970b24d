"""``lxfs explain`` of control files of real containers, on this machine's cgroups."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from lxfs.cgroupfs.files import Lists
from lxfs.cgroupfs.table import TABLE
from lxfs.errors import UsageError
from lxfs.explain import explain
from lxfs.explanation import Lines
from lxfs.sources.host import Host
from tests.drivers.boxes import come_from, driver  # noqa: F401 - a fixture
from tests.drivers.conftest import LIMITS, MIB, Mount, lxfs
from tests.drivers.inmates import Inmate, cells, inmate_in, public_mount
from tests.drivers.test_cgroupfs import MEMORY_IS_V1

SAME = (
    *("memory.max", "memory.limit_in_bytes", "cpu.max", "cpu.shares", "pids.max"),
    *(("cpuset.cpus",) if MEMORY_IS_V1 else ()),  # on v2 these containers were not handed cpuset
)


@pytest.fixture(scope="module")
def view(driver: str) -> Iterator[Mount]:  # noqa: ARG001, F811
    """A mount that the container can reach."""
    with public_mount() as mount:
        yield mount


@pytest.fixture(scope="module")
def directories() -> Iterator[list[Path]]:
    """Cgroups of 256 MiB, one CPU and 200 tasks in each hierarchy."""
    with cells(LIMITS) as made:
        yield made


@pytest.fixture(scope="module")
def one(view: Mount, directories: list[Path]) -> Iterator[Inmate]:  # noqa: ARG001 - before it
    """A container in them."""
    with inmate_in(directories) as inmate:
        yield inmate


def _explained(one: Inmate, name: str) -> tuple[Lines, ...]:
    return explain(Host(), one.pid, name).groups


@pytest.mark.parametrize("directory", TABLE)
def test_every_control_file_is_explained(one: Inmate, view: Mount, directory: str) -> None:
    """What a container sees of its cgroup is explained, of files that were read, and no other."""
    below = f"cgroup/{directory}"
    listed = set(one(f"os.listdir('{view.directory}/{below}')"))
    for name, control in TABLE[directory].items():
        if name not in listed:
            with pytest.raises(UsageError, match="is not there for process"):
                _explained(one, f"{below}/{name}")
            continue
        for group in _explained(one, f"{below}/{name}"):
            assert group.formula
            named = {reading.file for each in control.origins for reading in (*each.v1, *each.v2)}
            sources = {source.file.replace(f"/{one.pid}/", "/INIT/") for source in group.sources}
            assert sources <= named
            if control.shape == 2 and MEMORY_IS_V1 and any(each.v1 for each in control.origins):
                assert group.sources or isinstance(control.view, Lists), (name, group)


@pytest.mark.parametrize("name", SAME)
def test_it_is_what_is_read(one: Inmate, view: Mount, name: str) -> None:
    """The lines are those that the container reads, by the file's name alone as by its path."""
    directory = "unified" if name in TABLE["unified"] else name.split(".", maxsplit=1)[0]
    path = f"cgroup/{directory}/{name}"
    read = one(f"read('{view.directory}/{path}')").splitlines()
    for asked in (path, f"/{path}", name):
        assert [line for group in _explained(one, asked) for line in group.lines] == read


@pytest.mark.skipif(not MEMORY_IS_V1, reason="v2 counts memory here itself")
def test_kernel_file_and_formula_are_named(one: Inmate) -> None:
    """A limit in v2's shape names v1's file with its value; v1's own is said to be the kernel's."""
    done = lxfs("explain", str(one.pid), "memory.max")
    assert done.returncode == 0
    assert done.stdout.endswith(
        f"\n{256 * MIB}\n"
        "    the cgroup's own limit; the page-rounded maximum is max\n"
        f"    memory.limit_in_bytes = {256 * MIB}\n"
    )
    done = lxfs("explain", str(one.pid), "memory.limit_in_bytes", "--json")
    (line,) = json.loads(done.stdout)["lines"]
    assert line["formula"] == "the kernel's own file, as it is"
    assert [source["file"] for source in line["sources"]] == ["memory.limit_in_bytes"]


@pytest.mark.skipif(not MEMORY_IS_V1, reason="v2 counts memory here itself")
def test_a_cgroup_above_is_named(one: Inmate) -> None:
    """Of a cgroup that the v2 tree alone has, the one is named that v1 counts its processes by."""
    made = one.cgroup("") / ".lxc"
    made.mkdir()
    try:
        said = explain(Host(), one.pid, "cgroup/unified/.lxc/memory.max")
    finally:
        made.rmdir()
    assert said.cgroups is not None
    path = next(
        x for x in Path(f"/proc/{one.pid}/cgroup").read_text().splitlines() if ":memory:" in x
    )
    assert said.cgroups["memory"] == (1, path.split(":", 2)[2])
    assert [line for group in said.groups for line in group.lines] == [str(256 * MIB)]


def test_a_file_is_found_as_it_is_seen(view: Mount, directories: list[Path]) -> None:
    """A path below /sys/fs/cgroup is of the shape mounted there; where none is, that is said."""
    with inmate_in(directories) as one:
        name = "/sys/fs/cgroup/memory/memory.limit_in_bytes"
        done = lxfs("explain", str(one.pid), name)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert "has no lxfs on its /sys/fs/cgroup" in done.stderr
        one("subprocess.run(['umount', '-R', '-l', '/sys/fs/cgroup'])")
        assert lxfs("attach", str(one.pid), "--cgroupfs", "v1", *come_from(view)).returncode == 0
        assert _explained(one, name)[0].lines == (str(256 * MIB),)
        assert lxfs("attach", str(one.pid), "--cgroupfs", "v2", *come_from(view)).returncode == 0
        assert _explained(one, "/sys/fs/cgroup/memory.max")[0].lines == (str(256 * MIB),)
        done = lxfs("explain", str(one.pid), name)
        assert "cgroup/unified/memory/memory.limit_in_bytes is not there" in done.stderr


def test_mistakes_end_in_one_line(one: Inmate) -> None:
    """A directory, a name that there is not, and a way out are said in one line."""
    for name in ("cgroup/unified", "cgroup/nobody/x", "cgroup/unified/../../proc/stat"):
        done = lxfs("explain", str(one.pid), name)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), name
