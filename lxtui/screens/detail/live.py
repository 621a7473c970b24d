"""Live graphs of an instance, and of a host with the sum of its instances.

Role: samples while the page is in sight, and draws. Boundary: what a sample
means is history.py's. Threading: the screen's; each sample is taken by a thread of its own, and
the next one waits for it, so that a slow host has holes and not a queue.
"""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from lxtui import format as text
from lxtui.detail.base import HostReading, Questions
from lxtui.detail.graph import SCALE, Graph, drawn
from lxtui.detail.history import History, Point, cpu_limit, point_of, together
from lxtui.detail.samples import HostSample, Sample
from lxtui.errors import LxtuiError
from lxtui.model import Ref
from lxtui.screens.detail.page import Page, Subject, lines, note, trouble

_INTERVAL = 1.0
_HOST_INTERVAL = 3.0
"""Of a host: the daemon looks into each of its containers to answer."""
_TWO_COLUMNS = 116
_MEBIBYTE = 2**20
_KIBIBYTE = 2**10
_HEIGHTS = (3, 9)
"""Of one graph."""


class _GraphPage(Page):
    """Draws a row of graphs into the room that there is."""

    def __init__(self, answers: Questions, subject: Subject) -> None:
        super().__init__(answers, subject)
        self.failed = ""
        self.paused = ""

    def graphs(self) -> list[Graph]:
        """What is drawn."""
        raise NotImplementedError

    def foot(self) -> list[Content]:
        """What is said below."""
        return []

    def text(self) -> Content:
        """The graphs in one column or two."""
        parts = [trouble(self.failed)] if self.failed else []
        if self.paused:
            parts.append(note(self.paused))
        graphs = self.graphs()
        if not graphs:
            return lines([*parts, note("asking for the first sample…")])
        two = self.columns >= _TWO_COLUMNS
        width = (self.columns - 1) // 2 if two else self.columns
        foot = self.foot()
        rows = -(-len(graphs) // 2) if two else len(graphs)
        room = (self.scrollable_content_region.height - len(parts) - len(foot)) // rows - 1
        height = min(max(room, _HEIGHTS[0]), _HEIGHTS[1])
        blocks = [_block(drawn(one, width, height)) for one in graphs]
        if two:
            blocks = [
                _beside(blocks[at], blocks[at + 1] if at + 1 < len(blocks) else [], width)
                for at in range(0, len(blocks), 2)
            ]
        parts += [row for block in blocks for row in block]
        return lines([*parts, *foot])

    def on_resize(self) -> None:
        """Draw for the new room."""
        if self.begun:
            self.redraw()


class LivePage(_GraphPage):
    """CPU, memory, swap, disk and each interface of an instance."""

    name_ = "Live"
    short = "Live"
    refresh_seconds = _INTERVAL

    def __init__(self, answers: Questions, subject: Subject) -> None:
        super().__init__(answers, subject)
        self._history = History(_INTERVAL)
        self._of: Ref | None = None

    def sample(self) -> None:
        """Ask for the counters."""
        one = self.subject.instance
        if one is None or not self.subject.host.online or one.stopped:
            return
        if self._of != one.ref:
            self._history, self._of = History(_INTERVAL), one.ref
        self.ask(lambda: self.answers.sample(one.ref), self._take)

    def _take(self, answer: Sample | LxtuiError) -> None:
        if isinstance(answer, LxtuiError):
            self.failed = str(answer)
        else:
            self.failed = ""
            self._history = self._history.after(answer)
        self.redraw()

    def text(self) -> Content:
        """The graphs; of a stopped instance what they were."""
        one = self.subject.instance
        stopped = one is not None and one.stopped
        self.paused = "it does not run; the graphs go on when it does" if stopped else ""
        if not self.subject.host.online:
            self.paused = f"{self.subject.host.name} does not answer; the graphs go on when it does"
        if (stopped or not self.subject.host.online) and not self._history.points:
            return note(self.paused)
        return super().text()

    def graphs(self) -> list[Graph]:
        """What is drawn, the busiest interfaces with the rest."""
        one, last = self.subject.instance, self._history.last
        points = self._history.points
        if one is None or last is None:
            return []
        allowed = cpu_limit(one.expanded_config, last.cpus)
        limit = one.memory_limit or _less(last.memory_total, self.subject.host.memory_total)
        swap = [point.swap for point in points]
        found = [
            _cpu(points, allowed, self.subject.host.cpus),
            _amount("memory", [point.memory for point in points], limit),
        ]
        if any(swap):
            found.append(_amount("swap", swap, None))
        if any(point.disk for point in points):
            found.append(_amount("disk", [point.disk for point in points], None))
        for name in self._history.interfaces:
            shown = text.plain(name)
            found.append(_rate(f"{shown} in", [point.received.get(name) for point in points]))
            found.append(_rate(f"{shown} out", [point.sent.get(name) for point in points]))
        return found

    def foot(self) -> list[Content]:
        """How it is measured."""
        return [note(f"one column is {_INTERVAL:g} s; a hole: not known, restarted, or no answer")]


class HostLivePage(_GraphPage):
    """A host: memory and load as it says them, and the sum of its instances."""

    name_ = "Live"
    short = "Live"
    refresh_seconds = _HOST_INTERVAL

    def __init__(self, answers: Questions, subject: Subject) -> None:
        super().__init__(answers, subject)
        self._before: HostReading | None = None
        self._points: tuple[tuple[HostSample, Point], ...] = ()
        self._room = 300

    def sample(self) -> None:
        """Ask for the resources and all states."""
        name = self.subject.host.name
        if self.subject.host.online:
            self.ask(lambda: self.answers.host_sample(name), self._take)

    def _take(self, answer: HostReading | LxtuiError) -> None:
        if isinstance(answer, LxtuiError):
            self.failed = str(answer)
        else:
            self.failed = ""
            before = self._before.instances if self._before is not None else {}
            alive = {ref: one for ref, one in answer.instances.items() if one.init is not None}
            summed = together(point_of(before.get(ref), one) for ref, one in alive.items())
            self._points = (*self._points, (answer.host, summed))[-self._room :]
            self._before = answer
        self.redraw()

    def graphs(self) -> list[Graph]:
        """The host's own figures first."""
        if not self._points:
            return []
        hosts, points = zip(*self._points, strict=True)
        last = hosts[-1]
        found = [
            _cpu(points, None, last.cpus or self.subject.host.cpus, "CPU of its instances"),
            _amount("memory used", [one.memory_used for one in hosts], last.memory_total),
            _amount("memory of its instances", [one.memory for one in points], last.memory_total),
        ]
        if last.load:
            shown = " ".join(f"{one:.2f}" for one in last.load)
            values = [one.load[0] if one.load else None for one in hosts]
            limit = float(last.cpus) if last.cpus else None
            title = f"load {shown} (1, 5, 10 minutes)"
            found.append(Graph(title, values, lambda one: f"{one:.1f}", limit))
        if any(point.swap for point in points):
            found.append(_amount("swap of its instances", [one.swap for one in points], None))
        found.append(_rate("network in", [one.received.get("") for one in points]))
        found.append(_rate("network out", [one.sent.get("") for one in points]))
        return found

    def foot(self) -> list[Content]:
        """How it is measured."""
        parts = [note(f"one column is {_HOST_INTERVAL:g} s; network is the sum over instances")]
        if self._points and not self._points[-1][0].load:
            parts.append(note("this server does not tell its load (Incus does)"))
        return parts


def _cpu(
    points: Sequence[Point], allowed: float | None, cpus: int | None, name: str = "CPU"
) -> Graph:
    values = [point.cpu for point in points]
    now = values[-1]
    title = f"{name} {text.percent(now)} of one"
    count = allowed or cpus
    if count:
        share = "" if now is None else f"{text.percent(now / count)} of "
        whose = "its limit of " if allowed else ""
        title += f", {share}{whose}{count:g} CPU{'s' if count != 1 else ''}"
    limit = allowed * 100 if allowed else None
    return Graph(title + _most(values, text.percent), values, text.percent, limit, 10.0)


def _amount(name: str, values: Sequence[int | None], limit: int | None) -> Graph:
    now = values[-1]
    title = f"{name} {text.size(now)}"
    if limit and now is not None:
        title += f", {text.percent(now / limit * 100)} of {text.size(limit)}"
    return Graph(title, values, text.size, float(limit) if limit else None, float(_MEBIBYTE))


def _rate(name: str, values: Sequence[float | None]) -> Graph:
    title = f"{name} {text.rate(values[-1]) or '-'}" + _most(values, text.rate)
    return Graph(title, values, text.size, None, float(_KIBIBYTE))


def _most(values: Sequence[float | None], show: object) -> str:
    known = [one for one in values if one is not None]
    return f", max {show(max(known))}" if known and callable(show) else ""


def _less(total: int | None, of_host: int | None) -> int | None:
    """A limit, if it is one: without any, the daemons say the host's memory."""
    return total if total is not None and (of_host is None or total < of_host) else None


def _block(rows: list[str]) -> list[Content]:
    """The title, and the curve in the theme's accent beside its scale."""
    title, *curve = rows
    return [
        Content.styled(title, "bold"),
        *(Content.assemble((row[:SCALE], "dim"), (row[SCALE:], "$text-accent")) for row in curve),
    ]


def _beside(left: list[Content], right: list[Content], width: int) -> list[Content]:
    """Two graphs of one height, or one alone."""
    if not right:
        return left
    return [
        Content.assemble(one, " " * (width + 1 - len(one.plain)), two)
        for one, two in zip(left, right, strict=True)
    ]
