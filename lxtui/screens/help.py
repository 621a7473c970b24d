"""The help page, made from the table of actions.

Role: actions → a table of their keys. Boundary: pure. Threading: functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.table import Table
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.keys import format_key

from lxtui.actions import ACTIONS

_FIXED = (
    ("ctrl+p", "Every action by name"),
    ("enter", "In the table: the instance's pages; in the tree: the table shows only that"),
    ("", "In the operations: all of it, and its command line"),
    ("left right", "In the tree: close or open"),
    ("[ ]", "In an instance's or a host's pages: the page beside; 1 to 9: that page"),
    ("escape", "From there back to the table"),
    ("tab", "From the table to the operations to the tree; shift+tab: the other way"),
    ("ctrl+q", "Quit"),
)


def help_page(keys: Mapping[str, str], own: Iterable[BindingType] = ()) -> Table:
    """Every action with its key (*keys*: those that the user changed).

    *own* are the keys of the page that is in sight, which come first.
    """
    rows = [
        (one.key, one.description, one.tooltip)
        for one in own
        if isinstance(one, Binding) and one.show
    ]
    rows += [(keys.get(one.id, one.key), one.label, one.help) for one in ACTIONS]
    rows += [(key, "", help_text) for key, help_text in _FIXED]
    return laid_out(rows)


def laid_out(rows: Iterable[tuple[str, str, str]]) -> Table:
    """Keys, what they are called and what they do; what is long goes on below its beginning."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(justify="right", style="bold yellow", no_wrap=True, min_width=8)
    table.add_column(no_wrap=True)
    table.add_column(style="dim")
    for key, label, told in rows:
        shown = " ".join(format_key(one) for one in key.split(",") if one)
        table.add_row(Text(shown), Text(label), Text(told))
    return table
