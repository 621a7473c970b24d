"""The frame of a detail screen: whose it is, its tabs, its pages, its keys.

Role: one page is in sight and at work at a time; the keys of the table act on what the screen is
about. Boundary: pages reach the hosts, this does not. Threading: the screen's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from textual import events
from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding
from textual.containers import Container
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from lxtui import format as text
from lxtui.actions import ACTIONS, BY_ID, Action, Selection
from lxtui.config import Settings
from lxtui.model import FleetSnapshot, JobState
from lxtui.screens.acting import Acting
from lxtui.screens.asking import Asking, Wiring
from lxtui.screens.detail.page import Page, Subject
from lxtui.screens.dialogs import TextDialog
from lxtui.screens.help import help_page
from lxtui.screens.undoing import Undoing
from lxtui.widgets.key_line import KeyLine

_PATIENCE = 3.0
"""Seconds after which it is said that a page waits."""
_WIDE = 120
"""From this width on tabs have their full names."""


def acting() -> list[Action]:
    """The actions that change an instance: they work here as in the table."""
    return [action for action in ACTIONS if action.writes]


class TabLine(Static):
    """The names of the pages, numbered; the one in sight is reversed."""

    def __init__(self, pages: Sequence[Page], choose: Callable[[int], None]) -> None:
        super().__init__(id="tabs")
        self._pages = pages
        self._choose = choose
        self._at = 0
        self._ends: list[int] = []

    def show(self, at: int) -> None:
        """Mark the page in sight."""
        self._at = at
        wide = self.app.size.width >= _WIDE
        parts, ends, end = [], list[int](), 0
        for number, page in enumerate(self._pages):
            label = f"{(number + 1) % 10} {page.name_ if wide else page.short}"
            # Brackets beside the colours: a terminal may have none.
            here = number == at
            shown = f"[{label}]" if here else f" {label} " if wide else f" {label}"
            parts.append(Content.styled(shown, "bold reverse" if here else ""))
            end += len(shown)
            ends.append(end)
        self._ends = ends
        self.update(Content("").join(parts))

    def on_resize(self) -> None:
        """Long names, or short ones."""
        self.show(self._at)

    def on_click(self, event: events.Click) -> None:
        """Go there."""
        at = next((at for at, end in enumerate(self._ends) if event.x < end), None)
        if at is not None:
            self._choose(at)


class DetailScreen(Screen[None]):
    """Pages about one thing."""

    BINDINGS = [
        Binding("escape", "back", "Back", tooltip="Back to the table"),
        Binding("left_square_bracket", "turn(-1)", "Previous page", show=False),
        Binding("right_square_bracket", "turn(1)", "Next page"),
        *(Binding(str(number), f"page({number})", show=False) for number in range(10)),
        Binding("r", "again", "Ask again", id="refresh", show=False),
        Binding(BY_ID["undo"].key, "undo", "Undo", id="undo", show=False),
        Binding("question_mark", "help", "Help", id="help"),
        *(
            Binding(
                action.key or f"no-key-{at}",
                f"do('{action.id}')",
                action.label,
                show=action.footer,
                id=action.id,
                tooltip=action.help,
            )
            for at, action in enumerate(acting())
        ),
    ]

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]

    def __init__(
        self, wiring: Wiring, settings: Settings, subject: Subject, first: str = ""
    ) -> None:
        """*first* is the id of the page to begin with."""
        super().__init__()
        self._first = first
        self.wiring = wiring
        self.subject = subject
        self._settings = settings
        self._pages = self.make_pages()
        self._at = 0
        self._asking = Asking(self, wiring, lambda: self.subject.fleet)
        self._undoing = Undoing(self, wiring, lambda: self.subject.fleet)
        self._acting = Acting(self, wiring, lambda: self.subject.fleet)

    def make_pages(self) -> list[Page]:
        """The pages, in their order."""
        raise NotImplementedError

    def head(self) -> Content:
        """The line on top."""
        raise NotImplementedError

    def renewed(self, fleet: FleetSnapshot) -> Subject:
        """What the screen is about, as *fleet* knows it."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        """Lay out the frame."""
        yield Static(id="head")
        yield TabLine(self._pages, self.choose)
        with Container(id="pages"):
            yield from self._pages
        yield Static(id="work")
        yield KeyLine()

    def on_mount(self) -> None:
        """Begin with the first page, or the one that was asked for."""
        for page in self._pages:
            page.display = False
        self._draw_frame()
        self.set_interval(1.0, self._draw_frame)
        ids = [page.id for page in self._pages]
        self.choose(ids.index(self._first) if self._first in ids else 0)

    def show(self, fleet: FleetSnapshot) -> None:
        """Show the fleet as it is now."""
        self.subject = self.renewed(fleet)
        self._draw_frame()
        page = self._pages[self._at]
        if page.begun:
            page.show(self.subject)

    def choose(self, at: int) -> None:
        """Bring a page to sight."""
        if not 0 <= at < len(self._pages):
            return
        self._pages[self._at].end()
        self._pages[self._at].display = False
        self._at = at
        page = self._pages[at]
        page.display = True
        self.query_one(TabLine).show(at)
        page.focus()
        self.call_after_refresh(self._begin, page)

    def _begin(self, page: Page) -> None:
        if page is self._pages[self._at] and page.is_mounted:
            page.begin(self.subject)

    def action_turn(self, by: int) -> None:
        """The page beside; round and round."""
        self.choose((self._at + by) % len(self._pages))

    def action_page(self, number: int) -> None:
        """The page of that number; 0 is the tenth."""
        self.choose((number - 1) % 10)

    def action_again(self) -> None:
        """Ask now."""
        self.wiring.refresh()
        self._pages[self._at].begin(self.subject)

    def action_back(self) -> None:
        """Back to the table."""
        self._pages[self._at].end()
        self.dismiss(None)

    def action_undo(self) -> None:
        """Take back what was done last, here or elsewhere."""
        self._undoing.undo()

    def action_help(self) -> None:
        """The help page, the keys of the page in sight first."""
        own = type(self._pages[self._at]).BINDINGS
        self.app.push_screen(TextDialog("help", help_page(self._settings.keys, own)))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A host's pages have no keys that change an instance."""
        if action == "do":
            return self.subject.instance is not None
        return super().check_action(action, parameters)

    def action_do(self, action_id: str) -> None:
        """Do an action of the table, here on one instance whatever is marked there."""
        action, selection = BY_ID[action_id], self.selection
        if reason := action.why_not(selection):
            self.notify(reason, title=action.label, severity="warning", markup=False)
        elif (open_dialog := self._acting.keys.get(action.id)) is not None:
            open_dialog(selection)
        elif selection.instance is not None:
            self._asking.one(action, selection, selection.instance)

    @property
    def selection(self) -> Selection:
        """What the next key acts on."""
        return Selection(self.subject.host, self.subject.instance)

    def commands(self) -> Iterable[SystemCommand]:
        """The actions and the pages, for the palette."""
        for at, page in enumerate(self._pages):
            yield SystemCommand(
                page.name_, f"Page {at + 1} of this screen", lambda at=at: self.choose(at)
            )
        if self.subject.instance is not None:
            for action in acting():
                yield SystemCommand(
                    action.label, action.help, lambda action=action: self.action_do(action.id)
                )

    def _draw_frame(self) -> None:
        self.query_one("#head", Static).update(self.head())
        waited = self._pages[self._at].waited
        slow = f" {self.subject.host.name} has not answered for {waited:.0f} s"
        line = Content.styled(slow, "bold $text-warning") if waited > _PATIENCE else self.work()
        work = self.query_one("#work", Static)
        work.update(line)
        work.display = bool(line.plain)

    def work(self) -> Content:
        """What is done to it at this moment, in one line; empty: nothing."""
        fleet, ref = self.subject.fleet, self.subject.ref
        jobs = [one for one in fleet.jobs if one.state is JobState.RUNNING]
        for job in jobs:
            if str(ref) in job.title or ref.plain in job.title:
                return Content.styled(f" {text.plain(f'{job.title}: {job.progress.text}')}", "bold")
        for one in fleet.operations:
            if one.host == ref.host and ref.name in one.resources:
                line = f"{one.description} {one.progress}".rstrip()
                return Content.styled(f" {text.plain(line)}", "bold")
        return Content("")
