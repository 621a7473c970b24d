"""A copy through this machine: for hosts that cannot reach each other, and for headers to mend.

Role: both daemons wait, the source to be pulled from and the target to be pushed to; here each of
the source's channels is joined to the target's. Boundary: looks into one message only, the control
channel's first, when keys have to be dropped from it. Threading: a thread for each pair of
channels, which it alone uses; blocks its caller.
"""

from __future__ import annotations

import selectors
from collections.abc import Callable
from contextlib import ExitStack, suppress
from threading import Event as Flag
from threading import Thread

from lxtui.backend.base import Channel, ChannelEndedError
from lxtui.errors import LxtuiError
from lxtui.migrate.copying import Pass
from lxtui.migrate.header import without_snapshot_keys
from lxtui.model import MigrationOffer

Mend = Callable[[bytes], bytes]
_TICK = 0.2
"""Seconds between two looks at whether the copy is over."""


def relay(what: Pass, dropped: frozenset[str] = frozenset()) -> None:
    """Make one pass through this machine, without the snapshots' configuration keys *dropped*.

    When it raises, both operations have been asked to end; a partial target may be left, which
    the caller removes by its mark.
    """
    source, target = what.source, what.target
    offer = source.offer(what.ref, what.spec)
    try:
        what.on_begin(offer.operation, False)
        sink = target.receive(what.spec)
        try:
            what.on_begin(sink.operation, True)
            with ExitStack() as stack:
                joints = [
                    _Joint(
                        stack.enter_context(source.channel(offer, name)),
                        stack.enter_context(target.channel(sink, name)),
                        _mender(dropped) if name == "control" and dropped else None,
                    )
                    for name in _channels(offer, sink)
                ]
                for joint in joints:
                    stack.enter_context(joint)
                try:
                    target.wait(sink.operation, what.on_copy)
                    source.wait(offer.operation)
                except LxtuiError as error:
                    raise next((one.trouble for one in joints if one.trouble), error) from None
        except BaseException:
            target.cancel(sink.operation)
            raise
    except BaseException:
        source.cancel(offer.operation)
        raise


class _Joint:
    """Two channels, joined by a thread for as long as the block lasts."""

    def __init__(self, source: Channel, target: Channel, mend: Mend | None) -> None:
        self._source = source
        self._target = target
        self._mend = mend
        self._over = Flag()
        self._thread = Thread(target=self._run, daemon=True)
        self.trouble: LxtuiError | None = None

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        peer = {self._source: self._target, self._target: self._source}
        ready = selectors.DefaultSelector()
        for end in peer:
            ready.register(end, selectors.EVENT_READ, end)
        try:
            while not self._over.is_set():
                for key, _ in ready.select(_TICK):
                    here = key.data
                    with suppress(TimeoutError):
                        while True:
                            peer[here].send(self._mended(here, here.receive(0)))
        except ChannelEndedError as end:
            # The daemons leave a copy's file channel without a close frame and take one for a
            # failure: what one side did is done to the other.
            self._source.close(clean=end.clean)
            self._target.close(clean=end.clean)
        except (OSError, ValueError) as error:
            self.trouble = LxtuiError(f"the relay failed: {error}")
            self._source.close(clean=False)
            self._target.close(clean=False)
        finally:
            ready.close()

    def _mended(self, here: Channel, message: str | bytes) -> str | bytes:
        """The source's first message without the keys to drop, every other as it is."""
        mend = self._mend
        if mend is None or here is not self._source or isinstance(message, str):
            return message
        self._mend = None
        return mend(message)


def _channels(offer: MigrationOffer, sink: MigrationOffer) -> list[str]:
    """The names of the source's channels, which the target must have too."""
    if missing := offer.secrets.keys() - sink.secrets.keys():
        raise LxtuiError(f"the target has no channel {', '.join(sorted(missing))}")
    return list(offer.secrets)


def _mender(dropped: frozenset[str]) -> Mend:
    return lambda message: without_snapshot_keys(message, dropped)
