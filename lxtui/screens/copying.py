"""The command lines that a dialog shows, for the clipboard.

Role: what stands on the screen behind "as:" → lines. Boundary: reads widgets, copies nothing.
Threading: the screen's.
"""

from __future__ import annotations

from collections.abc import Iterable

from textual.screen import Screen
from textual.widgets import Static

_SAID = "as: "
HINT = "ctrl+y copies the command"


def hint(lines: Iterable[str]) -> str:
    """What to say on the frame where *lines* are shown; empty without a command among them."""
    return HINT if any(line.startswith(_SAID) for line in lines) else ""


def shown(screen: Screen[object]) -> tuple[str, ...]:
    """What is read there as a command, whole and from the top; empty for none."""
    lines = (
        line.strip()
        for one in screen.query(Static)
        if one.display
        for line in str(one.content).split("\n")
    )
    return tuple(line.removeprefix(_SAID) for line in lines if line.startswith(_SAID))
