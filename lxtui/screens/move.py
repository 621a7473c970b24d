"""The move dialog: where to, what will happen, how far it is.

Role: shows the plan of the highlighted target before anything is touched, starts the move, follows
it. Closing it does not end the move; the operations pane goes on showing it. Boundary: gets a
planner and a starter as functions, knows no backend. Threading: the screen's; planning asks hosts,
so it runs in a worker thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from threading import Thread

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Label, OptionList, Static
from textual.widgets.option_list import Option

from lxtui import format as text
from lxtui.columns import natural
from lxtui.commands import Command, Many, Move, MoveMany, typed_plan
from lxtui.errors import LxtuiError
from lxtui.migrate.facts import Level
from lxtui.migrate.options import Mode, MoveOptions
from lxtui.migrate.plan import MovePlan
from lxtui.model import FleetSnapshot, Host, Instance, Job, JobState, Ref
from lxtui.screens.texts import host_about

PlanMove = Callable[[Ref, str, MoveOptions], MovePlan]
OtherPools = Callable[[Instance], Sequence[str]]
"""The pools of an instance's own host in which it is not; LxtuiError when they cannot be had."""
Submit = Callable[[Command | MoveMany | Many], int]

_MARKS = {"done": ("✓", "green"), "now": ("▸", "yellow"), "next": ("·", "dim")}


@dataclass(frozen=True, slots=True)
class _Place:
    """Where it may go: another host, a member of a cluster, or another pool of its own host."""

    host: Host
    pool: str = ""
    member: str = ""

    def options(self, wishes: MoveOptions) -> MoveOptions:
        """The *wishes*, there."""
        return replace(wishes, pool=self.pool, member=self.member)


class MoveDialog(ModalScreen[None]):
    """Choose a host, see the plan, go, watch."""

    BINDINGS = [
        ("escape", "close", "Close"),
        ("enter", "leave", "Close"),
        ("c", "cancel_move", "Cancel the move"),
        ("n", "wish('near-live')", "Near-live"),
        ("l", "wish('live')", "Live"),
        ("k", "wish('keep')", "Keep the source"),
        ("p", "wish('profiles')", "Copy missing profiles"),
    ]

    class Planned(Message):
        """A plan was made, or could not be."""

        def __init__(self, host: str, options: MoveOptions, plan: MovePlan | LxtuiError) -> None:
            super().__init__()
            self.host = host
            self.options = options
            self.plan = plan

    class Pools(Message):
        """The other pools of its own host are known."""

        def __init__(self, names: Sequence[str]) -> None:
            super().__init__()
            self.names = names

    def __init__(
        self,
        instance: Instance,
        hosts: Sequence[Host],
        plan: PlanMove,
        pools: OtherPools,
        submit: Submit,
        cancel: Callable[[int], None],
        options: MoveOptions | None = None,
    ) -> None:
        """*options*: with which wishes to begin. A copy may stay on its host."""
        super().__init__()
        self._instance = instance
        self._options = options or MoveOptions()
        self._own = next((host for host in hosts if host.name == instance.ref.host), None)
        copying = self._options.copy
        self._places = [_Place(host) for host in hosts if copying or host is not self._own]
        self._places += [
            _Place(host, member=name)
            for host in hosts
            for name in sorted(host.members, key=natural)
            if host is not self._own or name != instance.location
        ]
        order = [host.name for host in hosts]
        self._places.sort(key=lambda at: (at.host is not self._own, order.index(at.host.name)))
        self._plan_move = plan
        self._pools = pools
        self._submit = submit
        self._cancel = cancel
        self._plan: MovePlan | None = None
        self._job: int | None = None
        self._ended = False
        self._step = 0

    def compose(self) -> ComposeResult:
        """Lay out the hosts beside the plan."""
        with Vertical(classes="dialog wide") as box:
            box.border_title = Text(text.plain(_title(self._instance.ref, self._options)))
            verb = "copies" if self._options.copy else "moves"
            box.border_subtitle = f"enter {verb} · escape closes"
            yield Static(wishes(self._options), id="wishes")
            with Horizontal():
                yield OptionList(*map(_option, self._places), id="targets")
                with VerticalScroll(id="plan-scroll"):
                    yield Static(id="plan")
            yield Label("", id="progress")

    def on_mount(self) -> None:
        """Begin with the first host that answers."""
        targets = self.query_one("#targets", OptionList)
        targets.border_title = "to host"
        targets.focus()
        online = [at for at, place in enumerate(self._places) if not _closed(place)]
        if online:
            targets.highlighted = online[0]
        else:
            self._write("#plan", Content.styled("no other host answers", "yellow"))
        Thread(target=self._ask_pools, name="pools", daemon=True).start()

    def _ask_pools(self) -> None:
        with suppress(LxtuiError):  # then other hosts are all that is offered
            self.post_message(self.Pools(self._pools(self._instance)))

    def on_move_dialog_pools(self, message: MoveDialog.Pools) -> None:
        """Offer its own host too, with each other pool."""
        if self._own is None:
            return
        targets = self.query_one("#targets", OptionList)
        for name in message.names:
            self._places.append(_Place(self._own, name))
            targets.add_option(_option(self._places[-1]))
        if targets.highlighted is None and message.names:
            targets.highlighted = len(self._places) - len(message.names)

    def on_option_list_option_highlighted(self) -> None:
        """Show the plan of that host."""
        self._plan_anew()

    def action_wish(self, what: str) -> None:
        """Wish for something else, or no longer, and plan anew."""
        if self._job is not None:
            return
        self._options = wished(self._options, what)
        self._write("#wishes", wishes(self._options))
        self._plan_anew()

    def _plan_anew(self) -> None:
        at = self.query_one("#targets", OptionList).highlighted
        if self._job is None and at is not None:
            self._plan = None
            self._write("#progress", Content(""))
            place = self._places[at]
            here, there = self._instance.ref.host, place.host.name
            both = here if here == there else f"{here} and {there}"
            self._write("#plan", Content(f"checking {both} …"))
            self._make_plan(place)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Go, if the plan of that host has no blocker."""
        plan = self._plan
        place = self._places[event.option_index]
        host = place.host.name
        if self._job is not None or plan is None or plan.destination.host != host:
            return
        if (plan.options.pool, plan.options.member) != (place.pool, place.member):
            return
        if plan.blockers:
            self.app.bell()
            done = "copied" if plan.options.copy else "moved"
            hint = f"cannot be {done} there while there is a blocker"
            self._write("#progress", Content.styled(hint, "bold red"))
            return
        self._job = self._submit(Move(plan.source, host, plan.options))
        self.query_one("#targets", OptionList).disabled = True
        self.focus()

    def show(self, snapshot: FleetSnapshot) -> None:
        """Follow the move in the fleet's jobs."""
        job = next((job for job in snapshot.jobs if job.id == self._job), None)
        if job is None or self._plan is None:
            return
        if job.progress.step is not None:
            self._step = job.progress.step
        ended = self._ended = job.state is not JobState.RUNNING
        verb = "copy" if self._options.copy else "move"
        done = len(self._plan.steps) if job.state is JobState.DONE else self._step
        self._write("#plan", _page(self._plan, done, running=not ended))
        self._write("#progress", _progress(job))
        self.query_one(Vertical).border_subtitle = (
            "enter closes" if ended else f"escape hides, the {verb} goes on · c cancels it"
        )

    def action_close(self) -> None:
        """Leave; a move that runs goes on."""
        self.dismiss(None)

    def action_leave(self) -> None:
        """Leave what is over; before that, enter is the list's, and begins the move."""
        if self._ended:
            self.dismiss(None)

    def action_cancel_move(self) -> None:
        """Ask the running move to put everything back."""
        if self._job is not None:
            self._cancel(self._job)

    def _make_plan(self, place: _Place) -> None:
        """Plan in a thread that the program does not wait for: the host may hang."""
        host, options = place.host.name, place.options(self._options)

        def ask() -> None:
            try:
                plan: MovePlan | LxtuiError = self._plan_move(self._instance.ref, host, options)
            except LxtuiError as error:
                plan = error
            self.post_message(self.Planned(host, options, plan))

        Thread(target=ask, name=f"plan-{host}", daemon=True).start()

    def on_move_dialog_planned(self, message: MoveDialog.Planned) -> None:
        """Show the plan, if it is still the one that is asked for."""
        at = self.query_one("#targets", OptionList).highlighted
        if self._job is not None or at is None:
            return
        place = self._places[at]
        asked = (place.host.name, place.options(self._options))
        if asked == (message.host, message.options):
            self._show_plan(message.plan)

    def _show_plan(self, plan: MovePlan | LxtuiError) -> None:
        if isinstance(plan, LxtuiError):
            self._write("#plan", Content.styled(text.plain(str(plan)), "red"))
            return
        self._plan = plan
        self._write("#plan", _page(plan, 0, running=False))

    def _write(self, where: str, content: Content) -> None:
        self.query_one(where, Static).update(content)


def _option(place: _Place) -> Option:
    host = place.host
    if place.pool:
        return Option(Content.assemble(host.name, (f"  pool {place.pool}", "dim")))
    if place.member:
        state = host.members[place.member].status.lower()
        said = "" if state == "online" else f", {state}"
        label = Content.assemble(host.name, (text.plain(f"  member {place.member}{said}"), "dim"))
        return Option(label, disabled=_closed(place))
    return Option(
        Content.assemble(host.name, (f"  {host_about(host)}", "dim")), disabled=_closed(place)
    )


def _closed(place: _Place) -> bool:
    """Whether nothing can go there now."""
    host = place.host
    if place.member and not host.members[place.member].online:
        return True
    return not host.online or host.read_only


def _title(ref: Ref, options: MoveOptions) -> str:
    return f"copy {ref} as {options.name or ref.name}" if options.copy else f"move {ref}"


def wished(now: MoveOptions, what: str) -> MoveOptions:
    """The options after one more press of a toggle."""
    match what:
        case "near-live" | "live":
            asked = Mode(what)
            return replace(now, mode=Mode.COLD if now.mode is asked else asked)
        case "keep":
            if now.copy:  # a copy leaves its source alone
                return now
            return replace(now, keep_source=not now.keep_source)
        case _:
            return replace(now, copy_profiles=not now.copy_profiles)


def wishes(options: MoveOptions) -> Content:
    """The toggles with their keys."""
    asked = (
        ("n", "near-live", options.mode is Mode.NEAR_LIVE),
        ("l", "live", options.mode is Mode.LIVE),
        *(() if options.copy else (("k", "keep the source", options.keep_source),)),
        ("p", "copy profiles", options.copy_profiles),
    )
    parts: list[Content] = []
    for key, label, wished in asked:
        box = ("☑", "green") if wished else ("☐", "dim")
        parts.append(Content.assemble((f"{key} ", "bold"), box, f" {label}   "))
    return Content("").join(parts)


def _page(plan: MovePlan, done: int, *, running: bool) -> Content:
    """What hinders, how long it takes, the steps, what is well, what one would type instead."""
    lines: list[Content] = []
    for finding in plan.findings:
        if finding.level is Level.OK:
            continue
        style = "bold red" if finding.level is Level.BLOCKER else "yellow"
        lines.append(Content.styled(text.plain(f"{finding.level}: {finding.text}"), style))
        if finding.remedy:
            lines.append(Content.styled(text.plain(f"  {finding.remedy}"), "dim"))
    lines.append(Content.styled(str(plan.estimate), "bold"))
    for at, step in enumerate(plan.steps):
        mark, style = _MARKS["done" if at < done else "now" if at == done and running else "next"]
        lines.append(Content.assemble((f"{mark} ", style), text.plain(step.text)))
        if step.undo:
            lines.append(Content.styled(text.plain(f"  undo: {step.undo}"), "dim"))
    lines += [
        Content.styled(text.plain(f"ok: {finding.text}"), "dim")
        for finding in plan.findings
        if finding.level is Level.OK
    ]
    lines += [Content.styled(text.plain(f"as: {command}"), "dim") for command in typed_plan(plan)]
    return Content("\n").join(lines)


def _progress(job: Job) -> Content:
    style = {JobState.DONE: "green", JobState.FAILED: "bold red"}.get(job.state, "")
    return Content.styled(text.plain(job.progress.text), style)
