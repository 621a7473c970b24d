"""What a container sees, beside what its machine is.

Role: one page. Boundary: asks for a look while it is in sight. Threading: the screen's.
"""

from __future__ import annotations

from textwrap import wrap

from textual.binding import Binding
from textual.content import Content

from lxtui import format as text
from lxtui.detail.base import Questions
from lxtui.detail.inside import FILES, Inside, rows, verdict
from lxtui.errors import LxtuiError
from lxtui.screens.detail.page import Known, Page, Subject, heading, lines, note, trouble

_NAME, _CELL = 13, 20


class InsidePage(Page):
    """The machine's figures, those that the container reads, those of its limits."""

    name_ = "Inside view"
    short = "Inside"
    refresh_seconds = 5.0
    BINDINGS = [
        Binding("z", "unfold", "Every line", tooltip="Show each line of the files, and its formula")
    ]

    def __init__(self, answers: Questions, subject: Subject) -> None:
        super().__init__(answers, subject)
        self._known = Known[Inside]()
        self._whole = False

    def sample(self) -> None:
        """Look again."""
        one = self.subject.instance
        if one is not None and one.type == "container" and self.subject.host.online:
            self.ask(lambda: self.answers.inside(one.ref), self._take)

    def _take(self, answer: Inside | LxtuiError) -> None:
        self._known.take(answer)
        self.redraw()

    def action_unfold(self) -> None:
        """Every line, or the figures alone."""
        self._whole = not self._whole
        self.redraw()

    def text(self) -> Content:
        """The figures, what made each, and the files."""
        one, inside = self.subject.instance, self._known.value
        if one is None or one.type != "container":
            return note("a virtual machine has a kernel of its own: it sees what that makes of it")
        parts = [trouble(self._known.trouble)] if self._known.trouble else []
        if inside is None:
            return lines(parts or [note("looking…")])
        if inside.trouble:
            return lines([*parts, note(inside.trouble)])
        parts += [Content(verdict(inside)), Content("")]
        head = f"{'':<{_NAME}}{'THIS MACHINE':<{_CELL}}{'IT SEES':<{_CELL}}BY ITS LIMITS"
        parts.append(Content.styled(head, "bold"))
        for row in rows(inside):
            cells = "".join(
                f"{text.plain(one):<{_CELL}}" for one in (row.host, row.seen, row.limits)
            )
            parts.append(Content.assemble((f"{row.name:<{_NAME}}", "dim"), cells.rstrip()))
            parts += [note(line) for line in self._hung(row.cause)]
        if not inside.seen:
            parts.append(note("what is over its files did not answer: IT SEES is not known"))
        parts.append(Content(""))
        if self._whole:
            for file in FILES:
                parts += self._file(inside, file)
        else:
            parts.append(note("z shows each line of these files with its formula and its sources"))
        return lines(parts)

    def _hung(self, cause: str) -> list[str]:
        """A cause in lines that stand below the figures."""
        width = max(self.columns - _NAME, _CELL)
        return [f"{'':<{_NAME}}{line}" for line in wrap(text.plain(cause), width)]

    @staticmethod
    def _file(inside: Inside, file: str) -> list[Content]:
        parts = [heading(file)]
        formula = ""
        for cause in inside.causes.get(file, ()):
            parts.append(Content(text.plain(cause.line.replace("\t", "    "))))
            if cause.formula != formula:
                formula = cause.formula
                parts.append(note(f"    {text.plain(formula)}"))
                parts += [note(f"    {text.plain(source)}") for source in cause.sources]
        return [*parts, Content("")]
