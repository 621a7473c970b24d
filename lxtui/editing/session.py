"""One edit, from the first look to the last word of the daemon.

Role: the text in a file of its own, which an editor may change as often as it wants; what it means;
how it is taken up again on top of what somebody else has written meanwhile. Boundary: one file,
0600 in a folder 0700, that is removed when the edit is over and stays when it is not; runs no
editor, asks no host. Threading: one thread.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp

from lxtui.api import Document
from lxtui.calls.documents import PutDocument
from lxtui.editing.documents import Editable, Json, changes, merged, shown, understood, written
from lxtui.errors import LxtuiError

_FIRST = ("An empty text, or one that is left as it is, changes nothing.",)


def default_folder(environ: Mapping[str, str], home: Path) -> Path:
    """Where the texts of edits are that are not over."""
    return Path(environ.get("XDG_STATE_HOME") or home / ".local/state") / "lxtui" / "edits"


class Session:
    """The edit of one object."""

    def __init__(self, what: Editable, document: Document, folder: Path) -> None:
        """LxtuiError when the file cannot be made."""
        self.what = what
        self._document = document
        self._looked = ""
        try:
            folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            name = "".join(char if char.isalnum() else "-" for char in what.ref.name)
            # mkstemp makes it 0600
            descriptor, path = mkstemp(prefix=f"{what.noun}-{name}-", suffix=".yml", dir=folder)
            os.close(descriptor)
        except OSError as error:
            raise LxtuiError(f"there is no place for the text: {error}") from error
        self.file = Path(path)
        self._write(shown(what, document.value), _FIRST)

    @property
    def command(self) -> PutDocument | None:
        """What the text means; None when it changes nothing. UsageError when it means nothing."""
        text = self._text()
        if not text.strip():
            return None
        edited = understood(self.what, text)
        before = shown(self.what, self._document.value)
        return PutDocument(self.what, self._document, edited) if changes(before, edited) else None

    @property
    def touched(self) -> bool:
        """Whether the text was changed since it was last noted on."""
        return self._read() != self._looked

    def note(self, lines: str) -> None:
        """Put a remark above the text."""
        self._write_text(self._text(), (*lines.splitlines(), *_FIRST))

    def take_up(self, document: Document) -> tuple[str, ...]:
        """Put the same changes on top of *document*; what both have changed differently.

        UsageError when the text means nothing.
        """
        mine = understood(self.what, self._text())
        base, theirs = (shown(self.what, one.value) for one in (self._document, document))
        result, both = merged(base, mine, theirs)
        self._document = document
        changed = ", ".join(changes(base, theirs)) or "nothing that is shown here"
        said = [
            f"Somebody else has changed meanwhile: {changed}.",
            "Your changes are on top of it.",
        ]
        if both:
            said.append(f"Both have changed, and yours would win: {', '.join(both)}.")
        self._write(result, (*said, *_FIRST))
        return both

    def over(self) -> None:
        """Remove the file."""
        with suppress(OSError):
            self.file.unlink()

    def _write(self, edited: Json, remarks: tuple[str, ...]) -> None:
        self._write_text(written(edited), remarks)

    def _write_text(self, text: str, remarks: tuple[str, ...]) -> None:
        head = [f"# {line}" for line in (f"{self.what.noun} {self.what.ref}", *remarks)]
        self._looked = "\n".join([*head, text])
        try:
            self.file.write_text(self._looked, encoding="utf-8")
        except OSError as error:
            raise LxtuiError(f"the text cannot be written: {error}") from error

    def _text(self) -> str:
        """Without the remarks on top."""
        lines = self._read().splitlines()
        while lines and lines[0].startswith("#"):
            lines.pop(0)
        return "\n".join(lines) + "\n"

    def _read(self) -> str:
        try:
            return self.file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise LxtuiError(f"the text cannot be read: {error}") from error
