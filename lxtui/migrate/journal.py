"""What a move has done so far, on disk before it is done.

Role: one file for each move. Its first line says what is moved where and how; each step adds a
line before it is taken and one after it, forced to disk. After a crash of lxtui or of the machine
the file tells which steps may have taken effect; ``recovery`` makes sense of it.
Boundary: files only; knows no host. Nothing in it is secret: configuration and devices stay with
the source, which is deleted last; the options and the names are here.
Threading: a ``Journal`` belongs to one mover; the lock keeps every other process away from its
file.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lxtui.errors import ConflictError, LxtuiError, NotFoundError
from lxtui.format import timestamp
from lxtui.migrate.facts import incoming_name, kept_name
from lxtui.migrate.options import MoveOptions
from lxtui.model import Ref

VERSION = 1
_SUFFIX, _NEW = ".jsonl", ".new"
_HALF_SECONDS = 3600.0
"""Age at which a journal that never began is what a crash has left."""
_KEPT = 100
"""Ended moves whose files are kept."""


@dataclass(frozen=True, slots=True)
class Header:
    """What does not change during a move."""

    token: str
    source: Ref
    destination: Ref
    options: MoveOptions
    was_running: bool
    autostart: str | None
    """The source's own ``boot.autostart``, which sleeps during the move; None if it has none."""
    began_at: datetime

    @property
    def exchange(self) -> bool:
        """Whether the copy takes the place of its original, name and all."""
        return self.source == self.destination

    @property
    def copy(self) -> Ref:
        """What the copy is called when it is made."""
        return incoming_name(self.source, self.token) if self.exchange else self.destination

    @property
    def parked(self) -> Ref:
        """What the source is called when its copy has taken over."""
        return kept_name(self.source) if self.exchange else self.source


@dataclass(frozen=True, slots=True)
class Record:
    """A journal as it was read."""

    header: Header
    begun: tuple[str, ...] = ()
    """The steps that may have taken effect, in order; a step may be there more than once."""
    done: tuple[str, ...] = ()
    """The steps that have."""
    notes: Mapping[str, str] = field(default_factory=dict)
    """What steps left for their successors, such as when the source last ran."""
    since: Mapping[str, datetime] = field(default_factory=dict)
    """When each step was begun first, by this machine's clock."""
    outcome: str = ""
    """``moved``, ``undone`` or ``failed`` (nothing was changed); empty while it is unfinished."""
    busy: bool = False
    """Whether a process works on it now."""

    @property
    def unfinished(self) -> bool:
        """Whether somebody has to see to it."""
        return not self.outcome


def default_folder(environ: Mapping[str, str], home: Path) -> Path:
    """Where the journals of a user are: XDG's state directory."""
    return Path(environ.get("XDG_STATE_HOME") or home / ".local/state") / "lxtui" / "moves"


class Journal:
    """The open, locked journal of one move."""

    def __init__(self, descriptor: int, path: Path, record: Record) -> None:
        self._descriptor = descriptor
        self._path = path
        self.record = record

    @classmethod
    def create(cls, folder: Path, header: Header) -> Journal:
        """Begin a journal. LxtuiError when it cannot be written: the move is then not begun."""
        path = folder / f"{header.token}{_SUFFIX}"
        new = path.with_suffix(_NEW)  # a journal that can be seen is one that can be read
        try:
            _make(folder)
            _prune(folder)
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(new, flags, 0o600)
        except OSError as error:
            raise _unwritable(folder, error) from error
        journal = cls(descriptor, new, Record(header))
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            journal._append({"version": VERSION, **_header_json(header)})
            new.rename(path)
            journal._path = path
            _sync(folder)
        except (OSError, LxtuiError) as error:
            new.unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            journal.close()
            raise error if isinstance(error, LxtuiError) else _unwritable(folder, error) from error
        return journal

    @classmethod
    def open(cls, folder: Path, token: str) -> Journal:
        """Take up a journal that another process has left.

        NotFoundError for an unknown token, ConflictError while somebody works on it.
        """
        path = _find(folder, token)
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            _lock(descriptor)
            journal = cls(descriptor, path, _parse(path.read_bytes(), path))
            journal._mend()
        except BlockingIOError:
            os.close(descriptor)
            raise ConflictError(f"another lxtui works on the move {path.stem} now") from None
        except BaseException:
            os.close(descriptor)
            raise
        return journal

    @staticmethod
    def peek(folder: Path, token: str) -> Record:
        """A journal as it is now, without taking it up. NotFoundError for an unknown token."""
        path = _find(folder, token)
        return _parse(path.read_bytes(), path)

    def begin(self, step: str) -> None:
        """Say that *step* is about to be taken. LxtuiError when that cannot be written."""
        self._append({"begin": step, "at": _now()})

    def end(self, step: str, notes: Mapping[str, str] | None = None) -> None:
        """Say that *step* has been taken, and what its successors have to know."""
        self._append({"done": step, "at": _now(), **({"notes": dict(notes)} if notes else {})})

    def note(self, name: str, value: str) -> None:
        """Remember something in the middle of a step."""
        self._append({"notes": {name: value}})

    def finish(self, outcome: str) -> None:
        """Say how the move ended; nothing is left to do for anybody."""
        self._append({"outcome": outcome, "at": _now()})

    def close(self) -> None:
        """Let go of the file and of the lock."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _append(self, line: Mapping[str, Any]) -> None:
        data = json.dumps(line).encode() + b"\n"
        before = os.fstat(self._descriptor).st_size
        try:
            if os.write(self._descriptor, data) != len(data):
                raise OSError("the disk is full")  # noqa: TRY301 told apart nowhere
            os.fsync(self._descriptor)
        except OSError as error:
            with suppress(OSError):  # half a line would hide the next one
                os.ftruncate(self._descriptor, before)
            raise _unwritable(self._path, error) from error
        self.record = _parse(self._path.read_bytes(), self._path)

    def _mend(self) -> None:
        """Cut off the half line that a crash left."""
        text = self._path.read_bytes()
        if not text.endswith(b"\n"):
            os.ftruncate(self._descriptor, text.rfind(b"\n") + 1)


def _lock(descriptor: int) -> None:
    """Lock it; somebody who only looks holds it for a moment, a mover for minutes."""
    for _ in range(10):
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(0.05)
    raise BlockingIOError


def records(folder: Path) -> Iterator[Record | LxtuiError]:
    """Every journal, oldest first; an error stands for one that cannot be read."""
    aged: list[tuple[float, Path]] = []
    try:
        paths = list(folder.glob(f"*{_SUFFIX}"))
    except OSError:
        return
    for path in paths:
        with suppress(FileNotFoundError):  # another lxtui has pruned it meanwhile
            aged.append((path.stat().st_mtime, path))
    for _, path in sorted(aged):
        try:
            with path.open("rb") as file:
                record = _parse(file.read(), path)
                yield replace(record, busy=_locked(file.fileno()))
        except FileNotFoundError:
            continue
        except OSError as error:
            yield LxtuiError(f"{path}: {error.strerror}")
        except LxtuiError as error:
            yield error


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _parse(text: bytes, path: Path) -> Record:
    lines = text.split(b"\n")[:-1]  # what follows the last newline was never finished
    try:
        first, *rest = (json.loads(line) for line in lines)
        if first["version"] != VERSION:
            raise LxtuiError(f"{path}: was written by another version of lxtui; use that one")
        header = _header(first)
        begun: list[str] = []
        done: list[str] = []
        notes: dict[str, str] = {}
        since: dict[str, datetime] = {}
        outcome = ""
        for line in rest:
            if "begin" in line:
                begun.append(str(line["begin"]))
                if (at := timestamp(str(line.get("at", "")))) is not None:
                    since.setdefault(begun[-1], at)
            if "done" in line:
                done.append(str(line["done"]))
            notes |= line.get("notes", {})
            outcome = str(line.get("outcome", outcome))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LxtuiError(f"{path}: is no journal of a move ({error})") from error
    return Record(header, tuple(begun), tuple(done), notes, since, outcome)


def _header_json(header: Header) -> dict[str, Any]:
    return {
        "token": header.token,
        "source": list(header.source),
        "destination": list(header.destination),
        "options": header.options.as_json(),
        "was_running": header.was_running,
        "autostart": header.autostart,
        "began_at": header.began_at.isoformat(),
    }


def _header(document: Mapping[str, Any]) -> Header:
    began = timestamp(str(document["began_at"]))
    if began is None:
        raise ValueError("began_at is no time")
    return Header(
        token=str(document["token"]),
        source=Ref(*map(str, document["source"])),
        destination=Ref(*map(str, document["destination"])),
        options=MoveOptions.from_json(document["options"]),
        was_running=bool(document["was_running"]),
        autostart=None if document["autostart"] is None else str(document["autostart"]),
        began_at=began,
    )


def _find(folder: Path, token: str) -> Path:
    """The journal whose token begins with *token*, if there is exactly one."""
    found = [path for path in folder.glob(f"*{_SUFFIX}") if token and path.stem.startswith(token)]
    if len(found) != 1:
        trouble = "no move" if not found else "more than one move"
        raise NotFoundError(f"{trouble} is called {token!r}: see 'lxtui moves'")
    return found[0]


def _make(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)


def _prune(folder: Path) -> None:
    """Forget the oldest of the moves that ended, and those that never began."""
    for half in folder.glob(f"*{_NEW}"):
        # Not another's that is being made at this moment, and will be renamed in the next.
        with suppress(OSError):
            if time.time() - half.stat().st_mtime > _HALF_SECONDS:
                half.unlink()
    ended = [one for one in records(folder) if isinstance(one, Record) and not one.unfinished]
    for record in ended[:-_KEPT]:
        (folder / f"{record.header.token}{_SUFFIX}").unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unwritable(path: Path, error: OSError) -> LxtuiError:
    reason = error.strerror or str(error)
    return LxtuiError(
        f"the journal of the move cannot be written to {path} ({reason}): without it a crash "
        f"could lose track of the instance; make room, or set XDG_STATE_HOME"
    )


def _now() -> str:
    return datetime.now(UTC).isoformat()
