"""What a caller changes: writes, new cgroups, owners, modes; tasks that are moved.

Role: the kernel's own rules over what is the caller's, and then the kernel's own answer.
Boundary: changes cgroups by the descriptors of what was found (see looking.py), and nothing
outside of the caller's own subtree; its own cgroup's limits are others' to set.
Threading: any number of threads.
"""

import errno
import os
import select
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath

from lxfs.cgroupfs.apart import as_caller, without_admin
from lxfs.cgroupfs.files import ControlFile, Lists
from lxfs.cgroupfs.groups import open_below
from lxfs.cgroupfs.layout import V2, is_within
from lxfs.cgroupfs.looking import Found
from lxfs.cgroupfs.numbers import Numbers
from lxfs.cgroupfs.rights import Rights
from lxfs.model import SourceError
from lxfs.sources.host import Host

MAX_WRITE = 4095
"""Bytes of one write: a page less one, as in kernfs."""
_DELEGATED = frozenset({"cgroup.subtree_control", "memory.oom.group", "memory.reclaim"})
"""Of a container's own cgroup what it may write besides the lists: /sys/kernel/cgroup/delegate."""


def refused(number: int, path: str = "") -> OSError:
    """Return an error as the kernel has it."""
    return OSError(number, os.strerror(number), path)


def write(host: Host, found: Found, rights: Rights, data: bytes) -> int:
    """Do what writing to a control file comes to; return how much was written.

    Raises what the kernel does, EPERM for a limit of the caller's own cgroup.
    """
    control, here = found.control, found.group()
    if control is None or control.takes is None:
        raise refused(errno.EACCES, found.path)
    if len(data) > MAX_WRITE:
        raise refused(errno.E2BIG, found.path)
    if found.branch.shared:
        raise refused(errno.EPERM, found.path)
    if isinstance(control.takes, Lists):
        _Move(host, found, rights, threads=control.takes is Lists.THREADS).do(data)
        return len(data)
    if found.is_own and control.name not in _DELEGATED:
        raise refused(errno.EPERM, found.path)
    for one in control.takes(here, data):
        hierarchy = here.hierarchy(one.controller)
        directory = None if hierarchy is None else here.directory(hierarchy)
        if directory is None or hierarchy in found.seat.shared:
            raise refused(errno.EPERM, found.path)
        _write(directory, one.name, one.text, rights)
    return len(data)


def _opened(directory: int, name: str) -> int:
    """Open a kernel's file for writing. Raises ENODEV where it is gone, as writing to it would."""
    try:
        return os.open(name, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    except FileNotFoundError as error:
        raise refused(errno.ENODEV, name) from error


def _write(directory: int, name: str, text: bytes, rights: Rights) -> None:
    """Write to a kernel's file for somebody who may.

    There the kernel may ask for CAP_SYS_ADMIN again (security/device_cgroup.c for devices.allow,
    kernel/cgroup/cpuset.c for a remote partition), and would find ours.
    """
    descriptor = _opened(directory, name)
    try:
        if not rights.may(os.W_OK, os.fstat(descriptor)):
            raise refused(errno.EACCES, name)
        if rights.is_admin:
            os.write(descriptor, text)
        else:
            without_admin(partial(os.write, descriptor, text))
    finally:
        os.close(descriptor)


@dataclass
class _Move:
    """One task on its way from one cgroup to another, in all hierarchies of a branch."""

    host: Host
    found: Found
    rights: Rights
    threads: bool

    def do(self, data: bytes) -> None:
        """Move what a line of text names. Raises as the kernel does."""
        number = _number(data)
        caller = self.found.caller
        numbers = Numbers(self.host, caller.container)
        try:
            task = numbers.outward(number) if number else caller.pid
            process = self._pidfd(task)
        except SourceError as error:
            raise refused(errno.ESRCH) from error
        try:
            self._move(task, process)
        finally:
            os.close(process)

    def _pidfd(self, task: int) -> int:
        # A thread that leads no process has no pidfd before Linux 6.9: its process stands for it.
        status = self.host.read(f"proc/{task}/status")
        return os.pidfd_open(_field(status, b"Tgid")[0])

    def _move(self, task: int, process: int) -> None:
        here, found = self.found.group(), self.found
        try:
            before = self.host.cgroup_paths(task, keep=False)
            status = self.host.read(f"proc/{task}/status")
        except SourceError as error:
            raise refused(errno.ESRCH) from error
        used = found.used()
        for hierarchy in used:
            source = before.get(hierarchy, "/")
            if not is_within(source, found.seat.tops[hierarchy]):
                raise refused(errno.EACCES, found.path)
            self._check(hierarchy, source, status)
        if select.select([process], [], [], 0)[0]:
            raise refused(errno.ESRCH)  # or the number may be another's by now
        moved: list[str] = []
        try:
            for hierarchy in used:
                directory = here.directory(hierarchy)
                if directory is not None:
                    _enter(directory, hierarchy, task, self._threads(hierarchy, status))
                    moved.append(hierarchy)
        except OSError:
            for hierarchy in moved:
                self._back(hierarchy, before[hierarchy], task, status)
            raise

    def _threads(self, hierarchy: str, status: bytes) -> bool:
        """Return whether a thread is to be moved and not its process.

        In v2 that is for threaded cgroups; who has one thread is moved as a process there.
        """
        return self.threads and not (
            hierarchy == V2 and self.found.branch.shape == 1 and _field(status, b"Threads") == [1]
        )

    def _check(self, hierarchy: str, source: str, status: bytes) -> None:
        here, rights = self.found.group(), self.rights
        directory = here.directory(hierarchy)
        if directory is None:
            return
        name = "cgroup.procs"
        if not rights.may(os.W_OK, os.stat(name, dir_fd=directory, follow_symlinks=False)):
            raise refused(errno.EACCES, self.found.path)
        if hierarchy != V2:
            # kernel/cgroup/cgroup-v1.c, __cgroup1_procs_write
            real, _, saved, _ = _field(status, b"Uid")
            if rights.uid not in (0, real, saved):
                raise refused(errno.EACCES, self.found.path)
            return
        # kernel/cgroup/cgroup.c, cgroup_procs_write_permission
        common = os.path.commonpath([source, here.paths[hierarchy]])
        above = here.at(hierarchy, common)
        if not rights.may(os.W_OK, os.stat(name, dir_fd=above, follow_symlinks=False)):
            raise refused(errno.EACCES, self.found.path)

    def _back(self, hierarchy: str, path: str, task: int, status: bytes) -> None:
        with suppress(OSError):
            directory = self.found.group().at(hierarchy, path)
            _enter(directory, hierarchy, task, self._threads(hierarchy, status))


def _enter(directory: int, hierarchy: str, task: int, threads: bool) -> None:
    each = "cgroup.threads" if hierarchy == V2 else "tasks"
    name = each if threads else "cgroup.procs"
    descriptor = _opened(directory, name)
    try:
        os.write(descriptor, b"%d" % task)
    finally:
        os.close(descriptor)


def _number(data: bytes) -> int:
    """Return the number that a list was written (``kstrtoint`` in base 0, of the stripped text)."""
    text = data.strip(b" \t\n\v\f\r\0")
    digits = text.removeprefix(b"+")
    try:
        octal = len(digits) > 1 and digits[:1] == b"0" and digits[1:].isdigit()
        number = int(digits, 8 if octal else 0) if digits[:1].isdigit() else -1
    except ValueError:
        number = -1
    if not 0 <= number < 1 << 31 or b"_" in digits:
        raise refused(errno.EINVAL)
    return number


def _field(status: bytes, name: bytes) -> list[int]:
    for line in status.split(b"\n"):
        key, _, rest = line.partition(b":")
        if key == name:
            return [int(word) for word in rest.split()]
    raise refused(errno.ESRCH)


def make(found: Found, name: str, mode: int, rights: Rights, *, again: bool) -> None:
    """Make a cgroup in a cgroup, in each hierarchy of the branch that the caller may make it in.

    ``again``: it may have been made already for this very request. Raises as the kernel does.
    """
    if "\n" in name:
        raise refused(errno.EINVAL, found.path)
    here = found.group()
    used = found.used()
    if here.primary not in used:
        raise refused(errno.EACCES, found.path)
    made: list[int] = []
    try:
        for hierarchy in [here.primary, *(one for one in used if one != here.primary)]:
            directory = here.directory(hierarchy)
            if directory is None:
                continue
            is_primary = hierarchy == here.primary
            if not rights.may(os.W_OK | os.X_OK, os.fstat(directory)):
                if is_primary:
                    raise refused(errno.EACCES, found.path)
                continue
            if hierarchy == V2:
                _hand_down(found, directory, rights)
            try:
                as_caller(rights, partial(os.mkdir, name, mode, dir_fd=directory))
            except FileExistsError:
                if is_primary and not again:
                    raise
                continue
            made.append(directory)
            has_cpus = found.branch.shape == 2 and hierarchy == "cpuset"  # noqa: PLR2004
            _settle(directory, name, mode & 0o777, has_cpus=has_cpus)
    except OSError:
        for directory in made:
            with suppress(OSError):
                os.rmdir(name, dir_fd=directory)
        raise


def _settle(directory: int, name: str, mode: int, *, has_cpus: bool) -> None:
    """Give a new cgroup the mode asked for, and CPUs: that very directory, and no file so named."""
    fresh = open_below(directory, [name])
    try:
        if stat.S_IMODE(os.fstat(fresh).st_mode) != mode:
            os.fchmod(fresh, mode)
        if has_cpus:
            _inherit_cpus(directory, fresh)
    finally:
        os.close(fresh)


def _hand_down(found: Found, directory: int, rights: Rights) -> None:
    """Have the new v2 cgroup counted by what the branch is about, where that can be.

    A cgroup of v1 has its controller without asking; one with processes of its own may not.
    """
    if found.branch.shape != 1:
        return
    with suppress(OSError):
        has = found.group().text(V2, "cgroup.subtree_control") or b""
        for controller in found.branch.needs:
            if controller.encode() not in has.split():
                _write(directory, "cgroup.subtree_control", b"+%s" % controller.encode(), rights)


def _inherit_cpus(directory: int, fresh: int) -> None:
    """Give a new v1 cpuset what its parent has, as in v2: an empty one takes nobody."""
    for file in ("cpuset.cpus", "cpuset.mems"):
        with suppress(OSError):
            source = os.open(file, os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory)
            try:
                text = os.read(source, 4096)
            finally:
                os.close(source)
            there = _opened(fresh, file)
            try:
                os.write(there, text)
            finally:
                os.close(there)


def remove(found: Found, rights: Rights, *, again: bool) -> None:
    """Remove a cgroup from each hierarchy of the branch.

    Raises EBUSY while there is a process or a cgroup in it in any of them.
    """
    here = found.group()
    used = found.used()
    if found.is_own or here.primary not in used or not found.names:
        raise refused(errno.EBUSY if found.is_own else errno.EACCES, found.path)
    name = found.names[-1]
    parents = {hierarchy: here.at(hierarchy, _parent(here.paths[hierarchy])) for hierarchy in used}
    for hierarchy, parent in parents.items():
        directory = here.directory(hierarchy)
        status = os.fstat(parent)
        if not rights.may(os.W_OK | os.X_OK, status):
            raise refused(errno.EACCES, found.path)
        if directory is not None and _is_busy(directory):
            raise refused(errno.EBUSY, found.path)
    for hierarchy in [here.primary, *(one for one in used if one != here.primary)]:
        directory, parent = here.directory(hierarchy), parents[hierarchy]
        try:
            there = os.stat(name, dir_fd=parent, follow_symlinks=False).st_ino
            if directory is not None and there == os.fstat(directory).st_ino:
                os.rmdir(name, dir_fd=parent)
        except OSError:
            if hierarchy == here.primary and not again:
                raise


def _parent(path: str) -> str:
    return str(PurePosixPath(path).parent)


def _is_busy(directory: int) -> bool:
    with os.scandir(directory) as entries:
        if any(entry.is_dir(follow_symlinks=False) for entry in entries):
            return True
    for name in ("cgroup.procs", "cgroup.threads"):
        with suppress(OSError):  # a threaded cgroup has no list of processes, v1 none of threads
            descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory)
            try:
                if os.read(descriptor, 16):
                    return True
            finally:
                os.close(descriptor)
    return False


@dataclass(frozen=True, slots=True)
class Change:
    """What SETATTR asks for; ``None`` leaves something as it is."""

    mode: int | None = None
    uid: int | None = None
    gid: int | None = None


def change(
    found: Found,
    rights: Rights,
    wanted: Change,
    kernels: Callable[[Found, ControlFile], tuple[int, str, bool] | None],
) -> None:
    """Change owner, group and mode of a cgroup's directories, or of a control file.

    Raises EPERM where the kernel does, and for the caller's own cgroup.
    """
    here = found.group()
    if found.is_own or found.branch.shared:
        raise refused(errno.EPERM, found.path)
    if found.control is not None:
        there = kernels(found, found.control)
        above = here.is_counted_above(found.control.controller)
        if there is None or above or (wanted.mode is not None and not there[2]):
            raise refused(errno.EPERM, found.path)
        _apply(there[0], there[1], rights, wanted)
        return
    used = found.used()
    for hierarchy in [here.primary, *(one for one in used if one != here.primary)]:
        directory = here.directory(hierarchy)
        if directory is None:
            continue
        try:
            _apply(directory, ".", rights, wanted)
        except PermissionError:
            if hierarchy == here.primary:
                raise


def _apply(directory: int, name: str, rights: Rights, wanted: Change) -> None:
    status = os.stat(name, dir_fd=directory, follow_symlinks=False)
    is_given = wanted.uid is not None or wanted.gid is not None
    if is_given and not rights.may_give(status, wanted.uid, wanted.gid):
        raise refused(errno.EPERM, name)
    if wanted.mode is not None and not rights.owns(status):
        raise refused(errno.EPERM, name)
    if is_given:
        uid = -1 if wanted.uid is None else wanted.uid
        gid = -1 if wanted.gid is None else wanted.gid
        os.chown(name, uid, gid, dir_fd=directory, follow_symlinks=False)
    if wanted.mode is not None:
        os.chmod(name, wanted.mode & 0o777, dir_fd=directory)
