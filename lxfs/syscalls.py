"""System calls that Python 3.11 has no words for: mounts, namespaces, prctl, mlock, pidfds.

Role: the thinnest layer over libc; failures are ``OSError`` with the call's errno.
Boundary: no policy, no paths of our own.
Threading: unshare, setns, prctl and capset act on the calling thread, as ``man 2`` says of them.
"""

import ctypes
import errno
import mmap
import os

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
PROC_FLAGS = MS_NOSUID | MS_NODEV | MS_NOEXEC
"""What a /proc is mounted with everywhere; in a user namespace the kernel insists on them."""
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MNT_DETACH = 2
MOVE_MOUNT_BENEATH = 0x200
RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_BENEATH = 0x02, 0x04, 0x08
CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWPID = 0x00020000, 0x10000000, 0x20000000
CLONE_NEWCGROUP = 0x02000000
_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP = 28, 1 << 2
_PR_SET_CHILD_SUBREAPER = 36
_CAPABILITY_VERSION_3 = 0x20080522

# include/uapi/asm-generic/unistd.h; later than the tables of each architecture diverged.
_OPEN_TREE, _MOVE_MOUNT, _OPENAT2, _PIDFD_GETFD, _MOUNT_SETATTR = 428, 429, 437, 438, 442
_OPEN_TREE_CLONE, _MOVE_MOUNT_F_EMPTY_PATH, _MOVE_MOUNT_T_EMPTY_PATH = 1, 4, 0x40
_AT_SYMLINK_NOFOLLOW, _AT_EMPTY_PATH = 0x100, 0x1000

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, *paths: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), *paths)


def mount(
    source: str, target: str, fstype: str = "", flags: int = 0, data: str | None = None
) -> None:
    """Attach a filesystem; ``flags`` are the MS_ constants above (``man 2 mount``)."""
    _checked(
        _libc.mount(
            os.fsencode(source),
            os.fsencode(target),
            fstype.encode(),
            ctypes.c_ulong(flags),
            data.encode() if data is not None else None,
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


def collect_orphans() -> None:
    """Become the parent of descendants whose own parent has ended."""
    _checked(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))


def set_name(name: str) -> None:
    """Set the name that ps(1) shows, at most 15 bytes."""
    _checked(_libc.prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0))


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


class _MountAttr(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "userns"))


def _size(structure: ctypes.Structure) -> ctypes.c_size_t:
    return ctypes.c_size_t(ctypes.sizeof(structure))


def _call(number: int, path: str, *arguments: object) -> int:
    result = int(_libc.syscall(ctypes.c_long(number), *arguments))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), path)
    return result


def openat2(directory: int, path: str, flags: int, resolve: int) -> int:
    """Open a path below a directory's descriptor, refusing what ``resolve`` says (Linux 5.6)."""
    how = _OpenHow(flags | os.O_CLOEXEC, 0, resolve)
    text = os.fsencode(path)
    return _call(_OPENAT2, path, directory, text, ctypes.byref(how), _size(how))


def clone_mount(directory: int, path: str) -> int:
    """Return a descriptor of a new, unattached mount of what is at a path (Linux 5.2).

    ``""`` is the directory itself. It is private, whatever it was cloned from (Linux 5.12).
    """
    flags = _OPEN_TREE_CLONE | os.O_CLOEXEC | _AT_SYMLINK_NOFOLLOW | _AT_EMPTY_PATH
    found = _call(_OPEN_TREE, path, directory, os.fsencode(path), ctypes.c_uint(flags))
    attributes = _MountAttr(0, 0, MS_PRIVATE, 0)
    try:
        _call(
            _MOUNT_SETATTR,
            path,
            found,
            b"",
            ctypes.c_uint(_AT_EMPTY_PATH),
            ctypes.byref(attributes),
            _size(attributes),
        )
    except OSError:
        os.close(found)
        raise
    return found


def attach_mount(mount: int, target: int, path: str, flags: int = 0) -> None:
    """Attach what ``clone_mount`` returned to an open path; both are descriptors (Linux 5.2).

    It comes on top of what is mounted there, or with ``MOVE_MOUNT_BENEATH`` below the uppermost
    of that (Linux 6.5). ``path`` is for the message.
    """
    flags |= _MOVE_MOUNT_F_EMPTY_PATH | _MOVE_MOUNT_T_EMPTY_PATH
    _call(_MOVE_MOUNT, path, mount, b"", target, b"", ctypes.c_uint(flags))


def setns(namespace: int, kind: int) -> None:
    """Enter a namespace by its descriptor; ``kind`` is a CLONE_ constant."""
    _checked(_libc.setns(namespace, kind))


def take_ids(uid: int, gid: int) -> None:
    """Give this thread ids for what it makes, for good, and leave it its capabilities.

    (``man 2 setfsuid``, ``man 7 capabilities``: SECBIT_NO_SETUID_FIXUP.)
    """
    _checked(_libc.prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP, 0, 0, 0))
    for call, number in ((_libc.setfsgid, gid), (_libc.setfsuid, uid)):
        call(ctypes.c_uint(number))
        if call(ctypes.c_uint(0xFFFFFFFF)) & 0xFFFFFFFF != number:  # the only way to learn of it
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))


def give_up(capability: int) -> None:
    """Take a capability out of this thread's effective ones (``man 2 capset``)."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)  # 0 is the calling thread
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable: bits 0-31, then 32-63
    _checked(_libc.capget(header, sets))
    sets[capability // 32 * 3] &= ~(1 << capability % 32)
    _checked(_libc.capset(header, sets))


def try_lock_memory(memory: mmap.mmap, offset: int, length: int) -> None:
    """Keep pages of a mapping from being swapped out, where that is allowed (``man 2 mlock``)."""
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory, offset))
    _libc.mlock(ctypes.c_void_p(start), ctypes.c_size_t(length))


def descriptor_of(process: int, number: int) -> int:
    """Return a descriptor of our own for one of another process's (``man 2 pidfd_getfd``).

    ``process`` is a pidfd. Raises EBADF when that process has no such descriptor.
    """
    arguments = (ctypes.c_int(process), ctypes.c_int(number), ctypes.c_uint(0))
    return _call(_PIDFD_GETFD, f"descriptor {number}", *arguments)
