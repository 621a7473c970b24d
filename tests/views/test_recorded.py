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

from lxfs.tree import Tree
from tests.fixtures.expected import COMMAND, EXPECTED, RECORDED, names, read, renderings, served

GARBAGE = b"\xff\0 no kernel's bytes\n"
# Files of limits: the top of a hierarchy has none, nor has v2 where a controller is not handed down.
MAY_LACK = {"memory.max", "cpu.max", "memory.limit_in_bytes", "cpu.cfs_quota_us"}

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


def expectation(source: Path) -> dict[str, bytes]:
    """Return the expected bytes by served path."""
    top = source / EXPECTED
    files = (path for path in top.rglob("*") if path.is_file())
    return {str(path.relative_to(top)): path.read_bytes() for path in files}


def test_every_file_is_as_expected(source: Path) -> None:
    """Each served file has exactly the bytes that were checked against the cgroup's files."""
    found, wanted = renderings(source), expectation(source)
    assert sorted(found) == sorted(wanted), f"write the expected files: {COMMAND}"
    assert {name: text.decode() for name, text in found.items()} == {
        name: text.decode() for name, text in wanted.items()
    }


class Broken:
    """The reads of one served file, each of whose sources can be broken in turn."""

    def __init__(self, source: Path, work: Path, name: str) -> None:
        self._source = source
        self._work = work
        self.name = name
        self._count = 0
        root = self._fresh()
        with served(source, root) as tree, opened() as found:
            self.whole = read(tree, name)
        self.hosts = (root / name).read_bytes()
        below = (Path(path).relative_to(root) for path in found if path.startswith(f"{root}/"))
        self.sources = sorted({str(path) for path in below if not _of_the_caller(path)})

    def _fresh(self) -> Path:
        self._count += 1
        return self._work / f"{self.name.replace('/', '-')}-{self._count}"

    def with_other(self, path: str, text: bytes | None) -> bytes | int:
        """Return what is read with other bytes in a source, or without it; or the errno."""
        with self._tree() as (tree, root):
            (root / path).unlink()
            if text is not None:
                (root / path).write_bytes(text)
            return self._result(tree)

    def without_cgroups(self) -> bytes | int:
        """Return what is read when the container's cgroups have been removed."""
        with self._tree() as (tree, root):
            for path in list(root.rglob("lxfs-run")):
                shutil.rmtree(path)
            return self._result(tree)

    @contextmanager
    def _tree(self) -> Iterator[tuple[Tree, Path]]:
        root = self._fresh()
        try:
            with served(self._source, root) as tree:
                yield tree, root
        finally:
            shutil.rmtree(root)

    def _result(self, tree: Tree) -> bytes | int:
        try:
            return read(tree, self.name)
        except OSError as error:
            assert error.errno is not None
            return error.errno


def _of_the_caller(path: Path) -> bool:
    # Who calls is settled before a view is asked; tests/tree/test_identity.py has those failures.
    return path.name == "pid" or path.parts[:2] in {("proc", "1000"), ("proc", "1001")}


@pytest.fixture
def each(source: Path, tmp_path: Path) -> list[Broken]:
    """Every served file of a recorded kernel."""
    with served(source, tmp_path / "names") as tree:
        found = list(names(tree))
    return [Broken(source, tmp_path, name) for name in found]


def test_malformed_sources_are_errors(each: list[Broken]) -> None:
    """With bytes of no kernel in any file that it draws on, a served file is EIO, or as before."""
    wrong = {
        (file.name, path): found
        for file in each
        for path in file.sources
        if (found := file.with_other(path, GARBAGE)) not in {errno.EIO, file.whole}
    }
    assert wrong == {}


def test_missing_sources_are_errors(each: list[Broken]) -> None:
    """With any file gone that it draws on, a served file is EIO, or has what the others say.

    A cgroup that is there and has no file of a limit has no such limit, by the kernel's rules: then
    use remains the container's own.
    """
    wrong = {
        (file.name, path): found
        for file in each
        for path in file.sources
        if (found := file.with_other(path, None)) not in {errno.EIO, file.whole}
        and (Path(path).name not in MAY_LACK or found == file.hosts)
    }
    assert wrong == {}


def test_a_cgroup_that_is_gone_is_an_error(each: list[Broken]) -> None:
    """With all its cgroups gone, a served file that draws on any is EIO, never without limits."""
    drawing = [file for file in each if any("lxfs-run/" in path for path in file.sources)]
    assert {"proc/meminfo", "proc/stat", "proc/cpuinfo"} <= {file.name for file in drawing}
    assert {file.name: file.without_cgroups() for file in drawing} == {
        file.name: errno.EIO for file in drawing
    }
