"""The line of keys at the bottom of a screen.

Role: Textual's footer, which makes its keys anew whenever the focus or the screen changes and holds
on to all that it ever made, as what they bind to it; this one lets go of them. Boundary: Textual's.
Threading: the screen's.
"""

from __future__ import annotations

from textual.widgets import Footer


class KeyLine(Footer):
    """The keys that do something here."""

    def __init__(self) -> None:
        super().__init__(compact=True)

    async def recompose(self) -> None:
        """Make the keys anew, and forget those that are gone: telling the others what they know
        already is what leaves them out.
        """
        await super().recompose()
        self.mutate_reactive(Footer.compact)
