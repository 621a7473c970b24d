"""Carries one command out for each of many instances.

Role: some at a time, one after the other on each host, on and on over failures, with one line for
each and a summary. Boundary: perform does the work. Threading: blocks its caller and uses threads
of its own; *stop* may be set from any thread: no more is begun then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event as Flag
from threading import Lock
from time import monotonic

from lxtui.audit.journal import SILENT, Audit
from lxtui.backend.base import Backend
from lxtui.commands import Each, Many
from lxtui.errors import LxtuiError, OperationError
from lxtui.model import Progress
from lxtui.perform import Outcome, Remember, perform

_HOSTS_AT_ONCE = 8
_BETWEEN = 0.2
"""Seconds between two reports: each has a line for every instance."""


class _Lines:
    """How far each is; told from many threads."""

    def __init__(self, command: Many, report: Callable[[Progress], None]) -> None:
        self._how = dict.fromkeys(command.commands, "waiting")
        self._done = dict.fromkeys(("done", "failed", "not begun"), 0)
        self._report = report
        self._lock = Lock()
        self._told = float("-inf")

    def set(self, one: Each, how: str, fate: str = "") -> None:
        """Say how *one* is, and how it has ended if it has."""
        with self._lock:
            self._how[one] = how
            if fate:
                self._done[fate] += 1
            if monotonic() - self._told >= _BETWEEN:
                self._tell()

    def end(self) -> str:
        """Report a last time; the summary."""
        with self._lock:
            self._tell()
            return self.summary

    @property
    def well(self) -> bool:
        """Whether all are done."""
        return not (self._done["failed"] or self._done["not begun"])

    @property
    def summary(self) -> str:
        """``3 done, 1 failed``."""
        said = ", ".join(f"{count} {fate}" for fate, count in self._done.items() if count)
        return said or f"{len(self._how)} to do"

    def _tell(self) -> None:
        self._told = monotonic()
        details = tuple(f"{one.ref}  {how}" for one, how in self._how.items())
        self._report(Progress(self.summary, details=details))


def perform_many(
    command: Many,
    backends: Mapping[str, Backend],
    report: Callable[[Progress], None],
    stop: Flag,
    audit: Audit = SILENT,
    ended: Callable[[Each, str, str], None] = lambda *_: None,
    remember: Remember | None = None,
    moves: Path | None = None,
) -> Outcome:
    """*ended* is told of each: the command, how it ended, and why if not well; *remember* and
    *moves* as in ``perform``, from many threads.

    Do all of them; OperationError with the summary when one was not done.
    """
    lines = _Lines(command, report)
    by_host: dict[str, list[Each]] = {}
    for one in command.commands:
        by_host.setdefault(one.ref.host, []).append(one)

    def work(mine: list[Each]) -> None:
        for one in mine:
            if stop.is_set():
                lines.set(one, "not begun: stopped on request", "not begun")
                ended(one, "not begun", "stopped on request")
                continue

            def working(now: Progress, one: Each = one) -> None:
                lines.set(one, now.text)

            try:
                perform(one, backends, working, stop, moves, audit, remember)
            except LxtuiError as error:
                lines.set(one, f"failed: {error}", "failed")
                ended(one, "failed", str(error))
            else:
                lines.set(one, "done", "done")
                ended(one, "done", "")

    with ThreadPoolExecutor(_HOSTS_AT_ONCE, thread_name_prefix="many") as pool:
        list(pool.map(work, by_host.values()))
    said = f"{command.title}: {lines.end()}"
    if not lines.well:
        raise OperationError(said)
    return Outcome(said)
