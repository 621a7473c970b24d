"""What is shown how: the keys that change the view of the table.

Role: filter, columns, order, groups. Boundary: the table and dialogs; nothing of the fleet is
changed here. Threading: the screen's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from textual.screen import Screen
from textual.widgets import Input

from lxtui import columns
from lxtui import format as text
from lxtui.arranging import GROUPS, View
from lxtui.command_line import Typed, proposals, understand
from lxtui.errors import LxtuiError
from lxtui.model import FleetSnapshot
from lxtui.saved_views import SavedViews, name_trouble
from lxtui.screens.columns import ColumnsDialog
from lxtui.screens.dialogs import ChoiceDialog, LineDialog, NameDialog
from lxtui.widgets.fleet_table import FleetTable


class Viewing:
    """The part of the main screen that owns the view."""

    def __init__(
        self,
        screen: Screen[None],
        fleet: Callable[[], FleetSnapshot],
        saved: SavedViews,
        do: Callable[[str], None],
        open_table: Callable[[str, str], None],
    ) -> None:
        """*do* does an action by its id; *open_table* opens a table by its id, with a filter."""
        self._screen = screen
        self._fleet = fleet
        self._saved = saved
        self._do = do
        self._open_table = open_table

    @property
    def keys(self) -> Mapping[str, Callable[[], None]]:
        """What each of these actions does."""
        return {
            "filter": self.edit_filter,
            "columns": self._columns,
            "sort": self._sort,
            "reverse": self._reverse,
            "group": self._group,
            "fold": self._table.toggle_folds,
            "views": self._views,
            "save-view": self._save,
            "command": self._command,
            "mark-all": self._table.mark_shown,
            "invert-marks": lambda: self._table.mark_shown(invert=True),
        }

    def begin(self) -> None:
        """Show what was shown when lxtui was left."""
        self._show(self._saved.last)
        if self._saved.trouble:
            self._say(self._saved.trouble)

    def sort_by(self, column: str) -> None:
        """A header was clicked."""
        self._table.sort_by(column)
        self.remember()

    def remember(self) -> None:
        """Begin with this the next time."""
        try:
            self._saved.remember(self._table.view)
        except LxtuiError as error:
            self._say(str(error))

    def edit_filter(self) -> None:
        """Show the field and go there."""
        field = self._field
        field.display = True
        field.focus()
        self._screen.call_after_refresh(self._table.expect_filter)

    def set_filter(self, words: str) -> None:
        """Show what matches."""
        self._table.set_view(replace(self._table.view, filter=words.strip()))

    def clear_filter(self) -> bool:
        """Show everything again; whether anything was filtered."""
        field = self._field
        was = field.display or bool(self._table.view.filter)
        field.value = ""
        field.display = False
        self.set_filter("")
        self.remember()
        self._table.focus()
        return was

    def _columns(self) -> None:
        keys = columns.user_keys(self._fleet().instances)
        view = self._table.view

        def choose(chosen: tuple[str, ...] | None) -> None:
            if chosen is not None:
                self._show(replace(view, columns=chosen))

        self._screen.app.push_screen(ColumnsDialog(view.columns, keys), choose)

    def _sort(self) -> None:
        """By the next column on the screen; after the last by host and name again."""
        view = self._table.view
        ids = ["", *(slot.id for slot in self._table.slots)]
        at = ids.index(view.sort) + 1 if view.sort in ids else 1
        chosen = ids[at % len(ids)]
        # Of numbers the largest are looked for first; of times the latest.
        number = chosen != "" and columns.named(chosen).shape in columns.LARGEST_FIRST
        self._show(replace(view, sort=chosen, descending=number))

    def _reverse(self) -> None:
        view = self._table.view
        self._show(replace(view, descending=not view.descending))

    def _group(self) -> None:
        view = self._table.view
        labels = columns.user_keys(self._fleet().instances)
        choices = [("", "none")]
        choices += [(name, f"{name}  {columns.named(name).help.lower()}") for name in GROUPS]
        choices += [(key, text.plain(key)) for key in labels]
        at = next((at for at, (name, _) in enumerate(choices) if name == view.group), 0)

        def choose(group: str | None) -> None:
            if group is not None:
                self._show(replace(view, group=group))

        self._screen.app.push_screen(ChoiceDialog("Group by", choices, at), choose)

    def _views(self) -> None:
        names = self._saved.names
        if not names:
            self._say("no view is saved yet: V saves what is shown")
            return

        choices = [(name, f"{name}  {_described(self._saved.named(name))}") for name in names]
        choices.insert(0, ("", "everything, as at first"))

        def choose(name: str | None) -> None:
            if name is not None:
                self._show(self._saved.named(name) if name else View())

        self._screen.app.push_screen(ChoiceDialog("Views", choices, 1), choose)

    def _save(self) -> None:
        def save(name: str | None) -> None:
            if name is not None:
                self._try(lambda: self._saved.save(name, self._table.view), f"saved as {name}")

        self._screen.app.push_screen(
            NameDialog(
                "Name of this view; an older one of that name is replaced", "", (), name_trouble
            ),
            save,
        )

    def _command(self) -> None:
        def why_not(line: str) -> str:
            try:
                typed = understand(line, self._table.view)
                if typed.verb in {"view", "forget"}:
                    self._saved.named(typed.name)
            except LxtuiError as error:
                return str(error)
            return name_trouble(typed.name) if typed.verb == "save" else ""

        def run(line: str | None) -> None:
            if line is not None:
                self._run(understand(line, self._table.view))

        dialog = LineDialog("command", proposals(self._saved.names), why_not)
        self._screen.app.push_screen(dialog, run)

    def _run(self, typed: Typed) -> None:
        saved, name = self._saved, typed.name
        if typed.view is not None:
            self._show(typed.view)
        elif typed.action:
            self._do(typed.action)
        elif typed.verb == "table":
            self._open_table(name, typed.rest)
        elif typed.verb == "view":
            self._show(saved.named(name))
        elif typed.verb == "save":
            self._try(lambda: saved.save(name, self._table.view), f"saved as {name}")
        elif typed.verb == "forget":
            self._try(lambda: saved.forget(name), f"{name} is forgotten")
        else:
            self._screen.app.run_worker(self._screen.app.action_quit())

    def _try(self, write: Callable[[], None], done: str) -> None:
        try:
            write()
        except LxtuiError as error:
            self._say(str(error))
        else:
            self._screen.notify(done, markup=False)

    def _show(self, view: View) -> None:
        """Show another view, its filter in the field too, and begin with it the next time."""
        field = self._field
        if field.value.strip() != view.filter:
            with field.prevent(Input.Changed):
                field.value = view.filter
        field.display = bool(view.filter)
        self._table.set_view(view)
        self.remember()

    def _say(self, line: str) -> None:
        self._screen.notify(line, severity="warning", markup=False)

    @property
    def _table(self) -> FleetTable:
        return self._screen.query_one(FleetTable)

    @property
    def _field(self) -> Input:
        return self._screen.query_one("#filter", Input)


def _described(view: View) -> str:
    """A view in one line."""
    parts = (
        view.filter,
        f"by {view.group}" if view.group else "",
        f"sorted by {view.sort}" if view.sort else "",
    )
    return text.plain(", ".join(filter(None, parts)))
