"""The snapshots of one instance: taken, renamed, given an expiry, deleted many at once, restored.

Role: a list that follows the fleet, and what is done to what is marked in it. Boundary: gets what
it needs to reach the fleet as a Wiring of functions. Threading: the screen's.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Checkbox, Input, Label, SelectionList
from textual.widgets.selection_list import Selection

from lxtui import format as text
from lxtui.api import Document, Path
from lxtui.calls.snapshots import RenameSnapshot, SetExpiry, TakeSnapshot
from lxtui.commands import Command, DeleteSnapshot, Many
from lxtui.errors import LxtuiError, UsageError
from lxtui.expiry import expiry
from lxtui.model import FleetSnapshot, Instance, Kind, Ref, Snapshot
from lxtui.names import snapshot_name_trouble
from lxtui.restoring import Loss, restoring
from lxtui.restoring_read import read_loss
from lxtui.screens.asking import Wiring
from lxtui.screens.dialogs import ConfirmDialog, NameDialog
from lxtui.screens.restore import RestoreDialog
from lxtui.screens.texts import free_name


class SnapshotsDialog(ModalScreen[None]):
    """Mark with space; a key does it to the marked, or to the one under the cursor."""

    BINDINGS = [
        ("escape", "close", "Close"),
        ("n", "new", "New"),
        ("r", "rename", "Rename"),
        ("e", "expiry", "Expiry"),
        ("d", "delete", "Delete"),
        ("b", "restore", "Restore"),
    ]

    class Ended(Message):
        """What was begun has ended."""

        def __init__(self, error: LxtuiError | None) -> None:
            super().__init__()
            self.error = error

    def __init__(self, instance: Instance, kind: Kind, wiring: Wiring) -> None:
        super().__init__()
        self._instance = instance
        self._kind = kind
        self._wiring = wiring

    def compose(self) -> ComposeResult:
        """Lay out the list."""
        with Vertical(classes="dialog medium") as box:
            box.border_title = Text(text.plain(f"snapshots of {self._instance.ref}"))
            box.border_subtitle = "space marks · n new · b restore · r rename · e expiry · d delete"
            yield SelectionList[str](*self._lines(), id="snapshots")
            yield Label(self._empty(), id="said", classes="detail")

    def show(self, fleet: FleetSnapshot) -> None:
        """Follow the instance."""
        now = fleet.instance(self._instance.ref)
        if now is None or now.snapshots == self._instance.snapshots:
            return
        listed = self._list
        marked, at = set(listed.selected), listed.highlighted
        self._instance = now
        listed.clear_options()
        listed.add_options(self._lines())
        for name in marked & {one.name for one in now.snapshots}:
            listed.select(name)
        if now.snapshots:  # the first one has the cursor
            listed.highlighted = min(at or 0, len(now.snapshots) - 1)
        self._say(self._empty())

    def on_snapshots_dialog_ended(self, message: SnapshotsDialog.Ended) -> None:
        """Say what has gone wrong."""
        self._say(str(message.error) if message.error else "")
        self._wiring.refresh()

    def action_new(self) -> None:
        """Ask for all that can be said of a new one."""
        self.app.push_screen(
            NewSnapshotDialog(self._instance, self._kind, self._wiring.clock()), self._begin
        )

    def action_rename(self) -> None:
        """The one under the cursor."""
        old, ref = self._current, self._instance.ref
        if old is None:
            return
        names = [one.name for one in self._instance.snapshots]
        self.app.push_screen(
            NameDialog(
                f"New name of {text.plain(old)}",
                old,
                names,
                preview=lambda name: f"as: {self._as(RenameSnapshot(ref, old, name))}",
            ),
            lambda name: self._begin(RenameSnapshot(ref, old, name) if name else None),
        )

    def action_expiry(self) -> None:
        """Of all that are marked, or of the one under the cursor."""
        ref, chosen = self._instance.ref, self._chosen
        if not chosen:
            return

        def go(written: str | None) -> None:
            if written:
                when = expiry(written, self._wiring.clock())
                calls = tuple(SetExpiry(ref, name, when) for name in chosen)
                what = chosen[0] if len(chosen) == 1 else f"{len(chosen)} snapshots"
                self._begin(Many(calls, f"expiry of {what} of {ref}"))

        self.app.push_screen(
            NameDialog(
                f"When {_names(chosen)} expires: 12h, 7d, 4w, never, 2027-01-31",
                "7d",
                (),
                self._expiry_trouble,
                lambda written: f"as: {self._as(self._expires(ref, chosen[0], written))}",
            ),
            go,
        )

    def action_delete(self) -> None:
        """All that are marked, or the one under the cursor, after a look."""
        ref, chosen = self._instance.ref, self._chosen
        if not chosen:
            return
        calls = tuple(DeleteSnapshot(ref, name) for name in chosen)
        count = len(calls)
        what = f"{count} snapshot{'s' if count != 1 else ''} of {ref}"
        question = f"Delete {what}?"
        details = [f"as: {one.equivalent(self._kind)}" for one in calls]

        def go(yes: bool | None) -> None:
            if yes:
                self._begin(Many(calls, f"delete {what}"))

        self.app.push_screen(
            ConfirmDialog(text.plain(question), list(map(text.plain, details))), go
        )

    def action_restore(self) -> None:
        """The one under the cursor, after a look at what is lost."""
        instance, wiring, name = self._instance, self._wiring, self._current
        if name is None:
            return
        ref, command = instance.ref, restoring(instance, name)

        def look() -> Loss:
            def read(path: Path, parameters: Mapping[str, str]) -> Document:
                return wiring.read(ref.host, path, parameters)

            return read_loss(instance, name, read, wiring.clock())

        def go(agreed: Loss | None) -> None:
            if agreed is not None:
                self._begin(command)

        question = f"Restore {name} of {ref.name} on host {ref.host}{ref.where}?"
        self.app.push_screen(RestoreDialog((question,), look, f"as: {self._as(command)}"), go)

    def action_close(self) -> None:
        """Turn away; what was begun goes on."""
        self.dismiss(None)

    def _begin(self, command: Command | Many | None) -> None:
        if command is not None:
            self._say(f"{command.title} …")
            self._wiring.follow(command, self._ended)

    def _ended(self, error: LxtuiError | None) -> None:
        if self.is_attached:
            self.post_message(self.Ended(error))

    def _expires(self, ref: Ref, name: str, written: str) -> SetExpiry:
        return SetExpiry(ref, name, expiry(written, self._wiring.clock()))

    def _expiry_trouble(self, written: str) -> str:
        try:
            expiry(written, self._wiring.clock())
        except UsageError as error:
            return str(error)
        return ""

    def _as(self, command: Command) -> str:
        return text.plain(command.equivalent(self._kind))

    def _lines(self) -> list[Selection[str]]:
        now = self._wiring.clock()
        width = max((len(one.name) for one in self._instance.snapshots), default=0)
        return [
            Selection(Text(text.plain(_line(one, width, now))), one.name)
            for one in reversed(self._instance.snapshots)
        ]

    def _empty(self) -> str:
        return "" if self._instance.snapshots else "it has none: n takes one"

    def _say(self, line: str) -> None:
        self.query_one("#said", Label).update(Content(text.plain(line)))

    @property
    def _list(self) -> SelectionList[str]:
        return self.query_one(SelectionList)

    @property
    def _current(self) -> str | None:
        at = self._list.highlighted
        return self._list.get_option_at_index(at).value if at is not None else None

    @property
    def _chosen(self) -> tuple[str, ...]:
        if marked := self._list.selected:
            return tuple(marked)
        return (self._current,) if self._current is not None else ()


class NewSnapshotDialog(ModalScreen[Command | None]):
    """Its name, when it expires, and whether its running state goes with it."""

    BINDINGS = [("escape", "cancel", "Cancel")]

    def __init__(self, instance: Instance, kind: Kind, now: datetime) -> None:
        super().__init__()
        self._instance = instance
        self._kind = kind
        self._now = now

    def compose(self) -> ComposeResult:
        """Lay out the fields."""
        names = [one.name for one in self._instance.snapshots]
        why = stateless(self._instance, self._kind)
        with Vertical(classes="dialog medium"):
            yield Label(
                Content(text.plain(f"Snapshot of {self._instance.ref}")), classes="question"
            )
            yield Input(free_name(self._now, names), id="name")
            yield Input(placeholder="expires: 12h, 7d, 4w, never, 2027-01-31", id="expires")
            yield Checkbox("with its running state", id="stateful", disabled=bool(why))
            yield Label(Content(text.plain(why)), classes="detail")
            yield Label("", id="trouble", classes="trouble")
            yield Label("", id="preview", classes="detail")

    def on_mount(self) -> None:
        """Say what would be done."""
        self._look()

    def on_input_changed(self) -> None:
        """Say what would be done."""
        self._look()

    def on_checkbox_changed(self) -> None:
        """Say what would be done."""
        self._look()

    def on_input_submitted(self) -> None:
        """Take it, if it can be taken."""
        command = self._look()
        if command is not None:
            self.dismiss(command)

    def action_cancel(self) -> None:
        """Turn away."""
        self.dismiss(None)

    def _look(self) -> TakeSnapshot | None:
        name = self.query_one("#name", Input).value.strip()
        written = self.query_one("#expires", Input).value.strip()
        trouble = snapshot_name_trouble(name)
        if any(one.name == name for one in self._instance.snapshots):
            trouble = f"{name} exists already"
        command = None
        if not trouble:
            try:
                when = expiry(written, self._now) if written else None
                stateful = self.query_one(Checkbox).value
                command = TakeSnapshot(self._instance.ref, name, when, stateful)
            except UsageError as error:
                trouble = str(error)
        self.query_one("#trouble", Label).update(Content(text.plain(trouble)))
        shown = f"as: {command.equivalent(self._kind)}" if command else ""
        self.query_one("#preview", Label).update(Content(text.plain(shown)))
        return command


def stateless(instance: Instance, kind: Kind) -> str:
    """Why no running state can go into a snapshot; empty when the host may be asked."""
    if not instance.running:
        return "no running state: it does not run"
    machine = instance.type == "virtual-machine"
    allowed = instance.expanded_config.get("migration.stateful", "") in {"true", "1", "yes", "on"}
    if (machine or kind is Kind.INCUS) and not allowed:
        return "no running state: set migration.stateful=true, with the instance stopped"
    return ""


def _line(one: Snapshot, width: int, now: datetime) -> str:
    expires = f"expires {one.expires_at:%Y-%m-%d %H:%M}" if one.expires_at else "never expires"
    state = "  with running state" if one.stateful else ""
    return f"{one.name:<{width}}  {text.age(one.created_at, now):>4} ago  {expires}{state}"


def _names(names: tuple[str, ...]) -> str:
    return text.plain(names[0]) if len(names) == 1 else f"each of {len(names)} snapshots"
