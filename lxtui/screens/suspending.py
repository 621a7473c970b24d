"""Programs that have the terminal for a while.

Role: takes lxtui off the screen, runs the user's editor, comes back. Boundary: only it does so.
Threading: the screen's, which stands still meanwhile; the fleet goes on.
"""

from __future__ import annotations

from pathlib import Path

from textual.app import App, SuspendNotSupported

from lxtui.editing.editor import run_editor
from lxtui.errors import LxtuiError


def edited(app: App[None], file: Path) -> str:
    """Have the user's editor change *file*; what went wrong, if anything did."""
    try:
        with app.suspend():
            run_editor(file)
    except LxtuiError as error:
        return str(error)
    except SuspendNotSupported:
        return "this terminal cannot be handed to an editor: use 'lxtui edit' in a shell"
    return ""
