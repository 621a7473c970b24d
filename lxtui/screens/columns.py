"""The dialog that chooses columns and their order.

Role: all columns, those shown first, in their order; answers with the ids. Boundary: knows the
table of columns only. Threading: the screen's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Label, OptionList
from textual.widgets.option_list import Option

from lxtui import columns
from lxtui import format as text
from lxtui.columns import Field


class ColumnsDialog(ModalScreen[tuple[str, ...] | None]):
    """Space chooses, shift with the arrows moves; a configuration key can be typed."""

    BINDINGS = [
        Binding("enter", "accept", "Show these", priority=True),
        Binding("space", "choose", "Choose", priority=False),
        Binding("shift+up,K,minus", "shift(-1)", "Further left"),
        Binding("shift+down,J,plus", "shift(1)", "Further right"),
        Binding("ctrl+r", "reset", "As at first"),
        Binding("escape", "cancel", "Cancel"),
    ]

    def __init__(
        self,
        chosen: Sequence[str],
        keys: Collection[str] = (),
        *,
        find: Callable[[str], Field[Any] | None] = columns.find,
        every: Collection[str] = tuple(columns.BY_ID),
        default: Sequence[str] = columns.DEFAULT,
    ) -> None:
        """*keys* are the labels (``user.*``) that there are; the rest is of another table."""
        super().__init__()
        self._find = find
        self._default = default
        ids = [column.id for name in chosen if (column := find(name)) is not None]
        self._chosen = set(ids)
        labels = [f"{columns.CONFIG}{key}" for key in keys]
        self._order = list(dict.fromkeys([*ids, *every, *labels]))

    def compose(self) -> ComposeResult:
        """Lay out the list and the field."""
        with Vertical(classes="dialog medium columns") as box:
            box.border_title = "columns"
            box.border_subtitle = "space chooses · J K move · ctrl+r as at first · enter shows them"
            yield OptionList(id="columns")
            yield Input(placeholder="a configuration key, such as limits.cpu", id="key")
            yield Label("", id="trouble", classes="trouble")

    def on_mount(self) -> None:
        """Begin in the list."""
        self._fill(0)
        self.query_one(OptionList).focus()

    def on_option_list_option_selected(self) -> None:
        """A click chooses."""
        self.action_choose()

    def action_choose(self) -> None:
        """Show the highlighted column, or no longer."""
        at = self.query_one(OptionList).highlighted
        if at is not None:
            self._chosen ^= {self._order[at]}
            self._fill(at)

    def action_shift(self, step: int) -> None:
        """Move the highlighted column."""
        at = self.query_one(OptionList).highlighted
        if at is not None and 0 <= at + step < len(self._order):
            self._order[at], self._order[at + step] = self._order[at + step], self._order[at]
            self._fill(at + step)

    def action_reset(self) -> None:
        """Choose what is shown before anybody chooses."""
        self._chosen = set(self._default)
        rest = [one for one in self._order if one not in self._chosen]
        self._order = [*self._default, *rest]
        self._fill(0)

    def action_accept(self) -> None:
        """Add the key that was typed; with an empty field, show what is chosen."""
        field = self.query_one(Input)
        name = field.value.strip()
        if field.has_focus and name:
            column = self._find(name) or self._find(f"{columns.CONFIG}{name}")
            if column is not None:
                self._chosen.add(column.id)
                self._order = [column.id, *(one for one in self._order if one != column.id)]
                field.value = ""
                self._fill(0)
                self.query_one(OptionList).focus()
            return
        chosen = tuple(one for one in self._order if one in self._chosen)
        if chosen:
            self.dismiss(chosen)
        else:
            trouble = Content("choose at least one")
            self.query_one("#trouble", Label).update(trouble)

    def action_cancel(self) -> None:
        """Turn away."""
        self.dismiss(None)

    def _fill(self, highlighted: int) -> None:
        shown = self.query_one(OptionList)
        shown.clear_options()
        shown.add_options(
            [Option(self._line(name), id=str(at)) for at, name in enumerate(self._order)]
        )
        shown.highlighted = highlighted

    def _line(self, name: str) -> Content:
        column = self._find(name)
        told = column.help if column is not None else ""
        box = ("☑ ", "green") if name in self._chosen else ("☐ ", "dim")
        return Content.assemble(box, f"{text.plain(name):<16} ", (text.plain(told), "dim"))
