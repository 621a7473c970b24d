"""``lxtui limits``: what limits an instance, and setting it, without a screen.

Role: its arguments; a table or JSON, whose keys are an interface. Boundary: gets backends, writes
text. Threading: the main thread.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from threading import Event as Flag

from lxtui import format as text
from lxtui import headless
from lxtui.api import Document, Path
from lxtui.audit.journal import Audit
from lxtui.backend.base import Backend
from lxtui.calls.documents import PutDocument
from lxtui.editing.documents import changes, of_instance
from lxtui.errors import ConflictError, UsageError
from lxtui.headless_many import add_many, find, settle
from lxtui.limits import FIELDS, Limits
from lxtui.limits_many import plan
from lxtui.limits_read import read_limits
from lxtui.model import Ref
from lxtui.perform import perform

LIMITS = "Show what limits an instance and which profile says so, or set it"
_TRIES = 5


def add_limits(sub: argparse.ArgumentParser) -> None:
    """One option for each limit."""
    told = "the instance, as lxc writes it"
    sub.add_argument("instance", metavar="HOST:NAME", nargs="?", default="", help=told)
    sub.add_argument("--project", default="", help="its project (default: the host's)")
    for field in FIELDS:
        told = f"{field.help.replace('%', '%%')}; '': what its profiles say"
        sub.add_argument(f"--{field.id}", metavar="VALUE", help=told)
    add_many(sub, "show the commands, change nothing")


def run_limits_many(
    options: argparse.Namespace, backends: Mapping[str, Backend], audit: Audit
) -> bool:
    """Set what was asked for on all that match; whether all went well."""
    wishes = _wishes(options)
    if not wishes:
        raise UsageError("--filter: say which limits, such as --memory 1GiB")
    found = find(options, backends)

    def read(host: str, path: Path, parameters: Mapping[str, str]) -> Document:
        return backends[host].read(path, parameters)

    bulk = plan(wishes, found.matching, found.hosts.get, read)
    return settle(options, bulk, found, backends, audit)


def run_limits(
    options: argparse.Namespace, ref: Ref, backends: Mapping[str, Backend], audit: Audit
) -> None:
    """Set what was asked for, then show all limits; LxtuiError when that cannot be."""
    what, backend = of_instance(ref), backends[ref.host]
    wishes = _wishes(options)
    for left in reversed(range(_TRIES)):
        limits, document = read_limits(what, backend.read)
        command = PutDocument(what, document, limits.changed(wishes))
        if options.dry_run or not changes(limits.before, command.after):
            break
        try:
            perform(command, backends, lambda _: None, Flag(), audit=audit)
        except ConflictError:
            if not left:
                raise
        else:
            limits, _ = read_limits(what, backend.read)
            break
    lines = command.lines(backend.remote.kind)
    if options.json:
        headless.print_json(limits_json(limits, lines, planned=options.dry_run))
        return
    if options.dry_run:
        for line in lines:
            print(text.plain(line))
    else:
        print_limits(limits)


def _wishes(options: argparse.Namespace) -> dict[str, str]:
    given = {field.id: getattr(options, field.id) for field in FIELDS}
    return {name: value for name, value in given.items() if value is not None}


def limits_json(limits: Limits, lines: tuple[str, ...], *, planned: bool) -> headless.Json:
    """The documented keys; ``commands`` are what one would have typed, or would type if only
    *planned*.
    """
    ref = limits.what.ref
    return {
        "command": "limits",
        "instance": ref.plain,
        "project": ref.project,
        "result": "planned" if planned else "done",
        "error": None,
        "commands": list(lines),
        "limits": [
            {
                "limit": one.field.id,
                "key": one.field.key,
                "device": one.device or None,
                "own": one.own or None,
                "inherited": one.inherited or None,
                "profile": one.profile or None,
                "effective": one.effective or None,
                "note": one.note or None,
                "unavailable": one.unavailable or None,
            }
            for one in limits.settings
        ],
    }


def print_limits(limits: Limits) -> None:
    """As a table."""
    rows = [
        (
            one.field.id,
            text.plain(one.effective) or "-",
            "the instance" if one.own else f"profile {one.profile}" if one.profile else "-",
            one.unavailable or one.note,
        )
        for one in limits.settings
    ]
    print(text.table(("LIMIT", "VALUE", "SET BY", "NOTE"), rows))
