"""The help page, made from the table of actions.

Role: actions → text. Boundary: pure. Threading: functions.
"""

from __future__ import annotations

from collections.abc import Mapping

from textual.content import Content
from textual.keys import format_key

from lxtui.actions import ACTIONS

_FIXED = (
    ("ctrl+p", "Every action by name"),
    ("enter", "In the table: the instance's pages; in the tree: the table shows only that"),
    ("left right", "In the tree: close or open"),
    ("[ ]", "In an instance's or a host's pages: the page beside; 1 to 9: that page"),
    ("escape", "From there back to the table"),
    ("tab", "From the table to the tree to the operations"),
    ("ctrl+q", "Quit"),
)


def help_page(keys: Mapping[str, str]) -> Content:
    """Every action with its key (*keys*: those that the user changed), one line each."""
    rows = [
        (" ".join(format_key(one) for one in key.split(",") if one), action.label, action.help)
        for action in ACTIONS
        for key in [keys.get(action.id, action.key)]
    ]
    rows += [(key, "", help_text) for key, help_text in _FIXED]
    width = max(len(label) for _, label, _ in rows)
    return Content("\n").join(
        Content.assemble((f"{key:>8}  ", "bold yellow"), f"{label:<{width}}  ", (help_text, "dim"))
        for key, label, help_text in rows
    )
