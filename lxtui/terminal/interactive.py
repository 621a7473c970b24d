"""A program or a console of an instance at our own terminal.

Role: carries keys, output, signals and window sizes until one side ends. Boundary: file descriptors
and channels; what a container writes goes to the terminal as it is here, and nowhere else.
Threading: blocks the main thread.
"""

from __future__ import annotations

import os
import select
import signal
import time
from contextlib import ExitStack, suppress
from enum import Enum, auto

from lxtui.backend.base import Backend, Channel, ChannelEndedError
from lxtui.errors import (
    HostUnreachableError,
    InterruptedByUserError,
    LxtuiError,
    NotStartedError,
    OperationError,
)
from lxtui.model import Kind
from lxtui.terminal.asked import Asked, Console
from lxtui.terminal.keys import Detach
from lxtui.terminal.local import TIDY, Caught, caught, raw, size_of, write_all
from lxtui.terminal.opened import CONTROL, Inlet, Opened, opened

CHUNK = 64 * 1024
AHEAD = 1024 * 1024
"""Bytes that may wait for the daemon before we read more."""
CONSOLE_SECONDS = 20.0
TAKEN = "if somebody else has the console, it is free when they leave it"
_LOOKS, _LOOK_SECONDS = 6, 0.25
_LAST_SECONDS = 0.2
"""Between the last of a console and our leave of it. LXD 5.0.2 says good-bye when we do, and dies
("concurrent write to websocket connection") if it has not quite finished with its last write.
"""
_CONNECTED = "console is already connected"
_HEARD = (signal.SIGWINCH, signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP)


class StoppedError(InterruptedByUserError):
    """A signal has ended the session; ``number`` is which."""

    def __init__(self, number: int) -> None:
        super().__init__(f"the session was ended by {signal.Signals(number).name}")
        self.number = number


class _End(Enum):
    """How a session may end."""

    OVER = auto()
    DETACHED = auto()
    LOST = auto()


def run_interactive(
    asked: Asked,
    backend: Backend,
    *,
    term: str = "",
    stdin: int = 0,
    stdout: int = 1,
) -> int | None:
    """With the terminal in raw mode; the exit status, None when the console was detached from.

    StoppedError when a signal has ended it, another LxtuiError when it could not begin or was lost.
    """
    size = size_of(stdout)
    console = isinstance(asked, Console)
    request = asked.request(size) if isinstance(asked, Console) else asked.request(size, term)
    with ExitStack() as stack:
        try:
            there = stack.enter_context(opened(backend, request, (CONTROL, "0")))
        except OperationError as error:
            if console and _CONNECTED in str(error):  # as Incus says it, before it begins
                raise OperationError(f"{error} {_take(asked, backend)}") from error
            raise
        ended = _End.LOST
        try:
            with raw(stdin), caught(_HEARD) as signals:
                there.resize(size_of(stdout))
                session = _Session(there, stdin, stdout, signals, Detach() if console else None)
                ended = session.run()
        finally:
            if ended is not _End.OVER:
                with suppress(OSError):
                    write_all(stdout, TIDY)
        if ended is _End.DETACHED:
            return None
        if ended is _End.LOST and not there.ending.over:
            said = f"{asked.ref.host}: the connection was lost; {asked.title} has ended here"
            if console and _runs_on(asked, backend):  # Incus may cut the first one off
                said += ", or somebody else has taken the console"
            raise HostUnreachableError(said)
        if not isinstance(asked, Console):
            there.channels["0"].close()  # until then the daemons wait for us
            return there.status()
        time.sleep(_LAST_SECONDS)
        there.close()
        try:
            status = there.ending.status(CONSOLE_SECONDS)
        except NotStartedError as error:
            if not _runs_on(asked, backend):
                return 0  # LXD has more to say of one that has ended with its instance
            raise OperationError(f"{error}; {_take(asked, backend)}") from error
        if _runs_on(asked, backend):
            raise OperationError(
                f"{asked.title} has ended, though it runs: it was restarted, or somebody else has "
                f"taken the console"
            )
        return status


def _runs_on(asked: Asked, backend: Backend) -> bool:
    """Whether the instance runs though its console is gone: one that stops takes a moment."""
    for _ in range(_LOOKS):
        try:
            if not backend.instance(asked.ref).running:
                return False
        except LxtuiError:
            return False  # it is gone, or cannot be asked
        time.sleep(_LOOK_SECONDS)
    return True


def _take(asked: Asked, backend: Backend) -> str:
    """What to do about a console that somebody else may have."""
    if backend.remote.kind is Kind.LXD:
        return TAKEN
    return f"{TAKEN}, and 'lxtui console --force {asked.ref.plain}' takes it from them"


class _Session:
    """Bytes in both directions."""

    def __init__(
        self,
        there: Opened,
        stdin: int,
        stdout: int,
        signals: Caught,
        detach: Detach | None,
    ) -> None:
        self._there = there
        self._stdin, self._stdout = stdin, stdout
        self._signals = signals
        self._detach = detach
        self._data: Channel = there.channels["0"]
        self._output = Inlet(self._data)
        self._control = Inlet(there.channels[CONTROL])

    def run(self) -> _End:
        """Until one side has ended."""
        while True:
            if data := self._output.take():
                write_all(self._stdout, data)
            if self._output.over:
                return _End.OVER if self._output.clean else _End.LOST
            self._control.take()
            ready = self._wait()
            self._hear()
            if self._stdin in ready and (end := self._type()) is not None:
                return end
            with suppress(ChannelEndedError):  # said by its inlet
                self._data.drain()

    def _wait(self) -> set[int]:
        waiting = select.poll()
        waiting.register(self._signals.fileno(), select.POLLIN)
        backlog = self._data.backlog
        waiting.register(self._data.fileno(), select.POLLIN | (select.POLLOUT if backlog else 0))
        if not self._control.over:
            waiting.register(self._control.channel.fileno(), select.POLLIN)
        if backlog < AHEAD:
            waiting.register(self._stdin, select.POLLIN)
        return {descriptor for descriptor, _ in waiting.poll(0 if self._output.more else None)}

    def _hear(self) -> None:
        for number in self._signals.take():
            if number is signal.SIGWINCH:
                self._there.resize(size_of(self._stdout))
            elif number is not signal.SIGTSTP:  # a stopped program would leave the terminal raw
                raise StoppedError(number)

    def _type(self) -> _End | None:
        """Send what was typed; how it ends, if it does."""
        try:
            typed = os.read(self._stdin, CHUNK)
        except BlockingIOError:
            return None
        except OSError:
            typed = b""
        if not typed:
            raise StoppedError(signal.SIGHUP)  # the terminal is gone
        with suppress(ChannelEndedError):
            if sent := self._detach(typed) if self._detach else typed:
                self._data.put(sent)
        return _End.DETACHED if self._detach and self._detach.left else None
