"""A daemon's event stream as Event values.

Role: reads the event websocket. Boundary: knows Remote and the wire format, not pylxd. Threading:
one thread calls ``stream``; setting the flag from another ends it within ``_TICK`` seconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from select import POLLIN, poll
from threading import Event as Flag
from typing import Any
from urllib.parse import quote

from lxtui.backend.base import ChannelEndedError
from lxtui.backend.channel import Channel, open_channel
from lxtui.backend.wire import operation_from
from lxtui.errors import HostUnreachableError
from lxtui.model import Event, Remote

_TICK = 0.5
_PATH = "/1.0/events?type=lifecycle,operation"


def stream(remote: Remote, *, projects: Sequence[str] | None, stop: Flag) -> Iterator[Event]:
    """Events as they come, until *stop*; HostUnreachableError when the daemon ends a stream.

    Of all *projects* when they are None; else a websocket for each: the API knows one or all.
    """
    scopes = (
        ["all-projects=true"]
        if projects is None
        else [f"project={quote(name, safe='')}" for name in projects]
    )
    with ExitStack() as stack:
        channels = [stack.enter_context(open_channel(remote, f"{_PATH}&{one}")) for one in scopes]
        waiting = poll()  # select(2) ends at descriptor 1024
        for channel in channels:
            waiting.register(channel.fileno(), POLLIN)
        while not stop.is_set():
            for channel in channels:
                for message in _received(remote, channel):
                    event = event_from(remote.name, message)
                    if event is not None:
                        yield event
            waiting.poll(_TICK * 1000)


def _received(remote: Remote, channel: Channel) -> Iterator[str | bytes]:
    """What has come in by now; TLS may hold more of it than the descriptor says."""
    while True:
        try:
            yield channel.receive(0)
        except TimeoutError:
            return
        except ChannelEndedError as error:
            raise HostUnreachableError(f"{remote.name}: the event stream ended") from error


def event_from(host: str, message: str | bytes) -> Event | None:
    """One message as an Event; None for what we do not understand (newer kinds of events)."""
    try:
        document: Any = json.loads(message)
        kind, metadata = document["type"], document["metadata"]
        if kind == "operation":
            operation = operation_from(host, metadata)
            return Event(host, kind, project=document.get("project") or "", operation=operation)
        return Event(
            host,
            kind,
            action=str(metadata.get("action", "")),
            source=str(metadata.get("source", "")),
            project=str(document.get("project") or ""),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
