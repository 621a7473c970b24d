"""A program of an instance between pipes: three streams, no terminal.

Role: carries standard input, output and error apart, and the signals that reach us. Boundary: file
descriptors, or buffers, and channels. Threading: blocks the main thread.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress

from lxtui.backend.base import Backend, Channel, ChannelEndedError
from lxtui.errors import HostUnreachableError
from lxtui.terminal.asked import Exec
from lxtui.terminal.interactive import AHEAD, CHUNK
from lxtui.terminal.local import Caught, caught, write_all
from lxtui.terminal.opened import CONTROL, Inlet, Opened, opened

FORWARDED = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
Write = Callable[[bytes], None]
"""Takes a piece of output; OSError when nobody reads it."""


def to(descriptor: int) -> Write:
    """Output that goes to a descriptor."""
    return lambda data: write_all(descriptor, data)


def run_streams(
    asked: Exec, backend: Backend, stdout: Write, stderr: Write, *, stdin: int = 0
) -> int:
    """The exit status; LxtuiError when it could not begin or was lost.

    BrokenPipeError when nobody reads the output any more: the program is ended then, too.
    """
    with (
        opened(backend, asked.request(None), (CONTROL, "0", "1", "2")) as there,
        caught(FORWARDED) as signals,  # until then they end us: a host may let us wait
    ):
        outputs = {
            Inlet(there.channels["1"]): stdout,
            Inlet(there.channels["2"]): stderr,
        }
        try:
            clean = _carry(there, signals, outputs, stdin)
        except BrokenPipeError:
            there.signal(signal.SIGPIPE)
            raise
        if not clean and not there.ending.over:
            raise HostUnreachableError(
                f"{asked.ref.host}: the connection was lost; {asked.title} has ended here"
            )
        return there.status()


def _carry(there: Opened, signals: Caught, outputs: Mapping[Inlet, Write], stdin: int) -> bool:
    """Until all output has come; whether none of it was cut."""
    data = there.channels["0"]
    answers = [Inlet(data), Inlet(there.channels[CONTROL])]
    typing = True
    while True:
        for inlet, write in outputs.items():
            if found := inlet.take():
                write(found)
        if all(inlet.over for inlet in outputs):
            return all(inlet.clean for inlet in outputs)
        for inlet in answers:
            inlet.take()
        typing = typing and not answers[0].over
        readable = _wait([*outputs, *answers], signals, data, stdin if typing else None)
        for number in signals.take():
            there.signal(number)
        try:
            if stdin in readable and typing:
                typing = _feed(data, stdin)
            data.drain()
        except ChannelEndedError:  # it reads no more; what it writes is still to come
            typing = False


def _feed(data: Channel, stdin: int) -> bool:
    """Send a piece of our input; whether there is more."""
    with suppress(BlockingIOError):
        piece = os.read(stdin, CHUNK)
        data.put(piece or "")
        return bool(piece)
    return True


def _wait(inlets: list[Inlet], signals: Caught, data: Channel, stdin: int | None) -> set[int]:
    waiting = select.poll()
    waiting.register(signals.fileno(), select.POLLIN)
    for inlet in inlets:
        if not inlet.over:
            waiting.register(inlet.channel.fileno(), select.POLLIN)
    if data.backlog and not inlets[-2].over:
        waiting.register(data.fileno(), select.POLLIN | select.POLLOUT)
    if stdin is not None and data.backlog < AHEAD:
        waiting.register(stdin, select.POLLIN)
    return {
        descriptor for descriptor, _ in waiting.poll(0 if any(one.more for one in inlets) else None)
    }
