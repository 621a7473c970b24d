"""``lxfs run``: a command under limits, in a pid namespace, with the view over /proc and /sys.

Role: the supervisor. It makes the cgroups, starts the view and the init, forwards signals and
the terminal, and removes everything: cgroups, mounts (by being in a mount namespace of its own)
and processes (they die with it, even when it is killed).
Boundary: what happens inside of the namespaces is in sandbox.py, cgroups in limits.py.
Threading: single-threaded; signals arrive through a pipe.
"""

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from lxfs import logs, mounting, sandbox, syscalls, unprivileged, userns
from lxfs.errors import UserError
from lxfs.limits import Cell, Limits
from lxfs.sources.cgroups import Hierarchies
from lxfs.sources.host import Host
from lxfs.table import FILES, MIRRORS

# A directory that is there wherever FUSE is, in which nobody keeps anything: the view is mounted
# on it in our own mount namespace, so that not even a kill leaves a directory behind.
_VIEW = "/sys/fs/fuse/connections"

_FORWARDED = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
_VIEW_SECONDS = 5.0


def run(command: Sequence[str], limits: Limits) -> int:
    """Run a command to its end and return its exit status, 128+N when a signal ended it.

    127 means that the command was not found, 126 that it cannot be executed. Raises ``UserError``
    when the run could not be set up; nothing is left behind either way.
    """
    host = Host()
    delegated = None
    if os.geteuid() == 0:
        mounting.check_can_serve()
    else:
        delegated = unprivileged.cgroup(limits, host)
    if not Path(_VIEW).is_dir():
        raise UserError(f"{_VIEW} does not exist: mount sysfs on /sys and load the fuse module")
    with _signals() as wakeup:
        try:
            cell = Cell.make(limits, host, Hierarchies.find(host), delegated)
        except OSError as error:
            raise UserError(f"making the cgroups failed: {error}") from error
        try:
            return _Supervisor(command, cell, wakeup).run()
        finally:
            cell.remove()


@contextlib.contextmanager
def _signals() -> Iterator[int]:
    """Turn the signals that matter into bytes on a pipe, so that none cuts a step in half."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    before = {}
    for number in (*_FORWARDED, signal.SIGCHLD, signal.SIGTTOU):
        # SIGTTOU: taking the terminal back is done from the background.
        action = signal.SIG_IGN if number == signal.SIGTTOU else _noticed
        before[number] = signal.signal(number, action)
    previous = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        yield reading
    finally:
        signal.set_wakeup_fd(previous)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reading)
        os.close(writing)


def _noticed(_number: int, _frame: object) -> None:
    """Do nothing: the byte on the wakeup pipe is what counts."""


class _Supervisor:
    """One run, from the mount namespace to the last waitpid."""

    def __init__(self, command: Sequence[str], cell: Cell, wakeup: int) -> None:
        self._command = command
        self._cell = cell
        self._wakeup = wakeup
        self._terminal = _own_terminal()
        # Whoever reads our output may read keys as well (a pager): in a pipeline the terminal
        # stays with the group that we all are in, and the command with us.
        self._shared = self._terminal >= 0 and not os.isatty(1)
        self._given = False
        self._view = 0
        self._init = 0
        self._notices = -1
        # Our end closes with us: how a child sees that we died before it asked to be told.
        self._alive, self._alive_writer = os.pipe()

    def run(self) -> int:
        try:
            return self._run()
        except OSError as error:
            raise UserError(f"setting up the namespaces failed: {error}") from error
        finally:
            self._clean_up()

    def _run(self) -> int:
        if os.geteuid() == 0:
            syscalls.unshare(syscalls.CLONE_NEWNS)
        else:
            userns.enter()
        syscalls.mount("none", "/", flags=syscalls.MS_REC | syscalls.MS_PRIVATE)
        self._start_view()
        syscalls.unshare(syscalls.CLONE_NEWPID)
        self._start_init()
        return self._supervise()

    def _start_view(self) -> None:
        reading, writing = os.pipe()
        if (pid := _fork()) == 0:
            _in_child(lambda: self._be_view(writing))
        self._view = pid
        os.close(writing)
        text = b""
        while not text.endswith(mounting.READY) and (chunk := os.read(reading, 4096)):
            text += chunk
        os.close(reading)
        if not text.endswith(mounting.READY):
            said = text.decode(errors="replace").strip().splitlines()
            raise UserError("; ".join(said) or "the view ended without a word")

    def _be_view(self, report: int) -> int:
        from lxfs.drivers.native.session import serve  # noqa: PLC0415 - only this child needs it

        os.close(self._alive_writer)
        os.setsid()
        syscalls.die_with_parent(signal.SIGTERM)
        sandbox.restore_signals()
        if sandbox.parent_is_gone(self._alive):
            return 1
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1):
            os.dup2(null, descriptor)
        os.dup2(report, 2)
        os.close(report)
        syscalls.set_name("lxfs-view")
        tree = mounting.make_tree()
        logs.to_syslog()

        def ready() -> None:
            os.write(2, mounting.READY)
            os.dup2(null, 2)

        serve(tree, _VIEW, ready)
        return 0

    def _start_init(self) -> None:
        self._notices, notices = os.pipe()
        plan = sandbox.Plan(
            command=self._command,
            view=_VIEW,
            paths=[*(file.path for file in FILES), *(mirror.path for mirror in MIRRORS)],
            enter=self._cell.enter,
            terminal=self._terminal if self._terminal >= 0 and not self._shared else None,
            foreground=self._in_foreground(),
            shared=self._shared,
            notices=notices,
            alive=self._alive,
        )
        self._given = plan.foreground and not self._shared
        if (pid := _fork()) == 0:
            os.close(self._alive_writer)
            _in_child(lambda: sandbox.init(plan))
        self._init = pid
        os.close(notices)

    def _supervise(self) -> int:
        watched = [self._wakeup, self._notices]
        while True:
            for descriptor in select.select(watched, [], [])[0]:
                if descriptor == self._notices:
                    if os.read(self._notices, 1) == sandbox.STOPPED:
                        self._stop_too()
                    else:
                        watched.remove(self._notices)  # the init is on its way out
                    continue
                for number in os.read(self._wakeup, 256):
                    if number != signal.SIGCHLD and not self._is_everybodys(number):
                        os.kill(self._init, number)
            ended, status = os.waitpid(self._init, os.WNOHANG)
            if ended:
                self._init = 0
                return _as_shell(status)
            if os.waitpid(self._view, os.WNOHANG)[0]:
                self._view = 0
                raise UserError("the view's process ended; the command was stopped")

    def _is_everybodys(self, number: int) -> bool:
        """Return whether the terminal has sent a signal to the command as well as to us."""
        pressed = number in (signal.SIGINT, signal.SIGQUIT)
        return pressed and self._shared and self._in_foreground()

    def _stop_too(self) -> None:
        """Stop as the command has, so that our shell sees it; go on when the shell says so.

        Where no shell controls our group the kernel does not stop us, and the command goes on.
        """
        self._take_terminal()
        previous = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, previous)
        self._given = foreground = self._in_foreground()
        os.kill(self._init, sandbox.FOREGROUND if foreground else signal.SIGCONT)

    def _in_foreground(self) -> bool:
        with contextlib.suppress(OSError):
            return self._terminal >= 0 and os.tcgetpgrp(self._terminal) == os.getpgrp()
        return False

    def _take_terminal(self) -> None:
        """Take the terminal back from the command, if it has it."""
        if self._terminal < 0 or self._shared or not self._given:
            return
        with contextlib.suppress(OSError):  # the terminal may have been hung up
            os.tcsetpgrp(self._terminal, os.getpgrp())
        self._given = False

    def _clean_up(self) -> None:
        if self._init:
            _end(self._init, signal.SIGKILL)  # and with it all of its pid namespace
        self._take_terminal()
        if self._view:
            _end(self._view, signal.SIGTERM)
        for descriptor in (self._alive, self._alive_writer, self._notices, self._terminal):
            if descriptor >= 0:
                os.close(descriptor)


def _own_terminal() -> int:
    """Return a descriptor of our controlling terminal, or -1."""
    with contextlib.suppress(OSError):
        return os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC | os.O_NOCTTY)
    return -1


def _fork() -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    return os.fork()


def _in_child(work: Callable[[], int]) -> None:
    """Do a forked child's work and leave; nothing of the parent's code runs in it."""
    status = 1
    try:
        status = work()
    except UserError as error:
        os.write(2, f"{error}\n".encode())
    except BaseException as error:  # noqa: BLE001 - a traceback would be the parent's, twice
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(status)


def _end(pid: int, number: signal.Signals) -> None:
    """End a child, by force if it takes too long, and collect it."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
    until = time.monotonic() + _VIEW_SECONDS
    with contextlib.suppress(ChildProcessError):
        while not os.waitpid(pid, os.WNOHANG)[0]:
            if time.monotonic() >= until:
                os.kill(pid, signal.SIGKILL)
                until = float("inf")
            time.sleep(0.002)


def _as_shell(status: int) -> int:
    if os.WIFSIGNALED(status):
        return 128 + os.WTERMSIG(status)
    return os.WEXITSTATUS(status)
