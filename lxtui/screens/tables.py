"""The screen of a table of things that are not instances.

Role: shows one table of all hosts at once, as they answer; leads to details and to what uses what,
and back. Boundary: gets what it needs as a Shop of functions; imports no backend. Threading: the
screen's; nothing here waits for a host (see loading.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import monotonic

from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding
from textual.content import Content
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Input, Static

from lxtui import format as words
from lxtui.config import Settings
from lxtui.editing.documents import Editable
from lxtui.errors import READ_ONLY
from lxtui.model import FleetSnapshot, Host, Instance, JobState, Kind, Ref
from lxtui.resources import catalog
from lxtui.resources.arranging import Shown, arrange
from lxtui.resources.deeds import DEEDS_BY_ID, EDITABLE, deeds_of, editable, named
from lxtui.resources.entry import Entry
from lxtui.resources.hosts import HOSTS, host_entries
from lxtui.resources.link_table import LINKS, link_entries
from lxtui.resources.links import INSTANCES, Link, links_of
from lxtui.resources.shelf import Note, Shelf
from lxtui.resources.table import Table
from lxtui.resources.users import with_users
from lxtui.saved_views import SavedViews
from lxtui.screens.dialogs import ChoiceDialog, TextDialog
from lxtui.screens.doing import Doing
from lxtui.screens.entry_page import EntryPage
from lxtui.screens.loading import Answered, Loading, Reach
from lxtui.screens.move import Submit
from lxtui.screens.table_keys import bindings, help_lines
from lxtui.screens.table_viewing import TableViewing
from lxtui.widgets.key_line import KeyLine
from lxtui.widgets.resource_table import ResourceTable

_REST = 4.0
"""After the table was shown, for how many times as long no other answer is."""
_NOTES = 3
"""Lines of hosts that did not answer; the others are counted."""
Given = Callable[[FleetSnapshot], Sequence[Entry]]


@dataclass(frozen=True, slots=True)
class Shop:
    """How the screens of tables reach the fleet and each other."""

    reach: Reach
    fleet: Callable[[], FleetSnapshot]
    submit: Submit
    cancel_job: Callable[[int], None]
    clock: Callable[[], datetime]
    settings: Settings
    open_instance: Callable[[Ref], None]
    open_host: Callable[[str], None]
    edit: Callable[[Editable, Kind], None]
    views: SavedViews


class TableScreen(Screen[None]):
    """One table."""

    BINDINGS = [
        *bindings(),
        Binding("i", "details", show=False, id="details"),
        Binding("escape", "back", "Back"),
        Binding("tab", "app.focus_next", show=False),
    ]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]

    def __init__(
        self,
        shop: Shop,
        table: Table,
        *,
        given: Given | None = None,
        title: str = "",
        filter: str = "",  # noqa: A002 what the language is called
        wanted: Link | None = None,
    ) -> None:
        """*given* makes the entries of a table that no host is asked for."""
        super().__init__()
        self.table = table
        self._shop = shop
        self._given = given
        self._title_text = title or table.id
        saved = shop.views.of(table.id)
        self._viewing = TableViewing(self, table, filter, self._render_now, self.open_table, saved)
        self._shelf = Shelf(table)
        self._loading = Loading(self, self._shelf, shop.reach)
        self._doing = Doing(self, shop.submit, shop.cancel_job, lambda: shop.fleet().hosts)
        self._shown = Shown()
        self._wanted = wanted
        self._hosts_seen: object = None
        self._soon: Timer | None = None
        self._free_at = 0.0

    def compose(self) -> ComposeResult:
        """Lay out the table between its title and its notes."""
        yield Static(id="summary")
        yield Input(
            self._viewing.view.filter, placeholder="filter: words, !not, key:value", id="filter"
        )
        yield ResourceTable(self.table)
        yield Static(id="hollow")
        yield Static(id="notes")
        yield KeyLine()

    def on_mount(self) -> None:
        """Begin to ask."""
        self.query_one("#filter").display = bool(self._viewing.view.filter)
        table = self.query_one(ResourceTable)
        table.focus()
        if self._wanted is not None:
            table.want(self._wanted)
        self.set_interval(1.0, self._look)
        self._loading.follow(self._shop.fleet().hosts)
        self._render_now()

    def show(self, fleet: FleetSnapshot) -> None:
        """The fleet has changed: hosts may have come or gone, jobs may have ended."""
        self._loading.follow(fleet.hosts)
        ended = [job for job in fleet.jobs if job.state is not JobState.RUNNING]
        for job, changed in self._doing.ended(ended):
            said = words.plain(job.progress.text)
            failed = job.state is JobState.FAILED
            self.notify(said, severity="error" if failed else "information", markup=False)
            self._loading.ask(one for one in fleet.hosts if one.name in changed)
        hosts = [(one.name, one.status, one.error, one.read_only) for one in fleet.hosts]
        if self._given is not None or hosts != self._hosts_seen:
            self._hosts_seen = hosts
            self._render_soon()

    def on_answered(self, message: Answered) -> None:
        """Take a host's answer in."""
        message.stop()
        fleet = self._shop.fleet()
        if self._shelf.answered(message.host, message.found, self._shop.clock()):
            self._loading.ask(one for one in fleet.hosts if one.name == message.host)
        self._render_soon()

    def on_screen_resume(self) -> None:
        """It was below another screen."""
        if self.is_mounted:
            self._render_soon()

    def on_input_changed(self) -> None:
        """Filter while it is typed."""
        self._viewing.follow_filter()

    def on_input_submitted(self) -> None:
        """Keep the filter, go back to the table."""
        self.query_one(ResourceTable).focus()

    def on_line_table_header_clicked(self, event: ResourceTable.HeaderClicked) -> None:
        """Sort by that column."""
        self._viewing.sort_by(event.column)

    def on_resource_table_activated(self) -> None:
        """Open what is under the cursor."""
        self.action_details()

    def commands(self) -> Iterable[SystemCommand]:
        """What the palette offers."""
        for deed in deeds_of(self.table.id):
            yield SystemCommand(deed.label, deed.help, lambda deed=deed: self.action_deed(deed.id))
        yield SystemCommand("Used by", "What uses it", self.action_used_by)
        for table in catalog.TABLES:
            yield SystemCommand(
                table.id.capitalize(), table.help, lambda table=table: self.open_table(table)
            )

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Deeds are there in their tables only."""
        if action == "deed":
            return self.table.id in DEEDS_BY_ID[str(parameters[0])].tables
        return parameters != ("edit",) or self.table.id in EDITABLE

    def action_do(self, name: str) -> None:
        """One of the actions that the main screen has too."""
        keys: dict[str, Callable[[], None]] = {
            **self._viewing.keys,
            "mark": self._mark,
            "mark-all": self._mark_shown,
            "invert-marks": lambda: self._mark_shown(invert=True),
            "tables": self._choose_table,
            "refresh": lambda: self._loading.ask(self._shop.fleet().hosts),
            "help": self._help,
            "edit": self._edit,
        }
        keys[name]()

    def action_deed(self, name: str) -> None:
        """Do something to the marked entries, else to the one under the cursor."""
        table = self.query_one(ResourceTable)
        marked = table.marked
        if marked:
            self._doing.many(DEEDS_BY_ID[name], marked, self._unmark)
        elif table.entry is not None:
            self._doing.one(DEEDS_BY_ID[name], table.entry)

    def action_details(self) -> None:
        """Everything about the entry; of a link, where it leads."""
        entry = self.query_one(ResourceTable).entry
        if entry is None:
            return
        if self.table is LINKS:
            self._follow(entry.users[0])
            return
        if self.table is HOSTS:
            self._shop.open_host(entry.ref.host)
            return
        shop = self._shop
        page = EntryPage(self.table, entry, shop.reach, shop.clock, self._open_users)
        self.app.push_screen(page)

    def action_used_by(self) -> None:
        """What uses the entry."""
        entry = self.query_one(ResourceTable).entry
        if entry is not None:
            self._open_users(entry)

    def action_back(self) -> None:
        """Show everything again; when everything is shown, go back."""
        if self._viewing.clear_filter():
            return
        if self.query_one(ResourceTable).marked:
            self._unmark()
        else:
            self.dismiss(None)

    def open_table(self, table: Table, words_to_match: str = "") -> None:
        """Another table above this one."""
        self.app.push_screen(table_screen(self._shop, table, filter=words_to_match))

    def _edit(self) -> None:
        entry = self.query_one(ResourceTable).entry
        host = self._host(entry.ref.host) if entry is not None else None
        if entry is None or host is None:
            return
        what = editable(entry)
        reason = f"{host.name} {READ_ONLY}" if host.read_only else ""
        if what is None or reason or not host.online:
            said = reason or f"{named(entry)} has nothing to edit, or its host does not answer"
            self.notify(said, title="Edit", severity="warning", markup=False)
        else:
            self._shop.edit(what, host.kind)

    def _help(self) -> None:
        lines = help_lines(self.table.id, self._shop.settings.keys)
        self.app.push_screen(TextDialog("help", lines))

    def _unmark(self) -> None:
        self.query_one(ResourceTable).unmark_all()
        self._show_title(self._shop.fleet())

    def _mark(self) -> None:
        self.query_one(ResourceTable).mark()
        self._show_title(self._shop.fleet())

    def _mark_shown(self, *, invert: bool = False) -> None:
        self.query_one(ResourceTable).mark_shown(invert=invert)
        self._show_title(self._shop.fleet())

    def _choose_table(self) -> None:
        choose_table(self, self.open_table)

    def _open_users(self, entry: Entry) -> None:
        if not entry.users:
            self.notify(f"nothing uses {named(entry)}", markup=False)
        elif len(entry.users) == 1:
            self._follow(entry.users[0])
        else:
            self.app.push_screen(links_screen(self._shop, f"used by: {named(entry)}", entry.users))

    def _follow(self, link: Link) -> None:
        """Go where a link leads."""
        if link.table == INSTANCES:
            self._shop.open_instance(link.ref)
        elif link.table:
            table = catalog.named(link.table)
            self.app.push_screen(table_screen(self._shop, table, wanted=link))
        else:
            said = f"lxtui has no table of {words.plain(link.ref.name)}"
            self.notify(said, severity="warning", markup=False)

    def _host(self, name: str) -> Host | None:
        return self._shop.fleet().host(name)

    def _look(self) -> None:
        if self.is_current and self._given is None:
            self._loading.look(self._shop.fleet().hosts)

    def _render_soon(self) -> None:
        """Show it soon, so that many answers at once leave most of the time to the keys."""
        if self._soon is None and self.is_current:
            self._soon = self.set_timer(max(self._free_at - monotonic(), 0.02), self._render_now)

    def _render_now(self) -> None:
        self._soon = None
        if not self.is_mounted:
            return
        began = monotonic()
        fleet, now, view = self._shop.fleet(), self._shop.clock(), self._viewing.view
        hosts = {host.name: host for host in fleet.hosts}
        entries = self._entries(fleet)
        self._shown = arrange(self.table, entries, hosts, view, now, self._shown.query)
        table = self.query_one(ResourceTable)
        table.show(self._shown, view, hosts, self._shelf.stale(fleet.hosts), now)
        hollow = "" if self._shown.lines else self._hollow(fleet, view.filter)
        said = self.query_one("#hollow", Static)
        said.update(Content(words.plain(hollow)))
        said.display = bool(hollow)
        self._show_title(fleet)
        self._show_notes(self._shelf.notes(fleet.hosts, now) if self._given is None else [])
        self._free_at = monotonic() + _REST * (monotonic() - began)

    def _entries(self, fleet: FleetSnapshot) -> Sequence[Entry]:
        if self._given is not None:
            return self._given(fleet)
        return with_users(self.table, self._shelf.entries(fleet.hosts), fleet.instances)

    def _hollow(self, fleet: FleetSnapshot, matching: str) -> str:
        if self._given is None:
            return self._shelf.hollow({host.name: host for host in fleet.hosts}, matching)
        return f"nothing matches {matching}: escape shows all" if matching else self.table.empty

    def _show_title(self, fleet: FleetSnapshot) -> None:
        online = sum(host.online for host in fleet.hosts)
        parts = [
            Content.styled(" lxtui ", "bold reverse"),
            Content.styled(f"  {words.plain(self._title_text)}", "bold"),
            Content(f"  hosts {online}/{len(fleet.hosts)}"),
        ]
        if self._given is None and (asking := self._shelf.asking(fleet.hosts)):
            parts.append(Content.styled(f"  asking {len(asking)}", "yellow"))
        if marked := len(self.query_one(ResourceTable).marked):
            parts.append(Content.styled(f"  marked {marked}", "bold"))
        self.query_one("#summary", Static).update(Content("").join(parts))

    def _show_notes(self, notes: Sequence[Note]) -> None:
        lines = [
            Content.styled(f" {words.plain(note.line)}", "red" if note.bad else "dim")
            for note in notes[:_NOTES]
        ]
        if len(notes) > _NOTES:
            lines.append(Content.styled(f" and {len(notes) - _NOTES} more", "dim"))
        said = self.query_one("#notes", Static)
        said.update(Content("\n").join(lines))
        said.display = bool(lines)


def table_screen(
    shop: Shop,
    table: Table,
    *,
    filter: str = "",  # noqa: A002 what the language is called
    wanted: Link | None = None,
) -> TableScreen:
    """The screen of one table."""
    given = host_entries if table is HOSTS else None
    return TableScreen(shop, table, given=given, filter=filter, wanted=wanted)


def links_screen(shop: Shop, title: str, links: Iterable[Link]) -> TableScreen:
    """The screen of some links."""
    fixed = tuple(links)
    return TableScreen(shop, LINKS, given=lambda fleet: link_entries(fixed, fleet), title=title)


def uses_screen(shop: Shop, instance: Instance) -> TableScreen:
    """The screen of what an instance is made of."""
    return links_screen(shop, f"instance {instance.ref} uses", links_of(instance))


def choose_table(screen: Screen[None], choose: Callable[[Table], None]) -> None:
    """Offer all tables."""
    choices = [(table.id, f"{table.id:<12}{table.help}") for table in catalog.TABLES]

    def chosen(name: str | None) -> None:
        if name is not None:
            choose(catalog.named(name))

    screen.app.push_screen(ChoiceDialog("Tables", choices), chosen)
