"""A copy through this machine: for hosts that cannot reach each other, and for headers to mend.

Role: both daemons wait, the source to be pulled from and the target to be pushed to; here each of
the source's channels is joined to the target's. Boundary: looks into one message only, the control
channel's first, of which keys are dropped, or whose kind of transfer is replaced. Threading: a
thread for each pair of channels, which it alone uses; blocks its caller.
"""

from __future__ import annotations

import select
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from threading import Event as Flag
from threading import Thread

from lxtui.backend.base import Channel, ChannelEndedError
from lxtui.errors import LxtuiError
from lxtui.migrate.copying import Pass, Watch
from lxtui.migrate.header import by_rsync, without_snapshot_keys
from lxtui.migrate.throttle import Throttle
from lxtui.model import MigrationOffer

Mend = Callable[[bytes], bytes]
_TICK = 0.2
"""Seconds between two looks at whether the copy is over."""
_BEHIND = 1024 * 1024
"""Bytes that may wait for one side before nothing more is taken from the other."""


def relay(
    what: Pass, dropped: frozenset[str] = frozenset(), limit: int = 0, *, rsync: bool = False
) -> None:
    """Make one pass through this machine, without the snapshots' configuration keys *dropped*.

    At most *limit* bytes a second pass, over both directions; 0: as fast as it goes. With *rsync*
    the daemons compare file by file, whatever else their pools could do.

    When it raises, both operations have been asked to end; a partial target may be left, which
    the caller removes by its mark.
    """
    source, target = what.source, what.target
    throttle = Throttle(limit)
    what.on_ask()
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
                        _mender(dropped, rsync=rsync) if name == "control" else None,
                        throttle,
                    )
                    for name in _channels(offer, sink)
                ]
                for joint in joints:
                    stack.enter_context(joint)
                try:

                    def moved() -> int:
                        return sum(one.moved for one in joints)

                    target.wait(sink.operation, Watch(what.on_copy, moved))
                    source.wait(offer.operation, Watch(what.on_end, moved))
                except LxtuiError as error:
                    raise next((one.trouble for one in joints if one.trouble), error) from None
        except BaseException:
            target.cancel(sink.operation)
            raise
    except BaseException:
        source.cancel(offer.operation)
        raise


class _Joint:
    """Two channels, joined by a thread for as long as the block lasts.

    Neither direction waits for the other: a daemon that takes nothing while it has something to
    say is listened to all the same, or both would wait for each other, through us.
    """

    def __init__(
        self, source: Channel, target: Channel, mend: Mend | None, throttle: Throttle
    ) -> None:
        self._source = source
        self._target = target
        self._mend = mend
        self._throttle = throttle
        self._over = Flag()
        self._thread = Thread(target=self._run, daemon=True)
        self.trouble: LxtuiError | None = None
        self.moved = 0
        """Bytes taken from either side."""

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        ends = ((self._source, self._target), (self._target, self._source))
        try:
            while not self._over.is_set():
                for here, peer in ends:
                    self._carry(here, peer)
                self._rest(ends)
        except (OSError, ValueError) as error:
            self.trouble = LxtuiError(f"the relay failed: {error}")
            self._part(clean=False)

    def _carry(self, here: Channel, peer: Channel) -> None:
        """Carry what *here* has said to *peer*, as long as that does not fall behind."""
        try:
            while peer.backlog < _BEHIND:
                message = here.receive(0)
                self.moved += len(message)
                peer.put(self._mended(here, message))
                self._over.wait(self._throttle.spend(len(message)))
        except TimeoutError:
            pass
        except ChannelEndedError as end:
            # The daemons leave a copy's file channel without a close frame and take one for a
            # failure: what one side did is done to the other, when it has heard the rest.
            with suppress(ChannelEndedError):
                while peer.backlog and not self._over.is_set():
                    _wait((), (peer,))
                    peer.drain()
            self._part(clean=end.clean)
            self._over.set()

    def _rest(self, ends: Sequence[tuple[Channel, Channel]]) -> None:
        """Wait until one has something to say that the other can take, or can take more."""
        if self._over.is_set():
            return
        behind = [here for here, _ in ends if here.backlog]
        _wait([here for here, peer in ends if peer.backlog < _BEHIND], behind)
        for here in behind:
            with suppress(ChannelEndedError):  # it is heard again where it is read
                here.drain()

    def _part(self, *, clean: bool) -> None:
        self._source.close(clean=clean)
        self._target.close(clean=clean)

    def _mended(self, here: Channel, message: str | bytes) -> str | bytes:
        """The source's first message as the target is to hear it, every other as it is."""
        mend = self._mend
        if mend is None or here is not self._source or isinstance(message, str):
            return message
        self._mend = None
        return mend(message)


def _wait(readable: Sequence[Channel], writable: Sequence[Channel]) -> None:
    """Wait for any of them, but not for long."""
    waiting = select.poll()
    wanted: dict[int, int] = {}
    for channel in readable:
        wanted[channel.fileno()] = select.POLLIN
    for channel in writable:
        wanted[channel.fileno()] = wanted.get(channel.fileno(), 0) | select.POLLOUT
    for descriptor, events in wanted.items():
        waiting.register(descriptor, events)
    waiting.poll(_TICK * 1000)


def _channels(offer: MigrationOffer, sink: MigrationOffer) -> list[str]:
    """The names of the source's channels, which the target must have too."""
    if missing := offer.secrets.keys() - sink.secrets.keys():
        raise LxtuiError(f"the target has no channel {', '.join(sorted(missing))}")
    return list(offer.secrets)


def _mender(dropped: frozenset[str], *, rsync: bool) -> Mend:
    def mend(message: bytes) -> bytes:
        header = without_snapshot_keys(message, dropped) if dropped else message
        return by_rsync(header) if rsync else header

    return mend
