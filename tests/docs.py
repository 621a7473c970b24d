"""The tables of docs/lxfs.md, made from what the views state: ``python -m tests.docs``.

Role: ``make docs`` writes them between their marks; a test compares.
Boundary: touches nothing outside of the marks.
Threading: none.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from lxfs.origin import Origin, Reading
from lxfs.table import FILES

_REST = "every other line"
_MANY = 12
DOCUMENT = Path(__file__).parent.parent / "docs/lxfs.md"
_TABLE = re.compile(r"(<!-- table: (\w+) \(make docs\) -->\n).*?(<!-- end -->)", re.DOTALL)


def _alike(origin: Origin) -> tuple[object, ...]:
    """Return what two rows must have in common to be one."""
    shapes = [[(r.file, r.kind) for r in some] for some in (origin.v1, origin.v2, origin.host)]
    named = any(r.kind == "keys" for r in (*origin.v1, *origin.v2, *origin.host))
    return (origin.formula, named or origin.lines, *map(tuple, shapes))


def _merged(lines: tuple[str, ...], readings: Iterable[tuple[Reading, ...]]) -> Iterator[str]:
    for column in zip(*readings, strict=True):
        names = tuple(dict.fromkeys(name for reading in column for name in reading.names))
        if len(names) > _MANY and names == lines:
            names = ("of the same names",)
        elif len(names) > _MANY and names == tuple(f"total_{line}" for line in lines):
            names = ("of the same names with total_ before them",)
        yield str(Reading(column[0].file, column[0].kind, names))


def _rows(origins: Iterable[Origin]) -> Iterator[list[str]]:
    for _, group in groupby(origins, _alike):
        some = list(group)
        lines = tuple(line for origin in some for line in origin.lines)
        host = list(_merged(lines, (origin.host for origin in some)))
        columns = [
            "; ".join([*_merged(lines, readings), *host])
            for readings in ([o.v1 for o in some], [o.v2 for o in some])
        ]
        shown = ", ".join(lines).replace("[0-9]*", "N").replace("*", r"\*")
        yield [_REST if lines == ("*",) else shown, some[0].formula, *columns]


def _table(heading: str, rows: Iterable[list[str]]) -> str:
    columns = heading.count("|") - 1
    said = ["| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in rows]
    return "\n".join([heading, "|" + "---|" * columns, *said, ""])


def tables() -> dict[str, str]:
    """Return the tables by the name in their marks."""
    meminfo = next(file for file in FILES if file.path == "proc/meminfo")
    others = [
        [f"/{file.path}" if index == 0 else "", *row]
        for file in FILES
        if file is not meminfo
        for index, row in enumerate(_rows(file.origins))
    ]
    for row in others:
        row[1] = "all" if row[0] and row[1] == _REST else row[1]
    return {
        "meminfo": _table("| line | figure | cgroup v1 | cgroup v2 |", _rows(meminfo.origins)),
        "files": _table("| file | line | figure | cgroup v1 | cgroup v2 |", others),
    }


def renewed(text: str) -> str:
    """Return a document with its tables made anew."""
    made = tables()
    return _TABLE.sub(lambda match: match[1] + made[match[2]] + match[3], text)


if __name__ == "__main__":
    DOCUMENT.write_text(renewed(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
    sys.exit()
