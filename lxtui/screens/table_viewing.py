"""What is shown how in a table's screen: filter, order, columns, commands.

Role: keys and typed lines → another View. Boundary: the screen's widgets and dialogs; nothing of
the fleet is changed here. Threading: the screen's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from textual.screen import Screen
from textual.widgets import Input

from lxtui.arranging import View
from lxtui.columns import LARGEST_FIRST
from lxtui.errors import LxtuiError, UsageError
from lxtui.format import plain
from lxtui.resources import catalog
from lxtui.resources.arranging import check, find
from lxtui.resources.table import Table
from lxtui.saved_views import SavedViews, name_trouble
from lxtui.screens.columns import ColumnsDialog
from lxtui.screens.dialogs import ChoiceDialog, LineDialog, NameDialog
from lxtui.widgets.resource_table import ResourceTable

_VERBS = ("filter ", "sort ", "columns ", "view ", "forget ", "instances", "quit")


class TableViewing:
    """The part of a table's screen that owns the view."""

    def __init__(
        self,
        screen: Screen[None],
        table: Table,
        words: str,
        show: Callable[[], None],
        open_table: Callable[[Table, str], None],
        saved: SavedViews,
    ) -> None:
        """*show* shows the table anew, *open_table* another one with a filter.

        It begins with the columns and the order that it had last.
        """
        self._screen = screen
        self._table = table
        self._show = show
        self._open_table = open_table
        self._saved = saved
        self._filtering = False
        last = saved.last if saved.remembered else View(columns=table.default)
        self.view = replace(last, filter=words)

    @property
    def keys(self) -> Mapping[str, Callable[[], None]]:
        """What each of these actions does."""
        return {
            "filter": self._edit_filter,
            "columns": self._choose_columns,
            "sort": self._sort,
            "reverse": lambda: self._set(
                replace(self.view, descending=not self.view.descending)
            ),
            "views": self._views,
            "save-view": self._save,
            "command": self._command,
        }  # fmt: skip

    def follow_filter(self) -> None:
        """Show what matches the field, once for letters that came together."""
        if not self._filtering:
            self._filtering = True
            self._screen.call_later(self._filter)

    def _filter(self) -> None:
        self._filtering = False
        self._set_filter(self._screen.query_one("#filter", Input).value)

    def _set_filter(self, words: str) -> None:
        self._set(replace(self.view, filter=words.strip()))

    def clear_filter(self) -> bool:
        """Show everything again; whether anything was filtered."""
        field = self._screen.query_one("#filter", Input)
        was = field.display or bool(self.view.filter)
        field.value = ""
        field.display = False
        self._set_filter("")
        self._screen.query_one(ResourceTable).focus()
        return was

    def sort_by(self, column: str) -> None:
        """By that column; the second time the other way round, the third by host and name."""
        known = find(self._table, column)
        first = known is not None and known.shape in LARGEST_FIRST
        if self.view.sort != column:
            self._set(replace(self.view, sort=column, descending=first))
        elif self.view.descending is first:
            self._set(replace(self.view, descending=not first))
        else:
            self._set(replace(self.view, sort="", descending=False))

    def _set(self, view: View) -> None:
        arranged = replace(view, filter="") != replace(self.view, filter="")
        self.view = view
        self._show()
        if arranged:
            self._try(lambda: self._saved.remember(replace(view, filter="")))

    def _views(self) -> None:
        names = self._saved.names
        if not names:
            self._say("no view of this table is saved yet: V saves what is shown")
            return
        choices = [(name, name) for name in names]
        choices.insert(0, ("", "everything, as at first"))

        def choose(name: str | None) -> None:
            if name is not None:
                known = self._saved.named(name) if name else View(columns=self._table.default)
                self._show_whole(known)

        self._screen.app.push_screen(ChoiceDialog(f"Views of {self._table.id}", choices, 1), choose)

    def _save(self) -> None:
        def save(name: str | None) -> None:
            if name is not None:
                view = self.view
                self._try(lambda: self._saved.save(name, view), f"saved as {name}")

        question = f"Name of this view of {self._table.id}; an older one of that name is replaced"
        self._screen.app.push_screen(NameDialog(question, "", (), name_trouble), save)

    def _show_whole(self, view: View) -> None:
        """Another view, its filter in the field too."""
        self._set(view)
        field = self._screen.query_one("#filter", Input)
        with field.prevent(Input.Changed):
            field.value = view.filter
        field.display = bool(view.filter)

    def _try(self, write: Callable[[], None], done: str = "") -> None:
        try:
            write()
        except LxtuiError as error:
            self._say(str(error))
        else:
            if done:
                self._screen.notify(done, markup=False)

    def _say(self, line: str) -> None:
        self._screen.notify(plain(line), severity="warning", markup=False)

    def _edit_filter(self) -> None:
        field = self._screen.query_one("#filter", Input)
        field.display = True
        field.focus()

    def _sort(self) -> None:
        """By the next column on the screen; after the last by host and name again."""
        ids = ["", *(slot.id for slot in self._screen.query_one(ResourceTable).slots)]
        at = ids.index(self.view.sort) + 1 if self.view.sort in ids else 1
        name = ids[at % len(ids)]
        column = find(self._table, name) if name else None
        largest = column is not None and column.shape in LARGEST_FIRST
        self._set(replace(self.view, sort=name, descending=largest))

    def _choose_columns(self) -> None:
        def choose(chosen: tuple[str, ...] | None) -> None:
            if chosen is not None:
                self._set(replace(self.view, columns=chosen))

        dialog = ColumnsDialog(
            self.view.columns,
            find=lambda name: find(self._table, name),
            every=[one.id for one in self._table.fields],
            default=self._table.default,
        )
        self._screen.app.push_screen(dialog, choose)

    def _command(self) -> None:
        proposals = [*catalog.BY_ID, *_VERBS]
        self._screen.app.push_screen(LineDialog("command", proposals, self._trouble), self._run)

    def _trouble(self, line: str) -> str:
        verb = line.partition(" ")[0]
        if verb in {"q", "quit", "instances", *catalog.BY_ID}:
            return ""
        try:
            self._viewed(line)
        except LxtuiError as error:
            return str(error)
        return ""

    def _run(self, line: str | None) -> None:
        if line is None:
            return
        verb, _, rest = line.partition(" ")
        if verb in {"q", "quit"}:
            self._screen.app.run_worker(self._screen.app.action_quit())
        elif verb == "instances":
            self._screen.app.call_later(back_to_instances, self._screen)
        elif verb in catalog.BY_ID:
            self._open_table(catalog.named(verb), rest.strip())
        elif verb == "forget":
            self._try(lambda: self._saved.forget(rest.strip()), f"{rest.strip()} is forgotten")
        else:
            self._show_whole(self._viewed(line))

    def _viewed(self, line: str) -> View:
        """The view that *line* asks for; UsageError names what could have been said."""
        verb, _, rest = line.partition(" ")
        rest = rest.strip()
        match verb:
            case "view" | "forget" if rest:
                return self._saved.named(rest)
            case "filter":
                return replace(self.view, filter=rest)
            case "sort":
                column, _, way = rest.partition(" ")
                if way not in {"", "reverse"}:
                    raise UsageError(f"sort: {way!r} is no order: say 'reverse' or nothing")
                wanted = replace(self.view, sort=column, descending=bool(way))
                return check(self._table, wanted)
            case "columns" if rest:
                chosen = tuple(rest.replace(",", " ").split())
                return check(self._table, replace(self.view, columns=chosen))
        known = ", ".join((*catalog.BY_ID, *map(str.strip, _VERBS)))
        raise UsageError(f"there is no command {verb!r}: {known}")


def back_to_instances(screen: Screen[None]) -> None:
    """Leave all screens above the main one."""
    stack = screen.app.screen_stack
    while len(stack) > 2:  # noqa: PLR2004 Textual's own, and the main screen
        screen.app.pop_screen()
        stack = screen.app.screen_stack
