"""The moves that a crash has left in the middle: what is where, and what to do about it.

Role: lists them, resumes or takes back the highlighted one. Boundary: gets a starter of commands,
knows no backend and no journal. Threading: the screen's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Label, OptionList, Static
from textual.widgets.option_list import Option

from lxtui import format as text
from lxtui.commands import Command, ResumeMove, UndoMove
from lxtui.model import FleetSnapshot, Kind, UnfinishedMove
from lxtui.screens.dialogs import ConfirmDialog


class UnfinishedDialog(ModalScreen[None]):
    """Choose a move; finish it or put everything back."""

    BINDINGS = [
        ("escape", "close", "Close"),
        ("r", "take_up(True)", "Resume"),
        ("u", "take_up(False)", "Undo"),
    ]

    def __init__(
        self,
        moves: Sequence[UnfinishedMove],
        submit: Callable[[Command], int],
        clock: Callable[[], datetime],
    ) -> None:
        super().__init__()
        self._moves = tuple(moves)
        self._submit = submit
        self._clock = clock

    def compose(self) -> ComposeResult:
        """Lay out the moves above the highlighted one's state."""
        with Vertical(classes="dialog medium") as box:
            box.border_title = Text("unfinished moves")
            box.border_subtitle = "r resumes · u undoes · escape closes"
            yield OptionList(*self._options(), id="unfinished")
            yield Static("", id="advice")
            yield Label("", id="progress", classes="trouble")

    def on_mount(self) -> None:
        """Begin with the oldest."""
        self.query_one(OptionList).highlighted = 0

    def show(self, snapshot: FleetSnapshot) -> None:
        """Show what is left of them now."""
        if snapshot.moves == self._moves:
            return
        options = self.query_one(OptionList)
        at = options.highlighted or 0
        self._moves = snapshot.moves
        options.clear_options()
        options.add_options(self._options())
        options.highlighted = min(at, len(self._moves) - 1) if self._moves else None
        self._show_advice()

    def on_option_list_option_highlighted(self) -> None:
        """Say more about that one."""
        self._show_advice()

    def action_take_up(self, forward: bool) -> None:
        """Finish the highlighted move, or take it back; the operations pane follows it."""
        move = self._chosen
        if move is None:
            return
        trouble = _trouble(move, forward=forward)
        if trouble:
            self.app.bell()
            self.query_one("#progress", Label).update(Content(trouble))
            return
        if forward:
            self._begin(ResumeMove(move.source, move.token))
        elif move.stake:
            self._ask_to_lose(move)
        else:
            self._begin(UndoMove(move.source, move.token))

    def _ask_to_lose(self, move: UnfinishedMove) -> None:
        """Where a copy would go that is in use, a second press of the same key says nothing."""

        def go(yes: bool | None) -> None:
            if yes:
                self._begin(UndoMove(move.source, move.token, lose=True))

        details = (
            f"{text.plain(move.stake)}: whatever it has written since would be lost.",
            "r resumes: it finishes the move and keeps it.",
        )
        where = text.plain(str(move.source))
        question = f"Put {where} back, and delete {text.plain(str(move.destination))}?"
        self.app.push_screen(ConfirmDialog(question, details), go)

    def _begin(self, command: Command) -> None:
        self._submit(command)
        self.dismiss(None)

    def action_close(self) -> None:
        """Leave them as they are."""
        self.dismiss(None)

    @property
    def _chosen(self) -> UnfinishedMove | None:
        at = self.query_one(OptionList).highlighted
        return self._moves[at] if at is not None and at < len(self._moves) else None

    def _options(self) -> list[Option]:
        now = self._clock()
        return [
            Option(
                Content(
                    text.plain(
                        f"{move.source} → {move.destination}, {text.age(move.began_at, now)} ago"
                    )
                )
            )
            for move in self._moves
        ]

    def _show_advice(self) -> None:
        move = self._chosen
        if move is None:
            self.query_one("#advice", Static).update(Content("nothing is left to do"))
            return
        lines = [Content(text.plain(move.advice))]
        for kind in (ResumeMove, UndoMove):
            if not _trouble(move, forward=kind is ResumeMove):
                command = kind(move.source, move.token).equivalent(Kind.LXD)
                lines.append(Content.styled(f"as: {command}", "dim"))
        self.query_one("#advice", Static).update(Content("\n").join(lines))
        self.query_one("#progress", Label).update(Content(""))


def _trouble(move: UnfinishedMove, *, forward: bool) -> str:
    """Why it cannot be taken up that way; empty when it can."""
    if move.busy:
        return "a program works on it now"
    if move.ended and not forward:
        return f"{text.plain(str(move.destination))} has taken over: r clears up after it"
    return ""
