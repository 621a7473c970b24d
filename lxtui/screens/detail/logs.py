"""The logs of an instance, and what it wrote to its console.

Role: a list beside the end of one of them. Boundary: asks for a log when it is chosen; for the
console's by a key alone: the servers keep that for one reader (LXD 5.0.2 and Incus 6.0.4 answer a
second request with nothing), so what was read stays here while the screen is open. Threading: the
screen's.
"""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from lxtui import format as text
from lxtui.detail.base import LogText, Questions
from lxtui.errors import LxtuiError
from lxtui.screens.detail.page import Page, Subject, lines, note, trouble

CONSOLE = ""
"""Stands for the console among the names."""
_LINES = 1000
"""Of a log at most so many are drawn."""
_KEPT = 256 * 1024
"""Bytes of the console that stay."""


class LogsPage(Page):
    """A list of logs and the chosen one."""

    name_ = "Logs"
    short = "Logs"
    BINDINGS = [Binding("l", "console", "Console log", tooltip="Read what it wrote to its console")]

    def __init__(self, answers: Questions, subject: Subject) -> None:
        super().__init__(answers, subject)
        self._names: tuple[str, ...] | None = None
        self._chosen: str | None = None
        self._from_console = LogText(b"", 0)

    def compose(self) -> ComposeResult:
        """The list at the left, or on top where there is little room."""
        with Horizontal(classes="logs"):
            yield OptionList(id="log-names")
            with VerticalScroll(classes="log-text"):
                yield Static(classes="page-text")

    def sample(self) -> None:
        """Ask for the names."""
        ref = self.subject.ref
        if self.subject.host.online:
            self.ask(lambda: self.answers.logs(ref), self._take_names)
        else:
            self.write(note(f"{self.subject.host.name} does not answer"))

    def redraw(self) -> None:
        """The fleet's changes change no log."""

    def _take_names(self, answer: tuple[str, ...] | LxtuiError) -> None:
        if isinstance(answer, LxtuiError):
            self.write(trouble(str(answer)))
            return
        if answer != self._names:
            self._names = answer
            options = self.query_one(OptionList)
            options.clear_options()
            options.add_option(Option("console (l)"))
            options.add_options([Option(Content(text.plain(name))) for name in answer])
            options.highlighted = 0
            options.focus()
        if self._chosen is None:
            self.write(_about_console(len(answer)))
        elif self._chosen != CONSOLE:
            self._read(self._chosen)

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Read the log; of the console say what reading it does."""
        event.stop()
        at = event.option_index
        if at == 0:
            self._chosen = None
            self.write(_about_console(len(self._names or ())))
        elif self._names is not None and at <= len(self._names):
            self._read(self._names[at - 1])

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter reads the console too."""
        event.stop()
        if event.option_index == 0:
            self.action_console()

    def action_console(self) -> None:
        """Read what it wrote to its console."""
        self._read(CONSOLE)

    def _read(self, name: str) -> None:
        self._chosen = name
        ref = self.subject.ref

        def show(answer: LogText | LxtuiError) -> None:
            if name == CONSOLE and isinstance(answer, LogText):
                answer = self._from_console = LogText(
                    (self._from_console.data + answer.data)[-_KEPT:],
                    self._from_console.size + answer.size,
                )
            if self._chosen == name:
                self.write(_shown(name, answer))
                self.query_one(".log-text", VerticalScroll).scroll_end(animate=False)

        if name == CONSOLE:
            self.ask(lambda: self.answers.console_log(ref), show)
        else:
            self.ask(lambda: self.answers.log(ref, name), show)


def _about_console(logs: int) -> Content:
    parts = [
        note("l reads what the instance has written to its console since somebody read it last."),
        note(
            "Reading takes it away from the server: the next reader, here or elsewhere, gets "
            "what is written from then on. Here it stays until you go back to the table."
        ),
    ]
    if not logs:
        parts.insert(
            0, note("the server has no log of it: it was not started since the server was")
        )
    return lines(parts)


def _shown(name: str, answer: LogText | LxtuiError) -> Content:
    if isinstance(answer, LxtuiError):
        return trouble(str(answer))
    rows = answer.data.decode(errors="replace").replace("\r", "").splitlines()
    shown = [Content(text.plain(row.replace("\t", "    "))) for row in rows[-_LINES:]]
    head = []
    if len(rows) > len(shown) or answer.size > len(answer.data):
        head = [note(f"the end of {text.size(answer.size)}")]
    if not shown:
        what = "it has written nothing since it was read last" if name == CONSOLE else "empty"
        return note(what)
    return lines([*head, *shown])
