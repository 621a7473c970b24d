"""Directories of an instance: made, listed, removed with what is in them.

Role: what a file server does step by step. Boundary: a host's file server; what a link points to
is never removed. Threading: blocks its caller.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Event as Flag

from lxtui import format as text
from lxtui.backend.base import Backend, Disk
from lxtui.calls.files import MakeFolder, RemoveFiles
from lxtui.detail.processes import users
from lxtui.errors import ConflictError, NoSuchFileError, OperationError
from lxtui.files.listing import FileStart, Line, Listing
from lxtui.files.meter import Meter
from lxtui.files.paths import Kind, above, joined, kind_of
from lxtui.files.survey import Survey
from lxtui.files.tree import Done
from lxtui.model import FileEntry, Progress

MOST_LISTED = 10_000
"""Names of one folder that are shown."""
_PASSWD_BYTES = 32 * 1024


def listed(files: Disk, path: bytes, most: int = MOST_LISTED) -> Listing:
    """What is in a folder, or the one thing at *path*; OperationError when there is nothing."""
    itself = path.rstrip(b"/") or b"/"
    found = files.look(path, follow=True) or files.look(itself)  # a link may point nowhere
    if found is None:
        raise NoSuchFileError(f"{text.path(path)}: there is no such file in the instance")
    is_folder = kind_of(found.mode) is Kind.FOLDER
    if is_folder:
        entries = files.entries(path, most)
        folder = path
    else:
        entries, folder = [files.look(itself) or found], above(path)
    shown = sorted(entries[:most], key=_order)
    links = [joined(folder, one.name) for one in shown if kind_of(one.mode) is Kind.LINK]
    targets = dict(zip(links, _targets(files, links), strict=True))
    passwd = files.heads([b"/etc/passwd"], _PASSWD_BYTES)[0]
    lines = (Line(one, targets.get(joined(folder, one.name), b"")) for one in shown)
    return Listing(path, tuple(lines), len(entries) > most, users(passwd), is_folder)


def start(files: Disk, path: bytes) -> FileStart:
    """The beginning of a file; OperationError when it is none."""
    found = files.look(path, follow=True)
    if found is None or kind_of(found.mode) is not Kind.FILE:
        what = "there is nothing" if found is None else f"it is a {kind_of(found.mode)}"
        raise OperationError(f"{text.path(path)}: {what}")
    first = files.small([path])[0]
    if isinstance(first, OperationError):
        raise first
    return FileStart(path, first[1], first[0].size)


def _order(one: FileEntry) -> tuple[bool, bytes]:
    return kind_of(one.mode) is not Kind.FOLDER, one.name


def _targets(files: Disk, links: list[bytes]) -> list[bytes]:
    """Where each points to; empty for one that is gone meanwhile."""
    try:
        return files.links(links)
    except OperationError:
        return [b"" for _ in links]


def make_folders(files: Disk, path: bytes, mode: int, uid: int, gid: int) -> int:
    """Make a folder and those on the way to it that are not there; how many were made."""
    missing: list[bytes] = []
    while (found := files.look(path, follow=True)) is None:
        if path == b"/":
            raise OperationError("the instance has no root directory")
        missing.append(path)
        path = above(path)
    if kind_of(found.mode) is not Kind.FOLDER:
        raise OperationError(f"{text.path(path)} is no directory")
    for one in reversed(missing):
        files.make_folder(one, mode, uid, gid)
    return len(missing)


def make(
    command: MakeFolder, backend: Backend, report: Callable[[Progress], None], stop: Flag
) -> Done:
    """Make a directory."""
    meter = Meter(command.title, report, stop)
    path = command.path.rstrip(b"/") or b"/"
    how = command.folder_mode, command.uid, command.gid
    with backend.files(command.ref) as files:
        if command.parents:
            return Done(0, make_folders(files, path, *how), 0, round(meter.seconds, 3))
        if files.look(path) is not None:
            raise ConflictError(f"{command.ref}{text.path(path)} is there already")
        if files.look(above(path), follow=True) is None:
            raise OperationError(f"{text.path(above(path))} is not there: -p makes it")
        files.make_folder(path, *how)
    return Done(0, 1, 0, round(meter.seconds, 3))


def remove(
    command: RemoveFiles, backend: Backend, report: Callable[[Progress], None], stop: Flag
) -> Done:
    """Remove files, and with ``recursive`` directories with what is in them.

    Links are removed, not what they point to. The server takes paths: who may write inside can put
    a link in place of a directory meanwhile, as with any rm of a tree by path.
    """
    meter = Meter(f"removing from {command.ref}", report, stop)
    for path in command.paths:
        if path == b"/":
            raise OperationError("the root directory of an instance is not removed")
    roots = [(path.rstrip(b"/"), b"x") for path in command.paths]
    with backend.files(command.ref) as files:
        survey = Survey(
            files,
            lambda count: meter.said(f"looking at {command.ref}: {count} files"),
            every=True,
            most=command.most,
        )
        tree = survey.tree(roots, follow=False)
        folders = [one for one in tree.items if one.kind is Kind.FOLDER]
        if folders and not command.recursive:
            raise OperationError(
                f"{text.path(folders[0].source)} is a directory: -r removes it with all in it"
            )
        meter.begin(None, len(tree.items))
        for one in reversed(tree.items):
            meter.check()
            if one.kind is Kind.FOLDER:
                files.remove_folder(one.source)
            else:
                files.remove(one.source)
            meter.finished()
    count = len(tree.items) - len(folders)
    return Done(count, len(folders), 0, round(meter.seconds, 3))
