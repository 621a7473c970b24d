"""Files of this machine → an instance.

Role: looks here and there, checks that there is room, writes each file under a temporary name and
gives it its own when it is whole. Boundary: there.py on one side, a host's file server on the
other, which finds its way inside the instance. Threading: blocks its caller; *stop* may be set from
any thread.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from threading import Event as Flag

from lxtui import format as text
from lxtui.backend.base import Backend, Disk
from lxtui.calls.files import Push
from lxtui.errors import ConflictError, InterruptedByUserError, LxtuiError, OperationError
from lxtui.files.folders import make_folders
from lxtui.files.meter import Meter
from lxtui.files.paths import Kind, above, joined, kind_of, last
from lxtui.files.there import local_tree, reading
from lxtui.files.tree import Done, Item, Tree
from lxtui.model import FileEntry, Progress

_PERMISSIONS = 0o777


def push(command: Push, backend: Backend, report: Callable[[Progress], None], stop: Flag) -> Done:
    """Push everything that *command* names; LxtuiError when it cannot be begun or is cut short."""
    meter = Meter(f"pushing to {command.ref}", report, stop)
    tree = local_tree(
        command.sources,
        lambda count: meter.said(f"looking at {count} files"),
        links=command.links,
        most=command.most,
    )
    _check_kinds(command, tree)
    with backend.files(command.ref) as files:
        return _Push(command, files, meter, tree).run()


def _check_kinds(command: Push, tree: Tree) -> None:
    """What is named itself has to be something that can be pushed."""
    if not command.recursive:
        for one in tree.items:
            if one.kind is Kind.FOLDER:
                raise OperationError(f"{text.path(one.source)} is a directory: -r pushes all of it")
    if not tree.items and tree.skipped:
        first = tree.skipped[0]
        raise OperationError(f"{text.path(first.path)} cannot be pushed: {first.why}")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where everything goes."""

    folder: bytes
    name: bytes
    """What the one source is called there; empty: as it is called here."""


class _Push:
    """One push, under way."""

    def __init__(self, command: Push, files: Disk, meter: Meter, tree: Tree) -> None:
        self._command = command
        self._files = files
        self._meter = meter
        self._tree = tree
        self._folders = 0

    def run(self) -> Done:
        """All of it."""
        place = self._place()
        for one in self._tree.items:
            if len(one.route) == 1:
                self._need(self._target(place, one))
        room = self._files.room(place.folder)
        if room is not None and self._tree.size > room:
            raise OperationError(
                f"{text.size(self._tree.size)} do not fit into {self._command.ref}, which has "
                f"{text.size(room)} free at {text.path(place.folder)}"
            )
        self._meter.begin(self._tree.size, self._tree.files)
        try:
            for one in self._tree.items:
                self._meter.check()
                self._one(one, self._target(place, one))
        except LxtuiError as error:
            if self._meter.files:
                count = f"{self._meter.files} of {self._tree.files}"
                raise type(error)(f"{error}; {count} files were pushed") from error
            raise
        return Done(
            self._meter.files,
            self._folders,
            self._meter.size,
            round(self._meter.seconds, 3),
            self._tree.skipped,
        )

    def _place(self) -> _Place:
        """The folder, made if that is wished."""
        command, files = self._command, self._files
        to = command.to.rstrip(b"/") or b"/"
        found = files.look(to, follow=True)
        folder = found is not None and kind_of(found.mode) is Kind.FOLDER
        if folder or command.to.endswith(b"/") or len(command.sources) > 1:
            place = _Place(to, b"")
        else:
            place = _Place(above(to), last(to))
        if not folder:
            self._have(place.folder)
        return place

    def _have(self, folder: bytes) -> None:
        found = self._files.look(folder, follow=True)
        if found is None and self._command.parents:
            make_folders(self._files, folder, 0o755, 0, 0)
        elif found is None:
            raise OperationError(f"{text.path(folder)} is not there: -p makes it")
        elif kind_of(found.mode) is not Kind.FOLDER:
            raise OperationError(f"{text.path(folder)} is no directory")

    def _target(self, place: _Place, item: Item) -> bytes:
        first = place.name or item.route[0]
        return joined(place.folder, b"/".join((first, *item.route[1:])))

    def _need(self, target: bytes) -> None:
        if not self._command.force and self._files.look(target) is not None:
            raise ConflictError(
                f"{self._command.ref}{text.path(target)} is there already: choose another place, "
                f"or --force to replace it"
            )

    def _one(self, item: Item, target: bytes) -> None:
        there = self._files.look(target) if self._command.force else None
        if item.kind is Kind.FOLDER:
            self._folder(item, target, there)
            return
        if there is not None and kind_of(there.mode) is Kind.FOLDER:
            raise OperationError(f"{text.path(target)} is a directory, and stays one")
        new = joined(above(target), f".lxtui-{secrets.token_hex(8)}.part".encode())
        try:
            if item.kind is Kind.LINK:
                self._files.make_link(new, item.target)
            else:
                mode, uid, gid = self._attributes(item, there)
                with reading(item) as pieces:
                    self._files.create(new, self._meter.passing(pieces), mode, uid, gid)
            self._files.rename(new, target, replace=self._command.force)
        except LxtuiError as error:
            with suppress(LxtuiError):
                self._files.remove(new)
            if isinstance(error, InterruptedByUserError):
                raise
            raise type(error)(f"{text.path(target)}: {error}") from error
        self._meter.finished()

    def _folder(self, item: Item, target: bytes, there: FileEntry | None) -> None:
        if there is not None:
            if kind_of(there.mode) is not Kind.FOLDER:
                raise OperationError(f"{text.path(target)} is no directory, and stays what it is")
            return
        mode, uid, gid = self._attributes(item, None)
        self._files.make_folder(target, mode, uid, gid)
        self._folders += 1

    def _attributes(self, item: Item, there: FileEntry | None) -> tuple[int, int, int]:
        """Mode and owner: what was asked for, else of what is replaced, else ours and root."""
        command = self._command
        mode = (item.entry if there is None else there).mode & _PERMISSIONS
        if command.file_mode is not None and item.kind is Kind.FILE:
            mode = command.file_mode
        uid, gid = (0, 0) if there is None else (there.uid, there.gid)
        return (
            mode,
            uid if command.uid is None else command.uid,
            gid if command.gid is None else command.gid,
        )
