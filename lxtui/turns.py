"""One key after the other, however fast they come.

A terminal hands over what was typed ahead, or what a slow line has gathered, in one piece. Textual
gives all of it to what has the focus when it comes: of ``/web`` the ``e`` would edit an instance,
as the ``/`` has not moved the focus yet, and of ``:images`` all letters would be lost.

Role: holds a key, or what is pasted, until all that the one before has led to is done.
Boundary: knows Textual's app, not ours. Threading: the app's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from textual import events
from textual.app import App
from textual.message import Message
from textual.message_pump import MessagePump
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Input

_LOST_AFTER = 0.25
"""Seconds after which it is looked whether who has to answer is still there."""


class Answered(Message, namespace="turns"):
    """Whoever was handed an event is through with it: this came behind it, the same way up."""

    def __init__(self, turn: int) -> None:
        super().__init__()
        self.turn = turn


class Turns:
    """The events of an app's keys, handed to *handle* in turn."""

    def __init__(self, app: App[Any], handle: Callable[[events.Event], Awaitable[None]]) -> None:
        self._app = app
        self._handle = handle
        self._waiting: deque[events.Event] = deque()
        self._turn = 0
        self._current: events.Event | None = None
        self._screen: Screen[Any] | None = None
        self._asked: MessagePump = app
        self._watch: Timer | None = None

    @property
    def busy(self) -> bool:
        """Whether what a key has led to is not done, or another one waits for that."""
        return self._current is not None or bool(self._waiting)

    async def come(self, event: events.Event) -> None:
        """Take a key from the terminal, or one that nobody has stopped on its way up."""
        if not getattr(event, "is_forwarded", False):
            self._waiting.append(event)
            await self._next()
            return
        await self._handle(event)
        if event is self._current:
            self._settle(self._turn)

    def answered(self, turn: int) -> None:
        """What has the focus, or a new screen, is through with what it had to do."""
        self._settle(turn)

    async def _next(self) -> None:
        app = self._app
        while self._current is None and self._waiting:
            event, asked = self._waiting.popleft(), app.focused or app.screen
            if _is_text(event, asked):
                await self._handle(event)  # the next one may come with it: they are read together
                continue
            self._current, self._screen = event, app.screen
            self._turn += 1
            await self._handle(event)
            self._ask(asked)

    def _settle(self, turn: int) -> None:
        """The current one is done; a screen that it has opened has to be there, too."""
        if self._current is None or turn != self._turn:
            return
        if self._app.screen is not self._screen:
            self._screen = self._app.screen
            self._ask(self._screen)
        else:
            self._app.call_later(self._end, turn)  # behind what moves the focus

    def _ask(self, asked: MessagePump) -> None:
        self._asked = asked
        asked.post_message(Answered(self._turn))
        if self._watch is None:
            self._watch = self._app.set_interval(_LOST_AFTER, self._look)

    def _look(self) -> None:
        """Go on where who was asked has ended: then nobody answers."""
        if self._current is None:
            if self._watch is not None:
                self._watch.stop()
                self._watch = None
        elif not (self._asked.is_running and self._asked.is_attached):
            self._settle(self._turn)

    async def _end(self, turn: int) -> None:
        if turn == self._turn and self._current is not None:
            self._current = None
            await self._next()


def _is_text(event: events.Event, asked: MessagePump) -> bool:
    """Whether it can lead nowhere: it is written into a field."""
    written = isinstance(event, events.Paste) or (
        isinstance(event, events.Key) and event.is_printable
    )
    return written and isinstance(asked, Input)
