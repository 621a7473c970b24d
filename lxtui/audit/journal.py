"""The file of the audit journal.

Role: the one owner of ``audit.jsonl``: appends what begins and what ends, turns the file over when
it is large, reads it. Boundary: files below XDG's state directory, 0600 in a folder that is made
0700. What cannot be written never hinders what is done; it is said once. Threading: any thread;
several programs may write at the same time.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from threading import Lock
from time import monotonic

from lxtui.audit.entry import (
    BEGUN,
    DONE,
    FAILED,
    INTERRUPTED,
    Entry,
    entry_from,
    line_of,
    scrubbed,
)
from lxtui.clock import Clock, utc_now
from lxtui.errors import InterruptedByUserError, LxtuiError
from lxtui.model import Ref

LARGEST = 4 * 2**20
"""Bytes after which the file is turned over."""
KEPT = 4
"""How many full files stay beside the one that is written."""
_NOBODY = 2**32 - 1
"""The login uid of what no login began."""


def default_path(environ: Mapping[str, str], home: Path) -> Path:
    """Where a user's journal is."""
    return Path(environ.get("XDG_STATE_HOME") or home / ".local/state") / "lxtui" / "audit.jsonl"


class Audit:
    """Writes down what is done; without a path nothing is."""

    def __init__(
        self, path: Path | None = None, clock: Clock = utc_now, largest: int = LARGEST
    ) -> None:
        self.path = path
        self._clock = clock
        self._largest = largest
        self._lock = Lock()
        self._told = False
        self.complain: Callable[[str], None] = lambda _: None
        """Gets one sentence when the journal could not be written, once."""

    @contextmanager
    def of(self, ref: Ref, what: str, command: str) -> Iterator[None]:
        """Write down that *what* begins, and what came of the block."""
        if (path := self.path) is None:
            yield
            return
        user, login = _who()
        shown, _ = scrubbed(command)
        entry = Entry(
            id=secrets.token_hex(8),
            when=self._clock(),
            user=user,
            uid=os.getuid(),
            login=login,
            host=ref.host,
            project=ref.project,
            instance=ref.name,
            what=what,
            command=shown,
            result=BEGUN,
        )
        began = monotonic()
        self._write(path, entry)
        result, reason = FAILED, "internal error"
        try:
            yield
            result, reason = DONE, ""
        except InterruptedByUserError as error:
            result, reason = INTERRUPTED, str(error)
            raise
        except LxtuiError as error:
            result, reason = FAILED, str(error)
            raise
        except KeyboardInterrupt:
            result, reason = INTERRUPTED, "stopped by a signal"
            raise
        finally:
            _, said = scrubbed(command, reason)
            seconds = round(monotonic() - began, 3)
            self._write(path, replace(entry, result=result, reason=said, seconds=seconds))

    def entries(self) -> list[Entry]:
        """What was written, the latest first; one for each command."""
        return [] if self.path is None else read(self.path)

    def _write(self, path: Path, entry: Entry) -> None:
        try:
            with self._lock:
                _append(path, line_of(entry) + "\n", self._largest)
        except OSError as error:
            if not self._told:
                self._told = True
                self.complain(f"the audit journal is not written: {error}")


SILENT = Audit()
"""Writes nothing."""


def read(path: Path) -> list[Entry]:
    """The entries of the file and of those that it was turned over into, the latest first.

    OSError when one of them cannot be read; what is no entry is skipped.
    """
    found: dict[str, Entry] = {}
    for one in (*(_turned(path, number) for number in range(KEPT, 0, -1)), path):
        with suppress(FileNotFoundError), one.open(encoding="utf-8", errors="replace") as file:
            _gather(found, file)
    return list(reversed(found.values()))


def _gather(found: dict[str, Entry], lines: Iterable[str]) -> None:
    for line in lines:
        entry = entry_from(line)
        if entry is not None:
            found[entry.id] = entry


def _append(path: Path, line: str, largest: int) -> None:
    """One line at the end; the whole of it, or nothing."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    while True:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o600)
        try:
            with suppress(OSError):  # a file system without locks: O_APPEND has to do
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            now = os.fstat(descriptor)
            if not _same(path, now):
                continue  # another program has turned it over meanwhile
            if now.st_size >= largest:
                _turn_over(path)
                continue
            if now.st_mode & 0o077:
                os.fchmod(descriptor, 0o600)
            written = os.write(descriptor, data := line.encode())
            if written != len(data):
                os.ftruncate(descriptor, now.st_size)
                raise OSError(f"{path}: no room for another line")
            return
        finally:
            os.close(descriptor)


def _same(path: Path, opened: os.stat_result) -> bool:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    return (found.st_dev, found.st_ino) == (opened.st_dev, opened.st_ino)


def _turn_over(path: Path) -> None:
    """Make room; the lock on the file is held."""
    for number in range(KEPT - 1, 0, -1):
        with suppress(FileNotFoundError):
            _turned(path, number).replace(_turned(path, number + 1))
    path.replace(_turned(path, 1))


def _turned(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")


def _who() -> tuple[str, str]:
    """The user of this process, and who logged in if that is somebody else."""
    uid = os.getuid()
    login = uid
    with suppress(OSError, ValueError):
        login = int(Path("/proc/self/loginuid").read_text(encoding="ascii"))
    return _name(uid), _name(login) if login not in {uid, _NOBODY} else ""


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
