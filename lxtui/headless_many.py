"""An action on all that a filter matches, without a screen.

Role: its arguments; the list of what will happen, agreement, the report. The same reasons and the
same filter as on the screen; the JSON keys are an interface. Boundary: gets backends, writes text.
Threading: asks many hosts at once, works on some at a time.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from lxtui import format as text
from lxtui import headless, query
from lxtui.actions import BY_ID
from lxtui.audit.journal import Audit
from lxtui.backend.base import Backend
from lxtui.bulk import Bulk, plan
from lxtui.calls.backups import Export
from lxtui.commands import CreateSnapshot, DeleteSnapshot, Each, RestoreSnapshot
from lxtui.errors import LxtuiError, UsageError
from lxtui.headless import Json, ProgressLine, stop_on_signals
from lxtui.model import Host, Instance
from lxtui.perform_many import perform_many

_DONE, _FAILED, _NOT_BEGUN, _PLANNED = "done", "failed", "not-begun", "planned"
Fates = dict[Each, tuple[str, str]]
_SNAPSHOTS = CreateSnapshot | RestoreSnapshot | DeleteSnapshot


def add_filter(sub: argparse.ArgumentParser) -> None:
    """Which instances, instead of one; what is agreed to."""
    sub.add_argument(
        "--filter",
        metavar="WORDS",
        default="",
        help="instead of one instance all that match, as 'lxtui list --filter' lists them",
    )
    sub.add_argument("--yes", action="store_true", help="do not ask on a terminal")


def add_many(
    sub: argparse.ArgumentParser, dry_run: str = "with --filter: only say what it means"
) -> None:
    """The same with a look beforehand."""
    add_filter(sub)
    sub.add_argument("--dry-run", action="store_true", help=dry_run)


@dataclass(frozen=True, slots=True)
class Found:
    """What a filter matches, and what the hosts said."""

    matching: tuple[Instance, ...]
    every: tuple[Instance, ...]
    hosts: Mapping[str, Host]
    errors: tuple[LxtuiError, ...]
    now: datetime


def run_many(
    options: argparse.Namespace, action_id: str, backends: Mapping[str, Backend], audit: Audit
) -> bool:
    """Do it to all that match; whether all went well, every host having answered."""
    found = find(options, backends)
    answer = getattr(options, "answer", "")
    bulk = plan(BY_ID[action_id], found.matching, found.hosts.get, answer=answer)
    return settle(options, bulk, found, backends, audit)


def find(options: argparse.Namespace, backends: Mapping[str, Backend]) -> Found:
    """All that the filter matches; LxtuiError for none."""
    if getattr(options, "instance", ""):
        raise UsageError("name an instance, or give --filter, not both")
    words = query.parse(options.filter)
    if not options.filter.strip() or words.problems:
        # A term that does not count would make it more than was meant.
        why = "; ".join(words.problems) or "it is empty, and would match everything"
        raise UsageError(f"--filter: {why}")
    instances, hosts, errors = _ask(backends)
    now = datetime.now(UTC)
    matching = sorted(
        (one for one in instances if words.matches(one, hosts.get(one.ref.host), now)),
        key=lambda one: one.ref,
    )
    for error in errors:
        print(f"lxtui: {error}", file=sys.stderr)
    if not matching:
        raise LxtuiError(f"no instance matches {options.filter!r}")
    return Found(tuple(matching), tuple(instances), hosts, tuple(errors), now)


def settle(
    options: argparse.Namespace,
    bulk: Bulk,
    found: Found,
    backends: Mapping[str, Backend],
    audit: Audit,
    moves: Path | None = None,
    *,
    whole: bool = False,
) -> bool:
    """Have it agreed to, do it, print what became of each; whether all went well.

    *whole*: it did not when one was left out.
    """
    fates: Fates = dict.fromkeys(bulk.command.commands, (_PLANNED, ""))
    if not options.dry_run:
        if not options.yes:
            _agree(bulk)
        fates = _carry_out(bulk, backends, audit, moves)
    held = any(found.hosts[ref.host].read_only for ref in bulk.left_out)
    done = all(fate in {_DONE, _PLANNED} for fate, _ in fates.values())
    well = done and not found.errors and not held and not (whole and bulk.left_out)
    if options.json:
        headless.print_json(_report(options, bulk, fates, found, well=well))
    else:
        _print(bulk, fates)
    return well


def _ask(
    backends: Mapping[str, Backend],
) -> tuple[list[Instance], dict[str, Host], list[LxtuiError]]:
    answers = headless.ask_all(backends, lambda one: (one.connect(), one.instances()))
    errors = [answer for answer in answers.values() if isinstance(answer, LxtuiError)]
    known = [answer for answer in answers.values() if not isinstance(answer, LxtuiError)]
    instances = [one for _, several in known for one in several]
    return instances, {host.name: host for host, _ in known}, errors


def _agree(bulk: Bulk) -> None:
    """Show what will happen and ask; LxtuiError when nobody agrees."""
    if not sys.stdin.isatty():
        raise UsageError("nobody is here to agree: give --yes; --dry-run says what would happen")
    for line in (*bulk.lines, *bulk.warnings):
        print(text.plain(line), file=sys.stderr)
    for ref, why in bulk.left_out.items():
        print(text.plain(f"left out: {ref}: {why}"), file=sys.stderr)
    how = f"this cannot be undone: type {bulk.typed}" if bulk.typed else "y/N"
    print(f"{bulk.question} [{how}] ", end="", file=sys.stderr, flush=True)
    said = sys.stdin.readline().strip().lower()
    if said not in ({bulk.typed} if bulk.typed else {"y", "yes"}):
        raise LxtuiError("nothing was done")


def _carry_out(
    bulk: Bulk, backends: Mapping[str, Backend], audit: Audit, moves: Path | None
) -> Fates:
    fates: Fates = {}

    def ended(one: Each, fate: str, reason: str) -> None:
        fates[one] = (fate.replace(" ", "-"), reason)

    if not bulk.command.commands:
        return fates
    show = ProgressLine()
    # The summary of what failed is told line by line.
    with stop_on_signals() as stop, suppress(LxtuiError):
        perform_many(bulk.command, backends, show, stop, audit, ended, moves=moves)
    with suppress(OSError):
        show.clear()
    return {one: fates.get(one, (_NOT_BEGUN, "")) for one in bulk.command.commands}


def _report(
    options: argparse.Namespace,
    bulk: Bulk,
    fates: Fates,
    found: Found,
    *,
    well: bool,
) -> Json:
    return {
        "command": options.verb,
        "filter": options.filter,
        "result": _PLANNED if options.dry_run else _DONE if well else _FAILED,
        "instances": [
            {
                "instance": one.ref.plain,
                "project": one.ref.project,
                "snapshot": one.name if isinstance(one, _SNAPSHOTS) else None,
                "result": fate,
                "error": reason or None,
                "command": one.equivalent(found.hosts[one.ref.host].kind),
                **({"file": str(one.file)} if isinstance(one, Export) else {}),
            }
            for one, (fate, reason) in fates.items()
        ],
        "left_out": [
            {"instance": ref.plain, "project": ref.project, "reason": why}
            for ref, why in bulk.left_out.items()
        ],
        "errors": [str(error) for error in found.errors],
    }


def _print(bulk: Bulk, fates: Fates) -> None:
    rows = [
        (text.plain(str(one.ref)), fate, text.plain(reason or line.partition("  ")[2]))
        for (one, (fate, reason)), line in zip(fates.items(), bulk.lines, strict=True)
    ]
    rows += [
        (text.plain(str(ref)), "left out", text.plain(why)) for ref, why in bulk.left_out.items()
    ]
    print(text.table(("INSTANCE", "RESULT", "AS"), rows))
