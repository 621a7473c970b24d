"""Control files whose sources are missing or say something else."""

import contextlib
import errno
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lxfs.cgroupfs.files import Group, Lists, Meaning, View
from lxfs.cgroupfs.table import TABLE
from lxfs.model import SourceError
from tests.fixtures.cgroups import RECORDS, recorded, without_v2
from tests.fixtures.groups import Broken, Noting
from tests.fixtures.writes import TEXTS

GARBAGE = (b"", b"\n", b"x y z\n", b"max\n", b"-1\n", b"\xff\xfe\n", b"8:0\n", b"1 2\n3\n", b"=\n")
of_each = pytest.mark.parametrize("record", RECORDS, ids=lambda path: path.parent.name)


def _views() -> Iterator[tuple[str, View]]:
    for directory, files in TABLE.items():
        for file in files.values():
            if not isinstance(file.view, Lists):
                yield f"{directory}/{file.name}", file.view


def _meanings() -> Iterator[tuple[str, Meaning]]:
    for directory, files in TABLE.items():
        for file in files.values():
            if file.takes is not None and not isinstance(file.takes, Lists):
                yield f"{directory}/{file.name}", file.takes


def _groups(record: Path) -> list[Group]:
    group = recorded(record)
    return [group, without_v2(group)] if group.version("memory") == 1 else [group]


def _sources(call: Callable[[Group], object], group: Group) -> set[str]:
    names: set[str] = set()
    with contextlib.suppress(OSError):
        call(Noting(group, names))
    return names


def _failure(call: Callable[[], object]) -> tuple[int | None, object] | None:
    """Return errno and file of a failure, ``None`` without one; another failure is raised."""
    try:
        call()
    except SourceError as error:
        return error.errno, error.filename
    return None


@of_each
def test_a_missing_source_is_no_file(record: Path) -> None:
    """Without one of its sources a file is absent, or says what the others say."""
    seen = 0
    for group in _groups(record):
        for file, view in _views():
            for name in _sources(view, group):
                broken = Broken(group, name, None)
                failure = _failure(lambda view=view, broken=broken: view(broken))  # type: ignore[misc]
                is_hosts = "/" in name
                assert (file, failure) == (file, (errno.ENOENT, name) if is_hosts else None)
                seen += 1
    assert seen > 100


@of_each
def test_a_broken_source_is_named(record: Path) -> None:
    """A source of another shape is EIO with its name, or its text goes through; nothing else."""
    failures = 0
    for group in _groups(record):
        for file, view in _views():
            for name in _sources(view, group):
                for garbage in GARBAGE:
                    broken = Broken(group, name, garbage)
                    failure = _failure(lambda view=view, broken=broken: view(broken))  # type: ignore[misc]
                    assert (file, failure) in {(file, None), (file, (errno.EIO, name))}
                    failures += failure is not None
    assert failures > 100


def _refusal(takes: Meaning, group: Group, text: bytes) -> int | None:
    """Return the errno of a write; it is no failure of another kind."""
    try:
        writes = takes(group, text)
    except OSError as error:
        return error.errno
    return None if all(write.name for write in writes) else -1


@of_each
def test_a_write_over_a_broken_source_is_an_error(record: Path) -> None:
    """Whatever is written over whatever the kernel says comes to writes, or to an errno."""
    found = set()
    for group in _groups(record):
        for _, takes in _meanings():
            names = {
                name
                for text in (b"4096", b"0", b"5 5", b"254:0 5")
                for name in _sources(lambda it, takes=takes, text=text: takes(it, text), group)  # type: ignore[misc]
            }
            for name in names:
                for garbage in (None, *GARBAGE[:4]):
                    broken = Broken(group, name, garbage)
                    for text in TEXTS:
                        found.add(_refusal(takes, broken, text.encode("latin-1")))
    assert found <= {
        *(None, errno.EINVAL, errno.ERANGE, errno.EOPNOTSUPP, errno.EIO, errno.ENOENT),
        *(errno.EBUSY, errno.EACCES, errno.ENOSPC),
    }
    assert {None, errno.EINVAL, errno.EIO} <= found
