"""Ask one host for one table.

Role: a Table's Source → requests → entries; over all projects where that is allowed, else in each
project that we may see. Boundary: gets the host's ``read`` as a function; knows no backend.
Threading: blocks its caller, as *read* does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from lxtui.api import Document, Path
from lxtui.errors import LxtuiError, NotFoundError, NotTrustedError, OperationError
from lxtui.model import Host, Ref
from lxtui.resources.affairs import OPERATIONS, without_secrets
from lxtui.resources.entry import Entry, Json, items, mapping, text
from lxtui.resources.links import Link, link_from, links_from
from lxtui.resources.storage import POOLS, VOLUMES
from lxtui.resources.table import Source, Table

Read = Callable[[Path, Mapping[str, str]], Document]
_FULL = {"recursion": "1"}
_REFUSALS = (NotFoundError, NotTrustedError, OperationError)
Found = tuple[str, Json]
"""The project that was asked for (empty: all), and a document."""


def read_table(table: Table, host: Host, read: Read) -> tuple[Entry, ...]:
    """Every entry that we may see; LxtuiError when the host does not answer or refuses."""
    source = table.source
    if source is None or table.missing(host):
        return ()
    try:
        found = list(_documents(table, source, host, read))
    except NotTrustedError as error:
        raise NotTrustedError(
            f"{host.name}: our certificate may not see {table.id}: {error}"
        ) from error
    entries: dict[tuple[str, ...], Entry] = {}
    for project, document in found:
        if (entry := entry_from(table, host.name, document, project)) is not None:
            entries.setdefault(entry.key, entry)
    if table is POOLS:
        return tuple(_with_space(one, read) for one in entries.values())
    return tuple(entries.values())


def entry_from(table: Table, host: str, document: Json, project: str = "") -> Entry | None:
    """One document as a line; None for one without a name."""
    if table is OPERATIONS:
        document = without_secrets(document)
    name = table.name(document)
    if not name:
        return None
    users = links_from(host, document)
    if isinstance(about := document.get("entity_url"), str) and about:
        users = (link_from(host, about),)
    if table is OPERATIONS:
        users = tuple(sorted(set(_resources(host, document))))  # one may be there by two names
        project = project or next((one.ref.project for one in users), "")
    location = text(document.get("location")) or ""
    # Where nobody asked for a project, the document says which it is of.
    home = project or text(document.get("project")) or "default"
    return Entry(
        table.id,
        Ref(host, home, name),
        document,
        users=users,
        location="" if location == "none" else location,
    )


def more(table: Table, entry: Entry, read: Read) -> list[tuple[str, Any]]:
    """What else the host says of one entry, by titles; an error in words where it says nothing."""
    said: list[tuple[str, Any]] = []
    for one in table.more:
        if not one.wanted(entry):
            continue
        try:
            said.append((one.title, read(one.path(entry), parameters(table, entry)).value))
        except LxtuiError as error:
            said.append((one.title, f"not known: {error}"))
    return said


def parameters(table: Table, entry: Entry) -> dict[str, str]:
    """What goes along with a request about one entry."""
    given: dict[str, str] = {}
    if table.source is not None and table.source.by_project and table is not OPERATIONS:
        given["project"] = entry.ref.project
    if table is VOLUMES and entry.location:
        given["target"] = entry.location
    return given


def _documents(table: Table, source: Source, host: Host, read: Read) -> Iterator[Found]:
    if source.by_pool:
        pools = items(read(("storage-pools",), _FULL).value)
        names = [name for pool in pools if (name := text(mapping(pool).get("name")))]
        for name in names:
            path = ("storage-pools", name, "volumes")
            yield from _volumes(name, _scoped(source, path, host, read))
        return
    for project, value in _scoped(source, source.path, host, read):
        for one in _flat(value):
            if table is not OPERATIONS or one.get("class") != "token":
                yield project, one


def _scoped(source: Source, path: Path, host: Host, read: Read) -> list[tuple[str, Any]]:
    """The answers over all projects at once, or of one project after the other."""
    if not source.by_project:
        return [("", read(path, _FULL).value)]
    if source.everywhere in host.api_extensions:
        try:
            return [("", read(path, {**_FULL, "all-projects": "true"}).value)]
        except NotTrustedError:
            pass  # a restricted certificate: each of its projects it may ask for
    return [
        (project, read(path, {**_FULL, "project": project}).value)
        for project in _projects(source, host, read)
    ]


def _projects(source: Source, host: Host, read: Read) -> list[str]:
    """The projects to ask; of those that show what is another's, at most one."""
    try:
        found = [mapping(one) for one in items(read(("projects",), _FULL).value)]
    except _REFUSALS:
        found = []
    every = [str(one["name"]) for one in found if text(one.get("name"))] or [host.project]
    if not source.feature:
        return every
    own = {
        str(one.get("name"))
        for one in found
        if mapping(one.get("config")).get(source.feature) == "true"
    }
    shared = [name for name in every if name not in own]
    borrowed = [] if "default" in own else shared[:1]
    return [name for name in every if name in own or name in borrowed]


def _flat(value: Any) -> Iterable[Json]:
    """Documents of an array; operations come as arrays by their status."""
    groups = value.values() if isinstance(value, Mapping) else [value]
    return [one for group in groups for one in items(group) if isinstance(one, Mapping)]


def _volumes(pool: str, answers: Iterable[tuple[str, Any]]) -> Iterator[Found]:
    """The volumes of a pool, each with the number of its snapshots, which are listed beside it."""
    for asked, value in answers:
        documents = [{**one, "pool": pool} for one in _flat(value)]
        snapshots: dict[tuple[str, ...], int] = {}
        for one in documents:
            name, cut, _ = str(one.get("name", "")).partition("/")
            if cut:
                key = _volume_key(one, name)
                snapshots[key] = snapshots.get(key, 0) + 1
        for one in documents:
            name = str(one.get("name", ""))
            if name and "/" not in name:
                project = text(one.get("project")) or asked
                yield project, {**one, "snapshots": snapshots.get(_volume_key(one, name), 0)}


def _volume_key(document: Json, name: str) -> tuple[str, ...]:
    return name, *(str(document.get(key)) for key in ("type", "project", "location"))


def _with_space(pool: Entry, read: Read) -> Entry:
    try:
        resources = mapping(read(("storage-pools", pool.ref.name, "resources"), {}).value)
    except _REFUSALS:
        return pool
    return Entry(pool.table, pool.ref, pool.document, resources, pool.users, pool.location)


def _resources(host: str, document: Json) -> Iterator[Link]:
    for urls in mapping(document.get("resources")).values():
        for url in items(urls):
            yield link_from(host, url)
