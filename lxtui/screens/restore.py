"""What restoring a snapshot would lose, before it is agreed to.

Role: how it looks. Boundary: gets a reader, see looking_first.py. Threading: the screen's.
"""

from __future__ import annotations

from typing import ClassVar

from textual.content import Content

from lxtui.restoring import Loss
from lxtui.screens.looking_first import LookingDialog

_STYLES = {"+": "green", "-": "red", "@": "dim"}


class RestoreDialog(LookingDialog[Loss]):
    """Look, then yes or no; what is in the way takes the yes away."""

    looks: ClassVar[str] = "asking what is lost …"

    def shown(self, found: Loss) -> Content:
        """What is lost, and below it how the configuration differs."""
        lines = [Content(line) for line in found.lines]
        if found.blocker:
            lines.insert(0, Content.styled(found.blocker, "bold red"))
        lines += [Content.styled(line, _STYLES.get(line[:1], "dim")) for line in found.difference]
        return Content("\n").join(lines)

    def allows(self, found: Loss) -> bool:
        """Nothing is in the way."""
        return not found.blocker
