"""The tables of docs/, made from what the views state: ``python -m tests.docs``.

Role: ``make docs`` writes them between their marks; a test compares.
Boundary: touches nothing outside of the marks.
Threading: none.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from lxfs.cgroupfs.files import ControlFile
from lxfs.cgroupfs.table import UNIFIED, table
from lxfs.origin import Origin, Reading
from lxfs.table import FILES

_REST = "every other line"
_MANY = 12
_DOCS = Path(__file__).parent.parent / "docs"
DOCUMENT = _DOCS / "lxfs.md"
DOCUMENTS = (DOCUMENT, _DOCS / "cgroupfs.md")
_ANY_SIZE = "SIZE"
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


def _of_shape(shape: int) -> list[list[str]]:
    """Return the rows of all control files of a shape; what is in each directory comes once."""
    seen: dict[str, ControlFile] = {}
    for directory, files in table(("2MB",)).items():
        if (directory == UNIFIED) == (shape == 2):
            for name, file in files.items():
                seen.setdefault(name, file)
    rows = [
        [name.replace("2MB", _ANY_SIZE) if index == 0 else "", *row]
        for name, file in sorted(seen.items())
        for index, row in enumerate(_rows(file.origins))
    ]
    return [[cell.replace("2MB", _ANY_SIZE) for cell in row] for row in rows]


def tables() -> dict[str, str]:
    """Return the tables by the name in their marks."""
    meminfo = next(file for file in FILES if file.path == "proc/meminfo")
    others = [
        [f"/{file.path}" if index == 0 else "", *row]
        for file in FILES
        if file is not meminfo
        for index, row in enumerate(_rows(file.origins))
    ]
    shapes = {shape: _of_shape(shape) for shape in (1, 2)}
    for row in (*others, *shapes[1], *shapes[2]):
        row[1] = "all" if row[0] and row[1] == _REST else row[1]
    heading = "| file | line | figure | v1 host | v2 host |"
    return {
        "cgroup1": _table(heading, shapes[1]),
        "cgroup2": _table(heading, shapes[2]),
        "meminfo": _table("| line | figure | cgroup v1 | cgroup v2 |", _rows(meminfo.origins)),
        "files": _table("| file | line | figure | cgroup v1 | cgroup v2 |", others),
    }


def renewed(text: str) -> str:
    """Return a document with its tables made anew."""
    made = tables()
    return _TABLE.sub(lambda match: match[1] + made[match[2]] + match[3], text)


if __name__ == "__main__":
    for document in DOCUMENTS:
        document.write_text(renewed(document.read_text(encoding="utf-8")), encoding="utf-8")
    sys.exit()
