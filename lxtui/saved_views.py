"""Views with a name, and the last one, on disk.

Role: the one owner of the file of views. Boundary: one JSON file below XDG's state directory, 0600,
replaced as a whole; without a path everything is kept in memory only. A file that cannot be read
is said and left alone until something is saved. Threading: the screen's, or the main thread.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from tempfile import mkstemp
from typing import Any

from lxtui.arranging import View
from lxtui.errors import LxtuiError, NotFoundError, UsageError

_LONGEST = 64


def default_path(environ: Mapping[str, str], home: Path) -> Path:
    """Where the views of a user are."""
    return Path(environ.get("XDG_STATE_HOME") or home / ".local/state") / "lxtui" / "views.json"


class SavedViews:
    """The views of one user."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._named: dict[str, View] = {}
        self._last = View()
        self._remembered = False
        self._owner: SavedViews | None = None
        self._tables: dict[str, SavedViews] = {}
        self.trouble = ""
        """Why the file could not be read; empty when it could."""
        if path is not None:
            self._read(path)

    @property
    def names(self) -> list[str]:
        """Of the saved views, sorted."""
        return sorted(self._named)

    @property
    def last(self) -> View:
        """The view with which to begin."""
        return self._last

    @property
    def remembered(self) -> bool:
        """Whether it is one that was shown before."""
        return self._remembered

    def of(self, table: str) -> SavedViews:
        """Those of another table than that of the instances; they are in the same file."""
        if table not in self._tables:
            self._tables[table] = found = SavedViews()
            found._owner = self
        return self._tables[table]

    def named(self, name: str) -> View:
        """The view of that name; NotFoundError says which there are."""
        try:
            return self._named[name]
        except KeyError:
            known = ", ".join(self.names) or "none yet: V on the screen saves one"
            raise NotFoundError(f"there is no view {name!r} (saved: {known})") from None

    def save(self, name: str, view: View) -> None:
        """Keep *view* under *name*; LxtuiError when it cannot be written."""
        if trouble := name_trouble(name):
            raise UsageError(f"{name!r}: {trouble}")
        before = dict(self._named)
        self._named[name] = view
        self._remembered = True
        try:
            self._write()
        except LxtuiError:
            self._named = before
            raise

    def forget(self, name: str) -> None:
        """Remove a saved view."""
        self.named(name)
        del self._named[name]
        self._write()

    def remember(self, view: View) -> None:
        """Begin with *view* the next time."""
        if view != self._last:
            self._last = view
            self._remembered = True
            self._write()

    def _read(self, path: Path) -> None:
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            self._take(document)
            for table, entry in document.get("tables", {}).items():
                self.of(str(table))._take(entry)
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            self.trouble = f"{path}: saved views cannot be read: {' '.join(str(error).split())}"

    def _take(self, document: Any) -> None:
        """Have what was written; anything odd raises, and then nothing of it is had."""
        named = {str(name): _view(entry) for name, entry in document["views"].items()}
        self._last, self._remembered = _view(document["last"]), True
        self._named = {name: view for name, view in named.items() if not name_trouble(name)}

    @property
    def _document(self) -> dict[str, Any]:
        return {
            "last": asdict(self._last),
            "views": {name: asdict(view) for name, view in self._named.items()},
        }

    def _write(self) -> None:
        if self._owner is not None:
            self._owner._write()
        if self._path is None:
            return
        tables = {name: one._document for name, one in self._tables.items() if one._remembered}
        document = {**self._document, "tables": tables}
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # mkstemp makes it 0600; a reader sees the old file or the new one.
            descriptor, written = mkstemp(prefix=".views-", dir=self._path.parent)
            try:
                with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                    json.dump(document, file, indent=2)
                Path(written).replace(self._path)
            except OSError:
                with suppress(OSError):
                    Path(written).unlink()
                raise
        except OSError as error:
            raise LxtuiError(f"the view was not saved: {error}") from error
        self.trouble = ""


def name_trouble(name: str) -> str:
    """Why a view cannot be called *name*; empty when it can."""
    if not name.strip() or name != name.strip():
        return "a name has letters, and no blanks around it"
    if len(name) > _LONGEST or not name.isprintable():
        return f"at most {_LONGEST} letters, all of them printable"
    return ""


def _view(entry: Any) -> View:
    """A view as it was written; ValueError for another shape. Unknown columns are skipped later."""
    texts = {name: entry.get(name, "") for name in ("filter", "sort", "group")}
    chosen = entry.get("columns") or View().columns
    if not all(isinstance(one, str) for one in (*texts.values(), *chosen)):
        raise ValueError("a view is made of texts")
    return View(columns=tuple(chosen), descending=entry.get("descending") is True, **texts)
