"""What every page of a detail screen has.

Role: a page is begun when it comes to sight and ended when it goes; it asks its host in threads of
its own and is told the answers. Boundary: reaches hosts through Answers only. Threading: the
screen's; a question runs in a thread that nobody waits for, because its host may hang.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from threading import Thread
from time import monotonic
from typing import Any, ClassVar, Generic, TypeVar

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from lxtui import format as text
from lxtui.detail.base import Questions
from lxtui.errors import LxtuiError
from lxtui.model import FleetSnapshot, Host, Instance, Ref

T = TypeVar("T")
_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Subject:
    """What a detail screen is about, as the fleet knows it now."""

    fleet: FleetSnapshot
    host: Host
    now: datetime
    instance: Instance | None = None

    @property
    def ref(self) -> Ref:
        """The instance's; of a host its name alone."""
        return self.instance.ref if self.instance is not None else Ref(self.host.name, "", "")


class Page(VerticalScroll):
    """One page; it shows its text in one Static."""

    name_: ClassVar[str]
    """What its tab says where there is room."""
    short: ClassVar[str]
    """And where there is little."""
    refresh_seconds: ClassVar[float] = 0.0
    """How often ``sample`` is called while the page is in sight; 0: never."""

    class Answered(Message):
        """A question's thread is done."""

        def __init__(self, number: int, answer: object) -> None:
            super().__init__()
            self.number = number
            self.answer = answer

    def __init__(self, answers: Questions, subject: Subject) -> None:
        super().__init__(id=self.short.lower())
        self.answers = answers
        self.subject = subject
        self.begun = False
        self._waiting: dict[int, Callable[[Any], None]] = {}
        self._asked = 0.0
        self._written: Content | None = None

    def compose(self) -> ComposeResult:
        """One text."""
        yield Static(classes="page-text")

    def on_mount(self) -> None:
        """Sample now and then."""
        if self.refresh_seconds:
            self.set_interval(self.refresh_seconds, self._sample)

    def begin(self, subject: Subject) -> None:
        """The page comes to sight."""
        self.begun = True
        self.show(subject)
        self._sample()

    def end(self) -> None:
        """The page goes out of sight."""
        self.begun = False

    def show(self, subject: Subject) -> None:
        """The fleet has changed."""
        self.subject = subject
        self.redraw()

    def redraw(self) -> None:
        """Write the page anew."""
        self.write(self.text())

    def text(self) -> Content:
        """The whole page."""
        raise NotImplementedError

    def sample(self) -> None:
        """Ask the host again."""

    def _sample(self) -> None:
        # One that still waits for its answer is not asked twice.
        if self.begun and not self._waiting:
            self.sample()

    def ask(self, question: Callable[[], T], then: Callable[[T | LxtuiError], None]) -> None:
        """Have *question* answered by a thread, and call *then* with the answer or the error."""
        number = next(_numbers)
        if not self._waiting:
            self._asked = monotonic()
        self._waiting[number] = then

        def work() -> None:
            try:
                answer: object = question()
            except LxtuiError as error:
                answer = error
            except Exception as error:  # noqa: BLE001 a page must say it, not wait for ever
                answer = LxtuiError(f"internal error: {error!r}; please report it")
            self.post_message(self.Answered(number, answer))

        Thread(target=work, name=f"page-{self.id}-{number}", daemon=True).start()

    @property
    def waited(self) -> float:
        """Seconds since the question was asked that has no answer yet; 0 without one."""
        return monotonic() - self._asked if self._waiting else 0.0

    def on_page_answered(self, message: Page.Answered) -> None:
        """Hand the answer to who asked."""
        message.stop()
        then = self._waiting.pop(message.number, None)
        if then is not None:
            then(message.answer)

    def write(self, content: Content) -> None:
        """Show the text, if it is another one: a busy fleet changes, the page mostly does not."""
        if self.is_mounted and not (self._written is not None and content.is_same(self._written)):
            self._written = content
            self.query_one(".page-text", Static).update(content)

    @property
    def columns(self) -> int:
        """How wide a line may be."""
        return max(self.scrollable_content_region.width - 2, 40)


class Known(Generic[T]):
    """An answer that may not be there yet, or be an error."""

    def __init__(self) -> None:
        self.value: T | None = None
        self.trouble = ""

    def take(self, answer: T | LxtuiError) -> None:
        """Keep an answer; an error leaves the last good one in place."""
        if isinstance(answer, LxtuiError):
            self.trouble = str(answer)
        else:
            self.value, self.trouble = answer, ""


def trouble(line: str) -> Content:
    """An error, as it came from a host."""
    return Content.styled(f"! {text.plain(line)}", "bold $text-error")


def note(line: str) -> Content:
    """A remark."""
    return Content.styled(line, "dim")


def heading(line: str) -> Content:
    """The title of a part."""
    return Content.styled(line, "bold $text-accent")


def pairs(rows: list[tuple[str, str]], width: int = 0) -> Content:
    """Names and values, one line each; the names in a column of *width* at least."""
    most = max([width, *(len(name) for name, _ in rows)])
    return lines(
        [Content.assemble((f"{name:<{most}}  ", "dim"), text.plain(value)) for name, value in rows]
    )


def lines(parts: list[Content]) -> Content:
    """One below the other."""
    return Content("\n").join(parts)
