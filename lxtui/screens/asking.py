"""What an action asks before it begins.

Role: an action and what it is on → dialogs → a command. Boundary: gets what it needs to reach the
fleet as a Wiring of functions; imports no backend. Threading: the screen's.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from textual.screen import Screen

from lxtui import format as text
from lxtui.actions import Action, Ask, Selection
from lxtui.api import Document, Path
from lxtui.audit.entry import Entry
from lxtui.bulk import common_snapshots, plan
from lxtui.commands import Command, Many, MoveMany, RestoreSnapshot
from lxtui.detail.base import Questions
from lxtui.errors import LxtuiError
from lxtui.launching.servers import Server
from lxtui.model import FleetSnapshot, Instance, Kind
from lxtui.names import instance_name_trouble
from lxtui.restoring import Loss, restoring
from lxtui.restoring_read import read_loss
from lxtui.saved_views import SavedViews
from lxtui.screens.add_host import Look
from lxtui.screens.bulk import BulkDialog
from lxtui.screens.dialogs import ChoiceDialog, ConfirmDialog, NameDialog
from lxtui.screens.loading import Reach
from lxtui.screens.move import MoveDialog, OtherPools, PlanMove, Submit
from lxtui.screens.move_many import MoveManyDialog, Survey
from lxtui.screens.restore import RestoreDialog
from lxtui.screens.server_images import ServerLists
from lxtui.screens.texts import free_name
from lxtui.screens.together import Together
from lxtui.terminal.asked import Asked
from lxtui.undoing import Done
from lxtui.widgets.fleet_table import FleetTable

Ended = Callable[[LxtuiError | None], None]


@dataclass(frozen=True, slots=True)
class Wiring:
    """How the screen reaches the fleet."""

    submit: Submit
    plan_move: PlanMove
    other_pools: OtherPools
    survey: Survey
    cancel_job: Callable[[int], None]
    refresh: Callable[[], None]
    look_at_host: Look | None
    """None where no host can be added."""
    clock: Callable[[], datetime]
    views: SavedViews
    done: Callable[[], Sequence[Done]]
    """What was carried out and not taken back, the latest first."""
    take_back: Callable[[Command | Many, int], int]
    """Begins a command that takes the job of that number back."""
    follow: Callable[[Command | Many, Ended], int]
    """Begins a command and tells, from its thread, how it has ended."""
    read: Callable[[str, Path, Mapping[str, str]], Document]
    """What a path of a host's API answers; waits for the host."""
    run_editor: Callable[[pathlib.Path], str]
    """Has the user's editor change a file; what is wrong, if anything is."""
    attach: Callable[[Asked], tuple[str, bool]]
    """Has the user in a shell or at a console; what came of it, and whether that is bad."""
    edits: pathlib.Path
    """Where the texts of edits are."""
    journal: Callable[[], Sequence[Entry]]
    """What was done, the latest first; OSError when it cannot be read."""
    answers: Questions
    """Of hosts, for the pages of an instance or a host."""
    shelves: Reach
    """The tables of what is not an instance."""
    image_servers: Callable[[], Collection[Server]]
    """Those of both command lines."""
    server_lists: ServerLists | None
    """None where no image server is asked."""
    copy_command: Callable[[], None]
    """Puts the command line that is shown, or of the latest job, into the clipboard."""


class Asking:
    """The part of the main screen that asks."""

    def __init__(
        self, screen: Screen[None], wiring: Wiring, fleet: Callable[[], FleetSnapshot]
    ) -> None:
        self._screen = screen
        self._wiring = wiring
        self._fleet = fleet
        self._together = Together(screen, wiring, fleet, self._unmark)

    def one(self, action: Action, selection: Selection, instance: Instance) -> None:
        """On what the cursor is on."""
        match action.ask:
            case Ask.NOTHING:
                self._submit(action, instance, "")
            case Ask.CONFIRM:
                ref = instance.ref
                question = f"{action.label} {text.plain(ref.name)} on host {ref.host}{ref.where}?"
                warning, typed = action.warning(selection), action.typed(selection)
                self._confirm(action, instance, "", question, warning, typed)
            case Ask.NAME:
                taken = [one.name for one in instance.snapshots]
                proposal = free_name(self._wiring.clock(), taken)
                question = f"Name of the snapshot of {instance.ref}"
                preview = self._preview(action, instance)
                self._screen.app.push_screen(
                    NameDialog(question, proposal, taken, preview=preview),
                    lambda name: self._submit(action, instance, name) if name else None,
                )
            case Ask.NEW_NAME:
                self._ask_new_name(action, selection, instance)
            case Ask.SNAPSHOT:
                self._ask_snapshot(action, selection, instance)
            case Ask.TARGET:
                self._ask_target([instance])

    def _preview(self, action: Action, instance: Instance) -> Callable[[str], str] | None:
        """What makes the command line of what is answered."""
        ref, build, host = instance.ref, action.build, self._fleet().host(instance.ref.host)
        if build is None or host is None:
            return None
        return lambda answer: f"as: {text.plain(build(ref, answer).equivalent(host.kind))}"

    def _ask_new_name(self, action: Action, selection: Selection, instance: Instance) -> None:
        ref, host = instance.ref, selection.host
        if host is None:
            return
        same = (ref.host, ref.project)
        taken = [one.ref.name for one in self._fleet().instances if one.ref[:2] == same]
        self._screen.app.push_screen(
            NameDialog(
                f"New name of {ref}",
                ref.name,
                taken,
                lambda name: instance_name_trouble(name, host.kind),
                self._preview(action, instance),
            ),
            lambda name: self._submit(action, instance, name) if name else None,
        )

    def many(self, action: Action) -> bool:
        """On all that are marked, wherever the cursor is; whether any are."""
        known = {one.ref: one for one in self._fleet().instances}
        refs = self._table.marked
        marked = [known[ref] for ref in sorted(refs & known.keys())]
        if not marked:
            return False
        gone = refs - known.keys()
        if (ask := self._together.keys.get(action.id)) is not None:
            ask(marked, gone)
            return True
        if action.single:
            said = f"{action.label} is for one instance: escape takes the marks off"
            self._screen.notify(said, severity="warning", markup=False)
            return True

        def look(answer: str | None) -> None:
            if answer is not None:
                bulk = plan(action, marked, self._fleet().host, gone, answer)
                wiring = self._wiring
                self._screen.app.push_screen(
                    BulkDialog(bulk, wiring.submit, wiring.cancel_job, self._unmark)
                )

        match action.ask:
            case Ask.TARGET:
                self._ask_target(marked)
            case Ask.NAME:
                name = free_name(self._wiring.clock(), ())
                question = f"Name of the snapshots of {len(marked)} instances"
                self._screen.app.push_screen(NameDialog(question, name), look)
            case Ask.SNAPSHOT:
                choices = [
                    (name, f"{text.plain(name)}  {count} of {len(marked)} have it")
                    for name, count in common_snapshots(marked)
                ]
                if choices:
                    question = f"{action.label} of {len(marked)} instances"
                    self._screen.app.push_screen(ChoiceDialog(question, choices), look)
                else:
                    self._screen.notify("none of the marked has a snapshot", severity="warning")
            case _:
                look("")
        return True

    def _ask_target(self, instances: Sequence[Instance]) -> None:
        wiring, hosts = self._wiring, self._fleet().hosts
        if len(instances) > 1:
            refs = frozenset(one.ref for one in instances)
            dialog: MoveDialog | MoveManyDialog = MoveManyDialog(
                refs, hosts, wiring.survey, self._submit_many, wiring.cancel_job
            )
        else:
            dialog = MoveDialog(
                instances[0],
                hosts,
                wiring.plan_move,
                wiring.other_pools,
                wiring.submit,
                wiring.cancel_job,
            )
        self._screen.app.push_screen(dialog)

    def _submit_many(self, command: Command | MoveMany | Many) -> int:
        self._unmark()
        return self._wiring.submit(command)

    def _unmark(self) -> None:
        self._table.unmark_all()

    @property
    def _table(self) -> FleetTable:
        return self._screen.query_one(FleetTable)

    def _ask_snapshot(self, action: Action, selection: Selection, instance: Instance) -> None:
        def confirm(name: str | None) -> None:
            if name is not None:
                ref = instance.ref
                where = f"of {text.plain(ref.name)} on host {ref.host}{ref.where}"
                question = f"{action.label}: {text.plain(name)} {where}?"
                host = selection.host
                if action.build is RestoreSnapshot and host is not None:
                    self._ask_restore(instance, name, host.kind, question)
                else:
                    self._confirm(action, instance, name, question, "")

        if selection.snapshot is not None:
            confirm(selection.snapshot.name)
            return
        now = self._wiring.clock()
        choices = [
            (one.name, f"{text.plain(one.name)}  {text.age(one.created_at, now)} ago")
            for one in reversed(instance.snapshots)
        ]
        self._screen.app.push_screen(
            ChoiceDialog(f"{action.label} of {instance.ref}", choices), confirm
        )

    def _ask_restore(self, instance: Instance, name: str, kind: Kind, question: str) -> None:
        ref, wiring = instance.ref, self._wiring
        command = restoring(instance, name)

        def look() -> Loss:
            def read(path: Path, parameters: Mapping[str, str]) -> Document:
                return wiring.read(ref.host, path, parameters)

            return read_loss(instance, name, read, wiring.clock())

        def go(agreed: Loss | None) -> None:
            if agreed is not None:
                wiring.submit(command)

        dialog = RestoreDialog((question,), look, f"as: {command.equivalent(kind)}")
        self._screen.app.push_screen(dialog, go)

    def _confirm(
        self,
        action: Action,
        instance: Instance,
        answer: str,
        question: str,
        warning: str,
        typed: str = "",
    ) -> None:
        def go(yes: bool | None) -> None:
            if yes:
                self._submit(action, instance, answer)

        details = [warning] if warning else []
        host = self._fleet().host(instance.ref.host)
        if host is not None and action.build is not None:
            details.append(f"as: {action.build(instance.ref, answer).equivalent(host.kind)}")
        self._screen.app.push_screen(ConfirmDialog(question, details, typed), go)

    def _submit(self, action: Action, instance: Instance, answer: str) -> None:
        if action.build is not None:
            self._wiring.submit(action.build(instance.ref, answer))
