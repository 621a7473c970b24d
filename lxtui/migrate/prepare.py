"""What comes before a move: the facts of both ends, the plan made of them, the journal begun.

Role: the only asking of hosts that changes nothing. Boundary: talks to two backends; what the facts
mean is known by preflight and plan. Threading: functions; they block their caller.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from lxtui.backend.base import Backend
from lxtui.clock import utc_now
from lxtui.errors import LxtuiError, NotFoundError, NotTrustedError, OperationError
from lxtui.migrate import rates
from lxtui.migrate.facts import MoveFacts, root_pool_name
from lxtui.migrate.journal import Header, Journal
from lxtui.migrate.live_checks import possible
from lxtui.migrate.options import MoveOptions
from lxtui.migrate.plan import MovePlan, plan_move, route
from lxtui.model import CLI, Instance, Placement, Ref


def gather(
    source: Backend, target: Backend, ref: Ref, options: MoveOptions | None = None
) -> MoveFacts:
    """The facts about both ends, as they are now."""
    options = options or MoveOptions()
    instance, here, there = source.instance(ref), source.connect(), target.connect()
    project = options.project or ref.project
    try:
        placement = target.placement(project)
    except (NotFoundError, OperationError) as error:
        if project == "default":
            raise
        make = f"{CLI[there.kind]} project create {there.name}:{project}"
        raise LxtuiError(
            f"{there.name} has no project {project!r} ({error}); create it: '{make}'"
        ) from error
    facts = MoveFacts(instance, here, there, placement, options, _origin(source, ref.project))
    if options.refresh:
        with suppress(NotFoundError):
            facts = replace(facts, replica=target.instance(facts.destination))
    return replace(facts, live_refusal=source.live_refusal(ref)) if possible(facts) else facts


def _origin(source: Backend, project: str) -> Placement:
    """What the instance has around it; nothing where a restricted certificate may not ask."""
    try:
        return source.placement(project)
    except (NotTrustedError, NotFoundError, OperationError):
        return Placement()


def other_pools(backend: Backend, instance: Instance) -> tuple[str, ...]:
    """The pools of its own host to which an instance could go."""
    pools = backend.placement(instance.ref.project).pools
    return tuple(sorted(pools.keys() - {root_pool_name(instance)}))


def prepare(
    source: Backend,
    target: Backend,
    ref: Ref,
    options: MoveOptions | None = None,
    moves: Path | None = None,
) -> MovePlan:
    """The plan of moving *ref*; look at its blockers before you run it.

    *moves* is the folder of the journals, where the rates of earlier moves are.
    """
    facts = gather(source, target, ref, options)
    if moves is not None:
        way = route(facts).transport
        rate = rates.typical(moves, source.remote.name, target.remote.name, way)
        facts = replace(facts, rate=rate)
    return plan_move(facts, secrets.token_hex(8))


def begin(plan: MovePlan, folder: Path) -> Journal:
    """The journal of a move that is about to begin; LxtuiError when the plan has blockers."""
    if plan.blockers:
        raise LxtuiError(
            f"{plan.source} cannot be moved to {plan.destination.host}: "
            + "; also ".join(map(str, plan.blockers))
        )
    header = Header(
        token=plan.token,
        source=plan.source,
        destination=plan.destination,
        options=plan.options,
        was_running=plan.was_running,
        autostart=plan.autostart,
        began_at=utc_now(),
    )
    return Journal.create(folder, header)
