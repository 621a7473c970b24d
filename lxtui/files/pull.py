"""Files of an instance → this machine.

Role: looks, checks that there is room, writes. Boundary: a host's file server on one side, here.py
on the other; what cannot be had is reported and the rest goes on, what would spoil the rest ends
it. Threading: blocks its caller; *stop* may be set from any thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from threading import Event as Flag

from lxtui import format as text
from lxtui.backend.base import Backend, Disk
from lxtui.calls.files import Pull
from lxtui.errors import ConflictError, LxtuiError, OperationError
from lxtui.files.here import FILE_MODE, FOLDER_MODE, BadNameError, Here
from lxtui.files.meter import Meter
from lxtui.files.paths import KERNELS, Kind, kind_of
from lxtui.files.survey import Survey
from lxtui.files.tree import Done, Item, Left, Tree
from lxtui.model import FileEntry, Progress

_SMALL = 32 * 1024
"""Bytes that come with one answer of the file server."""
_AT_ONCE = 64
"""Small files that are asked for together: else each would cost four round trips."""
_MOST_SIZELESS = 64 * 1024 * 1024
"""Bytes of a file of the kernel's, which says no size."""


def pull(command: Pull, backend: Backend, report: Callable[[Progress], None], stop: Flag) -> Done:
    """Pull everything that *command* names; LxtuiError when it cannot be begun or is cut short."""
    meter = Meter(f"pulling from {command.ref}", report, stop)
    with backend.files(command.ref) as files, Here(command.folder, replace=command.force) as here:
        for _, name in command.sources:
            here.need(name)
        survey = Survey(
            files,
            lambda count: meter.said(f"looking at {command.ref}: {count} files"),
            links=command.links,
            most=command.most,
        )
        tree = survey.tree(command.sources, follow=True)
        _check_kinds(command, tree)
        here.room(tree.size)
        meter.begin(tree.size, tree.files)
        return _Pull(command, files, here, meter, tree).run()


def _check_kinds(command: Pull, tree: Tree) -> None:
    """What is named itself has to be something that can be pulled."""
    if not command.recursive:
        for one in tree.items:
            if one.kind is Kind.FOLDER:
                raise OperationError(f"{text.path(one.source)} is a directory: -r pulls all of it")
    named = {path for path, _ in command.sources}
    for left in tree.skipped:
        if left.path in named:
            raise OperationError(f"{text.path(left.path)} cannot be pulled: {left.why}")


class _Pull:
    """One pull, under way."""

    def __init__(self, command: Pull, files: Disk, here: Here, meter: Meter, tree: Tree) -> None:
        self._command = command
        self._files = files
        self._here = here
        self._meter = meter
        self._tree = tree
        self._folders = 0
        self._failed: list[Left] = []

    def run(self) -> Done:
        """All of it."""
        try:
            for batch in _batches(self._tree.items):
                self._take(batch)
        except LxtuiError as error:
            if self._meter.files:
                raise type(error)(f"{error}; {self._so_far()}") from error
            raise
        return Done(
            self._meter.files,
            self._folders,
            self._meter.size,
            round(self._meter.seconds, 3),
            self._tree.skipped,
            tuple(self._failed),
        )

    def _so_far(self) -> str:
        count = self._meter.files
        return f"{count} of {self._tree.files} files are in {self._command.folder}"

    def _take(self, batch: Sequence[Item]) -> None:
        """A folder, a link or a big file; or some small files."""
        self._meter.check()
        first, mode = batch[0], self._command.mode
        if first.kind is Kind.FOLDER:
            with self._reported(first):
                self._here.make_folder(first.route, mode(first.entry.mode, FOLDER_MODE))
                self._folders += 1
        elif first.kind is Kind.LINK:
            with self._reported(first):
                self._here.link(first.route, first.target)
                self._meter.finished()
        elif first.entry.size > _SMALL:
            self._stream(first)
        else:
            for one, found in zip(
                batch, self._files.small([one.source for one in batch]), strict=True
            ):
                if isinstance(found, OperationError):
                    self._failed.append(Left(one.source, str(found)))
                elif len(found[1]) == _SMALL or len(found[1]) < found[0].size:
                    self._stream(one)  # it has grown, or has no size as in /proc
                else:
                    self._write(one, found[0], [found[1]])

    def _stream(self, item: Item) -> None:
        with self._reported(item), _opened(self._files, item.source) as (entry, pieces):
            self._write(item, entry, pieces)

    def _write(self, item: Item, entry: FileEntry, pieces: Iterable[bytes]) -> None:
        with self._reported(item):
            if (kind := kind_of(entry.mode)) is not Kind.FILE:
                raise _UnreadableError(f"it is a {kind} by now")
            mode = self._command.mode(entry.mode, FILE_MODE)
            self._here.write(item.route, self._meter.passing(pieces), mode)
            self._meter.finished()

    @contextmanager
    def _reported(self, item: Item) -> Iterator[None]:
        """What is about this one alone is written down, and the others are pulled."""
        try:
            yield
        except (_UnreadableError, BadNameError, ConflictError) as error:
            self._failed.append(Left(item.source, str(error)))


class _UnreadableError(LxtuiError):
    """The instance did not give this one."""


@contextmanager
def _opened(files: Disk, path: bytes) -> Iterator[tuple[FileEntry, Iterator[bytes]]]:
    """A file, whose refusals are told from what the disk here says."""
    with ExitStack() as stack:
        try:
            entry, pieces = stack.enter_context(files.opened(path))
        except OperationError as error:
            raise _UnreadableError(str(error)) from error
        yield entry, _as_opened(path, entry, pieces)


def _as_opened(path: bytes, entry: FileEntry, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """As much as there was when it was opened: a log may grow faster than it is read."""
    sizeless = entry.size == 0 or path.startswith(tuple(KERNELS))
    left = _MOST_SIZELESS if sizeless else entry.size
    while left:
        try:
            piece = next(pieces, b"")
        except OperationError as error:
            raise _UnreadableError(str(error)) from error
        if not piece:
            break
        yield piece[:left]
        left -= min(len(piece), left)
    if sizeless and not left:
        raise _UnreadableError(f"it says no size, and has no end in {text.size(_MOST_SIZELESS)}")
    if left and not sizeless:
        raise _UnreadableError("it became shorter while it was read: pull it again")


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    """One by one, but small files that follow each other together."""
    batch: list[Item] = []
    for one in items:
        if one.kind is Kind.FILE and one.entry.size <= _SMALL:
            batch.append(one)
            if len(batch) < _AT_ONCE:
                continue
            yield batch
        else:
            if batch:
                yield batch
            yield [one]
        batch = []
    if batch:
        yield batch
