"""The commands that run in this program.

Role: the one owner of jobs: starts a command in a thread of its own, keeps its progress, tells its
listener. Boundary: runs what it is given, knows no screen. Threading: ``submit`` from any thread;
the listener is called from the jobs' threads.
"""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from threading import Event as Flag
from threading import Lock, Thread

from lxtui.audit.entry import scrubbed
from lxtui.audit.journal import SILENT, Audit
from lxtui.backend.base import Backend
from lxtui.clock import Clock, utc_now
from lxtui.commands import Command, Many, MoveMany, typed_each
from lxtui.errors import InterruptedByUserError, LxtuiError
from lxtui.evacuation import move_many
from lxtui.migrate.journal import default_folder
from lxtui.model import Job, JobState, Progress
from lxtui.perform import Outcome, kind_of, perform
from lxtui.perform_many import perform_many
from lxtui.undoing import Done, Trace

_log = logging.getLogger(__name__)
Ended = Callable[[LxtuiError | None], None]
KEEP = 50
"""How many ended jobs stay in the list, and how many can be taken back."""


class Jobs:
    """Runs commands beside each other and remembers how they went."""

    def __init__(
        self,
        backends: Mapping[str, Backend],
        on_change: Callable[[], None],
        clock: Clock = utc_now,
        moves: Path | None = None,
        audit: Audit = SILENT,
    ) -> None:
        self._audit = audit
        self._backends = backends
        self._moves = moves
        self._on_change = on_change
        self._clock = clock
        self._lock = Lock()
        self._numbers = itertools.count(1)
        self._jobs: dict[int, Job] = {}
        self._stops: dict[int, Flag] = {}
        self._threads: dict[int, Thread] = {}
        self._done: tuple[Done, ...] = ()

    @property
    def done(self) -> tuple[Done, ...]:
        """What was carried out and not taken back, the latest first."""
        with self._lock:
            return self._done

    @property
    def all(self) -> tuple[Job, ...]:
        """Running jobs, then the latest ended ones, newest first."""
        with self._lock:
            jobs = sorted(self._jobs.values(), key=lambda job: -job.id)
        running = [job for job in jobs if job.state is JobState.RUNNING]
        ended = [job for job in jobs if job.state is not JobState.RUNNING]
        return (*running, *ended)

    def submit(
        self,
        command: Command | MoveMany | Many,
        ended: Ended = lambda _: None,
        undoes: int | None = None,
    ) -> int:
        """Begin *command*; returns the job's number. *ended* is told, from its thread.

        *undoes* is the number of the job that it takes back.
        """
        number = next(self._numbers)
        stop = Flag()
        thread = Thread(
            target=self._run,
            args=(number, command, stop, ended, undoes),
            name=f"job-{number}",
            daemon=True,
        )
        with self._lock:
            self._jobs[number] = Job(
                number,
                command.title,
                JobState.RUNNING,
                Progress("waiting"),
                self._clock(),
                commands=self._typed(command),
            )
            self._stops[number] = stop
            self._threads[number] = thread
            self._forget_old()
        self._on_change()
        thread.start()
        return number

    def stop(self, number: int) -> None:
        """Ask a job to stop at its next safe point and to put everything back."""
        with self._lock:
            stop = self._stops.get(number)
        if stop is not None:
            stop.set()

    def stop_all(self, seconds: float) -> bool:
        """Ask all to stop and wait for them; whether all have ended in that time."""
        with self._lock:
            stops, threads = list(self._stops.values()), list(self._threads.values())
        for stop in stops:
            stop.set()
        for thread in threads:
            thread.join(seconds)
        return not any(thread.is_alive() for thread in threads)

    def _typed(self, command: Command | Many | MoveMany) -> tuple[str, ...]:
        """What one would type, as the journal has it: it stays on the screen, without secrets."""
        return tuple(scrubbed(one)[0] for one in typed_each(command, kind_of(self._backends)))

    def _run(
        self,
        number: int,
        command: Command | MoveMany | Many,
        stop: Flag,
        ended: Ended,
        undoes: int | None,
    ) -> None:
        traces: list[Trace] = []

        def report(now: Progress) -> None:
            self._set(number, now)

        try:
            outcome = self._carry_out(command, report, stop, traces)
        except LxtuiError as error:
            self._remember(number, command.title, traces, None)  # some of many may be done
            asked = isinstance(error, InterruptedByUserError)
            self._end(number, JobState.CANCELLED if asked else JobState.FAILED, str(error))
            ended(error)
        except Exception as error:  # noqa: BLE001 a job's bug must not end the program
            _log.exception("job %s: %s", number, command.title)
            self._end(number, JobState.FAILED, f"internal error: {error!r}; please report it")
            ended(LxtuiError(f"internal error: {error!r}; please report it"))
        else:
            self._remember(number, command.title, traces, undoes)
            self._end(number, JobState.DONE, outcome.text)
            ended(None)

    def _carry_out(
        self,
        command: Command | MoveMany | Many,
        report: Callable[[Progress], None],
        stop: Flag,
        traces: list[Trace],
    ) -> Outcome:
        if isinstance(command, MoveMany):
            folder = self._moves or default_folder(os.environ, Path.home())
            return move_many(command, self._backends, report, stop, folder, self._audit)
        keep = traces.append
        if isinstance(command, Many):
            return perform_many(
                command,
                self._backends,
                report,
                stop,
                self._audit,
                remember=keep,
                moves=self._moves,
            )
        return perform(
            command, self._backends, report, stop, self._moves, self._audit, remember=keep
        )

    def _remember(self, number: int, title: str, traces: list[Trace], undoes: int | None) -> None:
        """What was done can be taken back; what takes something back is not done itself."""
        with self._lock:
            if undoes is not None:
                self._done = tuple(one for one in self._done if one.number != undoes)
            elif traces:
                fresh = Done(number, title, tuple(traces), self._clock())
                self._done = (fresh, *self._done[: KEEP - 1])

    def _set(self, number: int, progress: Progress) -> None:
        with self._lock:
            self._jobs[number] = replace(self._jobs[number], progress=progress)
        self._on_change()

    def _end(self, number: int, state: JobState, line: str) -> None:
        with self._lock:
            job = self._jobs[number]
            progress = Progress(line, details=job.progress.details)
            self._jobs[number] = replace(
                job, state=state, progress=progress, ended_at=self._clock()
            )
            self._stops.pop(number)
            self._threads.pop(number)
        self._on_change()

    def _forget_old(self) -> None:
        ended = [number for number, job in self._jobs.items() if job.state is not JobState.RUNNING]
        for number in ended[: max(len(ended) - KEEP, 0)]:
            del self._jobs[number]
