"""The floor of each driver: the same tree, in which every file is the same text for everybody.

Role: what opening, reading and closing costs without anything of ours behind it: the kernel, the
driver, two processes that take turns. ``python -m benchmarks.constant DRIVER DIR`` serves it.
Boundary: asks neither who the caller is nor what any file says.
Threading: as the drivers do.
"""

import importlib
import sys

from lxfs.entries import File
from lxfs.model import Container
from lxfs.sources.host import Host
from lxfs.tree import Handle, Tree
from lxfs.world import World

_TEXT = b"MemTotal:         262144 kB\n" * 50
"""As long as a meminfo."""
_FILE = File("proc/meminfo", lambda _: _TEXT, size=len(_TEXT))
_MODULES = {"native": "lxfs.drivers.native.session", "fusepy": "lxfs.drivers.fusepy"}


class Constant(Tree):
    """A tree without callers."""

    def opened(self, path: str, flags: int, pid: int, uid: int | None = None) -> Handle:  # noqa: ARG002
        """Return a handle."""
        return Handle(path, _FILE, None)

    def part(self, handle: Handle, size: int, offset: int) -> bytes:
        """Return a part of the text."""
        handle.end = len(_TEXT)
        return _TEXT[offset : offset + size]

    def closed(self, handle: Handle) -> None:
        """Do nothing: nothing was counted."""

    def open(self, path: str, flags: int, pid: int, uid: int | None = None) -> int:  # noqa: ARG002
        """Return a number."""
        return 1

    def read(self, number: int, size: int, offset: int) -> bytes:  # noqa: ARG002
        """Return a part of the text."""
        return _TEXT[offset : offset + size]

    def release(self, number: int) -> None:
        """Do nothing."""

    def _container(self, path: str, pid: int) -> Container | None:  # noqa: ARG002
        return None


def main() -> None:
    """Serve until a signal ends it."""
    driver, directory = sys.argv[1:]
    serve = importlib.import_module(_MODULES[driver]).serve
    serve(Constant(World.of(Host()), files=(_FILE,), mirrors=()), directory, lambda: None)


if __name__ == "__main__":
    main()
