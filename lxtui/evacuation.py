"""All instances of a host moved away, to one host or to several.

Role: asks the hosts once, arranges who goes where, makes the moves, some at a time. Boundary:
backends below, a report above; shows nothing. Threading: ``carry_out`` blocks its caller and uses
threads of its own; ``stop`` may be set from any thread: running moves then put everything back,
others are not begun.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from threading import Event as Flag

from lxtui.backend.base import Backend
from lxtui.commands import Move
from lxtui.errors import LxtuiError, UsageError
from lxtui.migrate import MOVED
from lxtui.migrate.facts import Level, MoveFacts
from lxtui.migrate.options import MoveOptions
from lxtui.migrate.placement import Candidate, Load, Room, memory_left, memory_need, place
from lxtui.migrate.plan import route
from lxtui.migrate.preflight import check, space_needed
from lxtui.model import Host, Instance, Placement, Progress, Ref
from lxtui.perform import perform

Report = Callable[[Ref, Progress], None]


class Fate(StrEnum):
    """What became of one instance."""

    PLANNED = "planned"
    MOVED = "moved"
    FAILED = "failed"
    """Its move failed, and was taken back or left as the reason says."""
    NOT_BEGUN = "not-begun"
    DOES_NOT_FIT = "does-not-fit"
    STAYS = "stays"
    """It is the kept source of an earlier move."""


@dataclass(frozen=True, slots=True)
class Row:
    """One instance of the host."""

    source: Ref
    target: str = ""
    """The host that it goes to."""
    fate: Fate = Fate.PLANNED
    reason: str = ""
    memory: int = 0
    """Bytes that it may use."""
    disk: int | None = None
    warnings: tuple[str, ...] = ()
    seconds: float | None = None
    downtime_seconds: float | None = None

    @property
    def well(self) -> bool:
        """Whether nobody has to see to it."""
        return self.fate in {Fate.MOVED, Fate.PLANNED, Fate.STAYS}


@dataclass(frozen=True, slots=True)
class _Side:
    """A target with what was asked of it."""

    host: Host
    placements: Mapping[str, Placement]
    """By project."""
    instances: tuple[Instance, ...]


def survey(
    source: Backend, targets: Sequence[Backend], options: MoveOptions, project: str = ""
) -> tuple[Row, ...]:
    """Where each instance of *source* would go; nothing is touched.

    With *project* only that one's. LxtuiError when a host does not answer.
    """
    here = source.connect()
    names = [one.remote.name for one in targets]
    if here.name in names or len(set(names)) < len(names):
        raise UsageError("each target must be another host, named once")
    leaving = [one for one in source.instances() if project in {"", one.ref.project}]
    kept = [one for one in leaving if MOVED in one.config]
    leaving = [one for one in leaving if MOVED not in one.config]
    projects = {one.ref.project for one in leaving}
    origins = {name: source.placement(name) for name in projects}
    sides = [_ask(target, projects) for target in targets]
    cases = {
        one.ref: [_consider(one, here, side, origins[one.ref.project], options) for side in sides]
        for one in leaving
    }
    arranged = place(
        [
            Load(one.ref, memory_need(one), tuple(candidate for candidate, _ in cases[one.ref]))
            for one in leaving
        ],
        [_room(side) for side in sides],
    )
    rows = []
    for one in leaving:
        row = Row(one.ref, memory=memory_need(one), disk=one.disk)
        if reason := arranged.unplaced.get(one.ref):
            rows.append(replace(row, fate=Fate.DOES_NOT_FIT, reason=reason))
            continue
        target = arranged.placed[one.ref]
        said = next(said for candidate, said in cases[one.ref] if candidate.host == target)
        rows.append(replace(row, target=target, warnings=said))
    rows += [
        Row(one.ref, fate=Fate.STAYS, reason=f"is the kept source of {one.config[MOVED]}")
        for one in kept
    ]
    return tuple(rows)


def carry_out(
    rows: Sequence[Row],
    options: MoveOptions,
    backends: Mapping[str, Backend],
    report: Report,
    stop: Flag,
    moves: Path,
    *,
    parallel: int = 1,
    keep_going: bool = False,
) -> tuple[Row, ...]:
    """Make the planned moves, *parallel* at a time; what became of each, in the same order.

    Without *keep_going* nothing is begun when one does not fit, and nothing more after a failure;
    moves that run by then are seen through.
    """
    halted = Flag()
    if not keep_going and not all(row.well for row in rows):
        halted.set()

    def move(row: Row) -> Row:
        if row.fate is not Fate.PLANNED:
            return row
        if stop.is_set() or halted.is_set():
            why = "stopped on request" if stop.is_set() else "another one failed or does not fit"
            return replace(row, fate=Fate.NOT_BEGUN, reason=why)
        try:
            done = perform(
                Move(row.source, row.target, options),
                backends,
                lambda progress: report(row.source, progress),
                stop,
                moves,
            ).move
        except LxtuiError as error:
            if not keep_going:
                halted.set()
            return replace(row, fate=Fate.FAILED, reason=str(error))
        seconds, away = (done.seconds, done.downtime_seconds) if done else (None, None)
        return replace(row, fate=Fate.MOVED, seconds=seconds, downtime_seconds=away)

    with ThreadPoolExecutor(max_workers=max(parallel, 1), thread_name_prefix="evacuate") as pool:
        return tuple(pool.map(move, rows))


def _ask(target: Backend, projects: set[str]) -> _Side:
    host = target.connect()
    placements = {}
    for project in projects:
        try:
            placements[project] = target.placement(project)
        except LxtuiError:
            if project == "default":
                raise
    return _Side(host, placements, target.instances())


def _consider(
    instance: Instance, here: Host, side: _Side, origin: Placement, options: MoveOptions
) -> tuple[Candidate, tuple[str, ...]]:
    """This instance at that host, and the warnings about it."""
    project = instance.ref.project
    placement = side.placements.get(project)
    if placement is None:
        return Candidate(side.host.name, refusal=f"it has no project {project!r}"), ()
    facts = MoveFacts(instance, here, side.host, placement, options, origin)
    findings, root = check(facts, route(facts).transport), facts.root_pool
    candidate = Candidate(
        side.host.name,
        root[0] if root is not None else "",
        space_needed(facts),
        "; also ".join(str(one) for one in findings if one.level is Level.BLOCKER),
    )
    return candidate, tuple(str(one) for one in findings if one.level is Level.WARNING)


def _room(side: _Side) -> Room:
    pools: dict[str, int | None] = {}
    for placement in side.placements.values():
        pools |= {name: pool.free for name, pool in placement.pools.items()}
    return Room(side.host.name, memory_left(side.host.memory_total, side.instances), pools)
