"""What ``lxfs explain`` says of each line, and that it is what the line was made of."""

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from lxfs import cli
from lxfs.entries import File
from lxfs.errors import UserError
from lxfs.explain import explain
from lxfs.explanation import Explanation, Source
from lxfs.mirror import Mirror
from lxfs.model import Container
from lxfs.origin import name_of, origin_of
from lxfs.sources.files import Moment
from lxfs.table import FILES, MIRRORS
from lxfs.tree import Tree
from lxfs.world import World
from tests.docs import DOCUMENTS, renewed, tables
from tests.fixtures import HYBRID, INIT, MEMBER, STRANGER, V2, FixedHost, fixture_host
from tests.fixtures.numa import numa_host

C1 = "sys/fs/cgroup/system.slice/lxc.payload.c1"
OWN = ("lxc.payload.c1", "lxfs-run")
SOURCES = {"v2": V2, "hybrid": HYBRID}


@pytest.fixture
def v2(tmp_path: Path) -> FixedHost:
    """The synthesised v2 host."""
    return fixture_host(V2, tmp_path)


def _read(host: FixedHost, path: str) -> str:
    tree = Tree(World.of(host))
    try:
        return tree.read(tree.open(path, os.O_RDONLY, MEMBER, 0), 1 << 20, 0).decode()
    finally:
        tree.close()


def _lines(said: Explanation) -> list[str]:
    return [line for group in said.groups for line in group.lines]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.path)
def test_each_line_has_one_origin(tmp_path: Path, source: str, file: File) -> None:
    """All lines of a file are explained as a reader gets them, each by one origin and no more."""
    host = fixture_host(SOURCES[source], tmp_path)
    said = explain(host, MEMBER, file.path)
    assert _lines(said) == _read(host, f"/{file.path}").splitlines()
    for line in _lines(said):
        names = [pattern for origin in file.origins for pattern in origin.lines if pattern != "*"]
        assert sum(fnmatchcase(name_of(line), pattern) for pattern in names) <= 1, line
    assert all(group.formula for group in said.groups)


@pytest.mark.parametrize("mirror", MIRRORS, ids=lambda mirror: mirror.path)
def test_each_mirrored_file_has_origins(tmp_path: Path, mirror: Mirror) -> None:
    """Whatever is served below a mirrored directory says where it comes from, and no other."""
    assert mirror.origins.keys() == mirror.files.keys()
    host = numa_host(tmp_path)
    tree = Tree(World.of(host))

    def files(path: str) -> Iterator[str]:
        for name in tree.listing(path, MEMBER):
            if tree.attributes(f"{path}/{name}", MEMBER).mode & 0o170000 == 0o040000:
                yield from files(f"{path}/{name}")
            elif tree.attributes(f"{path}/{name}", MEMBER).mode & 0o170000 == 0o100000:
                yield f"{path}/{name}"

    found = list(files(f"/{mirror.path}"))
    some = {re.sub(r"\d+", "#", path): path for path in found}
    assert len(some) > 5
    for path in some.values():
        assert _lines(explain(host, MEMBER, path)) == _read(host, path).splitlines()
    tree.close()


def _stat_keys(line: str, file: File, source: str, *, deep: bool) -> set[str]:
    """Return the lines of memory.stat that a line names; ``deep``: with those of lines it names."""
    found: set[str] = set()
    todo, seen = [line], set()
    while todo:
        seen.add(name := todo.pop())
        origin = origin_of(f"{name}:", file.origins if name == line else FILES[0].origins)
        assert origin is not None
        for reading in origin.v1 if source == "hybrid" else origin.v2:
            found.update(reading.names if reading.file == "memory.stat" else ())
        # Lines of meminfo, whose names are the only words of that kind.
        named = re.findall(r"(?:Mem|Swap|Anon|Sh|Huge)[A-Z]?\w+", origin.formula) if deep else ()
        todo += [other for other in named if other not in seen]
    return found


_AS_IT_IS = ("as counted", "in pages", "in KiB", "in huge pages", "the sum")


@pytest.mark.parametrize("path", ["proc/meminfo", "proc/vmstat"])
@pytest.mark.parametrize("source", SOURCES)
def test_origins_name_what_the_lines_are_made_of(tmp_path: Path, path: str, source: str) -> None:
    """A line that changes with a line of memory.stat names it, and one that shows it changes."""
    host = fixture_host(SOURCES[source], tmp_path)
    file = next(file for file in FILES if file.path == path)
    stat = next(path for path in tmp_path.rglob("memory.stat") if path.parent.name in OWN)
    text = stat.read_text()
    before = _read(host, f"/{path}").splitlines()
    changes = 0
    for key, value in (line.split() for line in text.splitlines()):
        stat.write_text(re.sub(rf"(?m)^{key} .*$", f"{key} {int(value) + (4 << 20)}", text))
        after = _read(host, f"/{path}").splitlines()
        for old, new in zip(before, after, strict=True):
            origin = origin_of(old, file.origins)
            assert origin is not None
            if new != old:
                assert key in _stat_keys(name_of(old), file, source, deep=True), (key, old)
                changes += 1
            elif key in _stat_keys(name_of(old), file, source, deep=False):
                assert not origin.formula.startswith(_AS_IT_IS), (key, old)
    assert changes > 10


def test_who_limits_is_named(v2: FixedHost, tmp_path: Path) -> None:
    """The text has the container, the formula, each value, and whose limit decided."""
    (tmp_path / "sys/fs/cgroup/system.slice/memory.max").write_text("268435456\n")
    text = explain(v2, MEMBER, "meminfo").as_text()
    assert text.startswith(
        """\
/proc/meminfo as process 1001 is shown it
container: pid namespace 4026532200, init 1000; identity by pidns
"""
    )
    total = text[text.index("MemTotal") : text.index("\nMemFree")]
    assert (
        total
        == """\
MemTotal:         262144 kB
    min(limit, the host's)
    memory.max of /system.slice = 268435456 (the smallest of 2)
    /proc/meminfo: MemTotal 8388608 kB
"""
    )
    assert "    memory.max of /system.slice: has left " in text


def test_the_list_of_cpus_is_explained(v2: FixedHost) -> None:
    """A short file, to the byte."""
    text = explain(v2, MEMBER, "/sys/devices/system/cpu/online").as_text()
    assert (
        text.split("\n\n", 1)[1]
        == """\
1-2
    the visible CPUs: the lowest min(number allowed, quota rounded up) of those allowed
    cpuset.cpus.effective = 1-3
    cpu.max = 150000 100000 (the only limit)
    /sys/devices/system/cpu/online = 0-3
"""
    )


def test_json_has_the_same(v2: FixedHost) -> None:
    """Machines get each line with its formula and sources, and the container by controller."""
    said = explain(v2, MEMBER, "meminfo")
    found = json.loads(said.as_json())
    assert [line["line"] for line in found["lines"]] == _lines(said)
    assert found["lines"][0]["sources"][0] == {
        "file": "memory.max",
        "values": {"": "536870912"},
        "note": "the only limit",
        "cgroup": "/system.slice/lxc.payload.c1",
        "own": True,
    }
    assert (found["container"]["init"], found["container"]["identity"]) == (INIT, "pidns")
    assert found["container"]["cgroups"]["memory"] == {
        "version": 2,
        "path": "/system.slice/lxc.payload.c1",
    }


def test_the_hosts_own_file_is_said_to_be(v2: FixedHost) -> None:
    """For a process of the host's pid namespace there is nothing to explain, and it is said."""
    said = explain(v2, STRANGER, "stat")
    assert said.as_text().splitlines()[0] == "/proc/stat as process 2000 is shown it"
    assert "the host's own pid namespace" in said.as_text()
    assert json.loads(said.as_json())["container"] is None


def test_callers_are_told_apart_as_asked(v2: FixedHost, tmp_path: Path) -> None:
    """By cgroup a neighbour of init is explained by its own limits, by pid namespace by init's."""
    beside = tmp_path / "sys/fs/cgroup/system.slice/beside"
    shutil.copytree(tmp_path / C1, beside)
    (beside / "memory.max").write_text("33554432\n")
    (tmp_path / f"proc/{MEMBER}/cgroup").write_text("0::/system.slice/beside\n")
    shutil.copy(tmp_path / f"proc/{INIT}/stat", tmp_path / f"proc/{MEMBER}/stat")
    by_pidns = explain(v2, MEMBER, "meminfo")
    by_cgroup = explain(v2, MEMBER, "meminfo", by_cgroup=True)
    assert by_pidns.groups[0].lines == ("MemTotal:         524288 kB",)
    assert by_cgroup.groups[0].lines == ("MemTotal:          32768 kB",)
    assert "identity by cgroup\n" in by_cgroup.as_text()
    assert "cgroup v2 /system.slice/beside\n" in by_cgroup.as_text()


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.path)
def test_it_fits_100_columns(tmp_path: Path, source: str, file: File) -> None:
    """Nothing but a file's own line is wider."""
    said = explain(fixture_host(SOURCES[source], tmp_path), MEMBER, file.path)
    own = set(_lines(said))
    assert [x for x in said.as_text().splitlines() if len(x) > 100 and x not in own] == []


def test_names_of_cgroups_do_nothing_to_a_terminal() -> None:
    """A cgroup may be called anything; what is not printable is escaped, in JSON too."""
    name = "/a\x1b[2J\udcff"
    cgroups: Mapping[str, tuple[int, str]] = {"memory": (2, name)}
    said = Explanation("/proc/x", 1, False, Container(1, 1, 1), cgroups)
    assert r"/a\x1b[2J\udcff" in said.as_text()
    assert said.as_json().isascii()
    assert Source("f", cgroup=name).cgroup == name


@pytest.mark.parametrize(
    ("pid", "name", "expected"),
    [
        (4711, "meminfo", "there is no process 4711"),
        (MEMBER, "kcore", "'kcore' is not a file that it is shown; these are: /proc/meminfo, "),
        (MEMBER, "cpu", "'cpu' is not a file"),
        (MEMBER, "../../etc/passwd", "is not a file"),
    ],
)
def test_mistakes_are_one_line(v2: FixedHost, pid: int, name: str, expected: str) -> None:
    """What cannot be explained is said in one line."""
    with pytest.raises(UserError, match=re.escape(expected)) as caught:
        explain(v2, pid, name)
    assert "\n" not in str(caught.value)


def test_a_failing_view_is_named(v2: FixedHost, tmp_path: Path) -> None:
    """Where readers get an error its cause is said, with the kernel's file."""
    shutil.rmtree(tmp_path / C1)
    with pytest.raises(UserError, match=r"/proc/meminfo is an error to its readers: .*lxc.payload"):
        explain(v2, MEMBER, "meminfo")
    (tmp_path / f"proc/{INIT}/cgroup").unlink()
    with pytest.raises(UserError, match=r"process 1001 cannot be placed: .*/1000/cgroup"):
        explain(v2, MEMBER, "meminfo")


def test_only_root_is_answered(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Others may not look at the processes."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert cli.main(["explain", "1"]) == 1
    assert capsys.readouterr().err.startswith("lxfs explain: lxfs must be root")


@pytest.mark.parametrize("pid", ["x", "0", "-1", "1.5"])
def test_a_pid_is_a_number(pid: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Anything else is bad usage."""
    with pytest.raises(SystemExit) as caught:
        cli.main(["explain", pid])
    assert caught.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_moment_does_not_pass(tmp_path: Path) -> None:
    """What is said of a figure is read once: a file that changes meanwhile is as it was."""
    file = tmp_path / "x"
    file.write_text("1")
    moment = Moment()
    assert moment.read(str(file)) == b"1"
    file.write_text("2")
    assert moment.text(str(file)) == moment.read(str(file)) == b"1"


def test_the_documents_tables_are_up_to_date() -> None:
    """The documents have the tables as the views state them; else ``make docs``."""
    texts = [document.read_text(encoding="utf-8") for document in DOCUMENTS]
    for name, made in tables().items():
        assert any(f"<!-- table: {name} (make docs) -->\n{made}" in text for text in texts)
    assert [renewed(text) for text in texts] == texts
