"""What a move does to one of its two instances.

Role: stop, bring back, claim, quiesce and remove, each with the patience that daemons need, and
each such that a second time does no harm. Boundary: one backend at a time; knows no plan.
Threading: blocks its caller.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from lxtui.backend.base import Backend
from lxtui.errors import (
    HostUnreachableError,
    LxtuiError,
    NotFoundError,
    OperationError,
    OperationLostError,
)
from lxtui.migrate import AUTOSTART, INCOMING, MARK
from lxtui.model import Instance, Operation, Ref, StateAction

PATIENCE = 60.0
"""Seconds for which a daemon that does not answer is asked again: a restart takes less."""
LINGER = 15.0
"""Seconds after a stop that came too late in which the instance may stop after all."""
_RUNS_SECONDS = 15.0
"""How long a started instance may take until it says Running."""
_PAUSE = 0.5
_LOOK = 0.2
_REMOVE_TRIES = 20
_BUSY_SECONDS = 45.0
"""Half as long again as Incus holds an instance for an operation that nobody carries on."""
_HANDING_OVER = "Live-migrating"
"""How the operation of Incus is called during which the source stands still."""
QUIET_SECONDS = 150.0
"""Seconds for which an operation that was given up may take to end: over a link that was cut, TCP
tries again after two minutes at the latest (TCP_RTO_MAX), and only then hears that it is over."""


def insist(
    action: Callable[[], None],
    *,
    patient: bool = True,
    on_wait: Callable[[LxtuiError], None] = lambda _: None,
) -> None:
    """Take *action*, again and again while the host does not answer, for PATIENCE seconds.

    The time is counted from the first silence: what takes long before it may be taken once more.
    A host that was restarted in the middle of it has forgotten what it was asked, and is asked
    anew. *on_wait* is told of each silence; what it raises ends the waiting.
    """
    until: float | None = None
    while True:
        try:
            action()
        except (HostUnreachableError, OperationLostError) as error:
            now = time.monotonic()
            if until is None:
                until = now + (PATIENCE if patient else 0.0)
            if now > until:
                raise
            on_wait(error)
            time.sleep(_PAUSE)
        else:
            return


def starts_itself(instance: Instance) -> bool:
    """Whether the daemon starts it whenever the daemon itself starts."""
    return instance.expanded_config.get(AUTOSTART, "").lower() in {"true", "1", "yes", "on"}


def claim(backend: Backend, ref: Ref, token: str) -> None:
    """Mark *ref* as being moved. ConflictError when somebody else has marked it."""
    if backend.instance(ref).config.get(MARK) != token:
        backend.set_config(ref, {MARK: token}, unless=MARK)


def put_to_sleep(backend: Backend, ref: Ref) -> None:
    """Switch its autostart off: a daemon that restarts must not start it beside its copy."""
    if starts_itself(backend.instance(ref)):
        backend.set_config(ref, {AUTOSTART: "false"})


def release(backend: Backend, ref: Ref, token: str, autostart: str | None) -> None:
    """Take the mark of *token* off again and give the autostart back; another's mark stays.

    For some seconds after a copy was given up, its source may be too busy with it to be changed,
    although the operation is over (Incus 6.0.4).
    """
    until = time.monotonic() + _BUSY_SECONDS
    while backend.instance(ref).config.get(MARK) == token:
        try:
            backend.set_config(ref, {MARK: None, INCOMING: None, AUTOSTART: autostart})
        except OperationError:
            if time.monotonic() > until:
                raise
            time.sleep(_PAUSE)
        else:
            return


def halt(backend: Backend, ref: Ref, *, force: bool, seconds: int) -> None:
    """Stop *ref* if it is not; OperationError says whether it was too slow or failed otherwise."""
    if backend.instance(ref).stopped:
        return
    try:
        backend.wait(backend.change_state(ref, StateAction.STOP, force=force, timeout=seconds))
    except OperationError as error:
        if force or not backend.instance(ref).running:
            raise
        raise OperationError(
            f"{ref} did not stop within {seconds} s ({error}); "
            f"stop it inside, or move it with force"
        ) from error


def bring_back(backend: Backend, ref: Ref, *, asked_to_stop: bool) -> None:
    """Have *ref* run again; one that was asked to stop in vain may still do so, and is watched."""
    until = time.monotonic() + (LINGER if asked_to_stop else 0.0)
    while backend.instance(ref).running:
        if time.monotonic() >= until:
            return
        time.sleep(_PAUSE)
    backend.wait(backend.change_state(ref, StateAction.START))


def start(
    backend: Backend,
    ref: Ref,
    may: Callable[[], None],
    on_wait: Callable[[LxtuiError], None] = lambda _: None,
) -> None:
    """Have *ref* run, through a restart of its daemon; returns when it says Running.

    *may* is called right before each start, and raises when *ref* must not be started. A start
    whose answer was lost may have been made, or may be at work: *ref* is watched before another.
    """
    asked = False

    def begin() -> None:
        nonlocal asked
        if _runs_within(backend, ref, LINGER if asked else 0.0):
            return
        may()
        asked = True
        backend.wait(backend.change_state(ref, StateAction.START))

    def look() -> None:
        if not _runs_within(backend, ref, _RUNS_SECONDS):
            raise OperationError(f"{ref} was started but does not run; see its log on the host")

    insist(begin, on_wait=on_wait)
    insist(look, on_wait=on_wait)


def _runs_within(backend: Backend, ref: Ref, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while not backend.instance(ref).running:
        if time.monotonic() >= until:
            return False
        time.sleep(_LOOK)
    return True


def end_operation(backend: Backend, number: str, seconds: float = QUIET_SECONDS) -> None:
    """Give up an operation of ours, if it is not over, and wait until it is."""
    operation = Operation(number, backend.remote.name)
    backend.cancel(operation)
    until = time.monotonic() + seconds

    def look(now: Operation) -> None:
        if not now.finished and time.monotonic() > until:
            raise LxtuiError(f"{backend.remote.name}: {now.description} does not end")

    with suppress(OperationError):  # cancelled, failed or forgotten: over in any case
        backend.wait(operation, look)


def hands_over(backend: Backend, project: str) -> bool:
    """Whether an instance of the project stands still there until its fate is known elsewhere."""
    at_work = backend.operations(project)
    return any(one.description.startswith(_HANDING_OVER) and not one.finished for one in at_work)


def end_hand_over(backend: Backend, ref: Ref, seconds: float = QUIET_SECONDS) -> None:
    """Wait until CRIU has let go of *ref*, whose copy was given up: it may end it until then.

    The operation does not say whose it is, so the time is limited: it may be another's.
    """
    until = time.monotonic() + seconds
    while hands_over(backend, ref.project) and time.monotonic() < until:
        time.sleep(_PAUSE)


def end_offers(backend: Backend, ref: Ref, seconds: float = QUIET_SECONDS) -> None:
    """Give up whatever *ref* is being copied by, and wait until that is over."""
    for operation in _operations_on(backend, ref):
        if operation.description.startswith("Migrating"):
            end_operation(backend, operation.id, seconds)


def quiesce(backend: Backend, ref: Ref, token: str, seconds: float) -> None:
    """Wait until no operation works on *ref*; those on what bears *token* are given up.

    A copy that a lost lxtui has begun may make the instance only now.
    """
    until = time.monotonic() + seconds
    while busy := _operations_on(backend, ref):
        if time.monotonic() > until:
            raise OperationError(f"{ref} is busy: {busy[0].description}; wait until it is over")
        if _bears(backend, ref, token):
            for operation in busy:
                backend.cancel(operation)
        time.sleep(_PAUSE)


def _operations_on(backend: Backend, ref: Ref) -> list[Operation]:
    # The name alone says little: another project may have one that is called the same.
    of_project = backend.operations(ref.project)
    return [one for one in of_project if ref.name in one.resources and not one.finished]


def _bears(backend: Backend, ref: Ref, token: str) -> bool:
    try:
        return backend.instance(ref).config.get(MARK) == token
    except NotFoundError:
        return False


def settled(backend: Backend, ref: Ref) -> Instance:
    """*ref* as it is; asked again while its daemon cannot say, as CRIU has just ended it.

    Incus 6.0.4 answers "Invalid PID" then, for some seconds.
    """
    until = time.monotonic() + _RUNS_SECONDS
    while True:
        try:
            return backend.instance(ref)
        except OperationError:
            if time.monotonic() > until:
                raise
            time.sleep(_PAUSE)


def stop_marked(backend: Backend, ref: Ref, token: str) -> None:
    """Stop *ref* by force if it is there and bears *token*."""
    if _bears(backend, ref, token):
        halt(backend, ref, force=True, seconds=0)


def remove_marked(backend: Backend, ref: Ref, token: str) -> None:
    """Remove *ref* if it is there and bears *token*; somebody else's is never touched."""
    for attempt in range(_REMOVE_TRIES):
        try:
            partial = backend.instance(ref)
            if partial.config.get(MARK) != token:
                return
            if not partial.stopped:
                halt(backend, ref, force=True, seconds=0)
            backend.wait(backend.delete_instance(ref))
        except NotFoundError:
            return
        except OperationError:
            # A copy that was just cancelled is busy for a moment.
            if attempt == _REMOVE_TRIES - 1:
                raise
            time.sleep(_PAUSE)


def source_fault(backend: Backend, ref: Ref, last_used_at: datetime | None, token: str) -> str:
    """What is wrong with a source that should lie still since it was copied; empty if nothing."""
    try:
        now = backend.instance(ref)
    except NotFoundError:
        return f"{ref} was deleted by somebody else meanwhile"
    if not now.stopped:
        return f"{ref} was started by somebody else meanwhile"
    if now.last_used_at != last_used_at:
        return f"{ref} has run meanwhile: somebody else started it"
    if now.config.get(MARK) != token:
        return f"the mark of this move was taken off {ref} by somebody else"
    return ""


def explain_leftover(backend: Backend, ref: Ref, error: LxtuiError) -> str:
    """How *ref* is now that it could not be deleted, and what to do; empty when it is gone."""
    try:
        state = backend.instance(ref).status
    except NotFoundError:
        return ""
    except LxtuiError:
        return (
            f"{ref} could not be deleted ({error}) and its host does not answer; when it does, "
            f"look at {ref} before you delete it, and do not let both run"
        )
    if state == "Stopped":
        return f"the stopped {ref} could not be deleted ({error}); delete it, and do not start it"
    return (
        f"{ref} is {state.lower()} again, started by somebody else, and was left alone ({error}); "
        f"decide which of the two to keep, and stop the other"
    )
