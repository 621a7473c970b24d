"""Whether a FUSE filesystem answers, asked so that one that hangs holds up nobody.

Role: a read in a child of its own, with a time to be done by.
Boundary: a reader whose request a server keeps cannot even be killed: such a child is left behind,
and ends when the server does. So each filesystem is asked once, not each file.
Threading: forks; for programs of one thread.
"""

import contextlib
import errno
import os
import select
import signal
import time
from collections.abc import Callable

from lxfs import syscalls
from lxfs.overmounts import Answer

SECONDS = 3.0
_DEAD = frozenset({errno.ENOTCONN, errno.ECONNABORTED})
_WITHIN = syscalls.RESOLVE_BENEATH | syscalls.RESOLVE_NO_SYMLINKS | syscalls.RESOLVE_NO_MAGICLINKS


def open_within(root: int, path: str, flags: int) -> int:
    """Open a path below a container's root, in which no link is followed. Raises ``OSError``."""
    return syscalls.openat2(root, path, flags | os.O_NOFOLLOW, _WITHIN)


def within(work: Callable[[], bytes], seconds: float = SECONDS) -> bytes | None:
    """Return what a call says when it is made in a child, or ``None`` when it takes too long.

    What it raises is the child's to tell: an ``OSError`` comes back as one.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            # If it stays, then not as the last that has our terminal or pipe open.
            null = os.open(os.devnull, os.O_RDWR)
            for descriptor in range(3):
                os.dup2(null, descriptor)
            os.write(writing, b"+" + work())
            status = 0
        except OSError as error:
            os.write(writing, b"-%d %b" % (error.errno or errno.EIO, str(error).encode()))
        except BaseException as error:  # noqa: BLE001 - a traceback would be the parent's, twice
            said = f"{type(error).__name__}: {error}".encode(errors="replace")
            os.write(writing, b"-%d %b" % (errno.EIO, said))
        finally:
            os._exit(status)
    os.close(writing)
    until = time.monotonic() + seconds
    said = b""
    ended = False
    while not ended and (left := until - time.monotonic()) > 0:
        if select.select([reading], [], [], left)[0]:
            chunk = os.read(reading, 1 << 16)
            said += chunk
            ended = not chunk
    os.close(reading)
    if not ended:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, os.WNOHANG)
        return None
    os.waitpid(child, 0)
    if said.startswith(b"-"):
        number, _, text = said[1:].partition(b" ")
        raise OSError(int(number), text.decode(errors="replace"))
    if not said:
        raise OSError(errno.EIO, "the helper process ended without a word")
    return said[1:]


def ask(root: int, path: str, seconds: float = SECONDS) -> Answer:
    """Return what becomes of a read of a file or directory below a root."""

    def read() -> bytes:
        descriptor = open_within(root, path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            os.read(descriptor, 4096)
        except IsADirectoryError:
            os.listdir(descriptor)  # noqa: PTH208 - a descriptor is no path
        return b""

    try:
        said = within(read, seconds)
    except OSError as error:
        if error.errno in _DEAD:
            return Answer.DEAD
        return Answer.FOREIGN if error.errno == errno.EACCES else Answer.ANSWERS
    return Answer.HANGS if said is None else Answer.ANSWERS
