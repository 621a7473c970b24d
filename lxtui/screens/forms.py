"""A few fields and boxes, and what they mean while they are filled in.

Role: the frame of dialogs that ask more than one thing. Boundary: knows no command. Threading: the
screen's.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.suggester import Suggester
from textual.widgets import Checkbox, Input, Label

from lxtui import format as text
from lxtui.errors import LxtuiError
from lxtui.files.places import local_path

Meaning = TypeVar("Meaning")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Field:
    """One line to fill in."""

    id: str
    label: str
    value: str = ""
    help: str = ""
    suggester: Suggester | None = None


class LocalPaths(Suggester):
    """Completes a path of this machine."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        """The first name that begins so; a directory with its slash."""
        head, slash, begun = value.rpartition("/")
        try:
            folder = local_path(head + slash or ".")
            with os.scandir(folder) as found:
                names = sorted(
                    one.name + ("/" if one.is_dir() else "")
                    for one in found
                    if one.name.startswith(begun) and (begun or not one.name.startswith("."))
                )
        except (OSError, LxtuiError):
            return None
        return head + slash + names[0] if begun and names and names[0].isprintable() else None


class FormDialog(ModalScreen[Answer], Generic[Meaning, Answer]):
    """Fill in, look at what it means."""

    title_ = ""
    verb = ""
    """What enter does."""

    def fields(self) -> Sequence[Field]:
        """The lines to fill in."""
        raise NotImplementedError

    def boxes(self) -> Sequence[tuple[str, str]]:
        """The boxes to tick: id and label."""
        return ()

    def question(self) -> str:
        """What it is about."""
        raise NotImplementedError

    def meaning(self, said: Mapping[str, str], ticked: frozenset[str]) -> Meaning:
        """What is meant; LxtuiError when it cannot be."""
        raise NotImplementedError

    def shown(self, meaning: Meaning) -> str:
        """A line that says it."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        """Lay out the fields."""
        with Vertical(classes="dialog medium work") as box:
            box.border_title = Text(self.title_)
            box.border_subtitle = Text(f"enter {self.verb} · esc closes")
            yield Label(Content(text.plain(self.question())), classes="question")
            for field in self.fields():
                with Horizontal(classes="row"):
                    yield Label(field.label)
                    yield Input(
                        field.value,
                        id=field.id,
                        compact=True,
                        placeholder=field.help,
                        suggester=field.suggester,
                    )
            for name, label in self.boxes():
                yield Checkbox(label, id=name, compact=True)
            yield Label("", id="trouble", classes="trouble")
            yield Label("", id="preview", classes="detail")
            yield Label("", id="said")

    def on_mount(self) -> None:
        """Say what would be done."""
        self.look()

    def on_input_changed(self) -> None:
        """Say what would be done."""
        self.look()

    def on_checkbox_changed(self) -> None:
        """Say what would be done."""
        self.look()

    def look(self) -> Meaning | None:
        """What is meant, and say it; None, and why, when it cannot be."""
        said = {field.id: self.query_one(f"#{field.id}", Input).value for field in self.fields()}
        ticked = frozenset(
            name for name, _ in self.boxes() if self.query_one(f"#{name}", Checkbox).value
        )
        meaning, trouble = None, ""
        try:
            meaning = self.meaning(said, ticked)
        except LxtuiError as error:
            trouble = str(error)
        shown = self.shown(meaning) if meaning is not None else ""
        self.query_one("#trouble", Label).update(Content(text.plain(trouble)))
        self.query_one("#preview", Label).update(Content(text.plain(shown)))
        return meaning


def here() -> str:
    """The directory in which lxtui was begun, as something to go on from."""
    try:
        return f"{Path.cwd()}/"
    except OSError:  # it was removed
        return "~/"
