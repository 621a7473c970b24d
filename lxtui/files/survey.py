"""What is below a path of an instance, before anything of it is copied or removed.

Role: paths → the tree that a pull or a removal takes. Boundary: a host's file server; links that
are found are not followed, and there are bounds on how many names and how deep, because a
container's trees have as much of both as it likes. Threading: blocks its caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from lxtui import format as text
from lxtui.backend.base import Disk
from lxtui.errors import NoSuchFileError, OperationError
from lxtui.files.paths import KERNELS, ORDINARY, Kind, joined, kind_of, name_trouble
from lxtui.files.tree import DEEPEST, MOST_FILES, Item, Left, Route, Tree
from lxtui.model import FileEntry

_LINKS_AT_ONCE = 64


class Survey:
    """One look at some paths."""

    def __init__(
        self,
        files: Disk,
        check: Callable[[int], None],
        *,
        links: bool = False,
        every: bool = False,
        most: int = MOST_FILES,
    ) -> None:
        """*check* is told how many names were seen, and may raise to end it.

        *links* takes links along, *every* takes along whatever has a name.
        """
        self._files = files
        self._check = check
        self._links = links
        self._every = every
        self._most = most
        self._items: list[Item] = []
        self._skipped: list[Left] = []

    def tree(self, roots: Sequence[tuple[bytes, bytes]], *, follow: bool) -> Tree:
        """What is at each path, under the name beside it.

        A path that is a link stands for what it points to with *follow*, else for itself.
        """
        for path, name in roots:
            entry = self._files.look(path, follow=follow and not self._links)
            if entry is None:
                raise NoSuchFileError(f"{text.path(path)}: there is no such file in the instance")
            self._take(path, (name,), entry)
            if kind_of(entry.mode) is Kind.FOLDER:
                self._walk(path, (name,))
        return Tree(tuple(self._items), tuple(self._skipped))

    def _walk(self, root: bytes, route: Route) -> None:
        """Everything below a folder, each folder's content behind it."""
        waiting: list[Iterator[tuple[bytes, Route]]] = [iter([(root, route)])]
        while waiting:
            step = next(waiting[-1], None)
            if step is None:
                waiting.pop()
                continue
            folder, here = step
            if len(here) > DEEPEST:
                raise OperationError(
                    f"{text.path(root)}: there are more than {DEEPEST} folders in each other "
                    f"({text.path(folder)[:80]}…): name what you want of it"
                )
            waiting.append(iter(self._listed(folder, here)))

    def _listed(self, folder: bytes, route: Route) -> list[tuple[bytes, Route]]:
        """Take what is in a folder; the folders in it."""
        left = self._most - len(self._items) - len(self._skipped)
        try:
            entries = self._files.entries(folder, max(left, 1))
        except NoSuchFileError:
            self._skipped.append(Left(folder, "it has gone meanwhile"))
            return []
        if len(entries) > left:
            raise OperationError(
                f"more than {self._most} files: take less at once, or raise the bound with --most"
            )
        entries.sort(key=lambda one: one.name)
        folders = []
        for one in entries:
            path, below = joined(folder, one.name), (*route, one.name)
            kind = kind_of(one.mode)
            if kind is Kind.FOLDER and path in KERNELS and not self._every:
                self._skipped.append(Left(path, "made up by the kernel: name it to have it"))
            elif self._take(path, below, one) and kind is Kind.FOLDER:
                folders.append((path, below))
        self._check(len(self._items))
        return folders

    def _take(self, path: bytes, route: Route, entry: FileEntry) -> bool:
        kind = kind_of(entry.mode)
        target = b""
        why = "" if self._every else name_trouble(route[-1])
        if not why and not self._every:
            if kind not in ORDINARY:
                why = f"it is a {kind}"
            elif kind is Kind.LINK and not self._links:
                why = f"it is a link to {text.path(self._files.links([path])[0])}"
            elif kind is Kind.LINK:
                target = self._files.links([path])[0]
        if why:
            self._skipped.append(Left(path, why))
            return False
        self._items.append(Item(route, path, kind, entry, target))
        return True
