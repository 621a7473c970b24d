"""Graphs of characters."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lxtui.detail.graph import Graph, drawn


def _show(value: float) -> str:
    return f"{value:g}"


def test_the_newest_value_is_at_the_right_and_scales_are_labelled() -> None:
    """Eighths of a row; a hole is blank; the top and the zero have their numbers."""
    graph = Graph("work", [8, None, 4, 16], _show)
    assert drawn(graph, 16, 2) == [
        "work",
        "       16┤     █",
        "        0┤  █ ▄█",
    ]


def test_a_limit_is_a_dashed_line_with_its_number() -> None:
    """It is told without colours, and the curve passes in front of it."""
    graph = Graph("m", [50, 99], _show, limit=100)
    top, middle, bottom = drawn(graph, 18, 3)[1:]
    assert top == "      100┤╌╌╌╌╌╌╌▅"
    assert middle.endswith(" ▂█")
    assert bottom.endswith("██")


def test_a_little_is_not_nothing() -> None:
    """A value above zero shows, however small beside the peak; zero shows nothing."""
    line = drawn(Graph("m", [0, 1, 1000], _show), 14, 3)[-1]
    assert line.endswith(" ▁█")


def test_noise_does_not_look_like_work() -> None:
    """The scale has a least top."""
    assert drawn(Graph("m", [0.5], _show, least_top=100), 12, 1)[-1].endswith("▁")


@given(
    st.lists(st.none() | st.floats(0, 1e15), max_size=200),
    st.integers(20, 200),
    st.integers(1, 12),
    st.none() | st.floats(0, 1e15),
)
def test_a_graph_keeps_to_its_room(
    values: list[float | None], width: int, height: int, limit: float | None
) -> None:
    """As many lines as asked for, none too wide, for any values."""
    found = drawn(Graph("t" * 300, values, lambda one: f"{one:.0e}", limit), width, height)
    assert len(found) == height + 1
    assert all(len(line) <= width for line in found)
