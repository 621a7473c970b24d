"""The process tree inside of ``lxfs run``: mounts, a tiny init, the command.

Role: what happens between fork and exec, and in pid 1 of the new pid namespace until the command
ends.
Boundary: runs in forked children only and leaves by ``os._exit``; the parent is run.py.
Threading: single-threaded; all signals are blocked and waited for.
"""

import errno
import gc
import os
import select
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lxfs import syscalls

FOREGROUND = signal.SIGRTMIN
"""Sent to the init: continue the command, and give it the terminal."""
STOPPED = b"s"
"""Written to ``notices`` by the init: the command has stopped."""

_NOT_FOUND, _NOT_EXECUTABLE, _BROKEN = 127, 126, 125
_OOM_ADJUST = "/proc/self/oom_score_adj"
_NEVER_KILLED = "-1000"
_SI_KERNEL = 0x80  # include/uapi/asm-generic/siginfo.h: keys pressed, a line hung up


@dataclass(frozen=True, slots=True)
class Plan:
    """What the init is to set up and run.

    ``view`` is where the view is mounted, ``paths`` what of it goes over the same paths below
    ``/``. ``terminal`` is a descriptor of the controlling terminal, which the command gets at once
    when ``foreground``. With ``shared`` the command stays in our parent's process group: in a
    pipeline the terminal belongs to all of it.
    """

    command: Sequence[str]
    view: str
    paths: Sequence[str]
    enter: Callable[[], None]
    terminal: int | None
    foreground: bool
    shared: bool
    notices: int
    alive: int


def parent_is_gone(alive: int) -> bool:
    """Return whether the writing end of the parent's pipe is closed."""
    return bool(select.select([alive], [], [], 0)[0])


def restore_signals() -> None:
    """Give a forked child the default actions and an empty mask back."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        try:
            signal.signal(number, signal.SIG_DFL)
        except (OSError, ValueError):
            continue  # reserved by the C library
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def init(plan: Plan) -> int:
    """Be pid 1: set the mounts up, run the command, reap, forward; return the exit status."""
    if not plan.shared:
        os.setpgid(0, 0)  # what is sent to our parent's group reaches the command once, through it
    syscalls.die_with_parent(signal.SIGKILL)
    if parent_is_gone(plan.alive):
        return _BROKEN
    syscalls.set_name("lxfs-init")
    restore_signals()
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        _mount_view(plan)
        # Last, so that the memory of this interpreter is charged to our parent, not to the run.
        gc.disable()
        previous = _protect()
        plan.enter()
    except OSError as error:
        _complain(f"setting up failed: {error}")
        return _BROKEN
    if (command := os.fork()) == 0:
        os._exit(_execute(plan, previous))
    return _serve(command, plan)


def _protect() -> str | None:
    """Keep the OOM killer to the command, where we may; return what the command is to be."""
    previous = Path(_OOM_ADJUST).read_text(encoding="ascii")
    try:
        Path(_OOM_ADJUST).write_text(_NEVER_KILLED, encoding="ascii")
    except PermissionError:  # root without CAP_SYS_RESOURCE; the command is larger than we anyway
        return None
    return previous


def _mount_view(plan: Plan) -> None:
    syscalls.unshare(syscalls.CLONE_NEWNS)
    syscalls.mount("none", "/", flags=syscalls.MS_REC | syscalls.MS_PRIVATE)
    syscalls.mount("proc", "/proc", "proc", syscalls.PROC_FLAGS)
    for path in plan.paths:
        if Path(f"/{path}").exists():
            syscalls.mount(f"{plan.view}/{path}", f"/{path}", flags=syscalls.MS_BIND)
    # What is bound keeps the view alive; the rest of it need not be seen.
    syscalls.umount(plan.view, syscalls.MNT_DETACH)


def _execute(plan: Plan, oom_adjust: str | None) -> int:
    """Become the command, or return the status that shells use for why not."""
    try:
        if not plan.shared:
            os.setpgid(0, 0)
        if plan.terminal is not None and plan.foreground:
            os.tcsetpgrp(plan.terminal, os.getpid())  # allowed: SIGTTOU is still blocked
        if oom_adjust is not None:
            Path(_OOM_ADJUST).write_text(oom_adjust, encoding="ascii")
        restore_signals()
        # Python starts with SIGPIPE and SIGXFSZ ignored; restore_signals has undone that.
        os.execvp(plan.command[0], list(plan.command))  # noqa: S606 - no shell is the point
    except FileNotFoundError:
        _complain(f"{plan.command[0]}: command not found")
        return _NOT_FOUND
    except OSError as error:
        why = "not executable" if error.errno == errno.EACCES else error.strerror
        _complain(f"{plan.command[0]}: {why}")
        return _NOT_EXECUTABLE


def _serve(command: int, plan: Plan) -> int:
    """Reap and forward until the command has ended; return its status as a shell would."""
    while True:
        info = signal.sigwaitinfo(signal.valid_signals())
        number = info.si_signo
        if number == signal.SIGCHLD:
            if (status := _reap(command, plan)) is not None:
                return status
        elif plan.shared and info.si_code == _SI_KERNEL:
            continue  # the terminal has told the command itself
        elif number == FOREGROUND:
            if plan.terminal is not None:
                _ignore_gone(lambda: os.tcsetpgrp(plan.terminal or 0, command))
            _ignore_gone(lambda: os.killpg(command, signal.SIGCONT))
        elif number == signal.SIGCONT:
            _ignore_gone(lambda: os.killpg(command, signal.SIGCONT))
        else:
            _ignore_gone(lambda number=number: os.kill(command, number))  # type: ignore[misc]


def _reap(command: int, plan: Plan) -> int | None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
        except ChildProcessError:
            return None
        if pid == 0:
            return None
        if pid != command:
            continue
        if os.WIFSTOPPED(status):
            if not plan.shared:
                os.write(plan.notices, STOPPED)
        elif os.WIFSIGNALED(status):
            return 128 + os.WTERMSIG(status)
        else:
            return os.WEXITSTATUS(status)


def _ignore_gone(call: Callable[[], object]) -> None:
    try:
        call()
    except OSError as error:
        if error.errno not in (errno.ESRCH, errno.EPERM, errno.EIO, errno.ENOTTY):
            raise


def _complain(message: str) -> None:
    sys.stderr.write(f"lxfs run: {message}\n")
    sys.stderr.flush()
