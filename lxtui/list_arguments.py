"""The options of ``lxtui list``: the same table as on the screen.

Role: adds them to a parser, makes a View of what was given. Boundary: argparse and values only.
Threading: functions.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

from lxtui import columns
from lxtui.arranging import View, check
from lxtui.errors import LxtuiError
from lxtui.saved_views import SavedViews

PLAIN = ("host", "name", "state", "memory", "limit", "ipv4", "snapshots", "created", "project")
"""What ``list`` prints unless it is told otherwise."""


def add_list(parser: argparse.ArgumentParser) -> None:
    """Everything that says what is listed and how."""
    parser.add_argument("host", nargs="*", metavar="HOST", help="only these hosts")
    parser.add_argument(
        "--filter",
        metavar="WORDS",
        help="only what matches, such as 'web !test state:running mem>1G age<7d user.role:db'",
    )
    parser.add_argument(
        "--columns",
        metavar="C,C",
        help="these columns in this order, config:KEY among them; 'help' lists them",
    )
    parser.add_argument("--sort", metavar="C", help="by this column; else by host and name")
    parser.add_argument("--view", metavar="VIEW", help="as a view that was saved on the screen")
    parser.add_argument("--reverse", action="store_true", help="the other way round")
    parser.add_argument("--group", metavar="C", help="by this column, such as host or user.role")


def view_of(options: argparse.Namespace, base: View, saved: SavedViews) -> View:
    """*base*, or the saved view, with what was given; UsageError for an unknown column."""
    if name := getattr(options, "view", None):
        if saved.trouble:
            raise LxtuiError(saved.trouble)
        base = saved.named(name)
        known = tuple(one for one in base.columns if columns.find(one) is not None)
        base = replace(base, columns=known or View().columns)
    given: dict[str, object] = {}
    if (words := getattr(options, "filter", None)) is not None:
        given["filter"] = words
    if names := getattr(options, "columns", None):
        given["columns"] = tuple(filter(None, map(str.strip, names.split(","))))
    if (sort := getattr(options, "sort", None)) is not None:
        given |= {"sort": sort, "descending": False}
    if getattr(options, "reverse", False):
        given["descending"] = True
    if (group := getattr(options, "group", None)) is not None:
        given["group"] = group
    return check(replace(base, **given))  # type: ignore[arg-type]  # each name is a field's
