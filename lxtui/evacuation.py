"""Many instances moved at once: all of a host, or those that were marked.

Role: asks the hosts once, arranges who goes where, makes the moves, some at a time. Boundary:
backends below, a report above; shows nothing. Threading: ``carry_out`` blocks its caller and uses
threads of its own; ``stop`` may be set from any thread: running moves then put everything back,
others are not begun.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event as Flag
from threading import Lock

from lxtui.audit.journal import SILENT, Audit
from lxtui.backend.base import Backend
from lxtui.commands import Move, MoveMany
from lxtui.errors import LxtuiError, OperationError, UsageError
from lxtui.migrate import MOVED
from lxtui.migrate.facts import Level, MoveFacts
from lxtui.migrate.options import MoveOptions
from lxtui.migrate.placement import (
    Candidate,
    Fate,
    Load,
    Room,
    Row,
    memory_left,
    memory_need,
    place,
)
from lxtui.migrate.plan import route
from lxtui.migrate.pool_checks import space_needed
from lxtui.migrate.preflight import check
from lxtui.model import Host, Instance, Placement, Progress, Ref
from lxtui.perform import Outcome, perform

Report = Callable[[Ref, Progress], None]


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
    return _arranged({here.name: (source, here)}, leaving, targets, options)


def survey_some(
    refs: Collection[Ref],
    backends: Mapping[str, Backend],
    targets: Sequence[str],
    options: MoveOptions,
) -> tuple[Row, ...]:
    """Where each of these instances, of one host or several, would go; nothing is touched."""
    sources = {name: (backends[name], backends[name].connect()) for name in {r.host for r in refs}}
    leaving = [
        one for backend, _ in sources.values() for one in backend.instances() if one.ref in refs
    ]
    leaving.sort(key=lambda one: one.ref)
    return _arranged(sources, leaving, [backends[name] for name in targets], options)


def _arranged(
    sources: Mapping[str, tuple[Backend, Host]],
    chosen: Sequence[Instance],
    targets: Sequence[Backend],
    options: MoveOptions,
) -> tuple[Row, ...]:
    staying = {
        one.ref: why
        for one in chosen
        if (why := _why_it_stays(one, sources[one.ref.host][1], targets))
    }
    leaving = [one for one in chosen if one.ref not in staying]
    origins = {
        (host, project): sources[host][0].placement(project)
        for host, project in {(one.ref.host, one.ref.project) for one in leaving}
    }
    sides = [_ask(target, {project for _, project in origins}) for target in targets]
    cases = {
        one.ref: [
            _consider(one, sources[one.ref.host][1], side, origins[one.ref[:2]], options)
            for side in sides
        ]
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
    rows += [Row(ref, fate=Fate.STAYS, reason=why) for ref, why in staying.items()]
    return tuple(rows)


def _why_it_stays(one: Instance, host: Host, targets: Sequence[Backend]) -> str:
    if host.read_only:
        return f"{host.name} is read-only"
    if MOVED in one.config:
        return f"is the kept source of {one.config[MOVED]}"
    at_home = bool(targets) and {target.remote.name for target in targets} == {one.ref.host}
    return "is there already" if at_home else ""


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
    ended: Callable[[Row], None] = lambda _: None,
    audit: Audit = SILENT,
) -> tuple[Row, ...]:
    """Make the planned moves, *parallel* at a time; what became of each, in the same order.

    *ended* is told of each as soon as that is known, from the thread that made it.

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
                audit,
            ).move
        except LxtuiError as error:
            if not keep_going:
                halted.set()
            return replace(row, fate=Fate.FAILED, reason=str(error))
        seconds, away = (done.seconds, done.downtime_seconds) if done else (None, None)
        return replace(row, fate=Fate.MOVED, seconds=seconds, downtime_seconds=away)

    def see_through(row: Row) -> Row:
        done = move(row)
        ended(done)
        return done

    with ThreadPoolExecutor(max_workers=max(parallel, 1), thread_name_prefix="evacuate") as pool:
        return tuple(pool.map(see_through, rows))


def move_many(
    command: MoveMany,
    backends: Mapping[str, Backend],
    report: Callable[[Progress], None],
    stop: Flag,
    moves: Path,
    audit: Audit = SILENT,
) -> Outcome:
    """Carry out what a person has seen and agreed to; OperationError unless all went well.

    The progress has one line for each instance, to the end.
    """
    rows = {row.source: row for row in command.rows}
    latest: dict[Ref, str] = {}
    lock = Lock()

    def tell(line: str) -> None:
        report(Progress(line, details=tuple(_line(row, latest) for row in rows.values())))

    def working(ref: Ref, progress: Progress) -> None:
        with lock:
            latest[ref] = progress.text
            tell(f"{ref}: {progress.text}")

    def ended(row: Row) -> None:
        with lock:
            rows[row.source] = row
            latest.pop(row.source, None)
            tell(_summary(rows.values()))

    carry_out(
        command.rows,
        command.options,
        backends,
        working,
        stop,
        moves,
        parallel=command.parallel,
        keep_going=command.keep_going,
        ended=ended,
        audit=audit,
    )
    said = _summary(rows.values())
    if not all(row.well for row in rows.values()):
        raise OperationError(said)
    return Outcome(said)


def _summary(rows: Collection[Row]) -> str:
    """``3 moved, 1 failed``: how many have each fate."""
    counts = {fate: sum(row.fate is fate for row in rows) for fate in Fate}
    return ", ".join(f"{count} {fate.value}" for fate, count in counts.items() if count)


def _line(row: Row, latest: Mapping[Ref, str]) -> str:
    how = latest.get(row.source) or ": ".join(filter(None, (row.fate.value, row.reason)))
    return f"{row.source}{f' → {row.target}' if row.target else ''}  {how}"


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
    if side.host.read_only:
        return Candidate(side.host.name, refusal=f"{side.host.name} is read-only"), ()
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
