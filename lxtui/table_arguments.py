"""The arguments of the tables and of what can be done to their entries.

Role: what argparse is told, for the parser, the man page and the completions: ``lxtui images``
lists, ``lxtui image delete HOST:NAME`` does. Boundary: no behaviour. Threading: functions.
"""

from __future__ import annotations

import argparse

from lxtui.resources.catalog import BY_ID, TABLES
from lxtui.resources.deeds import DEEDS_BY_ID, Deed, deeds_of
from lxtui.resources.hosts import HOSTS

LISTED = tuple(table.id for table in TABLES if table is not HOSTS)
"""The tables with a verb; ``lxtui hosts`` is one of its own."""
SINGULAR = {name.removesuffix("s"): name for name in LISTED if deeds_of(name)}
"""The verbs that do something, with their tables."""
_HOW = {
    "images": "as HOST:ALIAS or HOST:FINGERPRINT, whose first digits are enough",
    "volumes": "as HOST:POOL/NAME",
    "warnings": "as HOST:ID, whose first digits are enough",
    "operations": "as HOST:ID, whose first digits are enough",
}


def add_tables(
    subs: argparse._SubParsersAction[argparse.ArgumentParser], verbs: argparse.ArgumentParser
) -> None:
    """One verb for each table, and one for what can be done to its entries."""
    for name in LISTED:
        told = _listing(name)
        _add_list(subs.add_parser(name, parents=[verbs], help=told, description=told), name)
    for noun, name in SINGULAR.items():
        deeds = deeds_of(name)
        told = f"Change one of 'lxtui {name}': {', '.join(deed.verb for deed in deeds)}"
        sub = subs.add_parser(noun, help=told, description=told)
        inner = sub.add_subparsers(dest="deed", metavar="DEED", title="what to do", required=True)
        for deed in deeds:
            told = deed.help
            one = inner.add_parser(deed.verb, parents=[verbs], help=told, description=told)
            _add_deed(one, deed, name)


def deed_of(table: str, verb: str) -> Deed:
    """The deed of that verb."""
    return next(one for one in DEEDS_BY_ID.values() if table in one.tables and one.verb == verb)


def _listing(name: str) -> str:
    told = BY_ID[name].help
    return f"List {told[0].lower()}{told[1:]}"


def _add_list(parser: argparse.ArgumentParser, name: str) -> None:
    columns = ", ".join(one.id for one in BY_ID[name].fields).replace("%", "%%")
    parser.add_argument("host", nargs="*", metavar="HOST", help="only these hosts")
    parser.add_argument("--filter", default="", metavar="WORDS", help="only what matches")
    parser.add_argument("--columns", default="", metavar="C,C", help=f"of {columns}, config:KEY")
    parser.add_argument("--sort", default="", metavar="C", help="by this column")
    parser.add_argument("--reverse", action="store_true", help="the other way round")
    told = "as a view of this table that was saved on the screen"
    parser.add_argument("--view", default="", metavar="VIEW", help=told)


def _add_deed(parser: argparse.ArgumentParser, deed: Deed, name: str) -> None:
    how = _HOW.get(name, "as HOST:NAME")
    parser.add_argument("entry", metavar="HOST:NAME", help=how)
    if deed.asks:
        parser.add_argument("answer", metavar=deed.asks.upper(), help=f"the {deed.asks}")
    parser.add_argument("--project", default="", help="its project (default: the host's)")
    if deed.confirm:
        parser.add_argument("--yes", action="store_true", help="do not ask on a terminal")
