"""What a deed on entries asks before it begins.

Role: a deed and what it is on → dialogs → a command. Boundary: gets functions; imports no backend.
Threading: the screen's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from textual.screen import Screen

from lxtui import format as words
from lxtui.commands import Command, Many, MoveMany
from lxtui.errors import UsageError
from lxtui.model import Host, Job, Kind
from lxtui.resources.deeds import Deed, named
from lxtui.resources.entry import Entry
from lxtui.resources.many import plan
from lxtui.screens.bulk import BulkDialog
from lxtui.screens.dialogs import ChoiceDialog, ConfirmDialog, NameDialog
from lxtui.screens.move import Submit
from lxtui.screens.texts import host_about


class Doing:
    """The part of a table's screen that asks and remembers what it has begun."""

    def __init__(
        self,
        screen: Screen[None],
        submit: Submit,
        cancel_job: Callable[[int], None],
        hosts: Callable[[], Sequence[Host]],
    ) -> None:
        self._screen = screen
        self._submit = submit
        self._cancel_job = cancel_job
        self._hosts = hosts
        self._begun: dict[int, frozenset[str]] = {}
        """Our jobs, with the hosts on which they change something."""

    def one(self, deed: Deed, entry: Entry) -> None:
        """On one entry, after what has to be asked."""
        if reason := deed.why_not(entry, self._host_of(entry.ref.host)):
            self._screen.notify(
                words.plain(reason), title=deed.label, severity="warning", markup=False
            )
        elif deed.to_host is not None:
            self._ask_host(deed, [entry], lambda said: self._go(deed, entry, said))
        elif deed.choices is not None:
            choices = [(one, words.plain(one)) for one in deed.choices(entry)]
            dialog = ChoiceDialog(f"{deed.label}: which {deed.asks} of {named(entry)}?", choices)
            self._screen.app.push_screen(dialog, lambda said: self._go(deed, entry, said))
        elif deed.asks:
            question, preview = f"{deed.asks.capitalize()} of {named(entry)}", None
            if (host := self._host_of(entry.ref.host)) is not None:
                preview = partial(_preview, deed, entry, host.kind)
            name = NameDialog(question, "", (), deed.trouble, preview)
            self._screen.app.push_screen(name, lambda said: self._go(deed, entry, said))
        elif deed.confirm:
            self._confirm(deed, entry)
        else:
            self._go(deed, entry, "")

    def many(self, deed: Deed, entries: Sequence[Entry], begun: Callable[[], None]) -> None:
        """On all of these, after one look at what that means; *begun* is told when it begins."""
        if deed.to_host is not None:
            self._ask_host(deed, entries, lambda said: self._show(deed, entries, begun, said))
            return
        if deed.asks:
            said = f"{deed.label} is for one at a time: escape takes the marks off"
            self._screen.notify(said, severity="warning", markup=False)
            return
        self._show(deed, entries, begun, "")

    def _show(
        self, deed: Deed, entries: Sequence[Entry], begun: Callable[[], None], answer: str | None
    ) -> None:
        """The list of what will happen, and what does it."""
        if answer is None:
            return
        bulk = plan(deed, entries, self._host_of, answer)
        hosts = frozenset(one.ref.host for one in bulk.command.commands)

        def submit(command: Command | MoveMany | Many) -> int:
            number = self._submit(command)
            self._begun[number] = hosts
            return number

        dialog = BulkDialog(bulk, submit, self._cancel_job, begun)
        self._screen.app.push_screen(dialog)

    def ended(self, jobs: Iterable[Job]) -> list[tuple[Job, frozenset[str]]]:
        """Those of *jobs*, all of which have ended, that were begun here; each is told once."""
        return [(job, self._begun.pop(job.id)) for job in jobs if job.id in self._begun]

    def _ask_host(
        self, deed: Deed, entries: Sequence[Entry], chosen: Callable[[str | None], None]
    ) -> None:
        """Which of the hosts that answer and may be changed, but the only one it is on."""
        here = {entry.ref.host for entry in entries}
        only = next(iter(here)) if len(here) == 1 else ""
        choices = [
            (host.name, f"{host.name}  {host_about(host)}")
            for host in self._hosts()
            if host.online and not host.read_only and host.name != only
        ]
        what = named(entries[0]) if len(entries) == 1 else f"{len(entries)} {entries[0].table}"
        if choices:
            self._screen.app.push_screen(ChoiceDialog(f"{deed.label}: {what} to", choices), chosen)
        else:
            self._screen.notify("no other host answers", title=deed.label, severity="warning")

    def _host_of(self, name: str) -> Host | None:
        return next((host for host in self._hosts() if host.name == name), None)

    def _confirm(self, deed: Deed, entry: Entry) -> None:
        host = self._host_of(entry.ref.host)
        details = [words.plain(line) for line in deed.loss(entry).splitlines()]
        if host is not None:
            details.append(_preview(deed, entry, host.kind, ""))
        question = f"{deed.label} {named(entry)} on host {entry.ref.host}{entry.ref.where}?"
        self._screen.app.push_screen(
            ConfirmDialog(question, details),
            lambda yes: self._go(deed, entry, "") if yes else None,
        )

    def _go(self, deed: Deed, entry: Entry, answer: str | None) -> None:
        if answer is None:
            return
        try:
            call = deed.call(entry, answer, self._host_of)
        except UsageError as error:  # the host has changed meanwhile
            said = words.plain(str(error))
            self._screen.notify(said, title=deed.label, severity="warning", markup=False)
            return
        number = self._submit(call)
        self._begun[number] = frozenset({call.ref.host})


def _preview(deed: Deed, entry: Entry, kind: Kind, answer: str) -> str:
    """The command line that would do the same."""
    return f"as: {words.plain(deed.build(entry, answer).equivalent(kind))}"
