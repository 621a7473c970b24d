"""A move, step by step, with the way back kept open until the copy is verified.

Role: takes a plan's steps in order, each written to the journal before it is taken; on any failure
before the copy has proved itself takes back what was done and says so. The source is deleted last,
after the target exists, is as planned, and runs if the source ran. With a journal that another
process has left it goes on where that one ended.
Boundary: talks to two backends, shows nothing. Threading: blocks its caller; ``stop`` may be set
from any thread, and the move then rolls back at the next safe point.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from threading import Event as Flag
from typing import NoReturn

from lxtui import format as text
from lxtui.backend.base import Backend
from lxtui.errors import InterruptedByUserError, LxtuiError, OperationError
from lxtui.migrate import MARK
from lxtui.migrate.contents import SECOND, UNSETTLED, Doubt, Window, doubt
from lxtui.migrate.copying import Pass
from lxtui.migrate.ending import BEGAN, conclude
from lxtui.migrate.ends import claim, halt, insist, put_to_sleep, start
from lxtui.migrate.exchange import assume_name, yield_name
from lxtui.migrate.journal import Journal
from lxtui.migrate.leftovers import note_free, remove_copy
from lxtui.migrate.live import Absence, arrived, near_live_instead, settle
from lxtui.migrate.looks import LAST_USED, Looks
from lxtui.migrate.plan import ENDINGS, MovePlan, StepKind
from lxtui.migrate.profiles import make_profiles
from lxtui.migrate.replica import claim_replica, since
from lxtui.migrate.report import Measured, MoveReport
from lxtui.migrate.rollback import (
    AT_WORK,
    SOURCE_OPERATION,
    TARGET_OPERATION,
    UNHEARD,
    as_it_was,
    end_copy,
    take_back,
)
from lxtui.migrate.transfer import transfer
from lxtui.model import Operation, Progress

Report = Callable[[Progress], None]

_MOST_PASSES = 8
_LITTLE_BYTES = 8_000_000
_LITTLE_SECONDS = 2.0
_SHRINKS = 0.7
"""A pass that takes more than this share of the one before brings no more gain."""
_WORTH_WAITING_BYTES = 64_000_000
"""Of files that changed just now; before the source is stopped they are given time to settle, or
the final pass would have to look into them all."""
WHILE_RUNNING = "while running"
"""Note in the journal: when the last pass from a running source began, by the source's clock."""


class Mover:
    """One move. ``run`` may be called once."""

    def __init__(
        self,
        plan: MovePlan,
        source: Backend,
        target: Backend,
        report: Report,
        stop: Flag,
        journal: Journal,
        *,
        lived: bool = False,
    ) -> None:
        """*lived*: the copy has run before, and may hold what is nowhere else: it stays."""
        self._plan = plan
        self._lived = lived
        self._source = source
        self._target = target
        self._report = report
        self._stop = stop
        self._journal = journal
        started = StepKind.START.value in journal.record.begun
        exchanged = plan.exchange and started
        self._stopped_at: float | None = None
        self._started_at: float | None = None
        self._earlier = 0
        """Bytes of the passes before this one."""
        self._whole = 0
        """Bytes that this pass will bring; 0: not known."""
        self._copied: int | None = None
        self._passes = 0
        self._measured: Measured | None = None
        self._at = 0
        self._absence = Absence(source, plan.source.project)
        self._looks = Looks(
            plan,
            source,
            target,
            journal,
            self._check_stop,
            self._say,
            here=journal.record.header.parked if exchanged else plan.source,
            there=plan.destination if exchanged else plan.spec.ref,
        )
        self._do: Mapping[StepKind, Callable[[], None]] = {
            StepKind.CLAIM: self._claim_source,
            StepKind.PROFILES: lambda: make_profiles(journal, target, plan.profiles),
            StepKind.COPY: self._copy,
            StepKind.REPLICA: lambda: claim_replica(journal, target, plan),
            StepKind.UPDATE: self._update,
            StepKind.LIVE: self._go_live,
            StepKind.REFRESH: self._refresh_until_little,
            StepKind.STOP: self._stop_source,
            StepKind.FINAL: lambda: self._pass(refresh=True),
            StepKind.VERIFY: lambda: self._insist(self._looks.at_copy),
            StepKind.YIELD: self._yield,
            StepKind.ASSUME: self._assume,
            StepKind.START: self._start_target,
            StepKind.CHECK: lambda: self._insist(self._check_inside),
        }

    def run(self) -> MoveReport:
        """Make the move; LxtuiError after a roll-back says what failed and how things are now."""
        plan, journal = self._plan, self._journal
        began = time.monotonic()
        try:
            if {StepKind(one) for one in journal.record.begun} & AT_WORK:
                end_copy(journal, self._source, self._target)
            for self._at, step in enumerate(plan.steps):
                if step.kind in ENDINGS:
                    break
                if self._is_done(step.kind):
                    continue
                self._check_stop()
                if step.kind is not StepKind.CLAIM:  # said when it is so: another may be quicker
                    self._say(step.text)
                journal.begin(step.kind)
                self._do[step.kind]()
                journal.end(step.kind)
            self._check_stop()
            self._insist(self._looks.at_both)
        except BaseException as error:  # noqa: BLE001 whatever it was, the way back is the same
            self._roll_back(error)
        # From here on the target is the instance, and nothing is taken back.
        conclude(journal, self._source, self._target, self._say)
        downtime = (
            self._started_at - self._stopped_at
            if self._started_at is not None and self._stopped_at is not None
            else None
        )
        return MoveReport(
            source=plan.source,
            destination=plan.destination,
            running=plan.was_running and not plan.options.copy,
            seconds=time.monotonic() - began,
            downtime_seconds=downtime,
            copied=self._copied,
            passes=self._passes,
            measured=self._measured,
        )

    def _is_done(self, kind: StepKind) -> bool:
        """Whether a step need not be taken again; what was compared long ago may have changed.

        An exchange that was not followed by a start has been taken back before a move goes on.
        """
        record = self._journal.record
        again = {StepKind.VERIFY, StepKind.YIELD, StepKind.ASSUME}
        if kind in again and StepKind.START.value not in record.begun:
            return False
        return kind.value in record.done

    def _claim_source(self) -> None:
        plan = self._plan
        source = self._source.instance(plan.source)
        resumed = source.config.get(MARK) == plan.token
        if source.running is not plan.was_running and not resumed:
            raise OperationError(
                f"{source.ref} is {source.status.lower()} now, which it was not when the move was "
                f"planned; try again"
            )
        claim(self._source, plan.source, plan.token)
        self._say(plan.steps[self._at].text)
        if not plan.was_running:
            self._lay_still()

    def _lay_still(self) -> None:
        """See to it that the source cannot start by itself, and remember when it last ran."""
        put_to_sleep(self._source, self._plan.source)
        seen = self._source.instance(self._plan.source).last_used_at
        self._journal.note(LAST_USED, seen.isoformat() if seen else "")

    def _stop_source(self) -> None:
        plan = self._plan
        self._stopped_at = time.monotonic()
        halt(self._source, plan.source, force=plan.options.force, seconds=plan.stop_seconds)
        self._lay_still()

    def _copy(self) -> None:
        if StepKind.COPY.value in self._journal.record.begun[:-1]:
            self._remove_target()  # what a lost lxtui left of it
        self._pass(refresh=False)
        if any(step.kind is StepKind.REFRESH for step in self._plan.steps):
            return
        if self._doubt(self._around_snapshots()).files:
            self._pass(refresh=True)

    def _go_live(self) -> None:
        """Copy it with its running state: from here on it runs there, or here, and never in both.

        What a lost lxtui has begun may have gone well; a copy beside a source that runs has not.
        """
        here, there = self._plan.source, self._looks.there
        put_to_sleep(self._source, here)
        again = StepKind.LIVE.value in self._journal.record.begun[:-1]
        if not (again and arrived(self._source, self._target, here, there, self._plan.token)):
            self._remove_target()
            self._pass(refresh=False)
        self._stopped_at, self._started_at = self._absence.since, time.monotonic()
        self._insist(lambda: settle(self._source, self._target, here, there))
        self._lay_still()

    def _update(self) -> None:
        self._doubt([since(self._journal.record), *self._around_snapshots()])
        self._pass(refresh=True)
        if self._doubt(self._around_snapshots()).files:
            self._pass(refresh=True)

    def _refresh_until_little(self) -> None:
        """Refresh while the source runs, until a pass brings little or no longer shrinks.

        Afterwards everything in the copy that may be older than it looks is known to the final
        pass: that one reads it again from a source that lies still.
        """
        self._doubt([*self._since_last_pass(), *self._around_snapshots()])
        before = float("inf")
        waited = False
        for self._passes in range(1, _MOST_PASSES + 1):
            bytes_before, began = self._copied or 0, time.monotonic()
            self._pass(refresh=True)
            seconds = time.monotonic() - began
            size = (self._copied or 0) - bytes_before
            since = self._last_pass()
            settling = self._doubt(self._since_last_pass(), since).settling
            little = seconds <= _LITTLE_SECONDS and size <= _LITTLE_BYTES
            if not (little or seconds > before * _SHRINKS):
                before = seconds
                continue
            if settling < _WORTH_WAITING_BYTES or waited:
                break
            waited = True
            self._say("files that have just changed are given a minute to settle")
            if self._stop.wait(UNSETTLED):
                self._check_stop()

    def _doubt(self, windows: Sequence[Window], since: float = 0.0) -> Doubt:
        """Have the next pass look into files that an earlier one may have read too early."""
        if not windows:
            return Doubt()
        with self._target.files(self._looks.there) as files:
            return doubt(files, windows, self._check_stop, since)

    def _last_pass(self) -> float:
        noted = text.timestamp(self._journal.record.notes.get(WHILE_RUNNING, ""))
        return noted.timestamp() if noted else 0.0

    def _since_last_pass(self) -> list[Window]:
        return [Window(self._last_pass() - UNSETTLED)]

    def _around_snapshots(self) -> list[Window]:
        """The daemons copy snapshots one onto the other, by the same quick check."""
        if self._plan.options.instance_only:
            return []
        taken = [one.created_at for one in self._source.instance(self._plan.source).snapshots]
        return [
            Window(at.timestamp() - UNSETTLED, at.timestamp() + SECOND)
            for at in taken
            if at is not None
        ]

    def _pass(self, *, refresh: bool) -> None:
        plan = self._plan
        self._earlier = self._copied or 0
        known = not (refresh or plan.snapshots)  # of a snapshot's size the daemons may say nothing
        self._whole = (plan.estimate.size or 0) if known else 0
        runs = self._source.instance(plan.source).running
        self._insist(lambda: note_free(self._journal, self._target, plan.spec.ref))

        def on_detour(line: str) -> None:
            self._say(line)
            if plan.spec.live and not self._source.instance(plan.source).running:
                raise OperationError(f"{plan.source} has ended already")
            if not refresh:
                self._remove_target()

        def on_begin(operation: Operation, of_target: bool) -> None:
            name = TARGET_OPERATION if of_target else SOURCE_OPERATION
            self._journal.note(name, operation.id)
            began = operation.created_at.isoformat() if operation.created_at else ""
            if runs and not of_target:
                self._journal.note(WHILE_RUNNING, began)
            if plan.options.copy and not of_target and BEGAN not in self._journal.record.notes:
                self._journal.note(BEGAN, began)

        began_at = time.monotonic()
        transport = transfer(
            Pass(
                source=self._source,
                target=self._target,
                ref=plan.source,
                spec=replace(plan.spec, refresh=refresh, inconsistent=runs),
                on_copy=self._copying,
                on_end=lambda _: self._check_stop_of_copy(),
                on_ask=lambda: self._journal.note(SOURCE_OPERATION, UNHEARD),
                on_begin=on_begin,
                on_detour=on_detour,
            ),
            plan.route,
        )
        if not refresh and self._copied is not None and not plan.route.limit:
            seconds = time.monotonic() - began_at
            self._measured = Measured(transport, self._copied - self._earlier, seconds)

    def _copying(self, operation: Operation) -> None:
        self._check_stop_of_copy()
        if self._plan.spec.live:
            self._absence.look()
        line = f"copying {self._plan.source} to {self._plan.destination.host}"
        if operation.processed is not None:
            self._copied = self._earlier + operation.processed
            line += f": {text.size(operation.processed)}, {text.rate(operation.rate)}".rstrip(", ")
            left = self._whole - operation.processed
            if left > 0 and operation.rate:
                line += f", about {text.duration(left / operation.rate)} left"
        self._tell(Progress(line, operation.processed, operation.rate, operation.percent, self._at))

    def _yield(self) -> None:
        self._insist(lambda: yield_name(self._journal, self._source))
        self._looks = replace(self._looks, here=self._journal.record.header.parked)

    def _assume(self) -> None:
        self._insist(lambda: assume_name(self._journal, self._target))
        self._looks = replace(self._looks, there=self._plan.destination)

    def _check_inside(self) -> None:
        destination, command = self._looks.there, self._plan.options.check
        status = self._target.execute(destination, ["sh", "-c", command])
        if status != 0:
            raise OperationError(f"inside {destination}, {command!r} ended with status {status}")

    def _start_target(self) -> None:
        start(self._target, self._looks.there, self._looks.at_source, self._on_silence)
        self._started_at = time.monotonic()

    def _insist(self, action: Callable[[], None]) -> None:
        insist(action, on_wait=self._on_silence)

    def _on_silence(self, error: LxtuiError) -> None:
        self._check_stop()
        self._say(f"{error}; it is asked again for a while")

    def _roll_back(self, error: BaseException) -> NoReturn:
        """Undo in reverse order, then raise *error* with what became of everything."""
        plan, journal = self._plan, self._journal
        asked = isinstance(error, InterruptedByUserError | KeyboardInterrupt)
        kind = InterruptedByUserError if asked else LxtuiError
        said = str(error) or type(error).__name__
        if self._lived:
            after = f"both are left as they are: mend this, then 'lxtui resume {plan.token}'"
            raise kind(f"{plan.source} was not moved on: {said}; {after}") from error
        claimed = StepKind.CLAIM.value in journal.record.done or plan.options.copy
        left = take_back(journal, self._source, self._target, self._say)
        well = f"{plan.source} {as_it_was(journal.record.header)}"
        hint = f": mend this, then 'lxtui undo {plan.token}'" if journal.record.unfinished else ""
        after = f"{'; '.join(left)}{hint}" if left else (well if claimed else "nothing was changed")
        after += near_live_instead(journal) if not left else ""
        raise kind(f"{plan.source} was not moved: {said}; {after}") from error

    def _remove_target(self) -> None:
        insist(lambda: remove_copy(self._journal, self._target, self._looks.there))

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise InterruptedByUserError("stopped on request")

    def _check_stop_of_copy(self) -> None:
        """A hand-over that is broken off could leave it running on both hosts."""
        if not self._absence.begun:
            self._check_stop()

    def _say(self, line: str) -> None:
        self._tell(Progress(line, step=self._at))

    def _tell(self, progress: Progress) -> None:
        """Report, whatever becomes of it: a terminal that is gone must not stop a roll-back."""
        with suppress(Exception):
            self._report(progress)
