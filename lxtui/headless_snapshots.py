"""``lxtui delete-snapshots``: old snapshots of many instances, without a screen.

Role: its arguments; what would be deleted, agreement, the report, as in headless_many.py. Boundary:
gets backends, writes text. Threading: the main thread.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from lxtui.audit.journal import Audit
from lxtui.backend.base import Backend
from lxtui.errors import LxtuiError, UsageError
from lxtui.headless_audit import span
from lxtui.headless_many import Found, add_many, find, settle
from lxtui.model import Ref
from lxtui.snapshots_many import Wanted, plan

DELETE = "Delete snapshots by name and age, of one instance or of all that match"


def add_delete_snapshots(sub: argparse.ArgumentParser) -> None:
    """Of which instances, and which of their snapshots."""
    sub.add_argument("instance", metavar="HOST:NAME", nargs="?", default="", help="of this one")
    sub.add_argument("--project", default="", help="its project (default: the host's)")
    sub.add_argument("--name", metavar="PATTERN", help="those so named; * and ? as in a shell")
    sub.add_argument("--older-than", type=span, metavar="AGE", help="12h, 30d, 8w")
    sub.add_argument(
        "--keep", type=_count, metavar="N", help="but the latest N of them of each instance"
    )
    add_many(sub, "only list what would be deleted")


def run_delete_snapshots(
    options: argparse.Namespace,
    backends: Mapping[str, Backend],
    named: Callable[[str, str], Ref],
    audit: Audit,
) -> int:
    """Returns the exit status; LxtuiError when nothing matches or nobody agrees."""
    if options.name is None and options.older_than is None and options.keep is None:
        raise UsageError("say which: --name PATTERN, --older-than AGE or --keep N")
    if options.filter or not options.instance:
        found = find(options, backends)
    else:
        found = _one(named(options.instance, options.project), backends)
    wanted = Wanted(
        options.name if options.name is not None else "*", options.older_than, options.keep or 0
    )
    bulk = plan(wanted, found.matching, found.hosts.get, found.now)
    if not bulk.command.commands and not bulk.left_out and not options.json:
        print("no snapshot matches")
        return 1 if found.errors else 0
    if not bulk.command.commands:
        options = argparse.Namespace(**{**vars(options), "yes": True})  # there is nothing to ask
    return 0 if settle(options, bulk, found, backends, audit) else 1


def _one(ref: Ref, backends: Mapping[str, Backend]) -> Found:
    backend = backends.get(ref.host)
    if backend is None:
        raise LxtuiError(f"no host is named {ref.host!r}")
    host = replace(backend.connect())
    one = backend.instance(ref)
    return Found((one,), (one,), {host.name: host}, (), datetime.now(UTC))


def _count(written: str) -> int:
    number = int(written)
    if number < 1:
        raise ValueError(written)
    return number
