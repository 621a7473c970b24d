"""The verbs of moves: their plans, whole hosts, and what earlier moves have left.

Role: parsed arguments → exit status, as in cli.py, which calls these. Boundary: prints by way of
headless_moves.py and headless_kept.py. Threading: the main thread.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from lxtui import evacuation, headless, headless_kept, headless_moves, read_only, remotes
from lxtui import format as text
from lxtui.audit.journal import SILENT, Audit
from lxtui.backend.base import Backend
from lxtui.clock import utc_now
from lxtui.commands import Command, Move, ResumeMove, UndoMove
from lxtui.errors import LxtuiError, UsageError
from lxtui.migrate.journal import Journal, Record, default_folder
from lxtui.migrate.options import MoveOptions
from lxtui.migrate.placement import Fate, Row
from lxtui.migrate.plan import MovePlan
from lxtui.migrate.prepare import prepare
from lxtui.migrate.recovery import unfinished
from lxtui.migrate.rollback import BEING_UNDONE
from lxtui.migrate.standing import Seen, at_stake, look
from lxtui.move_arguments import move_options

DONE, FAILED = 0, 1
_AT_ONCE = 16
"""Moves whose hosts are asked at once."""


def show_plan(command: Move, backends: Mapping[str, Backend], options: argparse.Namespace) -> int:
    """Print what a move would do, and do nothing."""
    source, target = backends[command.ref.host], backends[command.target]
    with journals(options) as folder:
        plan = prepare(source, target, command.ref, command.options, folder)
    plan = read_only.with_blockers(plan, source.remote, target.remote)
    if options.json:
        headless.print_json(headless_moves.plan_json(plan))
    else:
        headless_moves.print_plan(plan)
    return FAILED if plan.blockers else DONE


def evacuate(
    options: argparse.Namespace,
    backends: dict[str, Backend],
    known: remotes.Remotes,
    audit: Audit = SILENT,
) -> int:
    """Move all instances of a host to others, or say who would go where."""
    wishes = move_options(options)
    host = known.named(options.host.rstrip(":")).name
    targets = [known.named(name.rstrip(":")).name for name in options.targets]
    rows = evacuation.survey(
        backends[host], [backends[name] for name in targets], wishes, options.project
    )
    plans: headless_moves.Plans = {}
    with journals(options) as folder:
        if options.dry_run:
            plans = _plans(rows, wishes, backends, folder)
        else:
            rows = headless_moves.evacuate(
                rows,
                wishes,
                backends,
                folder,
                parallel=options.parallel,
                keep_going=options.keep_going,
                audit=audit,
            )
    if options.json:
        headless.print_json(headless_moves.evacuation_json(host, targets, rows, plans))
    else:
        headless_moves.print_evacuation(rows, plans)
    return DONE if headless_moves.well(rows, plans) else FAILED


def _plans(
    rows: Sequence[Row], wishes: MoveOptions, backends: Mapping[str, Backend], folder: Path
) -> headless_moves.Plans:
    """How each would be moved, asked at once; in the order of the rows."""

    def ask(row: Row) -> MovePlan | LxtuiError:
        source, target = backends[row.source.host], backends[row.target]
        try:
            plan = prepare(source, target, row.source, wishes, folder)
        except LxtuiError as error:
            return error
        return read_only.with_blockers(plan, source.remote, target.remote)

    planned = [row for row in rows if row.fate is Fate.PLANNED]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = list(pool.map(ask, planned))
    return {row.source: plan for row, plan in zip(planned, found, strict=True)}


def _of_kept(options: argparse.Namespace) -> bool:
    if options.dry_run and not options.clean:
        raise UsageError("--dry-run says what --clean would delete: give both")
    return bool(options.kept or options.clean)


def _kept(options: argparse.Namespace, backends: dict[str, Backend], audit: Audit) -> int:
    if not options.clean:
        return DONE if headless_kept.show(backends, as_json=options.json) else FAILED
    done = headless_kept.clean(
        backends,
        as_json=options.json,
        dry_run=options.dry_run,
        agrees=lambda title: options.yes or agrees_aloud(title),
        audit=audit,
    )
    return DONE if done else FAILED


def moves(options: argparse.Namespace, backends: dict[str, Backend], audit: Audit = SILENT) -> int:
    """List what a crash has left in the middle, and the sources that are kept; or clean these."""
    if _of_kept(options):
        return _kept(options, backends, audit)
    with journals(options) as folder:
        found, errors = unfinished(folder)
    seen = _seen(found, backends)
    if options.json:
        told = zip(found, seen, strict=True)
        headless.print_json([headless_moves.move_json(*one) for one in told])
    elif found:
        headless_moves.print_moves(found, seen)
    else:
        print("no unfinished moves")
    for error in errors:
        print(f"lxtui: {error}", file=sys.stderr)
    if not options.json:
        sys.stdout.flush()  # a host that is down must not hide what was left unfinished
        headless_kept.show(backends, as_json=False, quiet=True)
    return FAILED if errors else DONE


def take_up(
    options: argparse.Namespace, backends: Mapping[str, Backend], audit: Audit = SILENT
) -> int:
    """Resume or undo one move."""
    with journals(options) as folder:
        record = Journal.peek(folder, options.move)
        header = record.header
        command: Command = ResumeMove(header.source, header.token)
        if options.verb == "undo":
            lose = options.yes or _agrees_to_lose(record, backends)
            command = UndoMove(header.source, header.token, lose)
        return headless.carry_out(
            options.verb,
            command,
            backends,
            as_json=options.json,
            moves=folder,
            audit=audit,
        )


def _seen(found: Sequence[Record], backends: Mapping[str, Backend]) -> list[Seen]:
    """How both ends of each are now; those at work are left alone."""

    def ask(record: Record) -> Seen:
        header = record.header
        if record.busy:
            return Seen()
        return look(record, backends.get(header.source.host), backends.get(header.destination.host))

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(ask, found))


def _agrees_to_lose(record: Record, backends: Mapping[str, Backend]) -> bool:
    """Whether the person at the terminal gives up what the undo would delete, if it would."""
    if not sys.stdin.isatty():
        return False
    (seen,) = _seen([record], backends)
    stake = at_stake(record, seen, utc_now())
    if not stake:
        return False
    header = record.header
    print(text.plain(f"{stake}: whatever it has written since would be lost."), file=sys.stderr)
    if BEING_UNDONE not in record.notes:
        said = f"'lxtui resume {header.token}' finishes the move and keeps it."
        print(said, file=sys.stderr)
    return agrees(f"put {header.source} back all the same, and delete {header.destination}")


@contextmanager
def journals(options: argparse.Namespace) -> Iterator[Path]:
    """The folder of the moves' journals; the demo's are gone with it."""
    if getattr(options, "demo", False):
        with TemporaryDirectory(prefix="lxtui-demo-") as folder:
            yield Path(folder)
    else:
        yield default_folder(os.environ, Path.home())


def agrees_aloud(title: str) -> bool:
    """The same where silence is no consent: without a terminal it takes ``--yes``."""
    if not sys.stdin.isatty():
        raise LxtuiError(f"there is no terminal to ask on: to {title}, give --yes")
    return agrees(title)


def agrees(title: str) -> bool:
    """Whether the person at the terminal says yes; a program has said so by calling."""
    if not sys.stdin.isatty():
        return True
    print(f"{title}? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
