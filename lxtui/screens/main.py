"""The main screen: tree, table, operations.

Role: shows each new snapshot of the fleet, turns keys into commands by way of the table of
actions. Boundary: gets what it needs to reach the fleet as a Wiring of functions; imports no
backend. Threading: the screen's; nothing here waits for a host.
"""

from __future__ import annotations

from collections.abc import Iterable

from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Input

from lxtui import format as text
from lxtui.actions import ACTIONS, BY_ID, Selection
from lxtui.arranging import Scope
from lxtui.config import Settings
from lxtui.model import FleetSnapshot, Job, Ref
from lxtui.resources import catalog
from lxtui.screens.acting import Acting
from lxtui.screens.add_host import AddHostDialog
from lxtui.screens.asking import Asking, Wiring
from lxtui.screens.audit import AuditDialog
from lxtui.screens.detail.host import HostScreen
from lxtui.screens.detail.instance import InstanceScreen
from lxtui.screens.detail.page import Subject
from lxtui.screens.dialogs import ConfirmDialog, TextDialog
from lxtui.screens.editing import edit
from lxtui.screens.help import help_page
from lxtui.screens.operation import OperationDialog
from lxtui.screens.tables import Shop, choose_table, table_screen, uses_screen
from lxtui.screens.texts import about, nothing, summary
from lxtui.screens.undoing import Undoing
from lxtui.screens.unfinished import UnfinishedDialog
from lxtui.screens.viewing import Viewing
from lxtui.widgets.fleet_table import FleetTable
from lxtui.widgets.fleet_tree import FleetTree, NodeId
from lxtui.widgets.key_line import KeyLine
from lxtui.widgets.one_line import OneLine
from lxtui.widgets.operations import OperationsPane


class MainScreen(Screen[None]):
    """Everything at a glance."""

    BINDINGS = [
        *(
            Binding(
                action.key or f"no-key-{at}",  # without a key of its own: palette, or the user's
                f"do('{action.id}')",
                action.label,
                show=action.footer,
                id=action.id,
                tooltip=action.help,
            )
            for at, action in enumerate(ACTIONS)
        ),
        Binding("escape", "clear_filter", show=False),
        Binding("tab", "app.focus_next", show=False),
    ]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-tiny"), (16, "-short"), (30, "-tall")]

    def __init__(self, wiring: Wiring, settings: Settings) -> None:
        super().__init__()
        self._wiring = wiring
        self._settings = settings
        for name in [name for name, key in settings.keys.items() if not key]:
            for key in BY_ID[name].key.split(","):  # Textual's keymap takes no key away
                self._bindings.key_to_bindings.pop(key, None)
        self._fleet = FleetSnapshot()
        self._filtering = False
        self._viewing = Viewing(
            self, lambda: self._fleet, wiring.views, self.action_do, self._open_table
        )
        self._asking = Asking(self, wiring, lambda: self._fleet)
        self._undoing = Undoing(self, wiring, lambda: self._fleet)
        self._acting = Acting(self, wiring, lambda: self._fleet)
        self._shop = Shop(
            wiring.shelves,
            lambda: self._fleet,
            wiring.submit,
            wiring.cancel_job,
            wiring.clock,
            settings,
            self._open_instance,
            self._open_host,
            lambda what, kind: edit(self.app, what, kind, wiring),
            wiring.views,
        )

    def compose(self) -> ComposeResult:
        """Lay out the panes."""
        yield OneLine(id="summary")
        yield OneLine(id="banner")
        with Horizontal(id="fleet"):
            yield FleetTree()
            with Vertical():
                yield Input(
                    placeholder="filter: words, !not, state:running, mem>1G, age<7d", id="filter"
                )
                yield FleetTable()
                yield OneLine(id="about")
        yield OperationsPane()
        yield KeyLine()

    def on_mount(self) -> None:
        """Begin in the table."""
        self.query_one("#filter").display = False
        self.query_one("#banner").display = False
        self.query_one(FleetTree).border_title = "fleet"
        self.query_one(FleetTable).focus()
        self._viewing.begin()

    def show(self, fleet: FleetSnapshot) -> None:
        """Show the fleet as it is now."""
        self._fleet = fleet
        self._undoing.saw_marks()
        now = self._wiring.clock()
        table = self.query_one(FleetTable)
        table.show(fleet.instances, fleet.hosts, now)
        self.query_one(FleetTree).show(fleet)
        self.query_one(OperationsPane).show(fleet, now)
        self.query_one("#summary", OneLine).say(summary(fleet, len(table.marked)))
        self._say_nothing()
        self._show_banner()

    def _say_nothing(self) -> None:
        """Why the table is empty, should it be."""
        table = self.query_one(FleetTable)
        add = self._settings.keys.get("add-host", BY_ID["add-host"].key)
        said = nothing(self._fleet, table.view.filter, add, table.scope)
        table.say_instead([*said, *table.arranged.query.problems])

    def _show_marks(self) -> None:
        self._undoing.saw_marks()
        marked = len(self.query_one(FleetTable).marked)
        self.query_one("#summary", OneLine).say(summary(self._fleet, marked))

    @property
    def selection(self) -> Selection:
        """What the next key acts on: the tree's cursor while the tree has the focus."""
        tree = self.query_one(FleetTree)
        job = self.query_one(OperationsPane).job
        if tree.has_focus and (node := tree.selected) is not None:
            instance = self._fleet.instance(node.ref) if node.ref is not None else None
            snapshots = instance.snapshots if instance is not None else ()
            snapshot = next((one for one in snapshots if one.name == node.snapshot), None)
            member = node.member if node.of_many else ""
            return Selection(self._fleet.host(node.host), instance, snapshot, job, member)
        instance = self.query_one(FleetTable).instance
        host = self._fleet.host(instance.ref.host) if instance is not None else None
        return Selection(host, instance, None, job)

    def commands(self) -> Iterable[SystemCommand]:
        """Every action, for the palette."""
        for action in ACTIONS:
            yield SystemCommand(
                action.label, action.help, lambda action=action: self.action_do(action.id)
            )

    def action_do(self, action_id: str) -> None:
        """Do one action of the table, after what it has to ask."""
        action, selection = BY_ID[action_id], self.selection
        if action.writes and selection.snapshot is None and self._asking.many(action):
            return
        reason = action.why_not(selection)
        if reason:
            self.notify(reason, title=action.label, severity="warning", markup=False)
        elif (do := self._viewing.keys.get(action.id)) is not None:
            do()
            self._show_marks()
        elif action.id in catalog.BY_ID:
            self._open_table(action.id)
        elif action.build is None:
            if (open_dialog := self._acting.keys.get(action.id)) is not None:
                open_dialog(selection)
                return
            getattr(self, f"_do_{action.id.replace('-', '_')}")()
        elif selection.instance is not None:
            self._asking.one(action, selection, selection.instance)

    def action_clear_filter(self) -> None:
        """No filter, then the whole fleet again; when everything is shown, take the marks off."""
        table = self.query_one(FleetTable)
        if not self._viewing.clear_filter():
            if table.scope is not None:
                self._narrow(None)
            else:
                table.unmark_all()
            self._show_marks()

    def on_input_changed(self) -> None:
        """Filter while it is typed; keys that came in the meantime are looked at together."""
        if not self._filtering:
            self._filtering = True
            self.call_later(self._filter)

    def _filter(self) -> None:
        self._filtering = False
        self._viewing.set_filter(self.query_one("#filter", Input).value)
        self._say_nothing()

    def on_input_submitted(self) -> None:
        """Keep the filter, go back to the table."""
        self._filter()
        self._viewing.remember()
        self.query_one(FleetTable).focus()

    def on_line_table_header_clicked(self, event: FleetTable.HeaderClicked) -> None:
        """Sort by that column."""
        self._viewing.sort_by(event.column)

    def on_line_table_highlighted(self) -> None:
        """Say more about what the cursor is on."""
        self._show_about()

    def on_fleet_table_activated(self) -> None:
        """Open the instance."""
        self.action_do("details")

    def on_data_table_row_highlighted(self) -> None:
        """Say more about what the cursor is on."""
        self._show_about()

    def on_fleet_tree_chosen(self, event: FleetTree.Chosen) -> None:
        """Narrow the table to a host or a member, or no longer; go to an instance."""
        node = event.node
        if node.ref is not None:
            self.query_one(FleetTable).select(node.ref)
        else:
            chosen = self.query_one(FleetTree).chosen
            self._narrow(None if node == chosen else node)

    def _narrow(self, node: NodeId | None) -> None:
        self.query_one(FleetTable).narrow(Scope(node.host, node.member) if node else None)
        self.query_one(FleetTree).choose(node)
        self._say_nothing()

    def on_tree_node_highlighted(self) -> None:
        """Say more about what the cursor is on."""
        self._show_about()

    def on_descendant_focus(self) -> None:
        """Say more about what the cursor is on now."""
        self._show_about()

    def _do_mark(self) -> None:
        table = self.query_one(FleetTable)
        instance = self.selection.instance
        if instance is not None:
            table.mark(instance.ref)
            self._show_marks()
            if table.has_focus:
                table.action_cursor(1)

    def _do_undo(self) -> None:
        self._undoing.undo()
        self._show_marks()

    def _do_refresh(self) -> None:
        self._wiring.refresh()

    def _do_toggle_tree(self) -> None:
        tree = self.query_one(FleetTree)
        tree.display = not tree.display
        tree.show_now()

    def _do_cancel_job(self) -> None:
        job = self.selection.job
        if job is None:
            return
        number = job.id

        def go(yes: bool | None) -> None:
            if yes:
                self._wiring.cancel_job(number)

        details = [
            "A move or an export puts everything back, files that are whole stay;",
            "anything else is no longer waited for, and the host may finish it.",
        ]
        self.app.push_screen(ConfirmDialog(f"Cancel: {text.plain(job.title)}?", details), go)

    @property
    def looked_at(self) -> Job | None:
        """The job under the cursor, where that is in the operations pane."""
        pane = self.query_one(OperationsPane)
        return pane.job if pane.has_focus else None

    def on_data_table_row_selected(self) -> None:
        """All of what the cursor of the operations pane is on."""
        chosen = self.query_one(OperationsPane).chosen
        if chosen is not None:
            dialog = OperationDialog(chosen, self._wiring.clock, self._wiring.cancel_job)
            self.app.push_screen(dialog)

    def _do_copy_command(self) -> None:
        self._wiring.copy_command()

    def _do_moves(self) -> None:
        if self._fleet.moves:
            clock = self._wiring.clock
            self.app.push_screen(UnfinishedDialog(self._fleet.moves, self._wiring.submit, clock))
        else:
            self.notify("no move was left unfinished", markup=False)

    def _do_add_host(self) -> None:
        look = self._wiring.look_at_host
        if look is None:
            self.notify("no host can be added to a simulated fleet, or with --read-only")
            return

        def done(name: str | None) -> None:
            if name:
                self.notify(f"{name} was added", markup=False)

        self.app.push_screen(AddHostDialog(look), done)

    def _do_audit(self) -> None:
        self.app.push_screen(AuditDialog(self._wiring.journal))

    def _do_tables(self) -> None:
        choose_table(self, lambda table: self._open_table(table.id))

    def _do_uses(self) -> None:
        if (instance := self.selection.instance) is not None:
            self.app.push_screen(uses_screen(self._shop, instance))

    def _open_table(self, name: str, words: str = "") -> None:
        self.app.push_screen(table_screen(self._shop, catalog.named(name), filter=words))

    def _open_instance(self, ref: Ref) -> None:
        """What a link to an instance leads to."""
        instance, host = self._fleet.instance(ref), self._fleet.host(ref.host)
        if instance is None or host is None:
            self.app.notify(f"{ref} is not there any more", severity="warning", markup=False)
        else:
            subject = Subject(self._fleet, host, self._wiring.clock(), instance)
            self.app.push_screen(InstanceScreen(self._wiring, self._settings, subject))

    def _open_host(self, name: str) -> None:
        """What the line of a host leads to."""
        if (host := self._fleet.host(name)) is not None:
            subject = Subject(self._fleet, host, self._wiring.clock(), None)
            self.app.push_screen(HostScreen(self._wiring, self._settings, subject))

    def _do_details(self) -> None:
        selection = self.selection
        if selection.host is not None and selection.member:
            self._open_table("members", f"name={selection.member} host={selection.host.name}")
        elif selection.host is not None:
            now = self._wiring.clock()
            subject = Subject(self._fleet, selection.host, now, selection.instance)
            screen = HostScreen if selection.instance is None else InstanceScreen
            self.app.push_screen(screen(self._wiring, self._settings, subject))

    def _do_files(self) -> None:
        selection = self.selection
        if selection.host is not None and selection.instance is not None:
            now = self._wiring.clock()
            subject = Subject(self._fleet, selection.host, now, selection.instance)
            screen = InstanceScreen(self._wiring, self._settings, subject, "files")
            self.app.push_screen(screen)

    def _do_help(self) -> None:
        self.app.push_screen(TextDialog("help", help_page(self._settings.keys)))

    def _show_banner(self) -> None:
        """Say on top what somebody has to see to; what is at work now needs nobody."""
        left = sum(not move.busy for move in self._fleet.moves)
        key = self._settings.keys.get("moves", BY_ID["moves"].key) or ":moves"
        many = f"{left} unfinished moves", "them"
        what, it = ("1 unfinished move", "it") if left == 1 else many
        banner = self.query_one("#banner", OneLine)
        banner.say(Content(f" {what}: {key} shows {it}"))
        banner.display = bool(left)

    def _show_about(self) -> None:
        table = self.query_one(FleetTable)
        line = about(self.selection, self._wiring.clock(), table.cursor_row + 1, table.row_count)
        self.query_one("#about", OneLine).say(line)
