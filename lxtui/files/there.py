"""Files of this machine, as a push reads them.

Role: paths → the tree that is taken along; a file → its bytes. Boundary: the local disk; links that
are found are not followed, what is no file, directory or link is left out. Threading: blocks its
caller.
"""

from __future__ import annotations

import os
import select
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lxtui import format as text
from lxtui.errors import OperationError
from lxtui.files.paths import ORDINARY, Kind, kind_of
from lxtui.files.tree import DEEPEST, Item, Left, Route, Tree
from lxtui.model import FileEntry

_PIECE = 256 * 1024
_PAUSE = 0.5
"""Seconds between two looks whether it is to stop, while a pipe has nothing."""


def local_tree(
    roots: Sequence[Path], check: Callable[[int], None], *, links: bool, most: int
) -> Tree:
    """What is at each path; one that is a link stands for what it points to, without *links*."""
    items: list[Item] = []
    skipped: list[Left] = []

    def take(path: bytes, route: Route, entry: FileEntry) -> bool:
        kind = kind_of(entry.mode)
        target = b""
        if kind is Kind.FIFO and len(route) == 1:  # a pipe that is named is to be read
            kind = Kind.FILE
        if kind not in ORDINARY:
            skipped.append(Left(path, f"it is a {kind}"))
            return False
        if kind is Kind.LINK:
            target = os.fsencode(Path(os.fsdecode(path)).readlink())
            if not links:
                skipped.append(Left(path, f"it is a link to {text.path(target)}"))
                return False
        items.append(Item(route, path, kind, entry, target))
        if len(items) + len(skipped) > most:
            raise OperationError(f"more than {most} files: take less at once, or --most")
        return kind is Kind.FOLDER

    def walk(folder: bytes, route: Route) -> None:
        if len(route) > DEEPEST:
            raise OperationError(
                f"{text.path(folder)[:80]}: more than {DEEPEST} folders in each other"
            )
        check(len(items))
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda one: one.name)
        for one in entries:
            below = (*route, one.name)
            if take(one.path, below, _entry(one.name, one.stat(follow_symlinks=False))):
                walk(one.path, below)

    for root in roots:
        path = os.fsencode(root)
        try:
            found = root.lstat() if links else root.stat()
            name = os.fsencode(root.name or root.resolve().name or "root")
            if take(path, (name,), _entry(name, found)):
                walk(path, (name,))
        except OSError as error:
            where = text.path(os.fsencode(error.filename or path))
            raise OperationError(f"{where}: {error.strerror or error}") from error
    tops = [one.route[0] for one in items if len(one.route) == 1]
    if len(set(tops)) < len(tops):
        raise OperationError("two of them have one name: push them to different directories")
    return Tree(tuple(items), tuple(skipped))


def _entry(name: bytes, found: os.stat_result) -> FileEntry:
    return FileEntry(
        name, found.st_mode, found.st_uid, found.st_gid, found.st_size, int(found.st_mtime)
    )


@contextmanager
def reading(item: Item) -> Iterator[Iterator[bytes]]:
    """The bytes of a local file, as many as there are when they are read.

    Of a pipe that has nothing for the moment comes an empty piece now and then.
    """
    name, named = text.path(item.source), len(item.route) == 1
    how = 0 if named else os.O_NOFOLLOW | os.O_NONBLOCK  # what is named may be a link, or a pipe
    try:
        file = os.open(item.source, os.O_RDONLY | os.O_CLOEXEC | how)
    except OSError as error:
        raise OperationError(f"{name}: {error.strerror}") from error
    try:
        mode = os.fstat(file).st_mode
        pipe = stat.S_ISFIFO(mode) and named
        if not pipe and not stat.S_ISREG(mode):
            raise OperationError(f"{name} is no file any more")

        def pieces() -> Iterator[bytes]:
            while True:
                if pipe and not select.select([file], [], [], _PAUSE)[0]:
                    yield b""
                    continue
                try:
                    piece = os.read(file, _PIECE)
                except OSError as error:
                    raise OperationError(f"{name}: {error.strerror}") from error
                if not piece:
                    return
                yield piece

        yield pieces()
    finally:
        os.close(file)
