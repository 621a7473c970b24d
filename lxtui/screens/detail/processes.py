"""The processes of an instance.

Role: one page. Boundary: asks for them while it is in sight. Threading: the screen's.
"""

from __future__ import annotations

from textual.content import Content

from lxtui import format as text
from lxtui.detail.base import Processes, Questions
from lxtui.detail.processes import TICKS, Process, with_shares
from lxtui.errors import LxtuiError
from lxtui.screens.detail.page import Known, Page, Subject, lines, note, trouble


class ProcessesPage(Page):
    """As top shows them, without a tool in the container."""

    name_ = "Processes"
    short = "Procs"
    refresh_seconds = 3.0

    def __init__(self, answers: Questions, subject: Subject) -> None:
        super().__init__(answers, subject)
        self._known = Known[Processes]()
        self._rows: tuple[Process, ...] = ()

    def sample(self) -> None:
        """Read /proc again."""
        one = self.subject.instance
        if one is not None and one.running and self.subject.host.online:
            self.ask(lambda: self.answers.processes(one.ref), self._take)

    def _take(self, answer: Processes | LxtuiError) -> None:
        before = self._known.value
        self._known.take(answer)
        now = self._known.value
        if now is not None and now is not before:
            self._rows = with_shares(before.reading if before is not None else None, now.reading)
        self.redraw()

    def text(self) -> Content:
        """A line for each."""
        one, known = self.subject.instance, self._known.value
        if one is None or not one.running:
            return note("it does not run: it has no processes")
        parts = [trouble(self._known.trouble)] if self._known.trouble else []
        if known is None:
            waiting = [] if parts else [note("asking for its processes…")]
            return lines([*parts, *waiting])
        header = f"{'PID':>7} {'USER':<10} S {'CPU':>6} {'MEMORY':>9} {'TIME':>8}  COMMAND"
        parts.append(Content.styled(header, "bold"))
        parts += [Content(_line(row, known)[: self.columns]) for row in self._rows]
        cut = "; only the first are read" if known.reading.cut else ""
        parts.append(
            note(f"{len(self._rows)} processes, numbered as inside, from its own /proc{cut}")
        )
        return lines(parts)


def _line(one: Process, known: Processes) -> str:
    user = known.users.get(one.uid, str(one.uid)) if one.uid is not None else "-"
    time = "-" if one.cpu_ticks is None else _clock(one.cpu_ticks // TICKS)
    return (
        f"{one.pid:>7} {text.plain(user)[:10]:<10} {text.plain(one.state)} "
        f"{text.percent(one.cpu_percent):>6} {text.size(one.memory):>9} {time:>8}  "
        f"{text.plain(one.command)}"
    )


def _clock(seconds: int) -> str:
    """CPU time as top writes it: minutes and seconds."""
    return f"{seconds // 60}:{seconds % 60:02}"
