"""Actions on all that are marked which ask more than a yes: limits, copies, exports.

Role: the marked instances → a form → one look at what it means → a job. Boundary: gets what it
needs to reach the fleet as a Wiring; imports no backend. Threading: the screen's; hosts are asked
in threads.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from threading import Thread
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen, Screen
from textual.widgets import Input, Label

from lxtui import copying_many, limits_many
from lxtui import format as text
from lxtui.bulk import Bulk
from lxtui.errors import LxtuiError, UsageError
from lxtui.limits import FIELDS
from lxtui.model import FleetSnapshot, Instance, Ref
from lxtui.screens.backups import ExportManyDialog
from lxtui.screens.bulk import BulkDialog
from lxtui.screens.dialogs import ChoiceDialog, NameDialog
from lxtui.screens.texts import host_about

if TYPE_CHECKING:  # which holds one of these
    from lxtui.screens.asking import Wiring

Look = Callable[[Mapping[str, str]], Bulk]
"""What wishes mean; waits for the hosts."""


class LimitsOfManyDialog(ModalScreen[Bulk | None]):
    """The same fields as for one; what is left empty is left alone."""

    BINDINGS = [
        ("escape", "close", "Close"),
        ("down", "app.focus_next", "Next"),
        ("up", "app.focus_previous", "Previous"),
    ]

    class Looked(Message):
        """It is known what that means, or cannot be."""

        def __init__(self, found: Bulk | LxtuiError) -> None:
            super().__init__()
            self.found = found

    def __init__(self, count: int, look: Look) -> None:
        super().__init__()
        self._count = count
        self._look = look
        self._asking = False

    def compose(self) -> ComposeResult:
        """Lay out the fields."""
        with Vertical(classes="dialog full limits") as box:
            box.border_title = f"limits of {self._count} instances"
            box.border_subtitle = "enter shows what it means · escape closes"
            with VerticalScroll(id="fields"):
                for field in FIELDS:
                    with Horizontal(classes="row"):
                        yield Label(field.label)
                        yield Input(id=field.id, compact=True, placeholder="as it is")
                        yield Label(field.help, classes="from")
            yield Label("", id="said", classes="trouble")
            told = f"{limits_many.PROFILES} in a field: what the profiles of each say"
            yield Label(told, classes="detail")

    def on_mount(self) -> None:
        """Begin in the first field."""
        self.query_one(f"#{FIELDS[0].id}", Input).focus()

    def on_input_submitted(self) -> None:
        """Ask the hosts what that would change."""
        fields = {field.id: self.query_one(f"#{field.id}", Input).value for field in FIELDS}
        try:
            wishes = limits_many.wishes_of(fields)
        except UsageError as error:
            self._say(str(error))
            return
        if not wishes or self._asking:
            self.app.bell()
            return
        self._asking = True
        self._say("asking …")

        def ask() -> None:
            try:
                found: Bulk | LxtuiError = self._look(wishes)
            except LxtuiError as error:
                found = error
            if self.is_attached:
                self.post_message(self.Looked(found))

        Thread(target=ask, name="limits-of-many", daemon=True).start()

    def on_limits_of_many_dialog_looked(self, message: LimitsOfManyDialog.Looked) -> None:
        """On to the list of what will happen."""
        self._asking = False
        if isinstance(message.found, LxtuiError):
            self._say(str(message.found))
        elif self.is_current:
            self.dismiss(message.found)

    def action_close(self) -> None:
        """Turn away."""
        self.dismiss(None)

    def _say(self, line: str) -> None:
        self.query_one("#said", Label).update(Content(text.plain(line)))


class Together:
    """The part of a screen that asks for many."""

    def __init__(
        self,
        screen: Screen[None],
        wiring: Wiring,
        fleet: Callable[[], FleetSnapshot],
        unmark: Callable[[], None],
    ) -> None:
        self._screen = screen
        self._wiring = wiring
        self._fleet = fleet
        self._unmark = unmark

    @property
    def keys(self) -> Mapping[str, Callable[[Sequence[Instance], Collection[Ref]], None]]:
        """What each of these actions does to the marked; and to those that are gone."""
        return {"limits": self._limits, "copy": self._copy, "export": self._export}

    def _limits(self, marked: Sequence[Instance], gone: Collection[Ref]) -> None:
        def look(wishes: Mapping[str, str]) -> Bulk:
            hosts = self._fleet().host
            return limits_many.plan(wishes, marked, hosts, self._wiring.read, gone)

        self._screen.app.push_screen(LimitsOfManyDialog(len(marked), look), self._show)

    def _copy(self, marked: Sequence[Instance], gone: Collection[Ref]) -> None:
        fleet = self._fleet()

        def to(pattern: str | None) -> None:
            if not pattern:
                return
            choices = [("", "each on its own host")]
            choices += [
                (host.name, f"{host.name}  {host_about(host)}")
                for host in fleet.hosts
                if host.online and not host.read_only
            ]

            def chosen(target: str | None) -> None:
                if target is not None:
                    refs = (one.ref for one in self._fleet().instances)
                    hosts = self._fleet().host
                    self._show(copying_many.plan(pattern, target, marked, hosts, refs, gone))

            self._screen.app.push_screen(ChoiceDialog(f"Copy as {pattern} to", choices), chosen)

        question = f"Names of {len(marked)} copies; {copying_many.NAME} is the instance's own name"
        proposal = f"{copying_many.NAME}-copy"
        self._screen.app.push_screen(
            NameDialog(question, proposal, (), copying_many.pattern_trouble), to
        )

    def _export(self, marked: Sequence[Instance], gone: Collection[Ref]) -> None:
        dialog = ExportManyDialog(marked, gone, self._fleet().host)
        self._screen.app.push_screen(dialog, self._show)

    def _show(self, bulk: Bulk | None) -> None:
        if bulk is not None:
            wiring = self._wiring
            dialog = BulkDialog(bulk, wiring.submit, wiring.cancel_job, self._unmark)
            self._screen.app.push_screen(dialog)
