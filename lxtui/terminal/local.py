"""This side of a session: the terminal, and the signals that reach us.

Role: raw mode that is always taken back; signals as something that poll(2) waits for. Boundary:
termios and signal; knows no host. Threading: the main thread, as signals ask.
"""

from __future__ import annotations

import os
import select
import signal
import termios
import tty
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from lxtui.terminal.asked import Size

# What a program that is gone may have left switched on: the alternate screen, the mouse, pasting
# in brackets, application keys, a hidden cursor, colours.
TIDY = (
    b"\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[?1l\x1b>"
    b"\x1b[?1049l\x1b[?25h\x1b[0m\n"
)
_USUAL = Size(80, 24)


def size_of(descriptor: int) -> Size:
    """The terminal's size; 80x24 where it does not say."""
    try:
        found = os.get_terminal_size(descriptor)
    except OSError:
        return _USUAL
    return Size(found.columns or _USUAL.width, found.lines or _USUAL.height)


@contextmanager
def raw(descriptor: int) -> Iterator[None]:
    """Every key comes as it is, Ctrl-C and Ctrl-Z too, until the block ends, however it does."""
    before = termios.tcgetattr(descriptor)
    try:
        tty.setraw(descriptor)
        yield
    finally:
        with suppress(termios.error):  # the terminal is gone
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


class Caught:
    """Signals that have come."""

    def __init__(self, reading: int) -> None:
        self._reading = reading

    def fileno(self) -> int:
        """Readable when one has come."""
        return self._reading

    def take(self) -> list[signal.Signals]:
        """Those that have come since the last look."""
        try:
            return [signal.Signals(number) for number in os.read(self._reading, 4096)]
        except BlockingIOError:
            return []


@contextmanager
def caught(numbers: Iterable[signal.Signals]) -> Iterator[Caught]:
    """Catch these until the block ends; what was done about them before is done again then."""
    reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def handle(number: int, _frame: object) -> None:
        with suppress(BlockingIOError):
            os.write(writing, bytes([number]))

    before = {}
    try:
        for number in numbers:
            before[number] = signal.getsignal(number)
            signal.signal(number, handle)
        yield Caught(reading)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        os.close(reading)
        os.close(writing)


def write_all(descriptor: int, data: bytes) -> None:
    """All of it, also to what somebody has made non-blocking; OSError when nobody reads."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            waiting = select.poll()
            waiting.register(descriptor, select.POLLOUT)
            waiting.poll()
