"""The Textual application: wiring only.

Role: starts the fleet, hands its snapshots to the screens, hands their commands to the fleet.
Boundary: no I/O of its own. Threading: the fleet's workers only post a message here. Longer than
200 lines for the list of what the screens get.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterable
from datetime import datetime
from functools import partial
from pathlib import Path
from threading import Thread
from time import monotonic

from textual import events
from textual.app import App, SystemCommand
from textual.binding import Binding
from textual.keys import format_key
from textual.message import Message
from textual.screen import ModalScreen, Screen
from textual.theme import Theme
from textual.timer import Timer

from lxtui.actions import BY_ID
from lxtui.clock import Clock, utc_now
from lxtui.commands import typed_each
from lxtui.config import Settings
from lxtui.detail.answers import Answers
from lxtui.editing.session import default_folder
from lxtui.fleet import Fleet
from lxtui.format import plain
from lxtui.handover import attach
from lxtui.launching.servers import servers
from lxtui.model import JobState
from lxtui.pauses import Pauses
from lxtui.perform import kind_of
from lxtui.reaching import Reach
from lxtui.saved_theme import SavedTheme
from lxtui.saved_views import SavedViews
from lxtui.screens.add_host import Look
from lxtui.screens.asking import Wiring
from lxtui.screens.bulk import BulkDialog
from lxtui.screens.copying import shown
from lxtui.screens.detail.screen import DetailScreen
from lxtui.screens.dialogs import ConfirmDialog
from lxtui.screens.launch import LaunchDialog
from lxtui.screens.main import MainScreen
from lxtui.screens.move import MoveDialog
from lxtui.screens.move_many import MoveManyDialog
from lxtui.screens.operation import OperationDialog
from lxtui.screens.server_images import ServerLists
from lxtui.screens.snapshots import SnapshotsDialog
from lxtui.screens.suspending import edited
from lxtui.screens.tables import TableScreen
from lxtui.screens.unfinished import UnfinishedDialog
from lxtui.screens.working import WorkDialog
from lxtui.shelves import Shelves
from lxtui.turns import Answered, Turns

COPY = BY_ID["copy-command"]
_REST = 9.0
"""After a snapshot was shown, for how many times as long no other is."""
_DIALOGS = (
    SnapshotsDialog
    | BulkDialog
    | MoveDialog
    | MoveManyDialog
    | UnfinishedDialog
    | LaunchDialog
    | OperationDialog
)
_SHOWING = MainScreen | DetailScreen | TableScreen | WorkDialog | _DIALOGS


class FleetChanged(Message):
    """There is a new snapshot; many in a row are one."""

    def can_replace(self, message: Message) -> bool:
        """Whether a waiting message makes this one needless."""
        return isinstance(message, FleetChanged)


class Complaint(Message):
    """Something that a person has to know, from another thread."""

    def __init__(self, line: str) -> None:
        super().__init__()
        self.line = line


class LxtuiApp(App[None]):
    """lxtui on a terminal."""

    TITLE = "lxtui"
    BINDINGS = [
        Binding("ctrl+q", "quit", "Quit", tooltip="Leave lxtui", priority=True),
        Binding(  # before any dialog, all of which show command lines
            COPY.key, "copy_command", COPY.label, show=False, id=COPY.id, priority=True
        ),
    ]
    CSS_PATH = Path(__file__).with_name("app.tcss")

    def __init__(
        self,
        fleet: Fleet,
        settings: Settings,
        clock: Clock = utc_now,
        look_at_host: Look | None = None,
        views: SavedViews | None = None,
        saved_theme: SavedTheme | None = None,
        server_lists: ServerLists | None = None,
    ) -> None:
        super().__init__()
        self._fleet = fleet
        self._settings = settings
        self._clock = clock
        self._saved_theme = saved_theme or SavedTheme()
        self._soon: Timer | None = None
        self._shown_at = self._cost = 0.0
        self._announced = False
        self._pauses = Pauses()
        self.turns = Turns(self, super().on_event)
        if not self.copy_key:  # Textual's keymap takes no key away
            self._bindings.key_to_bindings.pop(COPY.key, None)
        reach = Reach(fleet)
        self._main = MainScreen(
            Wiring(
                submit=fleet.submit,
                plan_move=reach.plan_move,
                other_pools=reach.other_pools,
                survey=reach.survey,
                cancel_job=fleet.jobs.stop,
                refresh=fleet.refresh,
                look_at_host=look_at_host,
                clock=self._now,
                views=views or SavedViews(),
                follow=fleet.submit,
                done=lambda: fleet.jobs.done,
                take_back=lambda command, job: fleet.jobs.submit(command, undoes=job),
                read=reach.read,
                run_editor=partial(edited, self),
                attach=partial(attach, self, fleet, settings.shell),
                edits=default_folder(os.environ, Path.home()),
                journal=fleet.audit.entries,
                answers=Answers(fleet.backends, fleet.happenings.on),
                shelves=Shelves(fleet),
                image_servers=partial(servers, os.environ, Path.home()),
                server_lists=server_lists,
                copy_command=self.action_copy_command,
            ),
            settings,
        )

    def on_mount(self) -> None:
        """Show the main screen and let the fleet run."""
        self._fleet.audit.complain = self._complain
        self.set_keymap(dict(self._settings.keys))
        configured = self._settings.theme
        wanted = self._saved_theme.over(configured)
        if wanted in self.available_themes:
            self.theme = wanted
        elif wanted:
            self.notify(f"there is no theme {wanted!r}", severity="warning", markup=False)
        self.theme_changed_signal.subscribe(self, self._remember_theme)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._quit, True)
        loop.add_signal_handler(signal.SIGHUP, self._hang_up)
        self._at_ease = self._pauses.begin()
        self.set_interval(1.0, self._pauses.look)
        self.push_screen(self._main)
        self._fleet.start(self._announce)

    def on_unmount(self) -> None:
        """Leave the interpreter as it was."""
        self._at_ease()

    async def on_event(self, event: events.Event) -> None:
        """Notice that somebody is at the keys, and take one key after the other."""
        if isinstance(event, events.InputEvent):
            self._pauses.touched()
        if isinstance(event, events.Key | events.Paste):
            await self.turns.come(event)
        else:
            await super().on_event(event)

    def on_turns_answered(self, message: Answered) -> None:
        """The next key's turn."""
        self.turns.answered(message.turn)

    def _remember_theme(self, theme: Theme) -> None:
        if theme.name != self._saved_theme.over(self._settings.theme):
            self._saved_theme.remember(theme.name, self._settings.theme)

    def _complain(self, line: str) -> None:
        self.post_message(Complaint(line))

    def on_complaint(self, message: Complaint) -> None:
        """Say it."""
        self.notify(message.line, severity="warning", markup=False)

    def on_fleet_changed(self) -> None:
        """Show it now; or soon, so that showing leaves most of the time to the keys."""
        self._announced = False
        if self._soon is None:
            wait = self._shown_at + _REST * self._cost - monotonic()
            if wait > 0:
                self._soon = self.set_timer(wait, self._show)
            else:
                self._show()

    def _show(self) -> None:
        """Give the snapshot to every screen that shows it."""
        self._soon, began = None, monotonic()
        snapshot = self._fleet.snapshot
        for screen in self.screen_stack:
            if isinstance(screen, _SHOWING) and screen.is_mounted and self.is_running:
                screen.show(snapshot)
        self._shown_at = monotonic()
        self._cost = self._shown_at - began

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Our actions first, then Textual's own."""
        if isinstance(screen, MainScreen | DetailScreen | TableScreen):
            yield from screen.commands()
        yield from super().get_system_commands(screen)

    async def action_quit(self) -> None:
        """Quit; while jobs run, only after they have put everything back."""
        running = [job for job in self._fleet.jobs.all if job.state is JobState.RUNNING]
        if not running:
            self.exit()
            return
        details = [job.title for job in running]
        details.append("To quit, each is stopped at its next safe point and put back.")
        self.push_screen(
            ConfirmDialog("Jobs are running. Stop them and quit?", details), self._quit
        )

    @property
    def copy_key(self) -> str:
        """The key that copies command lines."""
        key = self._settings.keys.get(COPY.id, COPY.key).partition(",")[0]
        return format_key(key) if key else ""

    def action_copy_command(self) -> None:
        """Have the terminal put into its clipboard what would do the same as is shown."""
        lines = self._commands()
        if lines:
            self.copy_to_clipboard("\n".join(lines))
            said = plain(lines[0]) if len(lines) == 1 else f"{len(lines)} command lines"
            self.notify(f"copied: {said}", markup=False)
        else:
            self.notify("no command line is shown here", severity="warning", markup=False)

    def _commands(self) -> tuple[str, ...]:
        """Those of the dialog, else those of the operation under the cursor, or the latest."""
        screen = self.screen
        if isinstance(screen, BulkDialog):
            return typed_each(screen.command, kind_of(self._fleet.backends))
        if isinstance(screen, ModalScreen):
            return shown(screen)
        job = self._main.looked_at if screen is self._main else None
        job = job or max(self._fleet.jobs.all, key=lambda one: one.id, default=None)
        return job.commands if job is not None else ()

    def _quit(self, yes: bool | None) -> None:
        if yes:
            self.exit()  # the jobs are stopped after the screen, where their words can be read

    def _hang_up(self) -> None:
        """Put everything back without a terminal: Textual would wait for it for ever."""

        def finish() -> None:
            while not self._fleet.jobs.stop_all(1.0):
                pass
            os._exit(1)

        Thread(target=finish, name="hang-up").start()

    def _announce(self) -> None:
        if not self._announced:  # each message wakes the screen's thread
            self._announced = True
            self.post_message(FleetChanged())

    def _now(self) -> datetime:
        return self._clock()
