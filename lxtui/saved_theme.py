"""The theme that was chosen on the screen, on disk.

Role: remembers what the palette was asked for, as long as the settings say what they said then: who
writes another ``theme`` there wants that one. Boundary: one JSON file below XDG's state directory,
0600, replaced as a whole; without a path nothing is kept. What cannot be read or written is no
reason to complain: it is a colour. Threading: the screen's.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp


def default_path(environ: Mapping[str, str], home: Path) -> Path:
    """Where the theme of a user is."""
    return Path(environ.get("XDG_STATE_HOME") or home / ".local/state") / "lxtui" / "theme.json"


class SavedTheme:
    """The last theme of one user."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path

    def over(self, configured: str) -> str:
        """The theme to begin with, where the settings say *configured* (empty: nothing)."""
        if self._path is not None:
            with suppress(OSError, ValueError, TypeError, KeyError):
                document = json.loads(self._path.read_text(encoding="utf-8"))
                if document["configured"] == configured:
                    return str(document["theme"])
        return configured

    def remember(self, theme: str, configured: str) -> None:
        """Begin with *theme* the next time."""
        if self._path is None:
            return
        with suppress(OSError):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor, written = mkstemp(prefix=".theme-", dir=self._path.parent)
            try:
                with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                    json.dump({"theme": theme, "configured": configured}, file)
                Path(written).replace(self._path)
            except OSError:
                Path(written).unlink(missing_ok=True)
