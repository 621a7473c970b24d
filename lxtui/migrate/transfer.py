"""One pass of a copy: between the two hosts, or through this machine.

Role: opens the offer at one side, lets the other take it at each address until one works, waits
for both ends. Boundary: decides nothing about stopping, starting or deleting. Threading: blocks
its caller.

Source of the handshake: the daemons' REST API documentation, "Instance migration".
"""

from __future__ import annotations

from collections.abc import Callable

from lxtui.backend.base import Backend
from lxtui.errors import LxtuiError
from lxtui.migrate.copying import Pass, Watch
from lxtui.migrate.options import Transport
from lxtui.migrate.plan import Route
from lxtui.migrate.relay import relay
from lxtui.model import MigrationOffer


def transfer(what: Pass, route: Route) -> Transport:
    """Make one pass by *route*; when the hosts cannot connect, through this machine.

    Returns the transport by which it was made.

    When it raises, both operations have been asked to end; a partial target may be left, which
    the caller removes by its mark.
    """
    rsync = what.spec.refresh and route.refresh_by_rsync
    if route.transport is Transport.RELAY or rsync:
        relay(what, route.dropped, route.limit, rsync=rsync)
        return Transport.RELAY
    begin = push if route.transport is Transport.PUSH else pull
    try:
        begin(what)
    except LxtuiError as error:
        if route.chosen or not could_not_connect(error):
            raise
        what.on_detour(
            f"{what.source.remote.name} and {what.target.remote.name} cannot reach each other: "
            f"through this machine"
        )
        relay(what)
        return Transport.RELAY
    return route.transport


def pull(what: Pass) -> None:
    """Let the target connect to the source, at each of its addresses until one works."""
    source, target = what.source, what.target

    def attempt(offer: MigrationOffer, url: str) -> None:
        operation = target.accept(what.spec, offer, url)
        what.on_begin(operation, True)
        try:
            target.wait(operation, Watch(what.on_copy))
        except BaseException:
            target.cancel(operation)
            raise
        source.wait(offer.operation, Watch(what.on_end))

    def offer() -> MigrationOffer:
        what.on_ask()
        made = source.offer(what.ref, what.spec)
        what.on_begin(made.operation, False)
        return made

    _each_address(source, offer, attempt)


def push(what: Pass) -> None:
    """Let the source connect to the target, at each of its addresses until one works."""
    source, target = what.source, what.target

    def attempt(sink: MigrationOffer, url: str) -> None:
        what.on_ask()
        operation = source.send(what.ref, what.spec, sink, url)
        what.on_begin(operation, False)
        try:
            target.wait(sink.operation, Watch(what.on_copy))
            source.wait(operation, Watch(what.on_end))
        except BaseException:
            source.cancel(operation)
            raise

    def sink() -> MigrationOffer:
        made = target.receive(what.spec)
        what.on_begin(made.operation, True)
        return made

    _each_address(target, sink, attempt)


def _each_address(
    listening: Backend,
    opened: Callable[[], MigrationOffer],
    attempt: Callable[[MigrationOffer, str], None],
) -> None:
    """Open an offer for each address of the side that listens, until the other gets through."""
    tried = 0
    while True:
        offer = opened()  # one offer is good for one attempt
        try:
            attempt(offer, _url(offer, tried))
        except LxtuiError as error:
            listening.cancel(offer.operation)
            tried += 1
            if tried >= len(offer.addresses) or not could_not_connect(error):
                raise
        except BaseException:
            listening.cancel(offer.operation)
            raise
        else:
            return


def _url(offer: MigrationOffer, number: int) -> str:
    if not offer.addresses:
        raise LxtuiError(f"{offer.operation.host}: no route: it has no address on the network")
    return offer.url(offer.addresses[number])


def could_not_connect(error: LxtuiError) -> bool:
    """Whether another way may do better: a refusal by the daemon is the same on each."""
    said = str(error).lower()
    return any(
        mark in said
        for mark in ("dial tcp", "connection refused", "no route", "timeout", "unreachable")
    )
