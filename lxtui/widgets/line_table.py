"""A table of lines, of which only those that can be seen are made.

Role: header, cursor, scrolling and drawing for any number of lines; a line that looks as it did is
not drawn again. That is what makes ten thousand lines no slower than ten. Boundary: what the lines
are is for the subclass to say. Threading: the screen's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from lxtui.format import plain
from lxtui.widgets.table_cells import Cell

_FEW = 8
"""That many changed lines are drawn one by one, more all at once."""


_ABOVE = 2
"""Lines above what is said where there is no line: the header, and a blank one."""
_MARGINS = 4
"""Cells beside it."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A column on the screen."""

    id: str
    label: str
    width: int
    right: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """What a line of the screen shows."""

    cells: tuple[Cell, ...]
    background: str = ""
    """The component class, without its prefix; empty for the widget's own."""
    whole: bool = False
    """Whether its one cell runs over all columns."""


class LineTable(ScrollView, can_focus=True):
    """Lines below a header, with a cursor over one of them."""

    COMPONENT_CLASSES = {"lines--header", "lines--cursor", "lines--odd", "lines--group"}
    BINDINGS = [
        Binding("up,k", "cursor(-1)", show=False),
        Binding("down,j", "cursor(1)", show=False),
        Binding("pageup,ctrl+b", "page(-1)", show=False),
        Binding("pagedown,ctrl+f", "page(1)", show=False),
        Binding("ctrl+u", "page(-0.5)", show=False),
        Binding("ctrl+d", "page(0.5)", show=False),
        Binding("home", "edge(0)", show=False),
        Binding("end,G", "edge(-1)", show=False),
        Binding("enter", "activate", show=False),
    ]

    class Highlighted(Message):
        """The cursor is on another line."""

    class HeaderClicked(Message):
        """A click on a column's header."""

        def __init__(self, column: str) -> None:
            super().__init__()
            self.column = column

    def __init__(self, *, id: str) -> None:  # noqa: A002 Textual's own name
        super().__init__(id=id)
        self.slots: list[Slot] = []
        self._cursor = 0
        self._looks: dict[int, Look] = {}
        self._instead: tuple[str, ...] = ()

    @property
    def row_count(self) -> int:
        """How many lines there are."""
        raise NotImplementedError

    def look(self, row: int) -> Look:
        """What a line shows, but for the cursor."""
        raise NotImplementedError

    def activate(self, *, again: bool) -> None:
        """Enter on the line under the cursor, or a click; *again*: it was there before."""
        raise NotImplementedError

    @property
    def cursor_row(self) -> int:
        """The line under the cursor, from 0."""
        return self._cursor

    def cells(self, row: int) -> list[str]:
        """The texts of a line, uncut."""
        return [text for text, _ in self.look(row).cells]

    def move(self, row: int) -> None:
        """Put the cursor there, as far as there are lines."""
        before = self._cursor
        self._cursor = max(min(row, self.row_count - 1), 0)
        self._into_view()
        self.redraw()
        if self._cursor != before:
            self.post_message(self.Highlighted())

    def _step(self, row: int) -> None:
        """The same while the lines are what they were: only two of them look otherwise."""
        before, top = self._cursor, self.scroll_offset.y
        self._cursor = max(min(row, self.row_count - 1), 0)
        if self._cursor == before:
            return
        self._into_view()
        if self.scroll_offset.y == top:
            for one in (before, self._cursor):
                self.refresh(Region(0, one - top + 1, self.size.width, 1))
        else:
            self.redraw()
        self.post_message(self.Highlighted())

    def redraw(self) -> None:
        """Have those lines drawn that look otherwise than they were drawn last."""
        height = self.row_count + 1
        if self.virtual_size.height != height:
            self.virtual_size = Size(self.virtual_size.width, height)
        top = self.scroll_offset.y
        rows = range(top, min(top + self._seen, self.row_count))
        stale = [y for y, row in enumerate(rows, 1) if self._looks.get(y) != self._with_cursor(row)]
        gone = [y for y in self._looks if y > len(rows)]
        for y in gone:
            del self._looks[y]
        if gone or len(stale) > _FEW:
            self.refresh()
        else:
            for y in stale:
                self.refresh(Region(0, y, self.size.width, 1))

    def say_instead(self, lines: Sequence[str]) -> None:
        """What stands there as long as there is no line."""
        if tuple(lines) != self._instead:
            self._instead = tuple(lines)
            self.refresh()

    def lay_out(self, slots: Sequence[Slot]) -> None:
        """Have these columns from now on."""
        if list(slots) != self.slots:
            self.slots = list(slots)
            self._looks.clear()
            self.refresh()

    @property
    def room(self) -> int:
        """Cells across, without a scrollbar."""
        return self.scrollable_content_region.width

    def action_cursor(self, step: int) -> None:
        """Move the cursor by lines."""
        self._step(self._cursor + step)

    def action_page(self, pages: float) -> None:
        """Move the cursor by what can be seen, or by a part of it."""
        lines = max(int(abs(pages) * (self._seen - 1)), 1)
        self._step(self._cursor + (lines if pages > 0 else -lines))

    def action_edge(self, row: int) -> None:
        """Move the cursor to the first or the last line."""
        self._step(row % max(self.row_count, 1))

    def action_activate(self) -> None:
        """Open what is under the cursor."""
        self.activate(again=True)

    def on_click(self, event: events.Click) -> None:
        """A header says that it was clicked; a line takes the cursor, a second click opens it."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        if offset.y == 0:
            start = 0
            for slot in self.slots:
                if start <= offset.x <= start + slot.width:
                    self.post_message(self.HeaderClicked(slot.id))
                start += slot.width + 1
            return
        row = self.scroll_offset.y + offset.y - 1
        if row < self.row_count:
            self.move(row)
            self.activate(again=event.chain > 1)

    def on_resize(self) -> None:
        """Draw all anew, with the cursor in sight."""
        self._looks.clear()
        self._into_view()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """The header, or the line that stands there."""
        width, base = self.size.width, self.rich_style
        if y == 0:
            labels = tuple((slot.label, "") for slot in self.slots)
            return self._strip(Look(labels, "header"), base, width)
        row = self.scroll_offset.y + y - 1
        if row >= self.row_count:
            at = y - _ABOVE
            said = [] if self.row_count else self._wrapped(width)
            if not 0 <= at < len(said):
                return Strip.blank(width, base)
            line, dim = said[at]
            return Strip([Segment(sized(f"  {line}", width), base + Style(dim=dim))], width)
        look = self._looks[y] = self._with_cursor(row)
        return self._strip(look, base, width)

    def _wrapped(self, width: int) -> list[tuple[str, bool]]:
        """What stands there instead, no line wider than the table, and whether it is dim.

        What is to be done about it is at the end of a line.
        """
        return [
            (part, at > 0)
            for at, line in enumerate(self._instead)
            for part in wrap(plain(line), max(width - _MARGINS, 1))
        ]

    @property
    def _seen(self) -> int:
        """How many lines can be seen below the header."""
        return max(self.scrollable_content_region.height - 1, 0)

    def _into_view(self) -> None:
        top, seen = self.scroll_offset.y, self._seen
        if not seen:
            return
        if self._cursor < top:
            self.scroll_to(y=self._cursor, animate=False, force=True)
        elif self._cursor >= top + seen:
            self.scroll_to(y=self._cursor - seen + 1, animate=False, force=True)

    def _with_cursor(self, row: int) -> Look:
        look = self.look(row)
        if row == self._cursor:
            return Look(look.cells, "cursor", look.whole)
        return look

    def _strip(self, look: Look, base: Style, width: int) -> Strip:
        style = base
        if look.background:
            style += self.get_component_rich_style(f"lines--{look.background}", partial=True)
        if look.whole:
            ((text, more),) = look.cells
            told = Segment(sized(text, self.room), style + Style.parse(more))
            return Strip([told]).adjust_cell_length(width, style)
        segments = []
        for (text, more), slot in zip(look.cells, self.slots, strict=False):
            own = style + Style.parse(more) if more else style
            segments.append(Segment(sized(text, slot.width, right=slot.right), own))
            segments.append(Segment(" ", style))
        return Strip(segments).adjust_cell_length(width, style)


def sized(text: str, width: int, *, right: bool = False) -> str:
    """*text* in exactly that many cells; what does not fit ends in an ellipsis."""
    cells = len(text) if text.isascii() else cell_len(text)
    if cells > width:
        return set_cell_size(text, width - 1) + "…" if width > 0 else ""
    blank = " " * (width - cells)
    return blank + text if right else text + blank
