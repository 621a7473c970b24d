"""The tree through libfuse 3, by way of mfusepy.

Role: paths in, errnos out; nothing about files, cgroups or callers is decided here.
Boundary: the only importer of mfusepy.
Threading: libfuse calls from a few threads of its own; the tree takes any number.
"""

import ctypes
import errno
import logging
import os
import signal
import stat
import threading
import time
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from lxfs.cgroupfs.changes import Change
from lxfs.drivers.complaints import Complaints
from lxfs.errors import UserError
from lxfs.handle import Attributes
from lxfs.tree import Tree

# mfusepy would otherwise take libfuse 2 where both are installed.
os.environ.setdefault("FUSE_LIBRARY_NAME", "fuse3")
try:
    import mfusepy  # type: ignore[import-untyped]  # it ships no py.typed
except OSError as error:  # not ImportError: the module is there, the library is not
    raise UserError(f"libfuse 3 is missing ({error}): install the package fuse3") from error

_log = logging.getLogger(__name__)

# A name that one caller sees means the same to all who see it; whether one does is asked again in
# every operation. Sizes are each caller's own, and one inode serves them all.
_ENTRY_SECONDS, _ATTRIBUTE_SECONDS = 3600.0, 0.0
_BLOCK, _NAME_MAX = 4096, 255
_NO_ID = 0xFFFFFFFF

# Python runs in one of them at a time. More than a few take turns in waking up for one reader's
# requests, which takes longer than answering; a second one answers while a first one waits.
_WORKERS = 2
# Before it knew how, libfuse started as many as it had requests, and ended them again.
_BOUNDED = (mfusepy.fuse_version_major, mfusepy.fuse_version_minor) >= (3, 12)

_P = ParamSpec("_P")
_T = TypeVar("_T")


_complaints = Complaints()


def _answered(operation: Callable[_P, _T]) -> Callable[_P, _T]:
    """Let ``OSError`` through as its errno; log anything else and answer EIO."""

    @wraps(operation)
    def guarded(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return operation(*args, **kwargs)
        except OSError as error:
            if error.errno == errno.EIO and _complaints.due(str(error)):
                _log.warning("%s: %s", operation.__name__, error)
            if error.errno is None:
                raise OSError(errno.EIO, str(error)) from error
            raise
        except Exception as error:
            if _complaints.due(repr(error)):
                _log.exception("%s%r failed", operation.__name__, args[1:])
            raise OSError(errno.EIO, os.strerror(errno.EIO)) from error

    return guarded


_entered: set[int] = set()


def _stay() -> None:
    """Let this thread of libfuse's keep its Python state, which is otherwise made for each call.

    One reference per thread, never given back: these threads live as long as the mount.
    """
    if _BOUNDED and (thread := threading.get_ident()) not in _entered:
        _entered.add(thread)
        ctypes.pythonapi.PyGILState_Ensure()


def _caller() -> tuple[int, int]:
    """Return the caller's pid and uid."""
    _stay()
    uid, _gid, pid = mfusepy.fuse_get_context()
    return int(pid), int(uid)


class _Operations(mfusepy.Operations):  # type: ignore[misc]  # untyped base
    """FUSE operations over a tree; what is not here (poll, lseek...) libfuse answers ENOSYS.

    That matters for poll: an answered poll that waits would hold up the host's suspend.
    """

    use_ns = True

    def __init__(self, tree: Tree, ready: Callable[[], None]) -> None:
        self._tree = tree
        self._ready = ready
        self._since = time.time_ns()

    def init(self, path: str) -> None:  # noqa: ARG002 - the library's signature
        """Tell whoever waits that the kernel has accepted the mount."""
        self._ready()

    @_answered
    def getattr(self, path: str, fh: object = None) -> dict[str, Any]:  # noqa: ARG002
        """Return stat(2)'s fields; all times are that of the mount."""
        return self._fields(self._tree.attributes(path, *_caller()))

    def _fields(self, attributes: Attributes) -> dict[str, Any]:
        return {
            "st_mode": attributes.mode,
            "st_size": attributes.size,
            "st_nlink": attributes.links,
            "st_uid": attributes.uid,
            "st_gid": attributes.gid,
            "st_atime": self._since,
            "st_mtime": self._since,
            "st_ctime": self._since,
        }

    @_answered
    def access(self, path: str, mode: int) -> int:
        """Return 0 when the caller sees a path and may do what it asks for; else say why not."""
        pid, uid = _caller()
        self._tree.access(path, mode, pid, uid)
        return 0

    @_answered
    def opendir(self, path: str) -> int:
        """Let a caller into a directory that it sees: the kernel may know the name from another."""
        self._tree.find(path, _caller()[0])
        return 0

    @_answered
    def readdir(self, path: str, fh: int) -> list[tuple[str, int, int]]:  # noqa: ARG002
        """Return names with their types, which readers of d_type count CPUs by."""
        names = self._tree.listing(path, _caller()[0])
        own = {".": stat.S_IFDIR, "..": stat.S_IFDIR}
        return [(name, mode, 0) for name, mode in {**own, **names}.items()]

    @_answered
    def readlink(self, path: str) -> str:
        """Return what a symbolic link says."""
        return self._tree.readlink(path, _caller()[0])

    @_answered
    def open(self, path: str, info: mfusepy.fuse_file_info) -> int:
        """Make a handle for the calling process."""
        info.fh = self._tree.open(path, info.flags, *_caller())
        return 0

    @_answered
    def read(self, path: str, size: int, offset: int, info: mfusepy.fuse_file_info) -> bytes:
        """Return bytes of the handle's text, to plain readers only.

        sendfile(2), splice(2) and mmap(2) do not honour direct_io: they fill the page cache,
        which all containers share, so that one would be given what another has just read. Only
        read(2) says who owns the descriptor; the others are told EINVAL, on which programs that
        use them (busybox cat, Python's shutil) go on with read(2).
        """
        if not info.lock_owner:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
        return self._tree.read(info.fh, size, offset)

    @_answered
    def write(self, path: str, data: bytes, offset: int, info: mfusepy.fuse_file_info) -> int:  # noqa: ARG002
        """Write to a control file."""
        return self._tree.write_to(info.fh, data, _caller()[0])

    @_answered
    def truncate(self, path: str, length: int, fh: object = None) -> int:  # noqa: ARG002
        """Do nothing to a control file, whose length means nothing (kernfs)."""
        return self._change(path, Change())

    @_answered
    def utimens(self, path: str, times: object = None) -> int:  # noqa: ARG002
        """Do nothing to what is a cgroup's."""
        return self._change(path, Change())

    @_answered
    def chmod(self, path: str, mode: int) -> int:
        """Change the mode."""
        return self._change(path, Change(mode=stat.S_IMODE(mode)))

    @_answered
    def chown(self, path: str, uid: int, gid: int) -> int:
        """Change owner and group; -1 leaves one as it is."""
        ids = [None if one in (-1, _NO_ID) else one for one in (uid, gid)]
        return self._change(path, Change(uid=ids[0], gid=ids[1]))

    def _change(self, path: str, wanted: Change) -> int:
        self._tree.change(path, wanted, *_caller())
        return 0

    @_answered
    def mkdir(self, path: str, mode: int) -> int:
        """Make a cgroup."""
        self._tree.make(path, mode, *_caller())
        return 0

    @_answered
    def rmdir(self, path: str) -> int:
        """Remove a cgroup."""
        self._tree.remove(path, *_caller())
        return 0

    @_answered
    def statfs(self, path: str) -> dict[str, int]:
        """Tell who sees a path that the filesystem has no blocks."""
        self._tree.find(path, _caller()[0])
        return {"f_bsize": _BLOCK, "f_frsize": _BLOCK, "f_namemax": _NAME_MAX}

    @_answered
    def create(self, path: str, mode: int, info: object) -> int:  # noqa: ARG002
        """Refuse a new file."""
        raise self._refused(path, errno.EACCES)

    @_answered
    def mknod(self, path: str, mode: int, dev: int) -> int:  # noqa: ARG002
        """Refuse a new file."""
        raise self._refused(path)

    @_answered
    def unlink(self, path: str) -> int:
        """Refuse to remove a file."""
        raise self._refused(path)

    @_answered
    def symlink(self, target: str, source: str) -> int:  # noqa: ARG002
        """Refuse a new link."""
        raise self._refused(target)

    @_answered
    def link(self, target: str, source: str) -> int:  # noqa: ARG002
        """Refuse a new name."""
        raise self._refused(target)

    @_answered
    def rename(self, old: str, new: str) -> int:  # noqa: ARG002
        """Refuse another name."""
        raise self._refused(old)

    def _refused(self, path: str, number: int = errno.EPERM) -> OSError:
        """Return why a change of a directory is refused that no cgroup can undergo."""
        return self._tree.refused(os.path.dirname(path), _caller()[0], number)  # noqa: PTH120

    @_answered
    def release(self, path: str, info: mfusepy.fuse_file_info) -> int:  # noqa: ARG002
        """Forget the handle."""
        self._tree.release(info.fh)
        return 0


def serve(tree: Tree, mountpoint: str, ready: Callable[[], None], *, cgroupfs: str = "off") -> None:
    """Mount the tree on a directory and serve it until it is unmounted or a signal ends it.

    Without default_permissions: with it, and attributes that may not be kept, each open would ask
    for those of the file and of every directory above it. The mount is read-only unless cgroups
    may be written to, and the tree itself refuses writers, and readers that a file's mode leaves
    out.

    ``ready`` is called when the kernel has accepted the mount; requests are answered from then
    on. SIGTERM, SIGINT and SIGHUP unmount. Raises ``UserError`` when the mount fails; libfuse has
    then said on stderr why.
    """
    # libfuse takes over a signal only from its default; Python and our parents may have it.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    answered = False

    def mounted() -> None:
        nonlocal answered
        answered = True
        ready()

    try:
        mfusepy.FUSE(
            operations=_Operations(tree, mounted),
            raw_fi=True,
            mountpoint=mountpoint,
            foreground=True,
            fsname="lxfs",
            subtype="lxfs",
            allow_other=True,
            ro=cgroupfs != "rw",
            noexec=True,
            nosuid=True,
            nodev=True,
            direct_io=True,
            attr_timeout=_ATTRIBUTE_SECONDS,
            # Of a name that is another cgroup for each caller nothing may be kept, and libfuse
            # knows one time for all names.
            entry_timeout=_ENTRY_SECONDS if cgroupfs == "off" else 0.0,
            **({"max_threads": _WORKERS, "max_idle_threads": _WORKERS} if _BOUNDED else {}),
        )
    except RuntimeError as error:
        if answered:
            # libfuse counts a signal that ended its loop as a failure; it is how we are told to.
            _log.info("the mount on %s ended (libfuse status %s)", mountpoint, error)
            return
        raise UserError(f"mounting on {mountpoint} failed (libfuse status {error})") from error
    finally:
        tree.close()
