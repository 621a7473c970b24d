"""What a move does to one of its two instances.

Role: stop, bring back, claim and remove, each with the patience that daemons need. Boundary: one
backend at a time; knows no plan. Threading: blocks its caller.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from lxtui.backend.base import Backend
from lxtui.errors import HostUnreachableError, LxtuiError, NotFoundError, OperationError
from lxtui.migrate import MARK
from lxtui.model import Instance, Ref, StateAction

PATIENCE = 60.0
"""Seconds for which a daemon that does not answer is asked again: a restart takes less."""
LINGER = 15.0
"""Seconds after a stop that came too late in which the instance may stop after all."""
_PAUSE = 0.5
_REMOVE_TRIES = 20
_AUTOSTART = "boot.autostart"


def insist(action: Callable[[], None]) -> None:
    """Take *action*, again and again while the host does not answer, for PATIENCE seconds."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            action()
        except HostUnreachableError:
            if time.monotonic() > until:
                raise
            time.sleep(_PAUSE)
        else:
            return


def claim(backend: Backend, instance: Instance, token: str) -> None:
    """Mark *instance* as being moved.

    ConflictError when somebody else has marked it. Its autostart is switched off for the time: a
    daemon that restarts in the middle must not start the source beside its copy.
    """
    changes: dict[str, str | None] = {MARK: token}
    if instance.expanded_config.get(_AUTOSTART, "").lower() in {"true", "1", "yes", "on"}:
        changes[_AUTOSTART] = "false"
    backend.set_config(instance.ref, changes, unless=MARK)


def release(backend: Backend, before: Instance, token: str) -> None:
    """Take the mark of *token* off again and give the autostart back; another's mark stays."""
    if backend.instance(before.ref).config.get(MARK) == token:
        own = before.config.get(_AUTOSTART)
        backend.set_config(before.ref, {MARK: None, _AUTOSTART: own})


def halt(backend: Backend, ref: Ref, *, force: bool, seconds: int) -> None:
    """Stop *ref*; OperationError says whether it was too slow or failed otherwise."""
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


def source_fault(backend: Backend, before: Instance, token: str) -> str:
    """What is wrong with a source that should lie still since *before*; empty when nothing is."""
    try:
        now = backend.instance(before.ref)
    except NotFoundError:
        return f"{before.ref} was deleted by somebody else meanwhile"
    if not now.stopped:
        return f"{before.ref} was started by somebody else meanwhile"
    if now.last_used_at != before.last_used_at:
        return f"{before.ref} has run meanwhile: somebody else started it"
    if now.config.get(MARK) != token:
        return f"the mark of this move was taken off {before.ref} by somebody else"
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
