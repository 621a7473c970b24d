"""The looks at both ends on which a move's end rests.

Role: is the copy what was planned, is the target still ours and as it should be, does the source
still lie as it was copied. Each only reads, and may be taken again. Boundary: two backends and a
journal; decides nothing but to fail. Threading: blocks its caller.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from lxtui import format as text
from lxtui.backend.base import Backend
from lxtui.errors import OperationError
from lxtui.migrate import MARK
from lxtui.migrate.backups import compare_backups
from lxtui.migrate.compared import changed, differences
from lxtui.migrate.contents import compare
from lxtui.migrate.ends import source_fault
from lxtui.migrate.journal import Journal
from lxtui.migrate.options import Verify
from lxtui.migrate.plan import MovePlan
from lxtui.model import Ref

FEW_SECONDS = 0.3
"""How long sizes are compared where nobody asked for all: the instance is away meanwhile."""
LAST_USED = "last used"
"""Note in the journal: when the source had last been started, as it lay still."""


@dataclass(frozen=True, slots=True)
class Looks:
    """Each returns when all is well; OperationError says what is not."""

    plan: MovePlan
    source: Backend
    target: Backend
    journal: Journal
    check_stop: Callable[[], None]
    """Called often; may raise to end a look."""
    say: Callable[[str], None]
    here: Ref
    """What the source is called now."""
    there: Ref
    """What the copy is called now."""

    def at_copy(self) -> None:
        """The copy is what was planned, and the source what was copied."""
        plan = self.plan
        found = differences(plan, self.target.instance(self.there))
        if found:
            self.at_source()  # who started it, or changed it, is the better reason
            raise OperationError(f"{self.there} is not what was planned: {'; '.join(found)}")
        self._at_files()
        self.at_source()

    def _at_files(self) -> None:
        plan, verify = self.plan, self.plan.options.verify
        if verify is Verify.EXPORT:
            self._fail_on(
                compare_backups(self.journal, self.source, self.target, self.check_stop, self.say)
            )
            return
        few = verify is Verify.CONFIG
        if few and plan.options.copy and plan.was_running:
            return  # the source goes on: what differs may be new
        if few and plan.spec.live:
            return  # it runs there by now, and goes on: what differs may be new
        if few and plan.exchange:
            return  # the daemon's file server holds the name for 15 s, and the copy's start with it
        with ExitStack() as stack:
            try:
                here = stack.enter_context(self.source.files(self.here))
                there = stack.enter_context(self.target.files(self.there))
            except OperationError as error:  # an older daemon, or a restricted certificate
                if not few:
                    raise
                self.say(f"no sizes are compared: {error}")
                return
            found = compare(
                here,
                there,
                self.check_stop,
                self.say,
                content=verify is Verify.CHECKSUM,
                seconds=FEW_SECONDS if few else None,
            )
        self._fail_on(found)

    def _fail_on(self, found: tuple[str, ...]) -> None:
        if found:
            self.at_source()  # who started it, or changed it, is the better reason
            raise OperationError(
                f"the files of {self.there} are not those of {self.here}: " + "; ".join(found)
            )

    def at_both(self) -> None:
        """The copy is there as it should be, and the source lies still: that one goes next."""
        plan = self.plan
        arrived = self.target.instance(self.there)
        runs = plan.was_running and not plan.options.copy
        if arrived.config.get(MARK) != plan.token or arrived.running is not runs:
            state = arrived.status.lower()
            raise OperationError(f"{self.there} is {state}, or is not this move's any more")
        self.at_source()

    def at_source(self) -> None:
        """The source lies as still as it did when it was copied, and is the same."""
        plan = self.plan
        noted = self.journal.record.notes.get(LAST_USED)
        if noted is None:
            return
        if fault := source_fault(self.source, self.here, text.timestamp(noted), plan.token):
            raise OperationError(fault)
        if news := changed(plan, self.source.instance(self.here)):
            what = "; ".join(news)
            raise OperationError(f"{self.here} was changed by somebody else meanwhile ({what})")
