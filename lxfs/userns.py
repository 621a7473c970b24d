"""A user namespace of our own, in which a user who is not root may mount.

Role: enter one, or say what forbids it and what to do about that.
Boundary: knows neither cgroups nor the view.
Threading: ``enter`` is for a process of one thread (``man 2 unshare``); ``obstacle`` forks.
"""

import errno
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from lxfs import syscalls

_SYSCTLS = Path("/proc/sys")
_CLONE = "kernel/unprivileged_userns_clone"
_APPARMOR = "kernel/apparmor_restrict_unprivileged_userns"
_MOST = "user/max_user_namespaces"
_NAMESPACES, _PROC, _DONE = range(3)


def enter() -> None:
    """Move this process into a new user namespace and a mount namespace that belongs to it.

    Uid and gid stay what they are, and are the only ones there: the process may mount until it
    executes a program, which then has no more rights than the user. Raises ``OSError``.
    """
    uid, gid = os.geteuid(), os.getegid()
    syscalls.unshare(syscalls.CLONE_NEWUSER | syscalls.CLONE_NEWNS)
    _map(uid, gid)


def _map(uid: int, gid: int) -> None:
    own = Path("/proc/self")
    # Without it nobody but root may write a map of groups (``man 7 user_namespaces``).
    (own / "setgroups").write_text("deny", encoding="ascii")
    (own / "uid_map").write_text(f"{uid} {uid} 1", encoding="ascii")
    (own / "gid_map").write_text(f"{gid} {gid} 1", encoding="ascii")


def obstacle() -> str | None:
    """Return what keeps this user from mounting in a namespace, with what to do; ``None``: nothing.

    It is tried, in a child: security modules have many ways to say no.
    """
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.write(writing, b"%d %d" % _try())
        finally:
            os._exit(0)
    os.close(writing)
    said = os.read(reading, 64).split()  # one short write, or none
    os.close(reading)
    os.waitpid(child, 0)
    step, number = map(int, said) if said else (_NAMESPACES, 0)
    return None if step == _DONE else reason(number, _settings(), proc=step == _PROC)


def _try() -> tuple[int, int]:
    """Return at which step a mount in namespaces of our own fails, and with what errno."""
    step = _NAMESPACES
    try:
        enter()
        syscalls.mount("none", "/", flags=syscalls.MS_REC | syscalls.MS_PRIVATE)
        step = _PROC
        syscalls.unshare(syscalls.CLONE_NEWPID)
        if (init := os.fork()) == 0:
            number = 0
            try:
                syscalls.mount("proc", "/proc", "proc", syscalls.PROC_FLAGS)
            except OSError as error:
                number = error.errno or errno.EIO
            finally:
                os._exit(number)
        failed = os.waitstatus_to_exitcode(os.waitpid(init, 0)[1])
    except OSError as error:
        return step, error.errno or errno.EIO
    return (step, max(0, failed)) if failed else (_DONE, 0)


def _settings() -> Mapping[str, str]:
    found = {}
    for name in (_CLONE, _APPARMOR, _MOST):
        try:
            found[name] = (_SYSCTLS / name).read_text(encoding="ascii").strip()
        except OSError:
            continue  # this kernel has no such switch
    return found


def reason(number: int, settings: Mapping[str, str], *, proc: bool = False) -> str:
    """Return why namespaces, or with ``proc`` a fresh /proc in them, cannot be had.

    ``number`` is the errno (0: killed), ``settings`` are sysctls by their path below /proc/sys.
    """
    if proc and number == errno.EPERM:
        return (
            "a fresh /proc cannot be mounted, since parts of the one here are covered, as in a"
            " container: run lxfs outside of it"
        )
    if settings.get(_CLONE) == "0":
        return (
            "user namespaces are for root alone here: 'sysctl kernel.unprivileged_userns_clone=1'"
            " as root opens them to users"
        )
    if number == errno.ENOSPC or settings.get(_MOST) == "0":
        most = settings.get(_MOST, "0")
        return (
            f"no more user namespaces may be made (user.max_user_namespaces is {most}): raise it"
            " as root with 'sysctl user.max_user_namespaces=15000'"
        )
    if settings.get(_APPARMOR, "0") != "0" and number in (errno.EPERM, errno.EACCES):
        return (
            "AppArmor takes all rights from user namespaces of programs without a profile: give"
            f" {sys.executable} one that has 'userns,', or"
            " 'sysctl kernel.apparmor_restrict_unprivileged_userns=0' as root"
        )
    if number == errno.EINVAL:
        return "this kernel has no user namespaces (CONFIG_USER_NS)"
    why = os.strerror(number) if number else "the trial was killed"
    return (
        f"user namespaces with mounts are forbidden here ({why}), by a container's seccomp filter,"
        " a chroot or a security module: run lxfs outside of it, or as root"
    )
