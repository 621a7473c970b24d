"""The files of an instance.

Role: one page: a directory at a time, with marks; what is done with them is a job. Boundary: asks
for a directory when it is opened, and holds nothing of the instance open between. Threading: the
screen's.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content
from textual.widgets import Static

from lxtui import format as text
from lxtui.calls.files import RemoveFiles
from lxtui.errors import READ_ONLY, LxtuiError
from lxtui.files.listing import FileStart, Line, Listing
from lxtui.files.paths import Kind, above, joined, last, normal
from lxtui.model import JobState
from lxtui.model import Kind as ServerKind
from lxtui.screens.asking import Wiring
from lxtui.screens.detail.page import Page, Subject, lines, note, trouble
from lxtui.screens.dialogs import ConfirmDialog, LineDialog, TextDialog
from lxtui.screens.transfers import FolderDialog, PullDialog, PushDialog, Submit
from lxtui.screens.working import WorkDialog
from lxtui.widgets.file_table import FileTable

_ROWS = 1000
"""Of a file at most so many lines are drawn."""
_SHOWN = 5
Make = Callable[[ServerKind, Submit, Callable[[int], None], Callable[[int], None]], WorkDialog]
"""Makes a dialog that begins a job and tells its number."""


class FilesPage(Page):
    """One of its directories."""

    name_ = "Files"
    short = "Files"
    BINDINGS = [
        Binding("backspace,left", "up", "Up", tooltip="The directory that this one is in"),
        Binding(
            "space", "mark", "Mark", tooltip="Mark it: pull and remove then are for all marked"
        ),
        Binding("p", "pull", "Pull", tooltip="Copy it, or all that are marked, to this machine"),
        Binding(
            "P", "push", "Push", tooltip="Copy a file or directory of this machine into this one"
        ),
        Binding("M", "make", "New directory", tooltip="Make a directory in this one"),
        Binding("d", "remove", "Remove files", tooltip="Remove it, or all that are marked"),
        Binding("g", "go", "Go to", tooltip="Type a path"),
    ]

    def __init__(self, subject: Subject, wiring: Wiring) -> None:
        super().__init__(wiring.answers, subject)
        self._wiring = wiring
        self._path = b"/"
        self._listing: Listing | None = None
        self._trouble = ""
        self._cursor = b""
        self._jobs: set[int] = set()
        """What was begun here: when it has ended, the directory is read again."""

    def compose(self) -> ComposeResult:
        """Where it is, above what is there."""
        yield Static(classes="page-text", id="where")
        yield FileTable()

    def focus(self, scroll_visible: bool = True) -> FilesPage:
        """The table has the keys."""
        self.query_one(FileTable).focus(scroll_visible)
        return self

    def sample(self) -> None:
        """Read the directory again."""
        if self.subject.host.online:
            self._open(self._path)
        else:
            self._trouble = f"{self.subject.host.name} does not answer"
            self.redraw()

    def show(self, subject: Subject) -> None:
        """The fleet has changed; something that was begun here may have ended."""
        super().show(subject)
        ended = {one.id for one in subject.fleet.jobs if one.state is not JobState.RUNNING}
        if self._jobs & ended:
            self._jobs -= ended
            self.sample()

    def text(self) -> Content:
        """The line above the table."""
        shown = self._listing
        parts = [Content.styled(text.path(self._path), "bold")]
        if shown is not None:
            marked = len(self.query_one(FileTable).marked)
            said = [f"{len(shown.lines)} names", *([f"{marked} marked"] if marked else [])]
            if shown.cut:
                said.append("only the first are shown")
            parts.append(note("  " + ", ".join(said)))
        elif not self._trouble:
            parts.append(note("  asking…"))
        first = Content("").join(parts)
        return lines([first, trouble(self._trouble)]) if self._trouble else first

    def action_up(self) -> None:
        """The directory above, with the cursor where we come from."""
        if self._path != b"/":
            self._open(above(self._path), last(self._path))

    def action_mark(self) -> None:
        """Mark, or no longer."""
        self.query_one(FileTable).mark()
        self.redraw()

    def action_go(self) -> None:
        """A path that is typed."""

        def go(written: str | None) -> None:
            if written:
                to = os.fsencode(written)
                self._open(normal(to if to.startswith(b"/") else joined(self._path, to)))

        self.app.push_screen(LineDialog("go to a directory", (), lambda _: ""), go)

    def action_pull(self) -> None:
        """Copy what is marked, or under the cursor, to this machine."""
        chosen = self._chosen()
        if chosen:
            self._push_dialog(partial(PullDialog, self.subject.ref, self._path, chosen))

    def action_push(self) -> None:
        """Copy something of this machine here."""
        if self._may():
            self._push_dialog(partial(PushDialog, self.subject.ref, self._path))

    def action_make(self) -> None:
        """Make a directory here."""
        if self._may():
            self._push_dialog(partial(FolderDialog, self.subject.ref, self._path))

    def action_remove(self) -> None:
        """Remove what is marked, or under the cursor, after a question."""
        chosen = self._chosen()
        if not chosen or not self._may():
            return
        folders = any(one.kind is Kind.FOLDER for one in chosen)
        paths = tuple(joined(self._path, one.entry.name) for one in chosen)
        command = RemoveFiles(self.subject.ref, paths, folders)
        what = text.path(paths[0]) if len(paths) == 1 else f"{len(paths)} files"
        shown = [f"{one.name}{'/' if one.kind is Kind.FOLDER else ''}" for one in chosen[:_SHOWN]]
        more = [f"… and {len(chosen) - _SHOWN} more"] if len(chosen) > _SHOWN else []
        details = [*(shown if len(chosen) > 1 else ()), *more]
        if folders:
            details.append("Directories go with all that is in them.")
        details.append(f"as: {text.plain(command.equivalent(self.subject.host.kind))}")

        def go(yes: bool | None) -> None:
            if yes:
                self._jobs.add(self._wiring.submit(command))

        question = f"Remove {what} of {text.plain(str(self.subject.ref))}?"
        self.app.push_screen(ConfirmDialog(question, details), go)

    def on_file_table_activated(self, event: FileTable.Activated) -> None:
        """Enter a directory, or what a link points to; show a file's beginning."""
        event.stop()
        line = self.query_one(FileTable).line
        if line is None:
            return
        path = joined(self._path, line.entry.name)
        if line.kind is Kind.FOLDER:
            self._open(path)
        elif line.kind is Kind.FILE:
            self._view(path)
        elif line.kind is Kind.LINK:
            self._follow(path)
        else:
            self._say(f"{line.name} is a {line.kind}: there is nothing to read")

    def _follow(self, path: bytes) -> None:
        """A link: to a directory, to a file, or nowhere."""
        ref = self.subject.ref

        def take(answer: Listing | LxtuiError) -> None:
            if isinstance(answer, LxtuiError):
                self._say(str(answer))
            elif answer.is_folder:
                self._take(path, b"", answer)
            else:
                self._view(path)

        self.ask(lambda: self.answers.listing(ref, path), take)

    def _view(self, path: bytes) -> None:
        ref = self.subject.ref

        def take(answer: FileStart | LxtuiError) -> None:
            if isinstance(answer, LxtuiError):
                self._say(str(answer))
                return
            head = [] if len(answer.data) >= answer.size else [note(_cut(answer))]
            rows = [Content(one) for one in answer.rows(_ROWS)]
            shown = lines([*head, *rows]) if answer.data else note("it is empty")
            self.app.push_screen(TextDialog(text.path(path), shown))

        self.ask(lambda: self.answers.file_start(ref, path), take)

    def _open(self, path: bytes, cursor: bytes = b"") -> None:
        ref = self.subject.ref
        self._path, self._cursor = path, cursor
        self.ask(
            lambda: self.answers.listing(ref, path), lambda answer: self._take(path, cursor, answer)
        )

    def _take(self, path: bytes, cursor: bytes, answer: Listing | LxtuiError) -> None:
        if isinstance(answer, LxtuiError):
            if path == self._path:
                self._trouble = str(answer)
                if self._listing is not None:
                    self._path = self._listing.path
                self.redraw()
            return
        self._path, self._trouble, self._listing = path, "", answer
        self.query_one(FileTable).show(answer, cursor)
        self.redraw()

    def _chosen(self) -> list[Line]:
        """What is marked, else what the cursor is on."""
        table = self.query_one(FileTable)
        return table.marked or ([table.line] if table.line is not None else [])

    def _may(self) -> bool:
        """Whether the host may be changed; says so if not."""
        host = self.subject.host
        if host.read_only:
            self._say(f"{host.name} {READ_ONLY}")
        return not host.read_only

    def _push_dialog(self, make: Make) -> None:
        wiring, kind = self._wiring, self.subject.host.kind
        self.app.push_screen(make(kind, wiring.submit, wiring.cancel_job, self._jobs.add))

    def _say(self, line: str) -> None:
        self.app.notify(text.plain(line), severity="warning", markup=False)


def _cut(start: FileStart) -> str:
    return f"the first {text.size(len(start.data))} of {text.size(start.size)}"
