"""Snapshots, and when the next ones come and go.

Role: one page. Boundary: asks for sizes when it comes to sight. Threading: the screen's.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from textual.content import Content

from lxtui import format as text
from lxtui.detail.base import Questions
from lxtui.detail.schedule import Moment, expires, preview
from lxtui.errors import LxtuiError
from lxtui.model import Instance, Snapshot
from lxtui.screens.detail.page import Known, Page, Subject, heading, lines, note, pairs, trouble

_WIDTH = 8
_DAY = timedelta(days=1)


class SnapshotsPage(Page):
    """What there is, the schedule, and its next dates."""

    name_ = "Snapshots"
    short = "Snaps"

    def __init__(self, answers: Questions, subject: Subject) -> None:
        super().__init__(answers, subject)
        self._sized = Known[tuple[Snapshot, ...]]()

    def sample(self) -> None:
        """Ask for the sizes."""
        ref = self.subject.ref
        if self.subject.host.online:
            self.ask(lambda: self.answers.snapshots(ref), self._take)

    def _take(self, answer: tuple[Snapshot, ...] | LxtuiError) -> None:
        self._sized.take(answer)
        self.redraw()

    def text(self) -> Content:
        """The schedule stands first: what there is may be long."""
        one = self.subject.instance
        if one is None:
            return Content("")
        parts = [heading("schedule"), *_schedule(one, self.subject.now), Content("")]
        parts.append(heading(f"snapshots: {len(one.snapshots)}"))
        if self._sized.trouble:
            parts.append(trouble(self._sized.trouble))
        parts += self._table(one)
        return lines(parts)

    def _table(self, one: Instance) -> list[Content]:
        if not one.snapshots:
            return [note("none; n takes one")]
        sizes = {snapshot.name: snapshot.size for snapshot in self._sized.value or ()}
        now = self.subject.now
        rows = [
            (
                text.plain(snapshot.name),
                f"{snapshot.created_at:%Y-%m-%d %H:%M}" if snapshot.created_at else "-",
                text.age(snapshot.created_at, now),
                text.until(snapshot.expires_at, now),
                "yes" if snapshot.stateful else "",
                text.size(sizes.get(snapshot.name, snapshot.size)),
            )
            for snapshot in sorted(
                one.snapshots, key=lambda two: two.created_at or now, reverse=True
            )
        ]
        header = ("NAME", "TAKEN (UTC)", "AGE", "GOES", "STATE", "SIZE")
        shown = text.table(header, rows).splitlines()
        most = self.columns
        parts = [
            Content.styled(shown[0][:most], "bold"),
            *(Content(row[:most]) for row in shown[1:]),
        ]
        if not any(sizes.values()) and self._sized.value is not None:
            parts.append(note("the pool does not count what a snapshot holds alone"))
        return parts


def _schedule(one: Instance, now: datetime) -> list[Content]:
    config = one.expanded_config
    schedule = config.get("snapshots.schedule", "").strip()
    expiry = config.get("snapshots.expiry", "").strip()
    rows = [("taken", schedule or "by hand only: snapshots.schedule is not set")]
    if schedule:
        rows.append(("name", config.get("snapshots.pattern") or "snap%d (snapshots.pattern)"))
    rows.append(("kept", expiry or "until somebody deletes them: snapshots.expiry is not set"))
    parts = [pairs(rows, _WIDTH)]
    # The server's clock is not ours; where it stands is not told, so its hours are shown as UTC's.
    clock = now.replace(tzinfo=None)
    found = preview(schedule, clock)
    if found.trouble:
        parts.append(trouble(f"the server will skip what it cannot read: {found.trouble}"))
    if found.at_start:
        parts.append(pairs([("next", "at each start of the instance")], _WIDTH))
    parts += [
        pairs(
            [("next" if not at and not found.at_start else "", dated(moment, clock, expiry))],
            _WIDTH,
        )
        for at, moment in enumerate(found.moments)
    ]
    if found.moments:
        parts.append(note("by the server's clock, taken to be UTC"))
    if any(moment.span for moment in found.moments):
        parts.append(note("the server picks the minute itself, the same each time"))
    stopped = config.get("snapshots.schedule.stopped", "") != "true"
    if schedule and one.stopped and stopped:
        parts.append(note("none while it is stopped: snapshots.schedule.stopped is not true"))
    if expiry:
        try:
            expires(clock, expiry)
        except ValueError as error:
            parts.append(trouble(str(error)))
    return parts


def dated(moment: Moment, now: datetime, expiry: str) -> str:
    """A date of a schedule, and when what is taken then goes."""
    begin, span = moment.begin, moment.span
    if span >= _DAY:
        when = f"{begin:%a %Y-%m-%d}, some time that day"
    elif span:
        when = f"{begin:%a %Y-%m-%d %H:%M} to {begin + span:%H:%M}"
    else:
        when = f"{begin:%a %Y-%m-%d %H:%M}, in {text.duration((begin - now).total_seconds())}"
    if begin <= now:  # of a span only: it has begun, and nobody says when in it
        when += " if not yet done"
    try:
        gone = expires(begin, expiry)
    except ValueError:
        gone = None
    if gone is None:
        return when
    if not span:
        return f"{when}; goes {gone:%Y-%m-%d %H:%M}"
    if span >= _DAY and gone.time() == begin.time():
        return f"{when}; goes {gone:%Y-%m-%d}"
    return f"{when}; goes {gone:%Y-%m-%d %H:%M} to {gone + span:%m-%d %H:%M}"
