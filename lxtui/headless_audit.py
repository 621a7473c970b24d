"""``lxtui audit``: the journal without a screen.

Role: its arguments, and the entries as a table or as JSON; the JSON keys are an interface.
Boundary: reads the journal only, asks no host. Threading: the main thread.
"""

from __future__ import annotations

import argparse
from datetime import datetime, timedelta

from lxtui import format as text
from lxtui import headless
from lxtui.audit.entry import BEGUN, Entry
from lxtui.audit.journal import Audit
from lxtui.clock import utc_now
from lxtui.errors import LxtuiError
from lxtui.headless import Json, iso

_CENTURY = 100 * 365 * 86_400
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}


def add_audit(sub: argparse.ArgumentParser) -> None:
    """Which of the entries."""
    sub.add_argument("--host", default="", metavar="HOST", help="only what was done there")
    sub.add_argument(
        "--since",
        type=span,
        metavar="SPAN",
        help="only what began so long ago at most: 90m, 12h, 1d, 2w",
    )


def print_audit(options: argparse.Namespace, audit: Audit) -> None:
    """Print what was done, the latest first."""
    try:
        found = audit.entries()
    except OSError as error:
        raise LxtuiError(f"the audit journal cannot be read: {error}") from error
    if options.host:
        host = options.host.rstrip(":")
        found = [one for one in found if host in {one.host, one.host.partition("@")[0]}]
    if options.since is not None:
        found = [one for one in found if one.when >= utc_now() - options.since]
    if options.json:
        headless.print_json([entry_json(one) for one in found])
    elif found:
        print(text.table(_TOLD, [_told(one) for one in found]))
    else:
        where = f" ({audit.path})" if audit.path else ": the demo keeps none"
        print(f"no entries{where}")


_TOLD = ("WHEN", "WHO", "WHAT", "RESULT", "TOOK", "AS", "WHY")


def _told(one: Entry) -> tuple[str, ...]:
    """An entry as a line; its reason comes last, where its length widens no other line."""
    when, who, what, _, took, as_ = row(one)
    short = "no end was written" if one.result == BEGUN else one.result
    return (when, who, what, short, took, as_, one.reason)


HEADER = ("WHEN", "WHO", "WHAT", "RESULT", "TOOK", "AS")


def row(one: Entry) -> tuple[str, ...]:
    """An entry as the cells of a table."""
    return (
        local(one.when),
        f"{one.user} ({one.login})" if one.login else one.user,
        one.what,
        result(one),
        text.duration(one.seconds) if one.seconds is not None else "-",
        one.command,
    )


def result(one: Entry) -> str:
    """What came of it, in words."""
    if one.result == BEGUN:
        return "no end was written: it runs, or was killed"
    return f"{one.result}: {one.reason}" if one.reason else one.result


def local(when: datetime) -> str:
    """A moment for people, in their own time zone."""
    return when.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def entry_json(one: Entry) -> Json:
    """The documented keys of an entry."""
    return {
        "id": one.id,
        "when": iso(one.when),
        "user": one.user,
        "uid": one.uid,
        "login": one.login or None,
        "host": one.host,
        "project": one.project,
        "instance": one.instance,
        "what": one.what,
        "command": one.command,
        "result": one.result,
        "reason": one.reason or None,
        "seconds": one.seconds,
    }


def span(written: str) -> timedelta:
    """A time between two moments, for argparse; a century at most."""
    number, unit = written[:-1], written[-1:]
    if unit not in _UNITS or not number.isdecimal():
        raise argparse.ArgumentTypeError(f"{written!r}: write it as 90m, 12h, 1d or 2w")
    return timedelta(seconds=min(int(number) * _UNITS[unit], _CENTURY))
