"""Carries out what is more than one request: with files of an instance, and with backups.

Role: what perform.py calls; the outcome in words. Boundary: knows the backend protocol. Threading:
blocks its caller.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Event as Flag

from lxtui import format as text
from lxtui.backend.base import Backend
from lxtui.backups.exporting import export
from lxtui.backups.importing import import_
from lxtui.calls.backups import Export, Import
from lxtui.calls.base import Work
from lxtui.calls.files import MakeFolder, Pull, Push, RemoveFiles
from lxtui.files.folders import make, remove
from lxtui.files.pull import pull
from lxtui.files.push import push
from lxtui.files.tree import Done, IncompleteError, Left
from lxtui.model import Progress

_SHOWN = 3
_VERBS = {Pull: "pulled", Push: "pushed", MakeFolder: "made", RemoveFiles: "removed"}


def carry(
    command: Work, backend: Backend, report: Callable[[Progress], None], stop: Flag
) -> tuple[str, Done]:
    """Do it; what came of it, in words too. LxtuiError when it cannot be done."""
    report(Progress(command.title))
    if isinstance(command, Import):
        done = import_(command, backend, report, stop)
        return words(command, done), done
    backend.instance(command.ref)  # its absence is said better here than by the file server
    match command:
        case Pull():
            done = pull(command, backend, report, stop)
        case Push():
            done = push(command, backend, report, stop)
        case MakeFolder():
            done = make(command, backend, report, stop)
        case RemoveFiles():
            done = remove(command, backend, report, stop)
        case Export():
            done = export(command, backend, report, stop)
        case _:
            raise AssertionError(f"{command.title}: nobody carries that out")
    if left := (*done.failed, *done.skipped):
        report(Progress(words(command, done), done.size, details=tuple(map(line, left))))
    if done.failed:
        raise IncompleteError(words(command, done), done)
    return words(command, done), done


def words(command: Work, done: Done) -> str:
    """What came of it, in one line."""
    rate = f" at {text.rate(done.size / done.seconds)}" if done.seconds > 1 else ""
    how = f"{text.size(done.size)} in {text.duration(done.seconds)}{rate}"
    if isinstance(command, Export):
        return f"{command.ref} is in {command.file}, {how}"
    if isinstance(command, Import):
        return f"{command.ref} was made of {command.file}, {how}; it is not started"
    parts = []
    if done.files or not done.folders:
        parts.append(_count(done.files, "file"))
    if done.folders:
        parts.append(_count(done.folders, "directory", "directories"))
    said = f"{_VERBS[type(command)]} {', '.join(parts)}"
    if isinstance(command, Pull | Push):
        where = f" to {command.folder}" if isinstance(command, Pull) else ""
        said += f", {how}{where}"
    if done.failed:
        said += f"; {_count(len(done.failed), 'file')} could not be had: {_some(done.failed)}"
    if done.skipped:
        said += f"; left out {len(done.skipped)}: {_some(done.skipped)}"
    return said


def line(left: Left) -> str:
    """One that was left out."""
    return f"{text.path(left.path)}: {left.why}"


def _some(left: tuple[Left, ...]) -> str:
    more = f" and {len(left) - _SHOWN} more" if len(left) > _SHOWN else ""
    return "; ".join(map(line, left[:_SHOWN])) + more


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
