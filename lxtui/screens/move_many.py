"""The dialog for moving several instances: where to, who goes where, how far each is.

Role: one look at everything before anything is touched; the same placement as ``lxtui evacuate``.
Closing it does not end the moves. Boundary: gets a survey and a starter as functions, knows no
backend. Threading: the screen's; a survey asks hosts, so it runs in a thread of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Thread

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Label, SelectionList, Static
from textual.widgets.selection_list import Selection

from lxtui import format as text
from lxtui.commands import Move, MoveMany, typed
from lxtui.errors import LxtuiError
from lxtui.migrate.options import MoveOptions
from lxtui.migrate.placement import Fate, Row
from lxtui.model import FleetSnapshot, Host, JobState, Kind, Ref
from lxtui.screens.move import Submit, wished, wishes
from lxtui.screens.texts import host_about

Survey = Callable[[frozenset[Ref], Sequence[str], MoveOptions], tuple[Row, ...]]

_MOST_AT_ONCE = 9


class MoveManyDialog(ModalScreen[None]):
    """Choose hosts, see who goes where, go, watch."""

    BINDINGS = [
        Binding("enter", "go", "Move", priority=True),
        ("escape", "close", "Close"),
        ("c", "cancel_moves", "Cancel the moves"),
        ("n", "wish('near-live')", "Near-live"),
        ("l", "wish('live')", "Live"),
        ("k", "wish('keep')", "Keep the sources"),
        ("p", "wish('profiles')", "Copy missing profiles"),
        ("g", "keep_going", "Go on after a failure"),
        ("plus", "parallel(1)", "More at a time"),
        ("minus", "parallel(-1)", "Fewer at a time"),
    ]

    class Surveyed(Message):
        """It is known who would go where, or why that cannot be known."""

        def __init__(
            self, targets: Sequence[str], options: MoveOptions, rows: tuple[Row, ...] | LxtuiError
        ) -> None:
            super().__init__()
            self.targets = list(targets)
            self.options = options
            self.rows = rows

    def __init__(
        self,
        refs: frozenset[Ref],
        hosts: Sequence[Host],
        survey: Survey,
        submit: Submit,
        cancel: Callable[[int], None],
    ) -> None:
        super().__init__()
        self._refs = refs
        self._hosts = hosts
        self._survey = survey
        self._submit = submit
        self._cancel = cancel
        self._options = MoveOptions()
        self._parallel = 1
        self._keep_going = False
        self._rows: tuple[Row, ...] = ()
        self._job: int | None = None

    def compose(self) -> ComposeResult:
        """Lay out the hosts beside the arrangement."""
        with Vertical(classes="dialog wide") as box:
            box.border_title = f"move {len(self._refs)} instances"
            box.border_subtitle = "space chooses hosts · enter moves · escape closes"
            yield Static(id="wishes")
            with Horizontal():
                yield SelectionList(*map(_choice, self._hosts), id="targets")
                with VerticalScroll(id="plan-scroll"):
                    yield Static(id="plan")
            yield Label("", id="progress")

    def on_mount(self) -> None:
        """Begin without a target: the person says where to."""
        targets = self.query_one("#targets", SelectionList)
        targets.border_title = "to hosts"
        targets.focus()
        self._show_wishes()
        self._survey_anew()

    def on_selection_list_selected_changed(self) -> None:
        """Arrange anew for these hosts."""
        self._survey_anew()

    def action_wish(self, what: str) -> None:
        """Wish for something else, or no longer, and arrange anew."""
        if self._job is None:
            self._options = wished(self._options, what)
            self._show_wishes()
            self._survey_anew()

    def action_keep_going(self) -> None:
        """Whether what fits is moved when something does not, and after a failure."""
        if self._job is None:
            self._keep_going = not self._keep_going
            self._show_wishes()

    def action_parallel(self, step: int) -> None:
        """Make more or fewer moves at a time."""
        if self._job is None and 1 <= self._parallel + step <= _MOST_AT_ONCE:
            self._parallel += step
            self._show_wishes()

    def action_go(self) -> None:
        """Move, if it is known who goes where."""
        planned = [row for row in self._rows if row.fate is Fate.PLANNED]
        if self._job is not None:
            return
        if not planned or not (self._keep_going or all(row.well for row in self._rows)):
            self.app.bell()
            hint = "nothing can be moved there" if self._rows else "choose a host first: space"
            if planned:
                hint = "not all can be moved there: g moves those that can"
            self._write("#progress", Content.styled(hint, "bold red"))
            return
        self._job = self._submit(
            MoveMany(self._rows, self._options, self._parallel, self._keep_going)
        )
        self.query_one("#targets", SelectionList).disabled = True
        self.focus()

    def action_cancel_moves(self) -> None:
        """Ask those that run to put everything back; no other is begun."""
        if self._job is not None:
            self._cancel(self._job)

    def action_close(self) -> None:
        """Leave; moves that run go on."""
        self.dismiss(None)

    def show(self, snapshot: FleetSnapshot) -> None:
        """Follow the moves in the fleet's jobs."""
        job = next((job for job in snapshot.jobs if job.id == self._job), None)
        if job is None:
            return
        lines = [Content(text.plain(line)) for line in job.progress.details]
        self._write("#plan", Content("\n").join(lines))
        style = {JobState.DONE: "green", JobState.FAILED: "bold red"}.get(job.state, "")
        self._write("#progress", Content.styled(text.plain(job.progress.text), style))
        self.query_one(Vertical).border_subtitle = (
            "escape hides, the moves go on · c cancels them"
            if job.state is JobState.RUNNING
            else "escape closes"
        )

    def on_move_many_dialog_surveyed(self, message: MoveManyDialog.Surveyed) -> None:
        """Show the arrangement, if it is still the one that is asked for."""
        if self._job is not None or message.options != self._options:
            return
        if message.targets != self._targets:
            return
        if isinstance(message.rows, LxtuiError):
            self._write("#plan", Content.styled(text.plain(str(message.rows)), "red"))
            return
        self._rows = message.rows
        self._write("#plan", _page(message.rows, self._typed))

    def _typed(self, row: Row) -> str:
        kinds = {host.name: host.kind for host in self._hosts}
        move = Move(row.source, row.target, self._options)
        return typed(move, lambda name: kinds.get(name, Kind.LXD))

    @property
    def _targets(self) -> list[str]:
        chosen: list[str] = self.query_one("#targets", SelectionList).selected
        return [host.name for host in self._hosts if host.name in chosen]

    def _survey_anew(self) -> None:
        if self._job is not None:
            return
        self._rows = ()
        self._write("#progress", Content(""))
        targets, options, refs = self._targets, self._options, self._refs
        if not targets:
            names = ", ".join(str(ref) for ref in sorted(refs))
            self._write("#plan", Content(text.plain(f"choose where to move {names}")))
            return
        self._write("#plan", Content(f"checking {', '.join(targets)} …"))

        def ask() -> None:
            try:
                rows: tuple[Row, ...] | LxtuiError = self._survey(refs, targets, options)
            except LxtuiError as error:
                rows = error
            self.post_message(self.Surveyed(targets, options, rows))

        Thread(target=ask, name="survey", daemon=True).start()

    def _show_wishes(self) -> None:
        box = ("☑", "green") if self._keep_going else ("☐", "dim")
        more = Content.assemble(
            ("g ", "bold"),
            box,
            " go on after a failure   ",
            ("+ - ", "bold"),
            f"{self._parallel} at a time",
        )
        self._write("#wishes", Content("\n").join([wishes(self._options), more]))

    def _write(self, where: str, content: Content) -> None:
        self.query_one(where, Static).update(content)


def _choice(host: Host) -> Selection[str]:
    about = host_about(host)
    prompt = Text.assemble(host.name, (f"  {about}", "dim"))
    return Selection(prompt, host.name, disabled=not host.online or host.read_only)


def _page(rows: Sequence[Row], typed: Callable[[Row], str]) -> Content:
    """Who goes where and as what, what does not fit, and what is to be known about those that do.

    *typed* makes the command line.
    """
    lines: list[Content] = []
    for row in rows:
        who = text.plain(str(row.source))
        if row.fate is Fate.PLANNED:
            needs = f"{text.size(row.memory)} of memory, {text.size(row.disk)} of disk"
            lines.append(Content.assemble((f"{who} → {row.target}", "bold"), f"  {needs}"))
            lines.append(Content.styled(text.plain(f"  as: {typed(row)}"), "dim"))
            lines += [
                Content.styled(text.plain(f"  warning: {one}"), "yellow") for one in row.warnings
            ]
        elif row.fate is Fate.STAYS:
            lines.append(Content.styled(text.plain(f"{row.source} stays: {row.reason}"), "dim"))
        else:
            lines.append(Content.styled(f"{who} does not fit", "bold red"))
            lines.append(Content.styled(text.plain(f"  {row.reason}"), "red"))
    return Content("\n").join(lines)
