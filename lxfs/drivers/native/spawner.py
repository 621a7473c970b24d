"""The process that has everything imported and forks servers.

Role: the next server is there within milliseconds of the death of the last one, and one that does
not answer while requests wait is ended. The spawner needs nobody: without a holder it goes on.
Boundary: started by the holder, with descriptors and rules as arguments; speaks to it in lines
(``ready VERSION``, ``serving``, ``failed WHY``) and is told ``go`` and ``stop``.
Threading: single-threaded, as it forks.
"""

import contextlib
import gc
import json
import logging
import os
import select
import signal
import time

from lxfs import __version__, logs, syscalls
from lxfs.drivers.native import locks, server
from lxfs.drivers.native.memory import BEAT, LAYOUT, SPAWNER_LOCK, Memory
from lxfs.drivers.rules import Rules, make_tree
from lxfs.errors import UserError

_log = logging.getLogger(__name__)

_TICK_SECONDS = 1.0
_STUCK_TICKS = 5
"""Seconds for which requests may wait without any being answered."""
_START_TICKS = 30
"""The same for a server that has not begun yet."""
_CRASHED, _STUCK, _KILLED = 10, 26, 1
"""Strikes for what was in hand when a server ended: after six crashes in a row a request is given
up, after the second time that a server had to be ended; but who is killed is killed by somebody
else, or for want of memory, which the request may be guilty of only if it happens again and again.
"""
_AT_ONCE = 5
"""Servers that may die in a row without having answered anything before a pause is made."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 5.0


class Spawner:
    """A session's servers, one after the other."""

    def __init__(self, device: int, memory: Memory, ledger: int, rules: Rules) -> None:
        self._device = device
        self._memory = memory
        self._ledger = ledger
        self._rules = rules
        self._slots = list(memory.slots())
        self._server = 0
        self._process = -1
        self._failures = 0
        self._progress: tuple[int, ...] = ()
        self._stuck = self._silent = 0
        self._first_beat = self._beat = 0
        self._abandoned = 0
        self._seen: tuple[tuple[int, int], ...] = ()

    def run(self, control: int, report: int) -> int:
        """Keep a server going until the mount is gone or the holder says stop."""
        self._spawn(report)
        poll = select.poll()
        poll.register(control, select.POLLIN)
        while True:
            process = self._process
            poll.register(process, select.POLLIN)
            events = dict(poll.poll(_TICK_SECONDS * 1000))
            if process in events and self._ended() == server.ENDED:
                return server.ENDED
            if control in events:
                if os.read(control, 64):
                    os.kill(self._server, signal.SIGKILL)
                    return 0
                poll.unregister(control)
                _log.warning("the holder of the mount ended; its server goes on")
            if process in events or (not events and self._is_stuck()):
                poll.unregister(process)
                os.close(process)
                self._spawn(report)

    def _spawn(self, report: int) -> None:
        answered = tuple(slot.answered for slot in self._slots)
        self._failures = self._failures + 1 if answered == self._progress else 0
        self._progress = answered
        if self._failures > _AT_ONCE:
            pause = _FIRST_PAUSE * 2 ** (self._failures - _AT_ONCE)
            time.sleep(min(pause, _LONGEST_PAUSE))
        self._stuck = self._silent = 0
        self._first_beat = self._memory.words[BEAT]
        if (pid := os.fork()) == 0:
            self._be_server(report)
        self._server, self._process = pid, os.pidfd_open(pid)

    def _be_server(self, report: int) -> None:
        try:
            server.run(self._device, self._memory, self._ledger, self._rules, report)
        except BaseException:  # noqa: BLE001 - the forked copy must not go on as the spawner
            _log.exception("the server failed")
        finally:
            logging.shutdown()
            os._exit(1)

    def _ended(self) -> int:
        """Collect the server and return its exit status, negative for a signal."""
        _, status = os.waitpid(self._server, 0)
        code = os.waitstatus_to_exitcode(status)
        if code != server.ENDED:
            self._blame(_KILLED if code == -signal.SIGKILL else _CRASHED)
            how = f"signal {-code}" if code < 0 else f"status {code}"
            _log.warning("the server (pid %d) ended by %s; the next one goes on", self._server, how)
        return code

    def _blame(self, strikes: int) -> None:
        for slot in self._slots:
            if slot.unique[0]:
                slot.strikes += strikes

    def _is_stuck(self) -> bool:
        """Return whether a server had to be ended and has not gone: the next one is due anyway.

        Ended is one that has answered nothing for a while, though requests wait, and one that does
        not run: it was stopped, or a thread of it does not let the others go on.
        """
        with contextlib.suppress(ChildProcessError):
            while self._abandoned and os.waitpid(-1, os.WNOHANG)[0]:
                self._abandoned -= 1
        seen = tuple((slot.unique[0], slot.answered) for slot in self._slots)
        waiting = select.poll()
        waiting.register(self._device, select.POLLIN)
        held_up = seen == self._seen and bool(waiting.poll(0))
        beat = self._memory.words[BEAT]
        self._stuck = self._stuck + 1 if held_up else 0
        self._silent = self._silent + 1 if beat == self._beat else 0
        self._seen, self._beat = seen, beat
        most = _STUCK_TICKS if beat != self._first_beat else _START_TICKS
        if self._stuck < most and self._silent < most:
            return False
        _log.error("the server (pid %d) has not answered for some time", self._server)
        self._blame(_STUCK)
        if locks.end(self._server):
            return False  # it is collected as any other that ended
        self._abandoned += 1
        return True


def main(arguments: list[str]) -> int:
    """Be the spawner of a session, as the holder's arguments say."""
    device, descriptor, ledger, control, report = map(int, arguments[:5])
    rules, log = Rules(**json.loads(arguments[5])), arguments[6]
    syscalls.set_name("lxfs-spawner")
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # meant for the holder, by the terminal
    memory = Memory(descriptor)
    if memory.layout != LAYOUT:
        raise UserError(
            f"the mount was made by a version of lxfs whose records (layout {memory.layout})"
            f" this one (layout {LAYOUT}) cannot read: restart it"
        )
    make_tree(rules).close()  # what cannot be served is better said now
    _say(report, f"ready {__version__}")
    if os.read(control, 64) != b"go\n":
        return 0
    locks.displace(descriptor, SPAWNER_LOCK)
    logs.to_stderr() if log == "stderr" else logs.to_syslog()
    if log != "stderr":
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 2)
        os.close(null)
    memory.put_text("version", __version__)
    gc.freeze()  # a collection would write to, and so copy, what is shared with the servers
    return Spawner(device, memory, ledger, rules).run(control, report)


def _say(report: int, line: str) -> None:
    with contextlib.suppress(BrokenPipeError):
        os.write(report, f"{line}\n".encode())
