"""The verbs without a screen: tables for people, JSON for programs.

Role: asks the hosts, carries commands out, prints. The JSON keys are an interface,
docs/headless.md: they may gain members, and none changes its meaning. Boundary: gets backends,
writes text; parses no arguments. Threading: asks many hosts at once, one thread each.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event as Flag
from types import FrameType
from typing import Any, TypeVar

from lxtui import format as text
from lxtui.audit.journal import SILENT, Audit
from lxtui.backend.base import Backend
from lxtui.commands import Command
from lxtui.errors import LxtuiError
from lxtui.files.tree import Done, IncompleteError
from lxtui.jobs import Jobs
from lxtui.model import Host, Instance, JobState, Progress, Ref, host_unseen, status_of
from lxtui.perform import Outcome, perform

T = TypeVar("T")
_PATIENCE = 5.0
"""Seconds between two lines about what is being put back."""
_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
Json = dict[str, Any]


def ask_all(
    backends: Mapping[str, Backend], question: Callable[[Backend], T]
) -> dict[str, T | LxtuiError]:
    """*question*'s answer from every host, asked at once; an error stands for no answer."""

    def ask(backend: Backend) -> T | LxtuiError:
        try:
            return question(backend)
        except LxtuiError as error:
            return error

    if not backends:
        return {}
    with ThreadPoolExecutor(max_workers=min(len(backends), 64)) as pool:
        return dict(zip(backends, pool.map(ask, backends.values()), strict=True))


def hosts(backends: Mapping[str, Backend]) -> list[Host]:
    """Every host as it is now."""
    answers = ask_all(backends, lambda backend: backend.connect())
    return [
        answer if isinstance(answer, Host) else _absent(backends[name], answer)
        for name, answer in answers.items()
    ]


def instances(
    backends: Mapping[str, Backend],
) -> tuple[list[Instance], list[LxtuiError]]:
    """The instances of every host that answers, and the errors of those that do not."""

    def look(backend: Backend) -> tuple[Instance, ...]:
        backend.connect()
        return backend.instances()

    found: list[Instance] = []
    errors: list[LxtuiError] = []
    for answer in ask_all(backends, look).values():
        if isinstance(answer, LxtuiError):
            errors.append(answer)
        else:
            found += answer
    return found, errors


def _absent(backend: Backend, error: LxtuiError) -> Host:
    return replace(host_unseen(backend.remote), status=status_of(error), error=str(error))


def host_json(host: Host) -> Json:
    """A host's documented keys."""
    return {
        "name": host.name,
        "kind": host.kind.value,
        "version": host.version or None,
        "address": host.address,
        "status": host.status.value,
        "error": host.error or None,
        "project": host.project,
        "read_only": host.read_only,
        "server_name": host.server_name or None,
        "cpus": host.cpus,
        "memory_bytes": host.memory_total,
    }


def instance_json(instance: Instance) -> Json:
    """An instance's documented keys."""
    return {
        "host": instance.ref.host,
        "project": instance.ref.project,
        "name": instance.ref.name,
        "type": instance.type,
        "status": instance.status,
        "ipv4": list(instance.ipv4),
        "ipv6": list(instance.ipv6),
        "snapshots": len(instance.snapshots),
        "architecture": instance.architecture,
        "created_at": iso(instance.created_at),
        "description": instance.description,
        "ephemeral": instance.ephemeral,
        "location": instance.location or None,
        "profiles": list(instance.profiles),
        "cpu_ns": instance.cpu_ns,
        "memory_bytes": instance.memory,
        "memory_limit_bytes": instance.memory_limit,
        "disk_bytes": instance.disk,
        "processes": instance.processes,
    }


def snapshots_json(instance: Instance) -> list[Json]:
    """The documented keys of an instance's snapshots."""
    return [
        {
            "host": instance.ref.host,
            "project": instance.ref.project,
            "instance": instance.ref.name,
            "name": snapshot.name,
            "created_at": iso(snapshot.created_at),
            "expires_at": iso(snapshot.expires_at),
            "stateful": snapshot.stateful,
        }
        for snapshot in instance.snapshots
    ]


def outcome_json(verb: str, ref: Ref, outcome: Outcome | LxtuiError) -> Json:
    """A command's documented keys: ``result`` is ``done`` or ``failed``."""
    failed = isinstance(outcome, LxtuiError)
    answer: Json = {
        "command": verb,
        "instance": ref.plain,
        "project": ref.project,
        "result": "failed" if failed else "done",
        "error": str(outcome) if failed else None,
    }
    moved = outcome.done if isinstance(outcome, IncompleteError) else None
    if isinstance(outcome, Outcome):
        moved = outcome.transfer
    if moved is not None:
        answer |= transfer_json(moved)
    if isinstance(outcome, Outcome) and outcome.move is not None:
        done = outcome.move
        answer |= {
            "source": done.source.plain,
            "destination": done.destination.plain,
            "running": done.running,
            "seconds": round(done.seconds, 3),
            "downtime_seconds": rounded(done.downtime_seconds),
            "copied_bytes": done.copied,
            "passes": done.passes,
        }
    return answer


def transfer_json(done: Done) -> Json:
    """What came of files."""
    return {
        "files": done.files,
        "directories": done.folders,
        "bytes": done.size,
        "seconds": done.seconds,
        "skipped": [{"path": text.path(one.path), "reason": one.why} for one in done.skipped],
        "failed": [{"path": text.path(one.path), "reason": one.why} for one in done.failed],
    }


def print_json(value: Any) -> None:
    """One JSON document."""
    print(json.dumps(value, indent=2))


def print_hosts(found: Sequence[Host]) -> None:
    """Hosts as a table."""
    rows = [
        (
            host.name,
            host.kind.value,
            host.version or "-",
            host.status.value + (", read-only" if host.read_only else ""),
            text.address(host.address),
            host.error,
        )
        for host in found
    ]
    print(text.table(("NAME", "KIND", "VERSION", "STATUS", "ADDRESS", "ERROR"), rows))


def print_snapshots(found: Sequence[Instance]) -> None:
    """Snapshots as a table."""
    now = datetime.now(UTC)
    rows = [
        (
            str(instance.ref),
            text.plain(snapshot.name),
            text.age(snapshot.created_at, now),
            text.until(snapshot.expires_at, now),
            "yes" if snapshot.stateful else "no",
        )
        for instance in found
        for snapshot in instance.snapshots
    ]
    print(text.table(("INSTANCE", "SNAPSHOT", "AGE", "EXPIRES", "STATEFUL"), rows))


def carry_out(
    verb: str,
    command: Command,
    backends: Mapping[str, Backend],
    *,
    as_json: bool,
    moves: Path | None = None,
    audit: Audit = SILENT,
) -> int:
    """Perform *command* with its progress on standard error; returns the exit status."""
    show = ProgressLine()
    with stop_on_signals() as stop:
        try:
            outcome: Outcome | LxtuiError = perform(command, backends, show, stop, moves, audit)
        except LxtuiError as error:
            outcome = error
    # Whoever read us may be gone: what was done stays done, and the status says so.
    with suppress(OSError):
        show.clear()
    with suppress(OSError):
        if as_json:
            print_json(outcome_json(verb, command.ref, outcome))
        elif isinstance(outcome, Outcome):
            print(outcome.text)
        sys.stdout.flush()
    if isinstance(outcome, LxtuiError):
        _complain(str(outcome))
    return 1 if isinstance(outcome, LxtuiError) else 0


def finish_jobs(jobs: Jobs) -> bool:
    """After the screen: have what still runs put back, and say what was not done; whether any was.

    However the screen ended, a move in the middle must not end with it.
    """
    running = {job.id for job in jobs.all if job.state is JobState.RUNNING}
    for job in jobs.all:
        if job.id in running:
            _complain(f"stopping: {job.title}")
    while not jobs.stop_all(_PATIENCE):
        left = [job for job in jobs.all if job.state is JobState.RUNNING]
        for job in left:
            _complain(f"{job.title}: {text.plain(job.progress.text)}")
    undone = [job for job in jobs.all if job.id in running and job.state is not JobState.DONE]
    for job in undone:
        _complain(text.plain(job.progress.text))
    return bool(undone)


def _complain(line: str) -> None:
    """One line on standard error, if there still is one."""
    with suppress(OSError):
        print(f"{_cleared()}lxtui: {line}", file=sys.stderr)


@contextmanager
def stop_on_signals() -> Iterator[Flag]:
    """A flag that Ctrl-C, SIGTERM and a closed terminal set: the command then stops where it can
    put everything back.

    A second Ctrl-C ends the program where it stands: a move's journal says how far it was. Not a
    second signal of another kind: a terminal that closes may send two.
    """
    stop = Flag()

    def handle(number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            if number != signal.SIGINT:
                return
            _complain("left as it is: 'lxtui moves' shows what is where and how to go on")
            os._exit(1)
        stop.set()
        _complain("stopping; what was begun is put back first (Ctrl-C again: leave it as it is)")

    before = {number: signal.signal(number, handle) for number in _STOPPING}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class ProgressLine:
    """Each new step once; below, on a terminal, one line that is rewritten with how far it is."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._last = ""

    def __call__(self, progress: Progress) -> None:
        """Show how far it is."""
        line = text.plain(progress.text)
        if progress.processed is None and not progress.passing:
            if line != self._last:
                print(f"{_cleared()}{line}", file=sys.stderr, flush=True)
            self._last = line
        elif self._terminal:
            width = shutil.get_terminal_size().columns - 1
            shown = line if len(line) <= width else f"{line[: width - 1]}…"
            print(f"{_cleared()}{shown}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Leave the terminal's line empty."""
        print(_cleared(), end="", file=sys.stderr, flush=True)


def _cleared() -> str:
    """What empties the line that is being rewritten, on a terminal."""
    return "\r\x1b[K" if sys.stderr.isatty() else ""


def iso(moment: datetime | None) -> str | None:
    """A moment as JSON holds it."""
    return moment.isoformat().replace("+00:00", "Z") if moment is not None else None


def rounded(seconds: float | None) -> float | None:
    """Seconds as JSON holds them."""
    return None if seconds is None else round(seconds, 3)
