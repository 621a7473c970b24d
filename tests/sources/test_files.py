"""Descriptors that are kept: bounded, right when things end, never closed under a reader."""

import errno
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lxfs.model import SourceError
from lxfs.sources import files
from lxfs.sources.files import Derived, Files


@pytest.fixture
def kept() -> Files:
    """What a real host keeps."""
    return Files(keep=True)


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """A process that lives until it is told."""
    with subprocess.Popen(["sleep", "600"]) as running:
        yield running
        running.kill()


def _descriptors() -> list[str]:
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found.append(str(entry.readlink()))
        except OSError:
            continue  # the directory's own
    return found


def test_a_kept_file_is_read_anew_each_time(kept: Files) -> None:
    """A second read opens nothing and says what is true by then."""
    path = "/proc/uptime"
    held = _descriptors().count(path)  # by others of this process: other tests keep files too
    before = kept.read(path)
    assert _descriptors().count(path) == held + 1
    threading.Event().wait(0.02)
    assert kept.read(path) != before
    assert _descriptors().count(path) == held + 1


def test_what_is_longer_than_one_read_is_not_kept(kept: Files, tmp_path: Path) -> None:
    """A file that one read does not give whole is read through, from one descriptor."""
    path = tmp_path / "long"
    path.write_bytes(b"x" * (files._WHOLE + 1))
    assert len(kept.read(str(path))) == files._WHOLE + 1
    assert str(path) not in _descriptors()


def test_the_dead_are_not_read(kept: Files, process: subprocess.Popen[bytes]) -> None:
    """A kept file of a process that has ended is an error, as its path is."""
    path = f"/proc/{process.pid}/stat"
    assert b"(sleep)" in kept.read(path)
    process.kill()
    process.wait()
    with pytest.raises(SourceError) as caught:
        kept.read(path)
    assert caught.value.errno in (errno.ENOENT, errno.ESRCH)
    assert caught.value.filename == path
    del caught  # its traceback still refers to the descriptor
    assert path not in _descriptors()


def test_never_more_than_a_bound(kept: Files, tmp_path: Path) -> None:
    """However many files are read, some stay open, and none after a sweep when old."""
    kept._most = 256
    for number in range(kept._most + 50):
        path = tmp_path / str(number)
        path.write_text(str(number))
        assert kept.read(str(path)) == str(number).encode()
    held = [name for name in _descriptors() if name.startswith(str(tmp_path))]
    assert len(held) == kept._most
    assert f"{tmp_path}/0" not in held
    for name in list(kept._held):
        kept._held[name].until = 0.0
    kept.sweep()
    assert not [name for name in _descriptors() if name.startswith(str(tmp_path))]


def test_an_old_descriptor_is_not_believed(kept: Files, tmp_path: Path) -> None:
    """After a second the path is opened again, whatever it names by then."""
    path = tmp_path / "renamed"
    path.write_text("old")
    assert kept.read(str(path)) == b"old"
    (tmp_path / "other").write_text("new")
    (tmp_path / "other").rename(path)
    kept._held[str(path)].until = 0.0
    assert kept.read(str(path)) == b"new"


def test_nothing_is_kept_of_recorded_files(tmp_path: Path) -> None:
    """On another filesystem a removed file would go on being read: there the path decides."""
    path = tmp_path / "file"
    path.write_text("here")
    plain = Files(keep=False)
    assert plain.read(str(path)) == plain.text(str(path)) == b"here"
    path.write_text("changed")
    assert plain.read(str(path)) == plain.text(str(path)) == b"changed"
    assert str(path) not in _descriptors()


def test_a_text_is_read_anew_and_the_same_object_while_it_is_the_same(
    kept: Files, tmp_path: Path
) -> None:
    """What is derived from a text can be filed under it, and no text is older than the call."""
    path = tmp_path / "file"
    path.write_text("one" * files._WHOLE)
    first = kept.text(str(path))
    assert first == b"one" * files._WHOLE
    path.write_text("one" * files._WHOLE)
    assert kept.text(str(path)) is first
    path.write_text("two")
    assert kept.text(str(path)) == b"two"


def test_nothing_is_parsed_twice(kept: Files, tmp_path: Path) -> None:
    """A shape is asked when the bytes have changed, after a descriptor's second too."""
    path = tmp_path / "file"
    seen: list[bytes] = []

    def shape(text: bytes) -> int:
        seen.append(text)
        return int(text)

    for text in ("1", "1", "2", "2", "1"):
        path.write_text(text)
        assert kept.value(str(path), shape) == int(text)
        kept._held[str(path)].until = 0.0
    assert seen == [b"1", b"2", b"1"]


def test_each_shape_is_kept_for_itself(kept: Files, tmp_path: Path) -> None:
    """One file may be taken for several things."""
    path = tmp_path / "file"
    path.write_text("12")
    for _ in range(2):
        assert kept.value(str(path), int) == 12
        assert kept.value(str(path), len) == 2


@pytest.mark.parametrize("keep", [True, False])
def test_a_file_of_another_shape_is_an_error_with_its_path(tmp_path: Path, *, keep: bool) -> None:
    """What was made of it before is not shown in its place."""
    path = tmp_path / "file"
    reader = Files(keep=keep)
    path.write_text("12")
    assert reader.value(str(path), int) == 12
    path.write_text("twelve")
    with pytest.raises(SourceError, match="twelve") as caught:
        reader.value(str(path), int)
    assert (caught.value.errno, caught.value.filename) == (errno.EIO, str(path))
    path.write_text("13")
    assert reader.value(str(path), int) == 13


def test_a_pin_stays_with_its_process(kept: Files, process: subprocess.Popen[bytes]) -> None:
    """A pinned file of a process that has ended is an error, and its descriptor goes with it."""
    path = f"/proc/{process.pid}/cgroup"
    pin = kept.pin(path)
    assert pin is not None
    assert pin.read() == Path(path).read_bytes()
    process.kill()
    process.wait()
    with pytest.raises(SourceError) as caught:
        pin.read()
    assert caught.value.errno == errno.ESRCH
    with pytest.raises(SourceError):
        kept.pin(path)
    assert path in _descriptors()
    del pin, caught
    assert path not in _descriptors()


def test_pins_are_bounded_and_never_of_recorded_files(kept: Files, tmp_path: Path) -> None:
    """Who gets none does without; one that is let go makes room."""
    path = tmp_path / "file"
    path.write_text("")
    assert Files(keep=False).pin(str(path)) is None
    kept._most = 2
    pins = [kept.pin(str(path)) for _ in range(3)]
    assert [pin is None for pin in pins] == [False, False, True]
    pins.pop(0)
    assert kept.pin(str(path)) is not None


def test_no_reader_is_given_another_file(kept: Files, tmp_path: Path) -> None:
    """While descriptors come and go under many readers, each gets the file that it asked for."""
    kept._most = 2
    paths = [tmp_path / str(number) for number in range(8)]
    for path in paths:
        path.write_text(path.name)
    wrong: list[object] = []

    def work(offset: int) -> None:
        for step in range(2000):
            path = paths[(offset + step) % len(paths)]
            if (text := kept.read(str(path))) != path.name.encode():
                wrong.append((path, text))

    threads = [threading.Thread(target=work, args=(offset,)) for offset in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


class Sum:
    """Adds two files up, and counts how often."""

    def __init__(self, reader: Files, *paths: Path) -> None:
        self.reader, self.paths, self.times = reader, paths, 0

    def __call__(self) -> int:
        """Return the sum."""
        self.times += 1
        return sum(self.reader.value(str(path), int) for path in self.paths)


def test_what_is_derived_is_made_anew_when_any_file_changes(kept: Files, tmp_path: Path) -> None:
    """All of its files are read each time; it is computed when one says something else."""
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("1")
    two.write_text("2")
    compute = Sum(kept, one, two)
    derived = Derived(kept, compute)
    assert [derived.get() for _ in range(3)] == [3, 3, 3]
    assert compute.times == 1
    two.write_text("3")
    assert [derived.get() for _ in range(3)] == [4, 4, 4]
    one.write_text("4")
    assert [derived.get() for _ in range(3)] == [7, 7, 7]
    assert compute.times == 3


def test_what_is_derived_is_made_anew_with_new_descriptors(kept: Files, tmp_path: Path) -> None:
    """After a descriptor's second the paths decide, whatever they name by then."""
    path = tmp_path / "one"
    path.write_text("1")
    derived = Derived(kept, Sum(kept, path))
    assert derived.get() == 1
    (tmp_path / "two").write_text("2")
    (tmp_path / "two").rename(path)
    assert derived.get() == 1
    kept._held[str(path)].until = 0.0
    assert derived.get() == 2


@pytest.mark.parametrize("keep", [True, False])
def test_a_file_that_was_missing_is_looked_for_again(tmp_path: Path, *, keep: bool) -> None:
    """What was derived without a file is not derived once and for all, nor from a longer one."""
    path = tmp_path / "one"
    reader = Files(keep=keep)

    def compute() -> int:
        try:
            return reader.value(str(path), len)
        except SourceError:
            return -1

    derived = Derived(reader, compute)
    assert derived.get() == -1
    path.write_text("1")
    assert derived.get() == 1
    for length in (files._WHOLE + 1, files._WHOLE + 2):
        path.write_text("1" * length)
        assert derived.get() == length
    path.unlink()
    reader._held.clear()
    assert derived.get() == -1


def test_what_fails_is_tried_again(kept: Files, tmp_path: Path) -> None:
    """An error is raised each time, and forgets what was derived before."""
    path = tmp_path / "one"
    path.write_text("1")
    derived = Derived(kept, Sum(kept, path))
    assert derived.get() == 1
    path.write_text("x")
    for _ in range(2):
        with pytest.raises(SourceError):
            derived.get()
    path.write_text("1")
    assert derived.get() == 1


def test_lists_are_read_to_their_end_each_time(kept: Files, tmp_path: Path) -> None:
    """What is derived from a file of many records is made each time: one read is not all of it."""
    path = tmp_path / "list"
    path.write_text("1\n")
    derived = Derived(kept, lambda: kept.records(str(path), len))
    assert derived.get() == 2
    path.write_text("1\n2\n")
    assert derived.get() == 4


def test_what_is_derived_holds_no_file_open(kept: Files, tmp_path: Path) -> None:
    """Descriptors are held by one owner, within its bound: to remember what they said is not to."""
    path = tmp_path / "one"
    path.write_text("1")
    derived = Derived(kept, Sum(kept, path))
    assert derived.get() == 1
    assert str(path) in _descriptors()
    kept._held[str(path)].until = 0.0
    kept.sweep()
    assert str(path) not in _descriptors()
    assert derived.get() == 1
