"""A session that was begun: the operation, its websockets, its control channel.

Role: begins it, opens every channel, closes all. Boundary: the backend protocol. Threading: belongs
to one thread; how it ends is learnt by another (ending.py).
"""

from __future__ import annotations

import json
import select
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress

from lxtui.api import Request
from lxtui.backend.base import Backend, Channel, ChannelEndedError
from lxtui.errors import HostUnreachableError, LxtuiError, OperationError
from lxtui.model import MigrationOffer, Operation
from lxtui.terminal.asked import Size
from lxtui.terminal.ending import Ending

CONTROL = "control"
_PIECE = 256 * 1024
"""Bytes that are taken in before anything else is looked at: some programs never stop."""
_LOOK_MILLISECONDS = 200
_END_SECONDS = 20.0
"""After the last channel has ended, until the daemon has said how the operation has."""
_REASON_SECONDS = 3.0
"""For the daemon's own reason why there are no channels."""


class Opened:
    """What was begun, with its channels by name."""

    def __init__(self, channels: Mapping[str, Channel], ending: Ending) -> None:
        self.channels = channels
        self.ending = ending

    def signal(self, number: int) -> None:
        """Have the program get a signal."""
        self._control({"command": "signal", "signal": number})

    def resize(self, size: Size) -> None:
        """Tell how large our terminal is."""
        width, height = size
        arguments = {"width": str(width), "height": str(height)}
        self._control({"command": "window-resize", "args": arguments})

    def close(self) -> None:
        """Take leave of every channel: LXD ends a console's operation only then."""
        for channel in self.channels.values():
            channel.close()

    def status(self) -> int:
        """How the program has ended: waits as long as it runs on without output.

        NotStartedError when it never ran, HostUnreachableError when nobody knows.
        """
        control = Inlet(self.channels[CONTROL])
        while not self.ending.over and not control.over:
            control.take()
            waiting = select.poll()
            if not control.over:
                waiting.register(control.channel.fileno(), select.POLLIN)
            waiting.poll(_LOOK_MILLISECONDS)
        return self.ending.status(_END_SECONDS)

    def _control(self, message: object) -> None:
        with suppress(ChannelEndedError):
            self.channels[CONTROL].put(json.dumps(message))


class Inlet:
    """What a channel brings, until it ends."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.over = False
        self.clean = True
        """Whether it was ended, and not cut."""
        self.more = False
        """Whether more has come in than was taken, which poll(2) does not see."""

    def take(self) -> bytes:
        """Some of what has come in by now; an empty text means that there will be no more."""
        found = bytearray()
        self.more = True
        while not self.over and len(found) < _PIECE:
            try:
                message = self.channel.receive(0)
            except TimeoutError:
                self.more = False
                break
            except ChannelEndedError as error:
                self.over, self.clean = True, error.clean
                break
            if isinstance(message, bytes):
                found += message
            elif not message:
                self.over = True
        return bytes(found)


@contextmanager
def opened(backend: Backend, request: Request, names: Sequence[str]) -> Iterator[Opened]:
    """Begin what *request* asks for and open the channels *names*; the block's end closes them.

    The control channel is to be the first: a program begins with the others, and may end at once.
    """
    operation = backend.request(request)
    secrets = _secrets(operation)
    offer = MigrationOffer(operation, (), "", secrets)
    ending = Ending(backend, operation)
    try:
        with ExitStack() as stack:
            channels = {}
            try:
                for name in names:
                    channels[name] = stack.enter_context(backend.channel(offer, name))
            except HostUnreachableError:
                ending.status(_REASON_SECONDS)  # which raises, if the daemon knows why
                raise
            except BaseException:
                with suppress(LxtuiError):
                    backend.cancel(operation)
                raise
            yield Opened(channels, ending)
    finally:
        ending.give_up()


def _secrets(operation: Operation) -> dict[str, str]:
    found = operation.metadata.get("fds")
    if not isinstance(found, dict):
        raise OperationError(f"{operation.host}: the daemon has opened no channels for it")
    return {str(name): str(secret) for name, secret in found.items()}
