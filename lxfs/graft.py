"""Mounts made and taken off inside of another process's mount namespace.

Role: a container's namespace held by descriptors, and a child that enters it and does the steps of
a plan.
Boundary: of the container's own tree nothing is walked but the paths of the plan, without following
links; what a path was found to be is held by a descriptor while it is judged and used. The kernel
asks for our own privileges over the namespace's owner, so that no user namespace is entered.
Threading: forks, as a thread cannot enter a mount namespace; for programs of one thread.
"""

import contextlib
import errno
import fcntl
import json
import os
import select
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from lxfs import parse, probe, syscalls
from lxfs.errors import UserError
from lxfs.model import SourceError
from lxfs.overmounts import Mounts, Off, Put
from lxfs.sources.files import read_bytes

SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Place:
    """A process's root and mount namespace, held open: they stay its own, whatever it does.

    ``below`` is the directory that is taken for its root, seen from its real one.
    """

    pid: int
    root: int
    namespace: int
    process: int
    below: str = ""

    def mounts(self) -> list[parse.Mount]:
        """Return the mounts that the process sees. Raises ``UserError`` when it is gone."""
        try:
            text = read_bytes(f"/proc/{self.pid}/mountinfo")
        except SourceError as error:
            raise _gone(self.pid) from error
        # The number may be another's by now, but not while this one lives.
        if select.select([self.process], [], [], 0)[0]:
            raise _gone(self.pid)
        mounts = parse.mountinfo(text)
        if not self.below:
            return mounts
        return [
            replace(mount, point=mount.point.removeprefix(self.below) or "/")
            for mount in mounts
            if mount.point == self.below or mount.point.startswith(f"{self.below}/")
        ]


def _gone(pid: int) -> UserError:
    return UserError(f"process {pid} has ended")


@contextlib.contextmanager
def place(pid: int, below: str = "/") -> Iterator[Place]:
    """Hold the mount namespace of a process. Raises ``UserError`` when it is gone.

    ``below`` is an absolute path in it, without links, that is to be its root.
    """
    with contextlib.ExitStack() as stack:

        def keep(descriptor: int) -> int:
            stack.callback(os.close, descriptor)
            return descriptor

        try:
            process = keep(os.pidfd_open(pid))
            root = keep(os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY))
            namespace = keep(os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY))
            if below != "/":
                flags = os.O_PATH | os.O_DIRECTORY
                root = keep(probe.open_within(root, below.lstrip("/"), flags))
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ESRCH):
                raise UserError(f"there is no process {pid}, or it is ending") from error
            raise UserError(f"process {pid} cannot be entered: {error.strerror}") from error
        yield Place(pid, root, namespace, process, below.rstrip("/"))


@contextlib.contextmanager
def alone(there: Place) -> Iterator[None]:
    """Keep another lxfs out of a namespace for as long as the block lasts. Raises ``UserError``."""
    until = time.monotonic() + SECONDS
    while True:
        try:
            fcntl.flock(there.namespace, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise UserError(
                    f"the mount namespace of process {there.pid} is locked: another lxfs works in"
                    " it, or something of its own holds it; try again"
                ) from None
            time.sleep(0.05)
        else:
            break
    try:
        yield
    finally:
        fcntl.flock(there.namespace, fcntl.LOCK_UN)


def check_is_apart(there: Place) -> None:
    """Refuse a namespace in which a mount on /proc or /sys would appear on the host as well."""
    own = os.stat("/proc/self/ns/mnt").st_ino  # noqa: PTH116 - a link of procfs
    if os.fstat(there.namespace).st_ino == own:
        raise UserError(
            f"process {there.pid} is in our own mount namespace: what is mounted for it is mounted"
            " for the host"
        )
    ours = {mount.peers for mount in parse.mountinfo(read_bytes("/proc/self/mountinfo"))} - {None}
    mounts = Mounts(there.mounts())
    for path in ("proc/meminfo", "sys/devices/system/cpu"):
        spot = mounts.spot(path)
        if spot.base is not None and spot.base.peers in ours:
            raise UserError(
                f"process {there.pid} shares the mounts on /{path.split('/')[0]} with the host"
                " (their propagation is 'shared'): what is mounted there appears on the host; make"
                " them private in its namespace first"
            )


@dataclass(frozen=True, slots=True)
class Done:
    """What became of the steps: ``put`` and ``off`` by path, ``absent`` and ``failed`` of those."""

    put: tuple[str, ...] = ()
    off: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    failed: Mapping[str, str] | None = None


def do(there: Place, view: int | None, steps: Sequence[Off | Put]) -> Done:
    """Do a plan's steps in a child; ``view`` is the directory of what is put.

    Raises ``UserError`` when the namespace cannot be entered, or the child does not come back.
    """
    try:
        said = probe.within(partial(_do, there, view, steps), SECONDS)
    except OSError as error:
        raise UserError(
            f"entering the mount namespace of process {there.pid} failed: {error}"
        ) from error
    if said is None:
        raise UserError(f"mounting in process {there.pid} took longer than {SECONDS:g} s")
    result = json.loads(said)
    return Done(
        tuple(result["put"]), tuple(result["off"]), tuple(result["absent"]), result["failed"]
    )


class _Child:
    """The one that enters, with a way to see its own descriptors from inside."""

    def __init__(self, there: Place, view: int | None) -> None:
        self._root = there.root
        self._view = view
        self._self = os.open("/proc/self", os.O_PATH | os.O_DIRECTORY)
        self._fds = os.open("fd", os.O_PATH | os.O_DIRECTORY, dir_fd=self._self)

    def clone(self, step: Put) -> int | None:
        """Return a mount of the view's part for a step, or ``None`` if it serves no such."""
        if self._view is None:
            raise OSError(errno.EINVAL, "no view")
        try:
            return syscalls.clone_mount(self._view, step.part)
        except FileNotFoundError:
            return None

    def at(self, path: str) -> int:
        """Return a descriptor of what is on a path, the uppermost mount there."""
        return probe.open_within(self._root, path, os.O_PATH)

    def mount_of(self, descriptor: int) -> int:
        """Return the id of the mount that a descriptor holds."""
        where = os.open(f"fdinfo/{descriptor}", os.O_RDONLY, dir_fd=self._self)
        try:
            lines = os.read(where, 4096).splitlines()
        finally:
            os.close(where)
        return next(int(line.split()[1]) for line in lines if line.startswith(b"mnt_id:"))

    def check(self, descriptor: int, mount: int) -> None:
        """Raise ``OSError`` when a descriptor is on another mount than the plan was made for."""
        if self.mount_of(descriptor) != mount:
            raise OSError(errno.EAGAIN, "its mounts changed meanwhile; try again")

    def umount(self, descriptor: int) -> None:
        """Take off the mount whose root a descriptor is, and no other."""
        os.fchdir(self._fds)  # its links lead to what the descriptors hold
        try:
            syscalls.umount(str(descriptor), syscalls.MNT_DETACH)
        except OSError as error:
            if error.errno == errno.EINVAL:
                text = "the mount is locked by the user namespace that it came from"
                raise OSError(errno.EINVAL, text) from error
            raise


def _do(there: Place, view: int | None, steps: Sequence[Off | Put]) -> bytes:
    child = _Child(there, view)
    clones = [child.clone(step) if isinstance(step, Put) else None for step in steps]
    # From here on / is the container's: what Python would still import would be its code.
    sys.meta_path.clear()
    sys.path.clear()
    syscalls.setns(there.namespace, syscalls.CLONE_NEWNS)
    done: dict[str, list[str]] = {"put": [], "off": [], "absent": []}
    failed: dict[str, str] = {}
    for step, clone in zip(steps, clones, strict=True):
        try:
            if isinstance(step, Off):
                _off(child, step.path, step.mount)
                done["off"].append(step.path)
            elif clone is not None:
                if _put(child, step, clone):
                    done["off"].append(step.path)
                done["put"].append(step.path)
            elif step.replaces is not None:
                _off(child, step.path, step.replaces)
                done["off"].append(step.path)
        except FileNotFoundError:
            done["absent"].append(step.path)
        except OSError as error:
            failed[step.path] = _why(error)
    return json.dumps({**done, "failed": failed}).encode()


def _why(error: OSError) -> str:
    if error.errno == errno.ELOOP:
        return "there is a symbolic link in the path, which is not followed"
    return error.strerror or str(error)


def _off(child: _Child, path: str, mount: int) -> None:
    with _held(child.at(path)) as target:
        child.check(target, mount)
        child.umount(target)


def _put(child: _Child, step: Put, clone: int) -> bool:
    """Attach a mount; return whether another was taken off for it."""
    if step.replaces is not None:
        with _held(child.at(step.path)) as target:
            child.check(target, step.replaces)
            # So that at no moment the host's own figures come to light. It cannot be before Linux
            # 6.5, nor in some trees.
            beneath = True
            try:
                syscalls.attach_mount(clone, target, step.path, syscalls.MOVE_MOUNT_BENEATH)
            except OSError:
                beneath = False
            child.umount(target)
            if beneath:
                return True
    with _held(child.at(step.path)) as target:
        child.check(target, step.on)
        syscalls.attach_mount(clone, target, step.path)
    return step.replaces is not None


@contextlib.contextmanager
def _held(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)
