"""What is worked out of rows is worked out once for each row."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from lxtui.remembered import Remembered


class Row:
    """A row that is told apart by being another object, as an Instance is."""

    def __init__(self, number: int) -> None:
        self.number = number


def _counting() -> tuple[list[int], Callable[[Row], int]]:
    made: list[int] = []

    def make(row: Row) -> int:
        made.append(row.number)
        return row.number

    return made, make


def test_only_what_is_another_object_is_made() -> None:
    """Of many rows, one in another's place costs one value, wherever the rows then stand."""
    made, make = _counting()
    rows = [Row(number) for number in range(1000)]
    remembered: Remembered[Row, int] = Remembered()
    assert remembered.all(rows, make) == list(range(1000))
    made.clear()
    assert remembered.all(list(rows), make) == list(range(1000))
    assert made == []
    rows[7] = Row(-7)
    assert remembered.all(list(rows), make)[7] == -7
    assert made == [-7]
    assert remembered.all(rows[::-1], make)[-8] == -7
    assert remembered.all([*rows, Row(5000)], make)[-1] == 5000
    assert remembered.all(rows[:500], make) == [row.number for row in rows[:500]]
    assert made == [-7, 5000]


def test_what_else_the_values_are_made_of() -> None:
    """When that is another, every value is made again; when it is equal, none is."""
    made, make = _counting()
    rows = [Row(number) for number in range(10)]
    remembered: Remembered[Row, int] = Remembered()
    remembered.all(rows, make, {"a": 1})
    made.clear()
    remembered.all(rows, make, {"a": 1})
    assert made == []
    remembered.all(rows, make, {"a": 2})
    assert len(made) == 10


def test_the_same_list_means_that_nothing_is_another() -> None:
    """Another row of an equal value leaves the list the object that it was; another value does not,
    and the list that was given out stays as it is.
    """
    _, make = _counting()
    rows = [Row(number) for number in range(10)]
    remembered: Remembered[Row, int] = Remembered()
    first = remembered.all(rows, make)
    rows = [Row(0), *rows[1:]]
    assert remembered.all(rows, make) is first
    rows = [Row(77), *rows[1:]]
    assert remembered.all(rows, make) is not first
    assert first == list(range(10))


@given(st.lists(st.lists(st.integers(0, 30), max_size=40), max_size=8))
def test_as_if_nothing_were_remembered(looks: list[list[int]]) -> None:
    """Whatever comes, goes and moves: the values are those of a first look."""
    pool = [Row(number) for number in range(31)]
    _, make = _counting()
    remembered: Remembered[Row, int] = Remembered()
    for look in looks:
        assert remembered.all([pool[number] for number in look], make) == look
