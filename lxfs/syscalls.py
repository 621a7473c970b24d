"""System calls that Python 3.11 has no words for: mount, umount2, unshare, prctl.

Role: the thinnest layer over libc; failures are ``OSError`` with the call's errno.
Boundary: no policy, no paths of our own.
Threading: unshare and prctl act on the calling thread, as ``man 2`` says of them.
"""

import ctypes
import os

MS_NOSUID, MS_NODEV, MS_NOEXEC = 2, 4, 8
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MNT_DETACH = 2
CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWPID = 0x00020000, 0x10000000, 0x20000000
_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, *paths: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), *paths)


def mount(source: str, target: str, fstype: str = "", flags: int = 0) -> None:
    """Attach a filesystem; ``flags`` are the MS_ constants above (``man 2 mount``)."""
    _checked(
        _libc.mount(
            os.fsencode(source), os.fsencode(target), fstype.encode(), ctypes.c_ulong(flags), None
        ),
        target,
    )


def umount(target: str, flags: int = 0) -> None:
    """Unmount what is on top of a directory or file."""
    _checked(_libc.umount2(os.fsencode(target), flags), target)


def unshare(flags: int) -> None:
    """Leave the shared namespaces named by the CLONE_ constants."""
    _checked(_libc.unshare(flags))


def die_with_parent(number: int) -> None:
    """Ask for a signal when the parent thread ends. The caller checks that it has not already."""
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0))


def set_name(name: str) -> None:
    """Set the name that ps(1) shows, at most 15 bytes."""
    _checked(_libc.prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0))
