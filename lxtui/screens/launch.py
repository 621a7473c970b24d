"""The form of a new instance.

Role: host, image, name and the rest, what is wrong beside each; the request and the command line
while it is written. Boundary: gets what it needs to reach the fleet as a Wiring of functions.
Threading: the screen's; hosts are asked in threads of their own, the launch is a job.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from tempfile import mkstemp
from threading import Thread

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, Label, Static

from lxtui import format as text
from lxtui.calls.launch import Launch
from lxtui.errors import READ_ONLY, LxtuiError
from lxtui.launching.options import Choice, Options
from lxtui.launching.picking import of_server, picks, replaced
from lxtui.launching.reading import image_for, read_images, read_options
from lxtui.launching.spec import Image
from lxtui.launching.user_data import read_user_data
from lxtui.launching.wishes import FIELDS, understood
from lxtui.model import FleetSnapshot, Host, JobState
from lxtui.names import random_name
from lxtui.screens.asking import Wiring
from lxtui.screens.dialogs import ChoiceDialog
from lxtui.screens.server_images import ServerImages

_TEMPLATE = "#cloud-config\n"


class LaunchDialog(ModalScreen[None]):
    """Fill in, see what it means, launch."""

    BINDINGS = [
        ("escape", "close", "Close"),
        ("down", "app.focus_next", "Next"),
        ("up", "app.focus_previous", "Previous"),
        ("f2", "choose", "Choose"),
        ("f3", "edit", "Cloud-init in $EDITOR"),
        ("f5", "name", "Another name"),
    ]

    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]

    class Looked(Message):
        """A host has said what can be chosen, or has not."""

        def __init__(self, host: str, project: str, found: Options | LxtuiError) -> None:
            super().__init__()
            self.asked = (host, project)
            self.found = found

    class Images(Message):
        """Another host has said which images it has, or has not."""

        def __init__(self, host: str, found: tuple[Choice, ...] | LxtuiError) -> None:
            super().__init__()
            self.host = host
            self.found = found

    class Listed(Images):
        """So has an image server that was asked."""

    class Ended(Message):
        """The instance is there, or is not."""

        def __init__(self, error: LxtuiError | None) -> None:
            super().__init__()
            self.error = error

    def __init__(self, host: str, fleet: FleetSnapshot, wiring: Wiring) -> None:
        """*host* is proposed; empty: the first that answers."""
        super().__init__()
        self._fleet = fleet
        self._wiring = wiring
        self._first = host or next((one.name for one in fleet.hosts if one.online), "")
        self._options: Options | None = None
        self._asked: tuple[str, str] = ("", "")
        self._images: dict[str, tuple[Choice, ...] | LxtuiError] = {}
        self._servers = tuple(wiring.image_servers())
        self._server_images = ServerImages(self._servers, wiring.server_lists)
        self._job: int | None = None
        self._refusal = ""
        """Of the last launch, until something else is written."""

    def compose(self) -> ComposeResult:
        """Lay out the fields above what they mean."""
        first = {"host": self._first, "profiles": "default", "type": "container", "start": "yes"}
        with Vertical(classes="dialog full launch") as box:
            box.border_title = "launch an instance"
            box.border_subtitle = Text("enter launches · f2 chooses · f3 cloud-init · esc closes")
            with VerticalScroll(id="fields"):
                for field in FIELDS:
                    with Horizontal(classes="row"):
                        yield Label(field.label)
                        yield Input(
                            first.get(field.id, ""),
                            id=field.id,
                            compact=True,
                            placeholder=field.help,
                        )
                        yield Label("", id=f"{field.id}-from", classes="from")
            yield Label("", id="said", classes="trouble")
            with VerticalScroll(id="preview"):
                yield Static("", id="lines")

    def on_mount(self) -> None:
        """Ask the host, and all others for their images."""
        self._look()
        for host in self._fleet.hosts:
            if host.online and host.name != self._first:
                self._gather(host)
        self.query_one("#image", Input).focus()

    def show(self, fleet: FleetSnapshot) -> None:
        """Know the fleet as it is now; say how far the launch is."""
        self._fleet = fleet
        if self._gone:
            return
        job = next((one for one in fleet.jobs if one.id == self._job), None)
        if job is not None and job.state is JobState.RUNNING:
            self._say(f"{job.progress.text or 'sending'} … (esc closes; it goes on)")

    def on_launch_dialog_looked(self, message: LaunchDialog.Looked) -> None:
        """Fill in what is empty, and say what is wrong now."""
        if self._gone or message.asked != self._asked:
            return  # of a host that is no longer the one
        if isinstance(message.found, LxtuiError):
            self._note("host", str(message.found))
            return
        self._options = found = message.found
        self._images[found.host] = found.images
        if not self._value("name"):
            self._put("name", random_name(found.instances))
        self._preview()

    def on_launch_dialog_images(self, message: LaunchDialog.Images) -> None:
        """They can be chosen now."""
        if self._gone:
            return
        self._images[message.host] = message.found
        self._preview()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Say what it means; another host or project is asked what it has."""
        self._refusal = ""
        if event.input.id in {"host", "project"} and self._wanted != self._asked:
            self._look()
        else:
            self._preview()

    def on_input_submitted(self) -> None:
        """Launch it, if nothing is wrong."""
        command = self._preview()
        if command is None or self._job is not None:
            self.app.bell()
            return
        self._say("sending …")
        self._job = self._wiring.follow(command, lambda error: self._tell(self.Ended(error)))

    def on_launch_dialog_ended(self, message: LaunchDialog.Ended) -> None:
        """Leave when all is well; else say why, and keep what was written."""
        self._job = None
        if self._gone:
            return
        if message.error is None:
            if self.is_current:
                self.dismiss(None)
            return
        self._refusal = str(message.error)
        self._say(self._refusal)
        self._look()  # the name may be taken now

    def action_close(self) -> None:
        """Turn away; what was begun goes on."""
        self.dismiss(None)

    def action_name(self) -> None:
        """Propose another name."""
        self._put("name", random_name(self._options.instances if self._options else ()))
        self._preview()

    def action_choose(self) -> None:
        """Offer what there is for the field that has the focus."""
        field = self.focused.id if isinstance(self.focused, Input) else ""
        hosts = [one for one in self._fleet.hosts if one.online and not one.read_only]
        found = picks(field or "", self._options, self._images, hosts)
        if field == "image" and self._options is not None:
            offered = self._server_images.offered(self._options, self._fleet.hosts)
            begun = f"{self._value('image').partition(':')[0]}:"
            if any(begun == answer for answer, _ in offered):
                self._ask_server(begun)
                return
            found += offered
        if not found or not field:
            self.app.bell()
            return

        def chosen(said: str | None) -> None:
            if said is not None and field == "image" and said.endswith(":"):
                self._ask_server(said)
            elif said is not None:
                field_now = self.query_one(f"#{field}", Input)
                field_now.value = replaced(field, field_now.value, said)
                field_now.action_end()

        lines = [(answer, text.plain(line)) for answer, line in found]
        self.app.push_screen(ChoiceDialog(f"Which {field}?", lines), chosen)

    def _ask_server(self, answer: str) -> None:
        """Have an image server say what it has, and offer that; *answer* is its name, a colon."""
        options, name = self._options, answer.removesuffix(":")
        if options is not None:
            host = self._fleet.host(options.host)
            asking = self._server_images.ask(
                name, options, host, lambda *told: self._tell(self.Listed(*told))
            )
            self._say(asking)

    def on_launch_dialog_listed(self, message: LaunchDialog.Listed) -> None:
        """Offer what it has; or say why that is not known."""
        if self._gone or not self.is_current:
            return
        if isinstance(message.found, LxtuiError):
            self._refusal = str(message.found)
            self._preview()
            return
        self._preview()
        found = of_server(message.host, message.found, self._value("image"))
        if not found:
            self._say(f"{message.host} has none that fits")
            return
        lines = [(answer, text.plain(line)) for answer, line in found]
        self.app.push_screen(ChoiceDialog("Which image?", lines), self._take_image)

    def _take_image(self, said: str | None) -> None:
        if said is not None:
            self.query_one("#image", Input).value = said

    def action_edit(self) -> None:
        """Have the user's editor make the file for cloud-init, which stays."""
        name = self._value("cloud-init")
        try:
            path = Path(name).expanduser() if name else self._new_file()
        except (OSError, RuntimeError) as error:
            self._note("cloud-init", str(error))
            return
        if trouble := self._wiring.run_editor(path):
            self._note("cloud-init", trouble)
            return
        self._put("cloud-init", str(path))
        self._preview()

    def _new_file(self) -> Path:
        folder = self._wiring.edits
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, path = mkstemp(prefix="cloud-init-", suffix=".yaml", dir=folder)  # 0600
        with os.fdopen(descriptor, "w") as file:
            file.write(_TEMPLATE)
        return Path(path)

    @property
    def _gone(self) -> bool:
        """Whether the fields have gone already: hosts may answer in between."""
        return not self.query("#lines")

    @property
    def _wanted(self) -> tuple[str, str]:
        """The host and the project that are written."""
        host = self._fleet.host(self._value("host"))
        usual = host.project if host is not None else "default"
        return self._value("host"), self._value("project") or usual

    def _look(self) -> None:
        """Ask the host that is written, if it can be asked."""
        self._asked, self._options = self._wanted, None
        name, project = self._asked
        host = self._fleet.host(name)
        self.query_one("#lines", Static).update("")
        if host is None or not host.online or host.read_only:
            known = ", ".join(one.name for one in self._fleet.hosts)
            why = f"no such host (known: {known})" if host is None else "does not answer"
            self._note("host", READ_ONLY if host is not None and host.read_only else why)
            return
        self._note("host", "asking …")
        kind, read = host.kind, self._wiring.read

        def ask() -> None:
            try:
                found: Options | LxtuiError = read_options(name, project, kind, read)
            except LxtuiError as error:
                found = error
            self._tell(self.Looked(name, project, found))

        self._work(ask)

    def _gather(self, host: Host) -> None:
        read = self._wiring.read

        def ask() -> None:
            try:
                images = read_images(host.name, host.project, read)
                found: tuple[Choice, ...] | LxtuiError = images
            except LxtuiError as error:
                found = error
            self._tell(self.Images(host.name, found))

        self._work(ask)

    def _work(self, ask: Callable[[], None]) -> None:
        Thread(target=ask, name="launch", daemon=True).start()

    def _there(self, name: str) -> tuple[Host, tuple[Choice, ...]]:
        """Another host and its images, as far as they are known."""
        host, found = self._fleet.host(name), self._images.get(name)
        if isinstance(found, LxtuiError):
            raise found
        if host is None or found is None:
            answers = host is not None and host.online
            raise LxtuiError(f"{name} {'is being asked' if answers else 'does not answer'}")
        return host, found

    def _preview(self) -> Launch | None:
        """Show what would be sent; None when nothing can be."""
        lines = self.query_one("#lines", Static)
        lines.update("")
        options = self._options
        if options is None:
            return None
        fields = {field.id: self._value(field.id) for field in FIELDS}
        hosts = [one.name for one in self._fleet.hosts]
        image: Image | LxtuiError
        try:
            image = image_for(fields["image"], options, hosts, self._servers, self._there)
        except LxtuiError as error:
            image = error
        data, trouble = self._user_data(fields["cloud-init"])
        spec, wrong = understood(fields, data, image, options)
        if trouble:
            wrong["cloud-init"] = trouble
        for field in FIELDS:
            self._note(field.id, wrong.get(field.id, ""))
        if self._job is None:
            # Whole, as there is little room beside the fields.
            first = next((one for one in FIELDS if one.id in wrong), None)
            troubled = f"{first.label}: {wrong[first.id]}" if first is not None else ""
            self._say(self._refusal or troubled)
        if wrong:
            return None
        command = Launch(spec, options.kind)
        shown = [
            f"as: {command.equivalent(options.kind)}",
            f"POST /1.0/instances?project={spec.ref.project}",
            json.dumps(spec.shown(options.kind)),
        ]
        lines.update(Content("\n").join(Content.styled(text.plain(one), "dim") for one in shown))
        return command

    def _user_data(self, name: str) -> tuple[str, str]:
        """What is in that file, and what is wrong with it; a pipe would be waited for."""
        if not name:
            return "", ""
        try:
            if not Path(name).expanduser().is_file():
                return "", "there is no such file"
            return read_user_data(name), ""
        except (LxtuiError, OSError, RuntimeError) as error:
            return "", str(error)

    def _value(self, field: str) -> str:
        return self.query_one(f"#{field}", Input).value.strip()

    def _put(self, field: str, value: str) -> None:
        one = self.query_one(f"#{field}", Input)
        with one.prevent(Input.Changed):
            one.value = value

    def _note(self, field: str, line: str) -> None:
        self.query_one(f"#{field}-from", Label).update(Content(text.plain(line)))

    def _say(self, line: str) -> None:
        self.query_one("#said", Label).update(Content(text.plain(line)))

    def _tell(self, message: Message) -> None:
        """From any thread; the dialog may be gone."""
        if self.is_attached:
            self.post_message(message)
