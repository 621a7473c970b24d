"""The state file: what survives a kill at any moment, and whose file it may be."""

import errno
import fcntl
import logging
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lxfs import ledger as module
from lxfs.errors import UserError
from lxfs.ledger import Ledger, open_file

BOOT, KEY = "3e1b5d3c-0000-4000-8000-000000000001", (4026532200, 12345, None)


@pytest.fixture
def descriptor(tmp_path: Path) -> Iterator[int]:
    """An empty file."""
    opened = os.open(tmp_path / "state", os.O_RDWR | os.O_CREAT)
    yield opened
    os.close(opened)


def test_what_was_written_is_found_by_the_next(descriptor: int) -> None:
    """Each record is read back as it was last written, by key and by kind."""
    first = Ledger(descriptor, BOOT, 2)
    one, other = first.entry(1, KEY), first.entry(2, KEY)
    for number in range(5):
        one.write(b"one %d" % number)
    other.write(b"other")
    again = Ledger(descriptor, BOOT, 2)
    assert again.entry(1, KEY).read() == one.read() == b"one 4"
    assert again.found(2) == [b"other"]
    assert again.entry(1, (1, 1)).read() is None


def test_the_file_of_another_boot_is_begun_anew(descriptor: int) -> None:
    """Counters of another boot began elsewhere; this is no fault and not worth a line."""
    Ledger(descriptor, BOOT, 2).entry(1, KEY).write(b"then")
    assert Ledger(descriptor, "another", 2).entry(1, KEY).read() is None
    assert Ledger(descriptor, BOOT, 2).entry(1, KEY).read() is None


@given(st.integers(0, 60), st.integers(1, 255))
def test_a_damaged_header_is_begun_anew(place: int, flip: int) -> None:
    """One wrong byte in the header costs the records, never the mount."""
    with _temporary() as descriptor:
        Ledger(descriptor, BOOT, 2).entry(1, KEY).write(b"then")
        byte = os.pread(descriptor, 1, place)[0]
        os.pwrite(descriptor, bytes([byte ^ flip]), place)
        logging.disable()
        try:
            again = Ledger(descriptor, BOOT, 2)
        finally:
            logging.disable(logging.NOTSET)
        assert again.entry(1, KEY).read() is None
        again.entry(1, KEY).write(b"now")
        assert Ledger(descriptor, BOOT, 2).entry(1, KEY).read() == b"now"


class _temporary:  # noqa: N801 - a context manager, used like a function
    def __enter__(self) -> int:
        self.descriptor = os.memfd_create("ledger")
        return self.descriptor

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)


@pytest.mark.expected_logs("damaged or of another version")
def test_a_damaged_header_is_said(descriptor: int, caplog: pytest.LogCaptureFixture) -> None:
    """The one line tells the admin why counters began anew."""
    os.pwrite(descriptor, b"lxfs ledger\n and then nothing of ours", 0)
    with caplog.at_level(logging.WARNING):
        Ledger(descriptor, BOOT, 2)
    assert [record.message for record in caplog.records] == [
        "the state file is damaged or of another version: counters begin anew"
    ]


@given(st.integers(0, 10), st.integers(0, 400), st.randoms(use_true_random=False))
def test_a_torn_write_leaves_the_record_before_it(
    writes: int, torn: int, chance: random.Random
) -> None:
    """Whatever part of a write reached the file, the record is that one or the one before."""
    with _temporary() as descriptor:
        ledger = Ledger(descriptor, BOOT, 2)
        entry = ledger.entry(1, KEY)
        texts = [b"%d:" % number + chance.randbytes(300) for number in range(writes + 2)]
        for text in texts[:-1]:
            entry.write(text)
        before = _content(descriptor)
        entry.write(texts[-1])
        after = _content(descriptor)
        start = next(
            place
            for place, pair in enumerate(zip(before, after, strict=True))
            if pair[0] != pair[1]
        )
        os.pwrite(descriptor, before[start + torn :], start + torn)
        whole = _content(descriptor) == after
        assert Ledger(descriptor, BOOT, 2).entry(1, KEY).read() == texts[-1 if whole else -2]


def _content(descriptor: int) -> bytes:
    text = os.pread(descriptor, 1 << 16, 0)
    return text.ljust(1 << 16, b"\0")


def test_slots_are_used_again(descriptor: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With every slot taken the record that was not written for longest gives way."""
    monkeypatch.setattr(module, "_SLOTS", 3)
    ledger = Ledger(descriptor, BOOT, 2)
    entries = [ledger.entry(1, number) for number in range(4)]
    for number in (0, 1, 2, 0, 3):
        entries[number].write(b"%d" % number)
    assert [entry.read() for entry in entries] == [b"0", None, b"2", b"3"]
    again = Ledger(descriptor, BOOT, 2)
    assert again.found(1) == [b"2", b"0", b"3"]
    again.entry(1, 4).write(b"4")
    assert Ledger(descriptor, BOOT, 2).found(1) == [b"0", b"3", b"4"]


def test_the_gone_give_way_first(descriptor: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever makes and ends containers in a loop takes no slot from one that is only silent."""
    monkeypatch.setattr(module, "_SLOTS", 3)
    ledger = Ledger(descriptor, BOOT, 2)
    silent = ledger.entry(1, "silent")
    silent.write(b"silent")
    for number in range(10):
        entry = ledger.entry(1, number)
        entry.write(b"%d" % number)
        entry.give_up()
    assert silent.read() == b"silent"
    assert entry.read() == b"9"
    entry.write(b"back")  # alive after all
    for number in (10, 11):
        ledger.entry(1, number).write(b"%d" % number)
    assert (silent.read(), entry.read()) == (None, b"back")


def test_the_file_is_bounded(descriptor: int) -> None:
    """Thousands of containers leave a file of the size that a thousand have."""
    ledger = Ledger(descriptor, BOOT, 2)
    for number in range(3 * module._SLOTS):
        ledger.entry(1, number).write(b"x" * 500)
    assert os.fstat(descriptor).st_size <= 4096 + module._SLOTS * 2 * 1024


@pytest.mark.expected_logs("the state file fails")
def test_a_full_disk_is_said_once(
    descriptor: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Writes that fail are one line in the log; the last whole record stays, later ones count."""
    ledger = Ledger(descriptor, BOOT, 2)
    entry = ledger.entry(1, KEY)
    entry.write(b"before")
    true = os.pwrite
    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):

        def full(_descriptor: int, _text: bytes, _offset: int) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        patch.setattr(os, "pwrite", full)
        entry.write(b"lost")
        patch.setattr(os, "pwrite", lambda fd, text, offset: true(fd, text[:40], offset))
        entry.write(b"cut" * 9)
    assert len(caplog.records) == 1
    assert "No space left" in caplog.text
    assert entry.read() == Ledger(descriptor, BOOT, 2).entry(1, KEY).read() == b"before"
    entry.write(b"after")
    assert Ledger(descriptor, BOOT, 2).entry(1, KEY).read() == b"after"


@pytest.mark.expected_logs("the state file fails")
def test_a_disk_that_is_full_at_first(descriptor: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A header for which there was no room is written with the first record that finds some."""

    def full(_descriptor: int, _text: bytes, _offset: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        ledger = Ledger(descriptor, BOOT, 2)
        ledger.entry(1, KEY).write(b"lost")
    ledger.entry(1, KEY).write(b"kept")
    ledger.entry(2, KEY).write(b"kept, too")
    again = Ledger(descriptor, BOOT, 2)
    assert (again.found(1), again.found(2)) == ([b"kept"], [b"kept, too"])


@pytest.mark.parametrize("text", [b"", b"lxfs", b"\0" * 5, b"\0" * 8192])
def test_what_a_crash_leaves_is_no_others_file(tmp_path: Path, text: bytes) -> None:
    """A file of which only the size, or the first letters, came to the disk keeps no mount away."""
    path = tmp_path / "state"
    path.write_bytes(text)
    descriptor = open_file(str(path))
    logging.disable()
    try:
        Ledger(descriptor, BOOT, 2).entry(1, KEY).write(b"new")
        assert Ledger(descriptor, BOOT, 2).found(1) == [b"new"]
    finally:
        logging.disable(logging.NOTSET)
        os.close(descriptor)


@pytest.mark.expected_logs("the state file fails")
def test_a_record_that_is_too_long(descriptor: int, caplog: pytest.LogCaptureFixture) -> None:
    """A record beyond a slot's size is refused with a line, not written over the next one."""
    ledger = Ledger(descriptor, BOOT, 2)
    ledger.entry(1, 0).write(b"zero")
    ledger.entry(1, 1).write(b"one")
    with caplog.at_level(logging.WARNING):
        ledger.entry(1, 0).write(bytes(5000))
    assert "too long" in caplog.text
    assert Ledger(descriptor, BOOT, 2).found(1) == [b"zero", b"one"]


def test_a_large_machine_has_room(descriptor: int) -> None:
    """The record of a container that sees 512 CPUs fits."""
    ledger = Ledger(descriptor, BOOT, 512)
    ledger.entry(1, KEY).write(bytes(80 + 48 * 512))
    assert ledger.entry(1, KEY).read() == bytes(80 + 48 * 512)


def test_a_new_file_is_ours_alone(tmp_path: Path) -> None:
    """The file is made 0600, and one that was open to others is closed to them."""
    path = tmp_path / "state"
    os.close(open_file(str(path)))
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o666)
    os.close(open_file(str(path)))
    assert path.stat().st_mode & 0o777 == 0o600


def test_one_server_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that another server has open is refused, after a while in which it may end."""
    monkeypatch.setattr(module, "_WAIT_SECONDS", 0.1)
    path = str(tmp_path / "state")
    first = open_file(path)
    with pytest.raises(UserError, match=r"state is another lxfs's"):
        open_file(path)
    os.close(first)
    os.close(open_file(path))


def test_a_predecessor_that_is_ending_is_waited_for(tmp_path: Path) -> None:
    """A lock that is let go in time is taken over."""
    path = tmp_path / "state"
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.write(writing, b"-")
        os.close(writing)
        time.sleep(0.2)
        os._exit(0)
    os.read(reading, 1)
    os.close(reading)
    os.close(writing)
    os.close(open_file(str(path)))
    os.waitpid(child, 0)


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("link", "symbolic link"),
        ("directory", "Is a directory"),
        ("fifo", "not a file"),
        ("other", "not a state file of lxfs"),
        ("missing", "No such file or directory"),
    ],
)
def test_what_is_not_ours_is_refused(tmp_path: Path, kind: str, says: str) -> None:
    """A link, a directory, a pipe, somebody's text: refused in a line, and left as it is."""
    path = tmp_path / "state"
    if kind == "link":
        path.symlink_to(tmp_path / "target")
    elif kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "other":
        path.write_text("root:x:0:0:root:/root:/bin/bash\n")
    else:
        path = tmp_path / "no/state"
    with pytest.raises(UserError, match=says):
        open_file(str(path))
    assert not (tmp_path / "target").exists()
    if kind == "other":
        assert path.read_text().startswith("root:x")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_another_users_file_is_refused(tmp_path: Path) -> None:
    """A file that somebody else could write is not believed."""
    path = tmp_path / "state"
    path.touch()
    os.chown(path, 65534, 65534)
    with pytest.raises(UserError, match="belongs to user 65534"):
        open_file(str(path))
