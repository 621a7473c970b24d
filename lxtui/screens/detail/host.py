"""The detail screen of a host.

Role: which pages it has, what stands on top, and the first page. Boundary: screen.py's. Threading:
the screen's.
"""

from __future__ import annotations

from collections import Counter

from textual.content import Content

from lxtui import format as text
from lxtui.model import FleetSnapshot, Instance
from lxtui.screens.detail.happenings import HappeningsPage
from lxtui.screens.detail.live import HostLivePage
from lxtui.screens.detail.page import Page, Subject, heading, lines, note, pairs, trouble
from lxtui.screens.detail.screen import DetailScreen
from lxtui.widgets.fleet_tree import HOST_DOTS

_WIDTH = 12
_BUSIEST = 10


class HostPage(Page):
    """What a host is, and what on it uses most."""

    name_ = "Overview"
    short = "Overview"

    def text(self) -> Content:
        """The whole page."""
        host = self.subject.host
        mine = [one for one in self.subject.fleet.instances if one.ref.host == host.name]
        states = Counter(one.status for one in mine)
        rows = [
            ("server", f"{host.kind} {host.version}"),
            ("name", host.server_name),
            ("address", host.address),
            ("listens on", ", ".join(host.addresses)),
            ("status", host.status.value + (", read-only" if host.read_only else "")),
            ("last answer", f"{text.age(host.seen_at, self.subject.now)} ago"),
            ("project", host.project),
            ("cluster", "yes" if host.clustered else ""),
            ("arch", ", ".join(host.architectures)),
            ("CPUs", str(host.cpus or "")),
            ("memory", text.size(host.memory_total) if host.memory_total else ""),
            ("graphics", f"{host.gpus} cards" if host.gpus else ""),
            ("instances", ", ".join(f"{n} {state.lower()}" for state, n in states.most_common())),
            ("limits", _promised(mine, host.memory_total)),
        ]
        parts = [trouble(host.error)] if host.error else []
        parts.append(pairs([(name, value) for name, value in rows if value], _WIDTH))
        parts += _most("most CPU", mine, "cpu_percent")
        parts += _most("most memory", mine, "memory")
        return lines(parts)


class HostScreen(DetailScreen):
    """Everything about one host."""

    def make_pages(self) -> list[Page]:
        """The pages, in their order."""
        answers, subject = self.wiring.answers, self.subject
        return [page(answers, subject) for page in (HostPage, HostLivePage, HappeningsPage)]

    def renewed(self, fleet: FleetSnapshot) -> Subject:
        """The host as it is now."""
        host = fleet.host(self.subject.host.name) or self.subject.host
        return Subject(fleet, host, self.wiring.clock())

    def head(self) -> Content:
        """Whose page it is, and how it is."""
        host = self.subject.host
        dot, style = HOST_DOTS[host.status]
        parts = [
            Content.styled(f" {text.plain(host.name)} ", "bold reverse"),
            Content.assemble((f"  {dot} ", style), host.status.value),
            Content.styled(f"  {host.kind} {host.version} at {text.address(host.address)}", "dim"),
        ]
        if host.read_only:
            parts.append(Content.styled("  read-only", "yellow"))
        return Content("").join(parts)

    def work(self) -> Content:
        """How many operations it has."""
        name = self.subject.host.name
        count = sum(one.host == name for one in self.subject.fleet.operations)
        return Content.styled(f" {count} operations at work", "bold") if count else Content("")


def _promised(instances: list[Instance], total: int | None) -> str:
    """The sum of memory limits, against what there is."""
    limits = [one.memory_limit for one in instances if not one.stopped and one.memory_limit]
    without = sum(not one.stopped and not one.memory_limit for one in instances)
    if not limits:
        return ""
    line = f"of memory {text.size(sum(limits))} in all"
    if total:
        line += f", {text.percent(sum(limits) / total * 100)} of the host's"
    return line + (f"; {without} without a limit" if without else "")


def _most(title: str, instances: list[Instance], key: str) -> list[Content]:
    known = [one for one in instances if getattr(one, key)]
    known.sort(key=lambda one: -float(getattr(one, key)))
    if not known:
        return []
    show = text.percent if key == "cpu_percent" else text.size
    rows = [
        Content.assemble(
            (f"  {show(getattr(one, key)):>9}  ", ""),
            text.plain(one.ref.name),
            (one.ref.where, "dim"),
        )
        for one in known[:_BUSIEST]
    ]
    left = len(known) - len(rows)
    more = [note(f"  and {left} more")] if left > 0 else []
    return [Content(""), heading(title), *rows, *more]
