"""The actions that open a dialog of their own, which changes something.

Role: an action's id → what it opens. Boundary: gets what it needs to reach the fleet as a Wiring of
functions; imports no backend. Threading: the screen's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from textual.screen import Screen

from lxtui import format as text
from lxtui.actions import Selection
from lxtui.calls.images import Publish
from lxtui.editing.documents import of_instance
from lxtui.migrate.options import MoveOptions
from lxtui.model import FleetSnapshot, Ref
from lxtui.names import instance_name_trouble
from lxtui.screens.asking import Wiring
from lxtui.screens.backups import ExportDialog, ImportDialog
from lxtui.screens.dialogs import NameDialog
from lxtui.screens.editing import edit
from lxtui.screens.launch import LaunchDialog
from lxtui.screens.limits import LimitsDialog
from lxtui.screens.move import MoveDialog
from lxtui.screens.publish import PublishDialog
from lxtui.screens.snapshots import SnapshotsDialog
from lxtui.terminal.asked import Asked, Console, Exec

Open = Callable[[Selection], None]


class Acting:
    """The part of the main screen that opens these."""

    def __init__(
        self, screen: Screen[None], wiring: Wiring, fleet: Callable[[], FleetSnapshot]
    ) -> None:
        self._screen = screen
        self._wiring = wiring
        self._fleet = fleet

    @property
    def keys(self) -> Mapping[str, Open]:
        """What each of these actions opens."""
        return {
            "copy": self._copy,
            "edit": self._edit,
            "launch": self._launch,
            "limits": self._limits,
            "snapshots": self._snapshots,
            "publish": self._publish,
            "export": self._export,
            "import": self._import,
            "shell": lambda selection: self._attach(selection, Exec),
            "console": lambda selection: self._attach(selection, Console),
        }

    def _publish(self, selection: Selection) -> None:
        def go(command: Publish | None) -> None:
            if command is not None:
                self._wiring.submit(command)

        if selection.instance is not None and selection.host is not None:
            dialog = PublishDialog(selection.instance, selection.host.kind)
            self._screen.app.push_screen(dialog, go)

    def _export(self, selection: Selection) -> None:
        if selection.instance is not None and selection.host is not None:
            ref, kind = selection.instance.ref, selection.host.kind
            dialog = ExportDialog(ref, kind, self._wiring.submit, self._wiring.cancel_job)
            self._screen.app.push_screen(dialog)

    def _import(self, selection: Selection) -> None:
        host = selection.host.name if selection.host is not None else ""
        dialog = ImportDialog(host, self._fleet(), self._wiring.submit, self._wiring.cancel_job)
        self._screen.app.push_screen(dialog)

    def _snapshots(self, selection: Selection) -> None:
        if selection.instance is not None and selection.host is not None:
            dialog = SnapshotsDialog(selection.instance, selection.host.kind, self._wiring)
            self._screen.app.push_screen(dialog)

    def _launch(self, selection: Selection) -> None:
        host = selection.host.name if selection.host is not None else ""
        self._screen.app.push_screen(LaunchDialog(host, self._fleet(), self._wiring))

    def _limits(self, selection: Selection) -> None:
        if selection.instance is not None and selection.host is not None:
            what = of_instance(selection.instance.ref)
            dialog = LimitsDialog(what, selection.host.kind, self._wiring)
            self._screen.app.push_screen(dialog)

    def _attach(self, selection: Selection, asked: Callable[[Ref], Asked]) -> None:
        if selection.instance is None:
            return
        said, bad = self._wiring.attach(asked(selection.instance.ref))
        if said:
            self._screen.notify(
                text.plain(said), severity="warning" if bad else "information", markup=False
            )

    def _edit(self, selection: Selection) -> None:
        if selection.instance is not None and selection.host is not None:
            what = of_instance(selection.instance.ref)
            edit(self._screen.app, what, selection.host.kind, self._wiring)

    def _copy(self, selection: Selection) -> None:
        instance = selection.instance
        if instance is None:
            return
        ref, wiring = instance.ref, self._wiring

        def choose(name: str | None) -> None:
            if name:
                dialog = MoveDialog(
                    instance,
                    self._fleet().hosts,
                    wiring.plan_move,
                    wiring.other_pools,
                    wiring.submit,
                    wiring.cancel_job,
                    MoveOptions(copy=True, name=name if name != ref.name else ""),
                )
                self._screen.app.push_screen(dialog)

        question = f"Name of the copy of {ref}; on another host it may be the same"
        proposal = f"{ref.name[:58]}-copy"
        self._screen.app.push_screen(
            NameDialog(question, proposal, (), instance_name_trouble), choose
        )
