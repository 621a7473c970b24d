"""A daemon's event stream as Event values.

Role: reads the event websocket. Boundary: knows Remote and the wire format, not pylxd. Threading:
one thread calls ``stream``; setting the flag from another ends it within ``_TICK`` seconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from threading import Event as Flag
from typing import Any

from lxtui.backend.base import ChannelEndedError
from lxtui.backend.channel import open_channel
from lxtui.backend.wire import operation_from
from lxtui.errors import HostUnreachableError
from lxtui.model import Event, Remote

_TICK = 0.5
_PATH = "/1.0/events?type=lifecycle,operation"


def stream(remote: Remote, *, all_projects: bool, stop: Flag) -> Iterator[Event]:
    """Events as they come, until *stop*; HostUnreachableError when the daemon ends the stream."""
    scope = "all-projects=true" if all_projects else f"project={remote.project}"
    with open_channel(remote, f"{_PATH}&{scope}") as channel:
        while not stop.is_set():
            with suppress(TimeoutError):
                try:
                    message = channel.receive(_TICK)
                except ChannelEndedError as error:
                    raise HostUnreachableError(f"{remote.name}: the event stream ended") from error
                event = event_from(remote.name, message)
                if event is not None:
                    yield event


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
