"""The command lines that a dialog shows, for the clipboard.

Role: what stands on the screen behind "as:" → lines. Boundary: reads widgets, copies nothing.
Threading: the screen's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from textual.screen import Screen
from textual.widgets import Static

_SAID = "as: "


@runtime_checkable
class Copies(Protocol):
    """An app that copies what is shown."""

    @property
    def copy_key(self) -> str:
        """The key that does it, as the user has set it; empty for none."""


def hint(app: object, lines: Iterable[str]) -> str:
    """What to say on the frame where *lines* are shown; empty without a command among them."""
    key = app.copy_key if isinstance(app, Copies) else ""
    shown = key and any(line.startswith(_SAID) for line in lines)
    return f"{key} copies the command" if shown else ""


def shown(screen: Screen[object]) -> tuple[str, ...]:
    """What is read there as a command, whole and from the top; empty for none."""
    lines = (
        line.strip()
        for one in screen.query(Static)
        if one.display
        for line in str(one.content).split("\n")
    )
    return tuple(line.removeprefix(_SAID) for line in lines if line.startswith(_SAID))
