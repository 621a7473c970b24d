"""The detail screen of an instance.

Role: which pages it has, and what stands on top. Boundary: screen.py's. Threading: the screen's.
"""

from __future__ import annotations

from textual.content import Content

from lxtui import format as text
from lxtui.model import FleetSnapshot
from lxtui.screens.detail.files import FilesPage
from lxtui.screens.detail.happenings import HappeningsPage
from lxtui.screens.detail.inside import InsidePage
from lxtui.screens.detail.live import LivePage
from lxtui.screens.detail.logs import LogsPage
from lxtui.screens.detail.overview import OverviewPage
from lxtui.screens.detail.page import Page, Subject
from lxtui.screens.detail.processes import ProcessesPage
from lxtui.screens.detail.screen import DetailScreen
from lxtui.screens.detail.settings import ConfigurationPage, DevicesPage
from lxtui.screens.detail.snapshots import SnapshotsPage
from lxtui.widgets.fleet_tree import STATE_DOTS

_PAGES: tuple[type[Page], ...] = (
    OverviewPage,
    ConfigurationPage,
    DevicesPage,
    SnapshotsPage,
    LivePage,
    ProcessesPage,
    LogsPage,
    HappeningsPage,
    InsidePage,
)


class InstanceScreen(DetailScreen):
    """Everything about one instance."""

    _gone = False

    def make_pages(self) -> list[Page]:
        """The pages, in their order."""
        pages = [page(self.wiring.answers, self.subject) for page in _PAGES]
        return [*pages, FilesPage(self.subject, self.wiring)]

    def renewed(self, fleet: FleetSnapshot) -> Subject:
        """The instance as it is now; one that is gone stays as it was seen last."""
        before, ref = self.subject, self.subject.ref
        now = fleet.instance(ref)
        self._gone = now is None
        host = fleet.host(ref.host) or before.host
        return Subject(fleet, host, self.wiring.clock(), now or before.instance)

    def head(self) -> Content:
        """Whose page it is, and how it is."""
        one, host = self.subject.instance, self.subject.host
        if one is None:
            return Content("")
        dot, style = STATE_DOTS.get(one.status, ("▲", "yellow"))
        parts = [
            Content.styled(f" {text.plain(str(one.ref))} ", "bold reverse"),
            Content.assemble((f"  {dot} ", style), text.plain(one.status)),
            Content.styled(f"  {one.type} on {host.kind} {host.version}", "dim"),
        ]
        if self._gone:
            parts.append(Content.styled(f"  {self._where()}", "bold $text-error"))
        elif not host.online:
            seen = f"  as seen {text.age(host.seen_at, self.subject.now)} ago: "
            parts.append(Content.styled(f"{seen}{text.plain(host.error)}", "bold $text-error"))
        elif host.read_only:
            parts.append(Content.styled("  read-only", "yellow"))
        return Content("").join(parts)

    def _where(self) -> str:
        """What may have become of one that is gone."""
        ref = self.subject.ref
        others = [one.ref for one in self.subject.fleet.instances if one.ref.name == ref.name]
        if others:
            return f"gone from here; now there is {text.plain(str(others[0]))}"
        return "gone: deleted, renamed or moved away"
