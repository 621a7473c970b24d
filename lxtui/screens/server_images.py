"""Asking an image server what it has, for the form of a new instance.

Role: which servers can be asked; one asked, its answer told. Boundary: gets what reads a server's
lists as a function. Threading: the screen's; the server is asked in a thread of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from threading import Thread
from typing import Any

from lxtui.errors import LxtuiError
from lxtui.launching.options import Choice, Options
from lxtui.launching.picking import Pick
from lxtui.launching.servers import Server
from lxtui.launching.streams import choices
from lxtui.model import Host

ServerLists = Callable[[str, str], Sequence[Any]]
"""The lists of images of a server, by its name and URL; waits for it."""
Tell = Callable[[str, tuple[Choice, ...] | LxtuiError], None]
"""The server, and what it has; from another thread."""


class ServerImages:
    """The image servers that one may ask; none where *lists* is None."""

    def __init__(self, servers: Collection[Server], lists: ServerLists | None) -> None:
        self._servers = servers if lists is not None else ()
        self._lists = lists

    def offered(self, options: Options, hosts: Iterable[Host]) -> list[Pick]:
        """Those of the host's command line; not those that are called as a host is."""
        taken = {one.name.partition("@")[0] for one in hosts}
        return [
            (f"{one.name}:", f"{one.name}:  what {one.url} has …")
            for one in self._servers
            if one.kind is options.kind and one.name not in taken
        ]

    def ask(self, name: str, options: Options, host: Host | None, tell: Tell) -> str:
        """Begin; what to say meanwhile. Only what fits the host's architectures is told."""
        lists = self._lists
        found = (one for one in self._servers if (one.name, one.kind) == (name, options.kind))
        server = next(found, None)
        if server is None or lists is None:
            return ""
        fitting = host.architectures if host is not None else ()

        def ask() -> None:
            try:
                tell(name, choices(name, lists(name, server.url), fitting))
            except LxtuiError as error:
                tell(name, error)

        Thread(target=ask, name="image-server", daemon=True).start()
        return f"asking {server.url} …"
