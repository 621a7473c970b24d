"""Every served file, byte for byte, for a container of each recorded kernel; and with files broken.

The expected bytes lie beside each record, in expected/. They were compared by hand with the
cgroup's files; after a change of a view, `python -m tests.fixtures.expected` writes them anew and
the difference is to be read. What is served is taken from the table: a new row needs no new test.
"""

import errno
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fixtures import FixedHost
from tests.fixtures.expected import (
    COMMAND,
    RECORDED,
    expectation,
    names,
    read,
    recorded_host,
    rendering,
    renderings,
    served,
)

GARBAGE = b"\xff\0 no kernel's bytes\n"
# The top of a hierarchy has no limits, and v2 has none of these where a controller is not there.
MAY_LACK = {
    "memory.max",
    "memory.limit_in_bytes",
    "cpu.max",
    "cpu.cfs_quota_us",
    "io.stat",
    "blkio.throttle.io_service_bytes_recursive",
    "blkio.throttle.io_serviced_recursive",
    "hpage_pmd_size",  # nor has a kernel without huge pages this
    "node/online",  # or one without NUMA this
}

_opened: list[str] | None = None


def _note(event: str, arguments: tuple[object, ...]) -> None:
    if _opened is not None and event == "open":
        _opened.append(str(arguments[0]))


sys.addaudithook(_note)


@contextmanager
def opened() -> Iterator[list[str]]:
    """Note which files are opened meanwhile."""
    global _opened  # noqa: PLW0603 - an audit hook cannot be taken away again
    _opened = []
    try:
        yield _opened
    finally:
        _opened = None


@pytest.fixture(params=RECORDED, ids=lambda path: path.name)
def source(request: pytest.FixtureRequest) -> Path:
    """Each recorded kernel."""
    assert isinstance(request.param, Path)
    return request.param


def test_every_file_is_as_expected(source: Path) -> None:
    """Each served file has exactly the bytes that were checked against the cgroup's files."""
    found, wanted = renderings(source), expectation(source)
    assert sorted(found) == sorted(wanted), f"write the expected files: {COMMAND}"
    assert {name: text.decode() for name, text in found.items()} == {
        name: text.decode() for name, text in wanted.items()
    }


class Broken:
    """The reads of one served file, each of whose sources can be broken in turn."""

    def __init__(self, host: FixedHost, name: str) -> None:
        self._host = host
        self._root = Path(host.path(""))
        self.name = name
        with served(host) as tree, opened() as found:
            self.whole = read(tree, name)
        self.hosts = (self._root / name).read_bytes() if (self._root / name).exists() else None
        below = (Path(path).relative_to(self._root) for path in found if self._is_below(path))
        self.sources = sorted({str(path) for path in below if not _of_the_caller(path)})

    def _is_below(self, path: str) -> bool:
        return Path(path).is_relative_to(self._root) and Path(path).is_file()

    def result(self) -> bytes | int:
        """Return what is read, or the errno."""
        host = FixedHost(self._host.path(""))  # which has no file in memory
        host.now = self._host.now
        try:
            return rendering(host, self.name)
        except OSError as error:
            return error.errno or 0

    def with_other(self, path: str, text: bytes | None) -> bytes | int:
        """Return what is read with other bytes in a source, or without it; or the errno."""
        file = self._root / path
        before = file.read_bytes()
        file.unlink()
        try:
            if text is not None:
                file.write_bytes(text)
            return self.result()
        finally:
            file.write_bytes(before)


def _of_the_caller(path: Path) -> bool:
    # Who calls is settled before a view is asked; tests/tree/test_identity.py has those failures.
    return path.name == "pid" or path.parts[:2] in {("proc", "1000"), ("proc", "1001")}


@pytest.fixture
def each(source: Path, tmp_path: Path) -> list[Broken]:
    """Every served file of a recorded kernel, over a copy that may be broken."""
    host = recorded_host(source, tmp_path)
    with served(host) as tree:
        found = list(names(tree))
    # One CPU stands for the others.
    return [Broken(host, name) for name in found if "/cpu1/" not in name]


def test_malformed_sources_are_errors(each: list[Broken]) -> None:
    """With bytes of no kernel in any file that it draws on, a served file is EIO, or as before.

    Constants of the hardware, below /sys, are passed on unread.
    """
    wrong = {
        (file.name, path): found
        for file in each
        for path in file.sources
        if (found := file.with_other(path, GARBAGE)) not in {errno.EIO, file.whole}
        and not (found == GARBAGE and path == file.name and path.startswith("sys/"))
    }
    assert wrong == {}


def test_missing_sources_are_errors(each: list[Broken]) -> None:
    """With any file gone that it draws on, a served file is EIO, or has what the others say.

    A cgroup that is there and has no file of a limit has no such limit, by the kernel's rules, and
    one without io counts none: then all else remains the container's own. Pressure that is not
    kept is EOPNOTSUPP, as the kernel has it. And what the host has not, its mirror has not.
    """
    wrong = {
        (file.name, path): found
        for file in each
        for path in file.sources
        if (found := file.with_other(path, None)) not in {errno.EIO, file.whole}
        and (found == file.hosts or not any(path.endswith(f"/{name}") for name in MAY_LACK))
        and not (found == errno.ENOENT and path == file.name)
        and not (found == errno.EOPNOTSUPP and file.name.startswith("proc/pressure/"))
    }
    assert wrong == {}


def test_a_cgroup_that_is_gone_is_an_error(each: list[Broken], tmp_path: Path) -> None:
    """With all its cgroups gone, a served file that draws on any is EIO, never without limits."""
    drawing = [file for file in each if any("lxfs-run/" in path for path in file.sources)]
    assert {"proc/meminfo", "proc/stat", "proc/cpuinfo"} <= {file.name for file in drawing}
    for path in list(tmp_path.rglob("lxfs-run")):
        shutil.rmtree(path)
    assert {file.name: file.result() for file in drawing} == {
        file.name: errno.EIO for file in drawing
    }
