"""A line of the screen that says something else now and then.

Role: draws what it says, if that is something else than before; lays nothing out, because it is as
large as ever. Boundary: gets values. Threading: the screen's.
"""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static


class OneLine(Static):
    """One line of a fixed height."""

    def __init__(self, *, id: str) -> None:  # noqa: A002 Textual's own name
        super().__init__(id=id)
        self._said = Content()

    def say(self, what: Content) -> None:
        """Show *what* from now on."""
        if not what.is_same(self._said):
            self._said = what
            self.update(what, layout=False)
