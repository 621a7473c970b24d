"""What happens to an instance, or on a host, as it happens.

Role: one page; the newest stands on top. Boundary: the ring that the fleet keeps. Threading: the
screen's.
"""

from __future__ import annotations

from textual.content import Content

from lxtui import format as text
from lxtui.detail.base import Questions
from lxtui.detail.happenings import Following, Happening
from lxtui.screens.detail.page import Page, Subject, lines, note

_SHOWN = 300


class HappeningsPage(Page):
    """Lifecycle events and operations."""

    name_ = "Events"
    short = "Events"
    refresh_seconds = 1.0

    def __init__(self, answers: Questions, subject: Subject) -> None:
        super().__init__(answers, subject)
        one = self.subject.instance
        self._following = Following(one.ref if one is not None else None)

    def sample(self) -> None:
        """The ring is at hand."""
        self.redraw()

    def text(self) -> Content:
        """A line for each, from the ring."""
        found = self._following.look(self.answers.happened(self.subject.host.name))
        if not found:
            return lines(
                [
                    note("nothing since lxtui was started."),
                    note("Events are kept from then on; servers do not tell earlier ones."),
                ]
            )
        shown = [_line(one, self.columns, self.subject.instance is None) for one in found[-_SHOWN:]]
        return lines(
            [*reversed(shown), note(f"{len(found)} since lxtui was started, as far as kept; UTC")]
        )


def _line(one: Happening, width: int, named: bool) -> Content:
    event, operation = one.event, one.event.operation
    when = f"{one.at:%H:%M:%S}  "
    if operation is None:
        what = event.action + (
            f"  {event.source.removeprefix('/1.0/')}" if named else _rest(event.source)
        )
        return Content.assemble((when, "dim"), text.plain(what)[: width - len(when)])
    words = f"{operation.description}: {operation.status.lower()}"
    words += f" {', '.join(operation.resources)}" if named else ""
    words += f"  {operation.progress}" if operation.progress and not operation.finished else ""
    words += f"  {operation.error}" if operation.error else ""
    style = "$text-error" if operation.status == "Failure" else ""
    return Content.assemble(
        (when, "dim"), ("operation  ", "dim"), (text.plain(words)[: width - 21], style)
    )


def _rest(source: str) -> str:
    """What of a source comes after the instance's name."""
    parts = source.partition("?")[0].strip("/").split("/")
    return f"  {'/'.join(parts[3:])}" if len(parts) > 3 else ""  # noqa: PLR2004 version, kind, name
