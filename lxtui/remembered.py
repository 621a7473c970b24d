"""One value for each of many rows, of which only the new rows' values are made.

Role: between two looks at a fleet nearly every row is the very object that it was, and what was
worked out of it still holds. Rows are told apart by identity: a value of the model never changes.
Boundary: pure but for what it remembers, which is the last look alone. Threading: each belongs to
one thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import compress, count
from operator import is_not
from typing import Final, Generic, TypeVar

Row = TypeVar("Row")
Value = TypeVar("Value")
_MANY: Final = 4
"""When more than one in so many rows stands in another's place, the rows have been moved."""


class Remembered(Generic[Row, Value]):
    """The values of the rows that were asked for last."""

    def __init__(self) -> None:
        self._rows: tuple[Row, ...] = ()
        self._values: list[Value] = []
        self._of: object = None

    def all(
        self, rows: Sequence[Row], make: Callable[[Row], Value], of: object = None
    ) -> list[Value]:
        """What *make* makes of each of *rows*, in their order.

        *of* is what else it is made of; when that is another, all are made. The list is the same
        object as the last time when nothing in it is another; it must not be changed.
        """
        if of != self._of:
            values, self._of = [make(row) for row in rows], of
        else:
            values = self._renewed(rows, make)
        self._rows = tuple(rows)
        if values != self._values:
            self._values = values
        return self._values

    def _renewed(self, rows: Sequence[Row], make: Callable[[Row], Value]) -> list[Value]:
        before = self._rows
        if rows is before:
            return self._values
        if len(rows) == len(before):
            others = list(compress(count(), map(is_not, rows, before)))
            if len(others) * _MANY <= len(rows):
                values = self._values.copy()
                for at in others:
                    values[at] = make(rows[at])
                return values
        known = dict(zip(map(id, before), self._values, strict=True))  # before keeps the ids alive
        return [known[id(row)] if id(row) in known else make(row) for row in rows]
