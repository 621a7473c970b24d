"""What a table is.

Role: how one kind of thing is asked for, named and shown; images.py, storage.py and the others
describe each, catalog.py has them all. Boundary: pure. Threading: values.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lxtui.api import Path
from lxtui.columns import Field
from lxtui.model import Host
from lxtui.resources.entry import Entry, Json


@dataclass(frozen=True, slots=True)
class Source:
    """How a daemon is asked for all of them."""

    path: Path
    extension: str = ""
    """The API extension without which there are none."""
    everywhere: str = ""
    """The extension that allows ``all-projects``; empty where projects do not part them."""
    feature: str = ""
    """The key with which a project has its own; without it those of ``default`` are shown in it."""
    by_project: bool = False
    """Whether projects part them."""
    by_pool: bool = False
    """Whether each storage pool is asked for its own."""
    clustered: bool = False
    """Whether only a cluster has any."""


@dataclass(frozen=True, slots=True)
class More:
    """What is asked for when one of them is looked at."""

    title: str
    path: Callable[[Entry], Path]
    wanted: Callable[[Entry], bool] = lambda _: True


@dataclass(frozen=True, slots=True)
class Table:
    """One table."""

    id: str
    noun: str
    """One of them, in the command lines' words."""
    help: str
    fields: tuple[Field[Entry], ...]
    default: tuple[str, ...]
    """The columns that are shown unless others are chosen, in their order."""
    name: Callable[[Json], str]
    """What one is called, from its document; empty where it says none."""
    source: Source | None
    """None: nothing is asked, the fleet knows them."""
    path: Callable[[Entry], Path]
    """Where one of them is."""
    families: frozenset[str]
    """The first words of the lifecycle events after which it is asked for anew."""
    empty: str
    """What is said when there are none."""
    more: tuple[More, ...] = ()
    order: Callable[[Entry], tuple[Any, ...]] = lambda _: ()
    """What comes first, before host and name."""
    words: Callable[[Json], tuple[str, ...]] = lambda _: ()
    """Further texts that a bare word of a filter finds."""

    def find(self, name: str) -> Field[Entry] | None:
        """The column of that id or alias."""
        wanted = name.casefold()
        return next((one for one in self.fields if wanted in {one.id, *one.aliases}), None)

    def missing(self, host: Host) -> str:
        """Why this host has none, or an empty text."""
        if self.source is None:
            return ""
        if self.source.clustered and not host.clustered:
            return f"{host.name} is not part of a cluster"
        extension, known = self.source.extension, host.api_extensions
        if extension and known and extension not in known:  # none known: it was not asked
            return f"{host.name} has no {self.id}: its API lacks the extension {extension}"
        return ""
