"""A move, step by step, with the way back kept open until the copy is verified.

Role: takes a plan's steps in order; on any failure before the source is deleted takes back what
was done and says so. The source is deleted last, after the target exists, is as planned, and runs
if the source ran. Boundary: talks to two backends, shows nothing. Threading: blocks its caller;
``stop`` may be set from any thread, and the move then rolls back at the next safe point.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from threading import Event as Flag
from typing import NoReturn

from lxtui import format as text
from lxtui.backend.base import Backend
from lxtui.commands import CLI
from lxtui.errors import InterruptedByUserError, LxtuiError, NotFoundError, OperationError
from lxtui.migrate import MARK
from lxtui.migrate.ends import (
    bring_back,
    claim,
    explain_leftover,
    halt,
    insist,
    release,
    remove_marked,
    source_fault,
)
from lxtui.migrate.plan import MovePlan, StepKind, differences, plan_move
from lxtui.migrate.preflight import MoveFacts
from lxtui.migrate.relay import relay
from lxtui.migrate.transfer import could_not_connect, pull
from lxtui.model import Instance, Operation, Progress, Ref, StateAction

Report = Callable[[Progress], None]

_RUNS_SECONDS = 15.0
"""How long a started target may take until it says Running."""


@dataclass(frozen=True, slots=True)
class MoveReport:
    """What a finished move did."""

    source: Ref
    destination: Ref
    running: bool
    seconds: float
    downtime_seconds: float | None
    """From the stop of the source to the start of the target; None if it did not run."""
    copied: int | None
    """Bytes, as the daemons counted them; None when they gave no count."""


def gather(source: Backend, target: Backend, ref: Ref) -> MoveFacts:
    """The facts about both ends, as they are now."""
    instance, here, there = source.instance(ref), source.connect(), target.connect()
    try:
        placement = target.placement(ref.project)
    except (NotFoundError, OperationError) as error:
        if ref.project == "default":
            raise
        make = f"{CLI[there.kind]} project create {there.name}:{ref.project}"
        raise LxtuiError(
            f"{there.name} has no project {ref.project!r} ({error}); create it: '{make}'"
        ) from error
    return MoveFacts(instance, here, there, placement)


def prepare(source: Backend, target: Backend, ref: Ref) -> MovePlan:
    """The plan of moving *ref*; look at its blockers before you run it."""
    return plan_move(gather(source, target, ref), secrets.token_hex(8))


class Mover:
    """One move. ``run`` may be called once."""

    def __init__(
        self,
        plan: MovePlan,
        source: Backend,
        target: Backend,
        report: Report,
        stop: Flag,
        *,
        force: bool = False,
    ) -> None:
        self._plan = plan
        self._source = source
        self._target = target
        self._report = report
        self._stop = stop
        self._force = force
        self._undo: list[tuple[str, Callable[[], None]]] = []
        self._still: Instance | None = None
        """The source as it lay still before it was copied."""
        self._claimed = False
        self._asked_to_stop = False
        self._stopped_at: float | None = None
        self._started_at: float | None = None
        self._copied: int | None = None
        self._at = 0
        self._target_may_run = False

    def run(self) -> MoveReport:
        """Make the move; LxtuiError after a roll-back says what failed and how things are now."""
        plan = self._plan
        if plan.blockers:
            raise LxtuiError(
                f"{plan.source} cannot be moved to {plan.destination.host}: "
                + "; also ".join(map(str, plan.blockers))
            )
        began = time.monotonic()
        steps = {
            StepKind.STOP: self._stop_source,
            StepKind.COPY: self._copy,
            StepKind.VERIFY: self._verify,
            StepKind.START: self._start_target,
        }
        try:
            self._claim_source()
            for self._at, step in enumerate(plan.steps):
                if step.kind is StepKind.DELETE:
                    break
                self._check_stop()
                self._say(step.text)
                steps[step.kind]()
            self._check_stop()
            self._check_source()
        except BaseException as error:  # noqa: BLE001 whatever it was, the way back is the same
            self._roll_back(error)
        # From here on the target is the instance, and nothing is taken back.
        self._delete_source()
        self._remove_mark()
        downtime = (
            self._started_at - self._stopped_at
            if self._started_at is not None and self._stopped_at is not None
            else None
        )
        return MoveReport(
            source=plan.source,
            destination=plan.destination,
            running=plan.was_running,
            seconds=time.monotonic() - began,
            downtime_seconds=downtime,
            copied=self._copied,
        )

    def _claim_source(self) -> None:
        source = self._source.instance(self._plan.source)
        if source.running is not self._plan.was_running:
            raise OperationError(
                f"{source.ref} is {source.status.lower()} now, which it was not when the move was "
                f"planned; try again"
            )
        token = self._plan.token
        # Before the claim: its answer may be lost after it has taken effect.
        self._undo.append(
            (f"take the mark off {source.ref}", lambda: release(self._source, source, token))
        )
        claim(self._source, source, token)
        self._claimed = True

    def _stop_source(self) -> None:
        ref = self._plan.source
        self._undo.append((f"start {ref}", self._restart_source))
        self._stopped_at = time.monotonic()
        self._asked_to_stop = True
        halt(self._source, ref, force=self._force, seconds=self._plan.stop_seconds)
        self._asked_to_stop = False

    def _copy(self) -> None:
        plan = self._plan
        self._still = self._source.instance(plan.source)
        self._undo.append((f"delete {plan.destination}", self._remove_target))
        ends = (self._source, self._target, plan.source, plan.spec, self._copying)
        if plan.route.relayed:
            relay(*ends, plan.route.dropped)
            return
        try:
            pull(*ends)
        except OperationError as error:
            if not could_not_connect(error):
                raise
            self._say(
                f"{plan.destination.host} cannot reach {plan.source.host}: through this machine"
            )
            self._remove_target()
            relay(*ends)

    def _copying(self, operation: Operation) -> None:
        self._check_stop()
        self._copied = operation.processed or self._copied
        line = f"copying {self._plan.source} to {self._plan.destination.host}"
        if operation.processed is not None:
            line += f": {text.size(operation.processed)}, {text.rate(operation.rate)}".rstrip(", ")
        self._tell(Progress(line, operation.processed, operation.rate, operation.percent, self._at))

    def _verify(self) -> None:
        arrived = self._target.instance(self._plan.destination)
        found = differences(self._plan, arrived)
        if found:
            raise OperationError(
                f"{self._plan.destination} is not what was planned: {'; '.join(found)}"
            )
        self._check_source()

    def _check_source(self) -> None:
        """Fail if the source does not lie as still as it did when it was copied."""
        if self._still is not None:
            fault = source_fault(self._source, self._still, self._plan.token)
            if fault:
                raise OperationError(fault)

    def _start_target(self) -> None:
        destination = self._plan.destination
        self._target_may_run = True
        self._target.wait(self._target.change_state(destination, StateAction.START))
        deadline = time.monotonic() + _RUNS_SECONDS
        while not self._target.instance(destination).running:
            if time.monotonic() > deadline:
                raise OperationError(
                    f"{destination} was started but does not run; see its log on the host"
                )
            time.sleep(0.2)
        self._started_at = time.monotonic()

    def _delete_source(self) -> None:
        plan = self._plan
        self._say(f"{plan.source} is deleted")
        try:
            self._source.wait(self._source.delete_instance(plan.source))
        except LxtuiError as error:
            left = explain_leftover(self._source, plan.source, error)
            if left:
                runs = " and runs" if plan.was_running else ""
                raise LxtuiError(f"{plan.destination} is complete{runs}, but {left}") from error

    def _remove_mark(self) -> None:
        try:
            self._target.set_config(self._plan.destination, {MARK: None})
        except LxtuiError as error:
            # The move is complete; a forgotten mark harms nobody, a second error line would.
            self._say(f"the key {MARK} stays on {self._plan.destination}: {error}")

    def _roll_back(self, error: BaseException) -> NoReturn:
        """Undo in reverse order, then raise *error* with what became of everything."""
        plan = self._plan
        left: list[str] = []
        for what, undo in reversed(self._undo):
            self._say(f"rolling back: {what}")
            try:
                insist(undo)
            except Exception as trouble:  # noqa: BLE001 the rest must be undone all the same
                left.append(f"could not {what} ({trouble})")
                if self._target_may_run:
                    # Two that run are worse than one that waits for a person.
                    left.append(f"{plan.source} stays stopped, as {plan.destination} may run")
                    break
        state = "runs" if plan.was_running else "is"
        well = f"{plan.source} {state} where it was, nothing is left on {plan.destination.host}"
        after = (
            "; ".join(left) + ": mend this by hand"
            if left
            else (well if self._claimed else "nothing was changed")
        )
        asked = isinstance(error, InterruptedByUserError | KeyboardInterrupt)
        kind = InterruptedByUserError if asked else LxtuiError
        said = str(error) or type(error).__name__
        raise kind(f"{plan.source} was not moved: {said}; {after}") from error

    def _restart_source(self) -> None:
        bring_back(self._source, self._plan.source, asked_to_stop=self._asked_to_stop)

    def _remove_target(self) -> None:
        remove_marked(self._target, self._plan.destination, self._plan.token)

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise InterruptedByUserError("stopped on request")

    def _say(self, line: str) -> None:
        self._tell(Progress(line, step=self._at))

    def _tell(self, progress: Progress) -> None:
        """Report, whatever becomes of it: a terminal that is gone must not stop a roll-back."""
        with suppress(Exception):
            self._report(progress)
