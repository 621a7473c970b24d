"""Small questions: yes or no, a name, one of several.

Role: modal screens that answer with a value, or None when the user turned away. Boundary: know
texts only. Threading: the screen's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.suggester import SuggestFromList
from textual.widgets import Button, Input, Label, OptionList, Static
from textual.widgets.option_list import Option

from lxtui.format import plain
from lxtui.names import snapshot_name_trouble
from lxtui.screens.copying import hint


class ConfirmDialog(ModalScreen[bool]):
    """A question that says what will happen, to what, where; "no" has the focus.

    Or, where nothing can be taken back, a field in which a name has to be typed.
    """

    BINDINGS = [("escape,n", "answer(False)", "No"), ("y", "answer(True)", "Yes")]

    def __init__(self, question: str, details: Sequence[str] = (), typed: str = "") -> None:
        super().__init__()
        self._question = question
        self._details = details
        self._typed = typed

    def compose(self) -> ComposeResult:
        """Lay out the question and its two answers."""
        with Vertical(classes="dialog") as box:
            box.border_subtitle = hint(self.app, self._details)
            yield Label(Content(self._question), classes="question")
            for line in self._details:
                yield Label(Content(line), classes="detail")
            if self._typed:
                told = f"this cannot be undone: type {plain(self._typed)} to agree"
                yield Input(placeholder=told, id="typed")
            else:
                with Horizontal(classes="buttons"):
                    yield Button("No", id="no")
                    yield Button("Yes", id="yes", variant="error")

    def on_mount(self) -> None:
        """Begin at the harmless answer."""
        self.query_one("#typed" if self._typed else "#no").focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Answer by mouse or enter."""
        self.dismiss(event.button.id == "yes")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Agree, if that is what was typed."""
        if event.value.strip() == self._typed:
            self.dismiss(True)

    def action_answer(self, answer: bool) -> None:
        """Answer by key."""
        if not (answer and self._typed):
            self.dismiss(answer)


class NameDialog(ModalScreen[str | None]):
    """Asks for a name, with a proposal that enter accepts."""

    BINDINGS = [("escape", "cancel", "Cancel")]

    def __init__(
        self,
        question: str,
        proposal: str,
        taken: Sequence[str] = (),
        trouble: Callable[[str], str] = snapshot_name_trouble,
        preview: Callable[[str], str] | None = None,
    ) -> None:
        """*trouble* says why a name cannot be, if it cannot; *preview* what would be done."""
        super().__init__()
        self._question = question
        self._proposal = proposal
        self._taken = taken
        self._why_not = trouble
        self._preview = preview

    def compose(self) -> ComposeResult:
        """Lay out the question and the field."""
        with Vertical(classes="dialog"):
            yield Label(Content(self._question), classes="question")
            yield Input(self._proposal, id="name")
            yield Label("", id="trouble", classes="trouble")
            if self._preview is not None:
                yield Label("", id="preview", classes="detail")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Say what would be done."""
        if self._preview is not None:
            name = event.value.strip()
            shown = "" if self._trouble(name) else self._preview(name)
            self.query_one("#preview", Label).update(Content(shown))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Accept the name, or say why not."""
        name = event.value.strip()
        trouble = self._trouble(name)
        if trouble:
            self.query_one("#trouble", Label).update(Content(trouble))
        else:
            self.dismiss(name)

    def action_cancel(self) -> None:
        """Turn away."""
        self.dismiss(None)

    def _trouble(self, name: str) -> str:
        if trouble := self._why_not(name):
            return trouble
        return f"{name} exists already" if name in self._taken else ""


class ChoiceDialog(ModalScreen[str | None]):
    """One of several."""

    BINDINGS = [("escape", "cancel", "Cancel")]

    def __init__(
        self, question: str, choices: Sequence[tuple[str, str]], highlighted: int = 0
    ) -> None:
        """*choices* are pairs of answer and line."""
        super().__init__()
        self._question = question
        self._choices = choices
        self._highlighted = highlighted

    def compose(self) -> ComposeResult:
        """Lay out the question and the list."""
        with Vertical(classes="dialog"):
            yield Label(Content(self._question), classes="question")
            yield OptionList(
                *(Option(Content(line), id=str(at)) for at, (_, line) in enumerate(self._choices))
            )

    def on_mount(self) -> None:
        """Begin where one would look first."""
        self.query_one(OptionList).highlighted = self._highlighted

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Answer."""
        self.dismiss(self._choices[event.option_index][0])

    def action_cancel(self) -> None:
        """Turn away."""
        self.dismiss(None)


class TextDialog(ModalScreen[None]):
    """A page to read."""

    BINDINGS = [("escape,q,question_mark", "close", "Close")]

    def __init__(self, title: str, page: Content | Table) -> None:
        super().__init__()
        self._title_text = title
        self._page = page

    def compose(self) -> ComposeResult:
        """Lay out the page."""
        with VerticalScroll(classes="dialog page") as page:
            page.border_title = Text(self._title_text)
            page.border_subtitle = "escape closes"
            yield Static(self._page)

    def action_close(self) -> None:
        """Turn away."""
        self.dismiss(None)


class LineDialog(ModalScreen[str | None]):
    """One line with completion; what is wrong with it is said before it is accepted."""

    BINDINGS = [("escape", "cancel", "Cancel")]

    def __init__(self, title: str, proposals: Sequence[str], trouble: Callable[[str], str]) -> None:
        super().__init__()
        self._title_text = title
        self._proposals = proposals
        self._why_not = trouble

    def compose(self) -> ComposeResult:
        """Lay out the line and what is wrong with it."""
        suggester = SuggestFromList(self._proposals, case_sensitive=False)
        with Vertical(classes="dialog medium") as box:
            box.border_title = Text(self._title_text)
            yield Input(suggester=suggester, id="line", placeholder="right arrow completes")
            yield Label("", id="trouble", classes="trouble")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Accept the line, or say why not."""
        line = event.value.strip()
        if trouble := self._why_not(line) if line else "":
            self.query_one("#trouble", Label).update(Content(trouble))
        else:
            self.dismiss(line or None)

    def action_cancel(self) -> None:
        """Turn away."""
        self.dismiss(None)
