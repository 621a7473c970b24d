"""The copy itself: one host pulls an instance from another.

Role: opens the offer at the source, lets the target pull from each address of the source until one
works, waits for both ends. Boundary: moves nothing through this machine (relay.py does), decides
nothing about stopping, starting or deleting. Threading: blocks its caller.

Source of the handshake: the daemons' REST API documentation, "Instance migration".
"""

from __future__ import annotations

from collections.abc import Callable

from lxtui.backend.base import Backend
from lxtui.errors import LxtuiError
from lxtui.model import InstanceSpec, Operation, Ref

OnCopy = Callable[[Operation], None]
"""Told about the target's operation; may raise InterruptedByUserError to end the copy."""


def pull(source: Backend, target: Backend, ref: Ref, spec: InstanceSpec, on_copy: OnCopy) -> None:
    """Copy *ref* to *spec*; the last address's error is raised when none works.

    When it raises, both operations have been asked to end; a partial target may be left, which
    the caller removes by its mark.
    """
    tried = 0
    while True:
        offer = source.offer(ref)  # one offer is good for one attempt
        try:
            operation = target.accept(spec, offer, offer.url(offer.addresses[tried]))
            try:
                target.wait(operation, on_copy)
            except BaseException:
                target.cancel(operation)
                raise
            source.wait(offer.operation)
        except LxtuiError as error:
            source.cancel(offer.operation)
            tried += 1
            if tried == len(offer.addresses) or not could_not_connect(error):
                raise
        except BaseException:
            source.cancel(offer.operation)
            raise
        else:
            return


def could_not_connect(error: LxtuiError) -> bool:
    """Whether another way may do better: a refusal by the daemon is the same on each."""
    said = str(error).lower()
    return any(
        mark in said
        for mark in ("dial tcp", "connection refused", "no route", "timeout", "unreachable")
    )
