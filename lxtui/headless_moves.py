"""Plans, unfinished moves and evacuations without a screen.

Role: tables for people, JSON for programs, as in headless.py; the JSON keys are an interface.
Boundary: gets values and backends, writes text; parses no arguments. Threading: an evacuation
reports from many threads, one line at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Lock

from lxtui import evacuation
from lxtui import format as text
from lxtui.audit.journal import SILENT, Audit
from lxtui.backend.base import Backend
from lxtui.clock import utc_now
from lxtui.commands import typed_plan
from lxtui.errors import LxtuiError
from lxtui.headless import Json, ProgressLine, iso, rounded, stop_on_signals
from lxtui.migrate.journal import Record
from lxtui.migrate.options import MoveOptions
from lxtui.migrate.placement import Row
from lxtui.migrate.plan import MovePlan
from lxtui.migrate.standing import Seen, advice, at_stake
from lxtui.model import Progress, Ref

Plans = Mapping[Ref, MovePlan | LxtuiError]
"""Of the moves of an evacuation that is only planned, or why there is none."""


def plan_json(plan: MovePlan) -> Json:
    """The documented keys of a plan that was not carried out."""
    return {
        "source": plan.source.plain,
        "destination": plan.destination.plain,
        "project": plan.destination.project,
        "transport": plan.route.transport.value,
        "possible": not plan.blockers,
        "steps": [
            {"step": one.kind.value, "text": one.text, "undo": one.undo} for one in plan.steps
        ],
        "findings": [
            {"level": one.level.value, "text": one.text, "remedy": one.remedy}
            for one in plan.findings
        ],
        "profiles": sorted(plan.profiles),
        "size_bytes": plan.estimate.size,
        "estimated_seconds": rounded(plan.estimate.seconds),
        "estimated_downtime_seconds": rounded(plan.estimate.downtime_seconds),
        "estimated_rate": plan.estimate.rate,
        "estimated_rate_assumed": plan.estimate.assumed,
        "commands": list(plan.commands),
    }


def print_plan(plan: MovePlan, indent: str = "") -> None:
    """A plan for people: findings, the steps and how each is undone, what it takes."""
    lines = [f"{finding.level}: {finding}" for finding in plan.findings]
    for number, step in enumerate(plan.steps, 1):
        undone = f" (undone: {step.undo})" if step.undo else ""
        lines.append(f"{number}. {step.text}{undone}")
    lines.append(str(plan.estimate))
    lines += [f"as: {command}" for command in typed_plan(plan)]
    for line in lines:
        print(f"{indent}{text.plain(line)}")


def move_json(record: Record, seen: Seen) -> Json:
    """The documented keys of an unfinished move."""
    header, now = record.header, utc_now()
    return {
        "token": header.token,
        "source": header.source.plain,
        "source_project": header.source.project,
        "destination": header.destination.plain,
        "destination_project": header.destination.project,
        "began_at": iso(header.began_at),
        "step": record.begun[-1] if record.begun else None,
        "busy": record.busy,
        "advice": advice(record, seen, now),
        "at_stake": at_stake(record, seen, now) or None,
    }


def print_moves(found: Sequence[Record], seen: Sequence[Seen]) -> None:
    """Unfinished moves as a table."""
    now = utc_now()
    rows = [
        (
            record.header.token,
            str(record.header.source),
            str(record.header.destination),
            record.begun[-1] if record.begun else "-",
            text.age(record.header.began_at, now),
            text.plain(advice(record, ends, now)),
        )
        for record, ends in zip(found, seen, strict=True)
    ]
    print(text.table(("MOVE", "FROM", "TO", "STEP", "AGE", "NOW"), rows))


def evacuation_json(host: str, targets: Sequence[str], rows: Sequence[Row], plans: Plans) -> Json:
    """The documented keys of an evacuation, carried out or only planned."""
    return {
        "command": "evacuate",
        "host": host,
        "targets": list(targets),
        "result": "done" if well(rows, plans) else "failed",
        "moves": [
            {
                "source": row.source.plain,
                "project": row.source.project,
                "target": row.target or None,
                "result": row.fate.value,
                "error": row.reason or None,
                "warnings": list(row.warnings),
                "memory_bytes": row.memory,
                "disk_bytes": row.disk,
                "seconds": rounded(row.seconds),
                "downtime_seconds": rounded(row.downtime_seconds),
                "plan": _plan_json(plans.get(row.source)),
            }
            for row in rows
        ],
    }


def _plan_json(plan: MovePlan | LxtuiError | None) -> Json | None:
    return plan_json(plan) if isinstance(plan, MovePlan) else None


def well(rows: Sequence[Row], plans: Plans) -> bool:
    """Whether nobody has to see to one of them."""
    hindered = any(not isinstance(plan, MovePlan) or plan.blockers for plan in plans.values())
    return all(row.well for row in rows) and not hindered


def print_evacuation(found: Sequence[Row], plans: Plans) -> None:
    """An evacuation as a table, and under it what people have to know or to mend.

    *plans*: of those that are to be moved, where nothing is carried out.
    """
    if not found:
        print("there is nothing to move")
        return
    rows = [
        (
            text.plain(str(row.source)),
            row.target or "-",
            row.fate.value,
            text.size(row.memory) if row.memory else "-",
            text.size(row.disk),
            text.duration(row.seconds) if row.seconds is not None else "-",
            text.duration(row.downtime_seconds) if row.downtime_seconds is not None else "-",
        )
        for row in found
    ]
    print(text.table(("INSTANCE", "TO", "RESULT", "MEMORY", "DISK", "TOOK", "AWAY"), rows))
    for row in found:
        if row.reason:
            print(text.plain(f"{row.fate}: {row.source}: {row.reason}"))
    for ref, plan in plans.items():
        if isinstance(plan, MovePlan):
            print(text.plain(f"{ref} → {plan.destination}"))
            print_plan(plan, "  ")
        else:
            print(text.plain(f"{ref} cannot be planned: {plan}"))


def evacuate(
    rows: Sequence[Row],
    options: MoveOptions,
    backends: Mapping[str, Backend],
    moves: Path,
    *,
    parallel: int,
    keep_going: bool,
    audit: Audit = SILENT,
) -> tuple[Row, ...]:
    """Make the planned moves with their progress on standard error."""
    show, lock = ProgressLine(), Lock()

    def report(ref: Ref, progress: Progress) -> None:
        with lock:
            show(replace(progress, text=f"{ref}: {progress.text}"))

    with stop_on_signals() as stop:
        done = evacuation.carry_out(
            rows,
            options,
            backends,
            report,
            stop,
            moves,
            parallel=parallel,
            keep_going=keep_going,
            audit=audit,
        )
    with suppress(OSError):
        show.clear()
    return done
