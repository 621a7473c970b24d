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
from lxtui.arranging import GROUPS
from lxtui.model import FleetSnapshot
from lxtui.screens.columns import ColumnsDialog
from lxtui.screens.dialogs import ChoiceDialog
from lxtui.widgets.fleet_table import FleetTable


class Viewing:
    """The part of the main screen that owns the view."""

    def __init__(self, screen: Screen[None], fleet: Callable[[], FleetSnapshot]) -> None:
        self._screen = screen
        self._fleet = fleet

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
            "mark-all": self._table.mark_shown,
            "invert-marks": lambda: self._table.mark_shown(invert=True),
        }

    def edit_filter(self) -> None:
        """Show the field and go there."""
        field = self._field
        field.display = True
        field.focus()

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
        self._table.focus()
        return was

    def _columns(self) -> None:
        keys = columns.user_keys(self._fleet().instances)
        view = self._table.view

        def choose(chosen: tuple[str, ...] | None) -> None:
            if chosen is not None:
                self._table.set_view(replace(view, columns=chosen))

        self._screen.app.push_screen(ColumnsDialog(view.columns, keys), choose)

    def _sort(self) -> None:
        """By the next column on the screen; after the last by host and name again."""
        view = self._table.view
        ids = ["", *(slot.id for slot in self._table.slots)]
        at = ids.index(view.sort) + 1 if view.sort in ids else 1
        chosen = ids[at % len(ids)]
        # Of numbers the largest are looked for first; of times the latest.
        number = chosen != "" and columns.named(chosen).shape in columns.LARGEST_FIRST
        self._table.set_view(replace(view, sort=chosen, descending=number))

    def _reverse(self) -> None:
        view = self._table.view
        self._table.set_view(replace(view, descending=not view.descending))

    def _group(self) -> None:
        view = self._table.view
        labels = columns.user_keys(self._fleet().instances)
        choices = [("", "none")]
        choices += [(name, f"{name}  {columns.named(name).help.lower()}") for name in GROUPS]
        choices += [(key, text.plain(key)) for key in labels]
        at = next((at for at, (name, _) in enumerate(choices) if name == view.group), 0)

        def choose(group: str | None) -> None:
            if group is not None:
                self._table.set_view(replace(view, group=group))

        self._screen.app.push_screen(ChoiceDialog("Group by", choices, at), choose)

    @property
    def _table(self) -> FleetTable:
        return self._screen.query_one(FleetTable)

    @property
    def _field(self) -> Input:
        return self._screen.query_one("#filter", Input)
