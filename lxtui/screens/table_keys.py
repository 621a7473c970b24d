"""The keys of a table's screen.

Role: bindings from the tables of actions and of deeds, so that a key that a user has changed is
changed here too; and the lines of its help. Boundary: data. Threading: values.
"""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table
from textual.binding import Binding

from lxtui.actions import BY_ID
from lxtui.resources.deeds import DEEDS, EDITABLE, deeds_of
from lxtui.screens.help import laid_out

USED_BY = ("used-by", "u", "Used by", "What uses it: enter goes there")
_SHARED = (
    *(
        "mark",
        "mark-all",
        "invert-marks",
        "filter",
        "columns",
        "sort",
        "reverse",
        "views",
        "save-view",
        "tables",
        "command",
        "refresh",
        "edit",
        "help",
    ),
)
"""Actions of the main screen that are the same here."""
_SHOWN = frozenset({"edit", "filter", "tables", "help"})


def bindings() -> list[Binding]:
    """Every binding of the screen."""
    found = [
        Binding(BY_ID[name].key, f"do('{name}')", BY_ID[name].label, show=name in _SHOWN, id=name)
        for name in _SHARED
    ]
    name, key, label, told = USED_BY
    found.append(Binding(key, "used_by", label, id=name, tooltip=told))
    found += [
        Binding(deed.key, f"deed('{deed.id}')", deed.label, id=deed.id, tooltip=deed.help)
        for deed in DEEDS
    ]
    return found


def help_lines(table: str, keys: Mapping[str, str]) -> Table:
    """What can be done in this table, one line each."""
    rows = [("enter", "Details", "Everything about it, as the daemon has it")]
    name, key, label, told = USED_BY
    rows.append((keys.get(name, key), label, told))
    rows += [(keys.get(one.id, one.key), one.label, one.help) for one in deeds_of(table)]
    if table in EDITABLE:
        rows.append((keys.get("edit", BY_ID["edit"].key), "Edit", "Edit it as YAML in your editor"))
    rows += [
        (keys.get(one, BY_ID[one].key), BY_ID[one].label, BY_ID[one].help)
        for one in _SHARED
        if one != "edit"
    ]
    rows.append(("escape", "Back", "Show everything again, then go back where you came from"))
    return laid_out(rows)
