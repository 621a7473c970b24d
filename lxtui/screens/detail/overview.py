"""What an instance is and has, at a glance.

Role: the first page. Boundary: pure but for Static. Threading: the screen's.
"""

from __future__ import annotations

from datetime import datetime

from textual.content import Content

from lxtui import format as text
from lxtui.detail.base import Questions
from lxtui.detail.history import cpu_limit
from lxtui.detail.samples import Sample
from lxtui.errors import LxtuiError
from lxtui.model import Instance
from lxtui.screens.detail.page import Known, Page, Subject, heading, lines, note, pairs, trouble

_BAR = 20
_WIDTH = 11


class OverviewPage(Page):
    """State, addresses, limits against use."""

    name_ = "Overview"
    short = "Info"
    refresh_seconds = 5.0

    def __init__(self, answers: Questions, subject: Subject) -> None:
        super().__init__(answers, subject)
        self._state = Known[Sample]()

    def sample(self) -> None:
        """Ask for the interfaces and disks, which the list does not tell apart."""
        ref = self.subject.ref
        if self.subject.host.online:
            self.ask(lambda: self.answers.sample(ref), self._take)

    def _take(self, answer: Sample | LxtuiError) -> None:
        self._state.take(answer)
        self.redraw()

    def text(self) -> Content:
        """The whole page."""
        one, now = self.subject.instance, self.subject.now
        if one is None:
            return Content("")
        parts = [pairs(_facts(one, self.subject.host.clustered, now), _WIDTH)]
        parts += [Content(""), heading("use and limits"), *self._use(one)]
        if self._state.trouble:
            parts.append(trouble(self._state.trouble))
        parts += [Content(""), heading("from"), pairs(_origin(one, now), _WIDTH)]
        return lines(parts)

    def _use(self, one: Instance) -> list[Content]:
        if one.stopped:
            return [note("it does not run"), *_disks(one, None)]
        state = self._state.value
        allowed = cpu_limit(one.expanded_config, state.cpus if state else None)
        cpu = one.cpu_percent
        rows = [
            _use_line(
                "CPU",
                text.percent(cpu),
                None if cpu is None or allowed is None else cpu / (allowed * 100),
                f"of {allowed:g} CPU{'s' if allowed != 1 else ''}" if allowed else "no limit",
            ),
            _use_line(
                "memory",
                text.size(one.memory),
                one.memory / one.memory_limit if one.memory and one.memory_limit else None,
                f"of {text.size(one.memory_limit)}" if one.memory_limit else "no limit",
            ),
        ]
        if one.swap:
            rows.append(_use_line("swap", text.size(one.swap), None, ""))
        rows += _disks(one, state)
        limit = one.expanded_config.get("limits.processes", "")
        count = one.processes
        share = count / int(limit) if count and limit.isdecimal() and int(limit) else None
        rows.append(
            _use_line(
                "processes",
                "-" if count is None else str(count),
                share,
                f"of {text.plain(limit)}" if limit else "no limit",
            )
        )
        return rows


def _facts(one: Instance, clustered: bool, now: datetime) -> list[tuple[str, str]]:
    ephemeral = " (ephemeral: stopping deletes it)" if one.ephemeral else ""
    rows = [
        ("description", one.description),
        ("state", one.status),
        ("type", one.type + ephemeral),
        ("project", one.ref.project),
        ("location", one.location if clustered or one.location not in {"", "none"} else ""),
        ("profiles", ", ".join(one.profiles) or "none"),
        ("addresses", ", ".join((*one.ipv4, *one.ipv6)) or "none"),
    ]
    since = f"{text.age(one.last_used_at, now)} ago, {_day(one.last_used_at)}"
    if one.last_used_at is not None:
        up = text.duration((now - one.last_used_at).total_seconds())
        rows.append(
            ("up", f"{up}, since {_day(one.last_used_at)}") if not one.stopped else ("ran", since)
        )
    return [(name, value) for name, value in rows if value]


def _origin(one: Instance, now: datetime) -> list[tuple[str, str]]:
    config = one.expanded_config
    image = config.get("image.description") or " ".join(
        filter(None, (config.get(f"image.{part}", "") for part in ("os", "release", "version")))
    )
    base = config.get("volatile.base_image", "")
    rows = [
        ("image", image or "not known"),
        ("image id", base[:12]),
        ("arch", one.architecture),
        ("created", f"{text.age(one.created_at, now)} ago, {_day(one.created_at)}"),
        ("snapshots", str(len(one.snapshots)) if one.snapshots else "none"),
        ("backups", ", ".join(one.backups)),
    ]
    return [(name, value) for name, value in rows if value]


def _disks(one: Instance, state: Sample | None) -> list[Content]:
    """A line for each disk of which the daemon knows how full it is, with its quota."""
    used = dict(state.disk) if state is not None and state.disk else {}
    if not used:
        return [_use_line("disk", text.size(one.disk), None, "")] if one.disk else []
    found = []
    for name, count in sorted(used.items()):
        quota = text.limit_bytes(one.expanded_devices.get(name, {}).get("size", ""), None)
        share = count / quota if quota else None
        limit = f"of {text.size(quota)}" if quota else "no quota"
        found.append(_use_line(f"disk {name}", text.size(count), share, limit))
    return found


def _use_line(name: str, value: str, share: float | None, limit: str) -> Content:
    bar = ""
    if share is not None:
        full = min(round(share * _BAR), _BAR)
        bar = f"{'█' * full}{'░' * (_BAR - full)} {text.percent(share * 100):>5} "
    return Content.assemble(
        (f"{text.plain(name):<{_WIDTH}}  ", "dim"), f"{value:>10}  ", bar, (limit, "dim")
    )


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment is not None else "-"
