"""The process that holds a session's descriptors, and whose pid is in the pid file.

Role: as long as one process has the device open, requests wait instead of failing. The holder
starts spawners and passes on what it is told: SIGHUP brings in new code, SIGTERM and SIGINT take
the mount off. It does and imports as little as it can, as nothing replaces it by itself.
Boundary: reads lines of spawners' and signals; nothing that a container can write.
Threading: single-threaded; signals arrive through a pipe.
"""

import contextlib
import os
import select
import signal
import sys
import time

from lxfs import syscalls
from lxfs.drivers.native import locks, systemd
from lxfs.drivers.native.memory import (
    HOLDER_LOCK,
    SERVER_LOCK,
    SPAWNER_LOCK,
    UPGRADES,
    Memory,
)

READY = b"\0ready"
"""What is written to stderr, which is a pipe then, when a daemon's mount answers."""
_ENDED = 64
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_LONG_ENOUGH = 10.0
_START_SECONDS = 60.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


class _Child:
    """A spawner: its pid, the pipe to it, the pipe from it, and what it has said."""

    def __init__(self, options: dict[str, str]) -> None:
        inner, self.control = os.pipe()
        self.report, outer = os.pipe()
        os.set_blocking(self.report, False)
        self.said = b""
        self.version = ""
        self.began = time.monotonic()
        descriptors = [
            *(int(options[name]) for name in ("device", "memory", "ledger")),
            inner,
            outer,
        ]
        for descriptor in descriptors:
            os.set_inheritable(descriptor, True)
        log = "stderr" if options["mode"] == "foreground" else "syslog"
        words = [*map(str, descriptors), options["rules"], log]
        command = [sys.executable, "-P", "-m", "lxfs.drivers.native.entry", *words]
        self.pid = os.posix_spawn(sys.executable, command, os.environ)
        for descriptor in (inner, outer):
            os.close(descriptor)

    def tell(self, word: bytes) -> None:
        with contextlib.suppress(BrokenPipeError):
            os.write(self.control, word)

    def lines(self) -> list[str]:
        """Return what it has said since, by lines.

        Nothing closes the pipe for certain when it ends: its server has it, too.
        """
        with contextlib.suppress(BlockingIOError):
            self.said += os.read(self.report, 4096)
        *lines, self.said = self.said.split(b"\n")
        return [line.decode(errors="replace") for line in lines]

    def close(self) -> None:
        os.close(self.control)
        os.close(self.report)


class Holder:
    """One mount's holder, from its start to its end."""

    def __init__(self, options: dict[str, str]) -> None:
        self._options = options
        self._memory = Memory(int(options["memory"]))
        self._current: _Child | None = None
        self._coming: _Child | None = None
        self._wanted = False
        self._again = 0.0
        self._pause = 0.0
        self._reported = False
        self._poll = select.poll()
        self._wakeup = -1

    def run(self) -> int:
        """Hold the mount until it is gone or a signal says so; return the exit status."""
        if not locks.take(self._memory.descriptor, HOLDER_LOCK):
            return self._fail("another process holds this mount")
        self._wakeup = _signals()
        self._poll.register(self._wakeup, select.POLLIN)
        for name in ("device", "memory", "ledger"):
            systemd.store(name, int(self._options[name]))
        self._begin()
        while True:
            events = dict(self._poll.poll(self._timeout()))
            for child in (self._coming, self._current):
                if child is not None and child.report in events:
                    for line in child.lines():
                        if (status := self._heard(child, line)) is not None:
                            return status
                    if (
                        events[child.report] & select.POLLHUP
                        and not events[child.report] & select.POLLIN
                    ):
                        self._poll.unregister(child.report)
            if self._wakeup in events:
                for number in os.read(self._wakeup, 64):
                    if (status := self._signalled(number)) is not None:
                        return status
            if self._coming is None and self._current is None and time.monotonic() >= self._again:
                self._begin()
            if self._coming is not None and time.monotonic() > self._coming.began + _START_SECONDS:
                os.kill(self._coming.pid, signal.SIGKILL)

    def _timeout(self) -> float | None:
        if self._coming is not None:
            return 1000.0
        if self._current is None:
            return max(0.0, self._again - time.monotonic()) * 1000 + 1
        return None

    def _begin(self) -> None:
        self._coming = _Child(self._options)
        self._poll.register(self._coming.report, select.POLLIN)

    def _heard(self, child: _Child, line: str) -> int | None:
        word, _, rest = line.partition(" ")
        if word == "ready" and child is self._coming:
            child.version = rest
            child.tell(b"go\n")
        elif word == "failed" and child is self._coming:
            child.version = ""
            self._memory.put_text("failure", rest)
            if not self._reported:
                self._take_off()
                return self._fail(rest)
        elif word == "serving" and child is self._coming:
            self._serving(child)
        return None

    def _serving(self, child: _Child) -> None:
        if self._current is not None:
            say(self._options, f"version {child.version} serves now")
            self._drop(self._current)
        self._current, self._coming = child, None
        self._memory.put_text("failure", "")
        self._memory.words[UPGRADES] += 1
        if not self._reported:
            self._reported = True
            if self._options["mode"] == "daemon":
                os.write(2, READY)
                null = os.open(os.devnull, os.O_RDWR)
                os.dup2(null, 2)
                os.close(null)
        self._settled()

    def _settled(self) -> None:
        systemd.notify("READY=1")
        if self._wanted:
            self._wanted = False
            self._begin()

    def _drop(self, child: _Child) -> None:
        with contextlib.suppress(KeyError):
            self._poll.unregister(child.report)
        child.close()

    def _signalled(self, number: int) -> int | None:
        if number == signal.SIGHUP:
            systemd.reloading()
            if self._coming is None:
                self._begin()
            else:
                self._wanted = True  # what is on its way may be older than what is wanted
        elif number in (signal.SIGTERM, signal.SIGINT):
            systemd.notify("STOPPING=1")
            self._take_off()
            return self._end()
        elif number == signal.SIGCHLD:
            return self._reap()
        return None

    def _reap(self) -> int | None:
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                pid, status = ended
                code = os.waitstatus_to_exitcode(status)
                if code == _ENDED:
                    return self._end()
                if self._coming is not None and pid == self._coming.pid:
                    self._came_to_nothing(self._coming, code)
                    if not self._reported:
                        self._take_off()
                        return self._fail(self._memory.text("failure"))
                elif self._current is not None and pid == self._current.pid:
                    if self._coming is None:  # else it was replaced
                        say(self._options, f"the spawner (pid {pid}) ended ({code}); the next one")
                    self._lived(self._current)
                    self._drop(self._current)
                    self._current = None
        return None

    def _came_to_nothing(self, child: _Child, code: int) -> None:
        for line in child.lines():
            self._heard(child, line)
        failure = self._memory.text("failure") or f"the new spawner ended with status {code}"
        self._memory.put_text("failure", failure)
        self._memory.words[UPGRADES] += 1
        say(self._options, f"nothing has changed: {failure}")
        self._lived(child)
        self._drop(child)
        self._coming = None
        if self._current is not None:
            self._settled()

    def _lived(self, child: _Child) -> None:
        """Make a pause before the next start, a longer one after each that did not live long."""
        short = time.monotonic() - child.began < _LONG_ENOUGH
        self._pause = min(max(2 * self._pause, _FIRST_PAUSE), _LONGEST_PAUSE) if short else 0.0
        self._again = time.monotonic() + self._pause

    def _take_off(self) -> None:
        with contextlib.suppress(OSError):
            syscalls.umount(self._options["directory"], syscalls.MNT_DETACH)

    def _fail(self, why: str) -> int:
        verb = "lxfs mount: " if self._options["mode"] == "foreground" else ""
        os.write(2, f"{verb}{why}\n".encode())
        self._end()
        return 1

    def _end(self) -> int:
        """End whoever serves, and take back the pid file if it is ours."""
        for byte in (SPAWNER_LOCK, SERVER_LOCK):
            while (pid := locks.owner(self._memory.descriptor, byte)) is not None:
                if not locks.end(pid):
                    break
        pidfile = self._options.get("pidfile")
        if pidfile:
            # By now it may be our successor's: lxfs umount does not wait for us.
            with contextlib.suppress(OSError), open(pidfile, encoding="ascii") as file:  # noqa: PTH123
                if file.read() == f"{os.getpid()}\n":
                    os.unlink(pidfile)  # noqa: PTH108 - pathlib would be imported for it
        return 0


def say(options: dict[str, str], line: str) -> None:
    """Say something to whoever reads a server's log."""
    if options["mode"] == "foreground":
        os.write(2, f"lxfs: {line}\n".encode())
        return
    import syslog  # noqa: PLC0415 - seldom needed

    syslog.openlog("lxfs", syslog.LOG_PID, syslog.LOG_DAEMON)
    syslog.syslog(syslog.LOG_NOTICE, line)


def _signals() -> int:
    """Turn the signals that matter into bytes on a pipe, whose reading end is returned."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    for number in _SIGNALS:
        signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    return reading


def main(arguments: list[str]) -> int:
    """Be the holder of a session, as ``name=value`` arguments say."""
    options = dict(argument.split("=", 1) for argument in arguments)
    syscalls.set_name("lxfs")
    syscalls.collect_orphans()  # servers of a spawner that was replaced
    return Holder(options).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
