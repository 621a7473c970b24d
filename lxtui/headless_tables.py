"""``lxtui images`` and the other tables without a screen, and what is done to their entries.

Role: asks the hosts once, arranges what they have, prints text or JSON; finds one entry, carries
out one deed. Boundary: gets backends and parsed arguments. Threading: asks many hosts at once, one
thread each.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from lxtui import format as words
from lxtui import headless
from lxtui.arranging import View
from lxtui.audit.journal import Audit
from lxtui.backend.base import Backend
from lxtui.columns import Field, Shape, written
from lxtui.errors import ConflictError, LxtuiError, NotFoundError, ReadOnlyError, UsageError
from lxtui.headless import Json
from lxtui.model import Host
from lxtui.remotes import Remotes
from lxtui.resources.arranging import arrange, check, chosen
from lxtui.resources.deeds import Deed, named
from lxtui.resources.entry import Entry
from lxtui.resources.images import IMAGES, aliases
from lxtui.resources.links import INSTANCES, Link
from lxtui.resources.reading import read_table
from lxtui.resources.storage import VOLUMES
from lxtui.resources.table import Table
from lxtui.resources.users import ASKED, with_users
from lxtui.saved_views import SavedViews

Agree = Callable[[str], bool]
_SHORTEST = 4
"""Digits of an id that are enough, if no other begins with them."""


def print_table(
    table: Table,
    options: argparse.Namespace,
    backends: Mapping[str, Backend],
    known: Remotes,
    saved: SavedViews,
) -> int:
    """Print what the hosts have; the exit status is 1 when one of them did not answer."""
    names = [known.named(name.rstrip(":")).name for name in options.host]
    asked = {name: backends[name] for name in names} if names else backends
    view = check(table, _view(table, options, saved))

    def look(backend: Backend) -> tuple[Host, list[Entry]]:
        host = backend.connect()
        return host, _entries(table, backend, host)

    answers = headless.ask_all(asked, look)
    found = [answer for answer in answers.values() if not isinstance(answer, LxtuiError)]
    hosts = {host.name: host for host, _ in found}
    now = datetime.now(UTC)
    shown = arrange(table, [one for _, several in found for one in several], hosts, view, now)
    for problem in shown.query.problems:
        print(f"lxtui: filter: {problem}", file=sys.stderr)
    if options.json:
        headless.print_json(
            [entry_json(table, one, hosts.get(one.ref.host)) for one in shown.lines]
        )
    else:
        _print(chosen(table, view), shown.lines, hosts, now)
        for host in hosts.values():
            if missing := table.missing(host):
                print(f"lxtui: {missing}", file=sys.stderr)
    errors = [answer for answer in answers.values() if isinstance(answer, LxtuiError)]
    for error in errors:
        print(f"lxtui: {error}", file=sys.stderr)
    return 1 if errors else 0


def _view(table: Table, options: argparse.Namespace, saved: SavedViews) -> View:
    """The saved view that was named, with what was given."""
    base = View(columns=table.default)
    if options.view:
        if saved.trouble:
            raise LxtuiError(saved.trouble)
        base = saved.of(table.id).named(options.view)
    picked = tuple(filter(None, map(str.strip, options.columns.split(","))))
    return replace(
        base,
        filter=options.filter or base.filter,
        columns=picked or base.columns,
        sort=options.sort or base.sort,
        descending=options.reverse or (base.descending and not options.sort),
    )


def entry_json(table: Table, entry: Entry, host: Host | None) -> Json:
    """An entry's documented keys: where it is, every column, and what uses it."""
    answer: Json = {
        "host": entry.ref.host,
        "project": entry.ref.project,
        "name": entry.ref.name,
        "member": entry.location or None,
    }
    for field in table.fields:
        if field.id in {"host", "project", "location", "used-by"}:
            continue
        value = field.value(entry, host)
        key = field.id.replace("-", "_").replace(".", "_").replace("%", "_percent")
        key += "_bytes" if field.shape is Shape.BYTES else ""
        key = "label" if key == "name" else key
        if isinstance(value, datetime):
            answer[key] = headless.iso(value)
        else:
            answer[key] = list(value) if isinstance(value, tuple) else value
    answer["used_by"] = [_link_json(one) for one in entry.users]
    return answer


def carry_out(
    deed: Deed,
    table: Table,
    options: argparse.Namespace,
    backends: Mapping[str, Backend],
    known: Remotes,
    agree: Agree,
    audit: Audit,
) -> int:
    """Do one deed to one entry; returns the exit status. LxtuiError when it cannot begin."""
    remote_name, _, name = options.entry.partition(":")
    if not name:
        raise UsageError(f"{options.entry!r}: write it as HOST:NAME")
    remote = known.named(remote_name)
    backend = backends[remote.name]
    answer = getattr(options, "answer", "")
    if trouble := deed.trouble(answer):
        raise UsageError(f"{answer!r}: {trouble}")
    try:
        entry = _found(table, backend, name, options.project or remote.project)
        host = backend.connect()
        if remote.read_only:
            raise ReadOnlyError(remote.name)
        if reason := deed.why_not(entry, host):
            raise ConflictError(reason)
        hosts = {host.name: host}
        if deed.to_host is not None:
            answer = known.named(answer.rstrip(":")).name
            hosts[answer] = backends[answer].connect()
        if deed.choices is not None and answer not in deed.choices(entry):
            has = ", ".join(deed.choices(entry))
            raise NotFoundError(f"{named(entry)} has no {deed.asks} {answer!r} (it has: {has})")
    except LxtuiError as error:
        if options.json:  # a program gets its object for every failure
            headless.print_json(
                {
                    "command": f"{options.verb} {options.deed}",
                    "instance": options.entry,
                    "project": options.project or remote.project,
                    "result": "failed",
                    "error": str(error),
                }
            )
        raise
    command = deed.call(entry, answer, hosts.get)
    for line in deed.loss(entry).splitlines():
        print(f"lxtui: {words.plain(line)}", file=sys.stderr)
    if deed.confirm and not options.yes and not agree(command.title):
        print("lxtui: nothing was done", file=sys.stderr)
        return 1
    verb = f"{options.verb} {options.deed}"
    return headless.carry_out(verb, command, backends, as_json=options.json, audit=audit)


def _found(table: Table, backend: Backend, name: str, project: str) -> Entry:
    """The entry that *name* means; NotFoundError for none, UsageError for several."""
    host = backend.connect()
    entries = _entries(table, backend, host)
    parted = table.source is not None and table.source.by_project
    mine = [one for one in entries if not parted or one.ref.project == project] or entries
    exact = [one for one in mine if name in _names(table, one)]
    found = exact or [
        one
        for one in mine
        if len(name) >= _SHORTEST and _has_id(table) and one.ref.name.startswith(name)
    ]
    if not found:
        where = f" in project {project}" if parted and project != "default" else ""
        raise NotFoundError(f"{host.name} has no {table.id.removesuffix('s')} {name!r}{where}")
    if len(found) > 1:
        several = ", ".join(one.ref.name for one in found[:3])
        raise UsageError(f"{name!r} may be any of {several}: write more of it")
    return found[0]


def _has_id(table: Table) -> bool:
    return table.id in {"images", "warnings", "operations"}


def _names(table: Table, entry: Entry) -> Sequence[str]:
    if table is IMAGES:
        return (entry.ref.name, *aliases(entry.document))
    if table is VOLUMES:
        pool, kind, name = entry.ref.name.split("/", 2)
        return (entry.ref.name, f"{pool}/{name}") if kind == "custom" else (entry.ref.name,)
    return (entry.ref.name,)


def _entries(table: Table, backend: Backend, host: Host) -> list[Entry]:
    """All of a host; where they do not say who uses them, the instances do."""
    entries = read_table(table, host, backend.read)
    asked = entries and table.id in ASKED
    return list(with_users(table, entries, backend.instances() if asked else ()))


def _link_json(link: Link) -> Json:
    kind = "instance" if link.table == INSTANCES else link.table.removesuffix("s") or "other"
    return {"kind": kind, "project": link.ref.project, "name": link.ref.name}


def _print(
    fields: Sequence[Field[Entry]],
    lines: Sequence[Entry],
    hosts: Mapping[str, Host],
    now: datetime,
) -> None:
    """Numbers at the right."""
    rows = [
        [one.label for one in fields],
        *(
            [written(f, f.value(one, hosts.get(one.ref.host)), now) for f in fields]
            for one in lines
        ),
    ]
    widths = [max(len(row[at]) for row in rows) for at in range(len(fields))]
    for row in rows:
        cells = (
            cell.rjust(width) if one.shape.is_number else cell.ljust(width)
            for one, cell, width in zip(fields, row, widths, strict=True)
        )
        print("  ".join(cells).rstrip())
