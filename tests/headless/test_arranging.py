"""Columns, their order, groups and their sums."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lxtui import arranging, columns
from lxtui.arranging import Arranged, Arranger, Group, View, check, shown_columns
from lxtui.columns import BY_ID, COLUMNS, Shape, find, natural, written
from lxtui.errors import UsageError
from lxtui.fitting import fitting
from lxtui.model import Host, Instance, Kind, Ref
from lxtui.query import haystack

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
HOSTS = [Host("oslo", Kind.LXD, "", memory_total=2**30), Host("lima", Kind.INCUS, "")]


def _one(name: str, host: str = "oslo", **more: object) -> Instance:
    return replace(Instance(Ref(host, "default", name), "Running"), **more)  # type: ignore[arg-type]


def _arrange(
    view: View, *instances: Instance, folded: tuple[tuple[str, str], ...] = ()
) -> Arranged:
    return Arranger().arrange(instances, HOSTS, view, NOW, folded)


def _names(arranged: Arranged) -> list[str]:
    return [
        f"[{line.label}]" if isinstance(line, Group) else line.ref.name for line in arranged.lines
    ]


def test_names_and_aliases_of_columns_are_unique() -> None:
    """No two columns answer to one name."""
    names = [name for column in COLUMNS for name in (column.id, *column.aliases)]
    assert len(names) == len(set(names))
    assert set(columns.DEFAULT) <= set(BY_ID)


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.id)
def test_a_bare_instance_has_every_column(column: columns.Column) -> None:
    """What is not known is a dash, never an error, and sorts last in both directions."""
    bare = Instance(Ref("oslo", "default", "bare"), "")
    value = column.value(bare, None)
    assert written(column, value, NOW) is not None
    if value is None:
        assert written(column, value, NOW) == "-"
        full = _one(
            "full",
            cpu_percent=1.0,
            memory=1,
            memory_limit=2,
            swap=0,
            disk=1,
            ipv4=("1.1.1.1",),
            ipv6=("::1",),
            processes=1,
            created_at=NOW,
            last_used_at=NOW,
            architecture="x",
            location="m1",
            description="d",
            profiles=("default",),
            snapshots=(),
            expanded_config={"image.description": "x"},
        )
        if column.value(full, None) is not None:
            for descending in (False, True):
                view = View(sort=column.id, descending=descending)
                assert _names(_arrange(view, bare, full)) == ["full", "bare"]


def test_a_configuration_key_is_a_column() -> None:
    """Any key can be shown; the label of a user.* key is its own name."""
    column = find("config:user.role")
    assert column is not None
    assert column == find("user.role")
    assert column.label == "ROLE"
    one = _one("a", expanded_config=MappingProxyType({"user.role": "db\x1b"}))
    assert written(column, column.value(one, None), NOW) == "db?"
    assert find("role") is None
    assert find("config:") is None


def test_by_host_and_name_as_people_count() -> None:
    """Without a choice: hosts, then names, web2 before web10; descending turns it over."""
    found = (_one("web10"), _one("web2"), _one("Alpha"), _one("z", "lima"))
    assert _names(_arrange(View(), *found)) == ["z", "Alpha", "web2", "web10"]
    assert _names(_arrange(View(descending=True), *found)) == ["web10", "web2", "Alpha", "z"]


def test_equal_values_keep_the_order_of_names() -> None:
    """Ties are in the order of names in both directions; ages count from the youngest."""
    found = (_one("b", cpu_percent=1.0), _one("a", cpu_percent=1.0), _one("c", cpu_percent=9.0))
    assert _names(_arrange(View(sort="cpu"), *found)) == ["a", "b", "c"]
    assert _names(_arrange(View(sort="cpu", descending=True), *found)) == ["c", "a", "b"]
    old, young = _one("old", created_at=NOW - timedelta(days=9)), _one("young", created_at=NOW)
    assert _names(_arrange(View(sort="age"), old, young)) == ["young", "old"]


@given(st.lists(st.text("ab019-", max_size=5), max_size=6))
def test_natural_order_is_an_order(names: list[str]) -> None:
    """Every two names can be compared, and numbers in them count as numbers."""
    ordered = sorted(names, key=natural)
    assert sorted(ordered) == sorted(names)
    assert natural("a9b") < natural("a10a")
    assert natural("x" + "9" * 30)


@given(st.lists(st.text("ab019-", max_size=8), min_size=2, max_size=2))
def test_natural_order_is_that_of_the_pieces(names: list[str]) -> None:
    """Texts between numbers are compared as texts, numbers as numbers, a shorter name first."""

    def pieces(name: str) -> list[str | int]:
        return [int(one) if one.isdecimal() else one for one in re.split("([0-9]+)", name)]

    first, second = names
    assert (natural(first) < natural(second)) is (pieces(first) < pieces(second))


def test_a_further_letter_of_a_filter_reads_only_what_is_new(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is known of an instance is put together once, until it is another one."""
    read: list[str] = []

    def counted(one: Instance) -> str:
        read.append(one.ref.name)
        return haystack(one)

    monkeypatch.setattr(arranging, "haystack", counted)
    arranger, found = Arranger(), [_one("web1"), _one("web2"), _one("db1")]

    def shown(words: str) -> list[str]:
        return _names(arranger.arrange(found, HOSTS, View(filter=words), NOW))

    arranger.expect_filter(found)
    assert read == ["web1", "web2", "db1"]
    read.clear()
    assert shown("we") == ["web1", "web2"]
    assert shown("web") == ["web1", "web2"]
    assert read == []
    found[2] = _one("db1", description="of the web")
    assert shown("web") == ["db1", "web1", "web2"]
    assert shown("web1") == ["web1"]
    assert set(read) == {"db1"}


def test_groups_have_sums_and_fold() -> None:
    """Headers in natural order with counts and sums; those without a value come last."""
    found = (
        _one("a", profiles=("p10",), memory=2**20, disk=5, cpu_percent=1.5),
        _one("b", profiles=("p9",), status="Stopped"),
        _one("c", profiles=("p10",), memory=2**20, cpu_percent=2.0),
        _one("d"),
    )
    view = View(group="profiles")
    arranged = _arrange(view, *found)
    assert _names(arranged) == ["[p9]", "b", "[p10]", "a", "c", "[no profiles]", "d"]
    header = arranged.lines[2]
    assert isinstance(header, Group)
    assert header.line == "p10  2 instances · 2 running · cpu 3.5% · memory 2 MiB · disk 5 B"
    folded = _arrange(view, *found, folded=(("profiles", "p10"),))
    assert _names(folded) == ["[p9]", "b", "[p10]", "[no profiles]", "d"]
    assert [one.ref.name for one in folded.shown] == ["b", "a", "c", "d"]


@given(
    st.lists(
        st.tuples(st.sampled_from("abcdef"), st.sampled_from(["x", "y", ""]), st.booleans()),
        max_size=8,
        unique_by=lambda made: made[0],
    ),
    st.sampled_from(["", "location", "state", "user.k", "host"]),
    st.sampled_from(["", "name", "cpu", "location"]),
)
def test_no_instance_is_lost_or_doubled(
    made: list[tuple[str, str, bool]], group: str, sort: str
) -> None:
    """Whatever the groups and the order, each instance has one line, and counts add up."""
    found = [
        _one(name, location=where, cpu_percent=1.0 if hot else None) for name, where, hot in made
    ]
    arranged = _arrange(View(group=group, sort=sort), *found)
    lines = [line.ref for line in arranged.lines if isinstance(line, Instance)]
    assert sorted(lines) == sorted(one.ref for one in found)
    headers = [line for line in arranged.lines if isinstance(line, Group)]
    assert not headers or sum(header.count for header in headers) == len(found)


def test_the_filter_leaves_out() -> None:
    """What does not match has no line; how many there are in all is known."""
    arranged = _arrange(View(filter="web"), _one("web1"), _one("db1"))
    assert _names(arranged) == ["web1"]
    assert arranged.total == 2


@pytest.mark.parametrize(
    ("view", "said"),
    [
        (View(columns=("name", "nme")), "there is no column 'nme'"),
        (View(sort="size"), "there is no column 'size'"),
        (View(group="cpu"), "'cpu' is a number"),
        (View(columns=()), "at least one column"),
    ],
)
def test_a_wrong_view_is_refused_by_name(view: View, said: str) -> None:
    """What a command line asks for is refused with the names that there are."""
    with pytest.raises(UsageError, match=said):
        check(view)


def test_a_view_with_unknown_columns_shows_the_others() -> None:
    """What an older lxtui saved still shows something; a column twice is shown once."""
    assert [one.id for one in shown_columns(View(columns=("nme", "state", "status")))] == ["state"]
    assert [one.id for one in shown_columns(View(columns=("nme",)))] == ["name"]


def test_little_room_keeps_what_matters() -> None:
    """At 48 cells the name, state, memory and address stay; texts give way before columns go."""
    chosen = [BY_ID[name] for name in columns.DEFAULT]
    widths = [30 if one.id == "name" else one.width for one in chosen]
    kept = fitting(chosen, widths, 48)
    assert list(kept) == ["name", "host", "state", "cpu", "memory"]
    assert sum(kept.values()) + len(kept) - 1 <= 48
    assert list(fitting(chosen, widths, 400)) == list(columns.DEFAULT)
    assert fitting(chosen, widths, 0) == {"name": 12}
    chosen = [BY_ID[name] for name in ("image", "cpu", "name", "memory")]
    assert list(fitting(chosen, [20, 6, 12, 8], 30, in_order=True)) == ["image", "cpu", "name"]


@given(
    st.integers(0, 300), st.lists(st.sampled_from(COLUMNS), min_size=1, unique_by=id), st.booleans()
)
def test_what_fits_fits(room: int, chosen: list[columns.Column], in_order: bool) -> None:
    """The columns kept are never wider than the room, but for one that has no other left."""
    kept = fitting(chosen, [column.width for column in chosen], room, in_order=in_order)
    assert kept
    assert [column.id for column in chosen if column.id in kept] == list(kept)
    assert len(kept) == 1 or sum(kept.values()) + len(kept) - 1 <= room


def test_shapes_say_what_is_a_number() -> None:
    """Texts stand at the left and have no sums."""
    assert [one.id for one in COLUMNS if one.shape is Shape.NAMES] == ["ipv4", "ipv6", "profiles"]
    assert BY_ID["cpu"].shape.is_number


_STATES = st.sampled_from(["Running", "Stopped", "Error"])
_FLEETS = st.lists(
    st.dictionaries(
        st.tuples(st.sampled_from(["oslo", "lima"]), st.sampled_from(["a", "b2", "b10", "c"])),
        st.tuples(_STATES, st.none() | st.integers(0, 3), st.sampled_from([(), ("p1",)])),
    ),
    max_size=6,
)
_VIEWS = st.builds(
    View,
    filter=st.sampled_from(["", "b", "state:running", "!error mem>0"]),
    sort=st.sampled_from(["", "state", "cpu", "memory%", "profiles"]),
    descending=st.booleans(),
    group=st.sampled_from(["", "state", "profiles"]),
)


@given(_FLEETS, st.lists(_VIEWS, min_size=1, max_size=3))
def test_an_arranger_that_remembers_arranges_as_a_new_one(
    looks: list[dict[tuple[str, str], tuple[str, int | None, tuple[str, ...]]]], views: list[View]
) -> None:
    """Whatever came, went or changed since the last look, and however it is looked at."""
    arranger, known = Arranger(), dict[tuple[str, str], Instance]()
    for look in looks:
        for (host, name), (status, cpu, profiles) in look.items():
            fresh = _one(name, host, status=status, cpu_percent=cpu, memory=cpu, profiles=profiles)
            if known.get((host, name)) != fresh:
                known[host, name] = fresh
        known = {place: one for place, one in known.items() if place in look}
        instances = list(known.values())
        for view in views:
            expected = Arranger().arrange(instances, HOSTS, view, NOW)
            assert arranger.arrange(instances, HOSTS, view, NOW).lines == expected.lines


def test_one_that_changes_is_all_that_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a thousand instances one changes: its filter, its place and its group are worked out
    anew, and nothing of the others.
    """
    asked: list[str] = []
    state = BY_ID["state"]

    def counting(one: Instance, host: Host | None) -> columns.Value:
        asked.append(one.ref.name)
        return state.value(one, host)

    watched = {
        **columns._BY_NAME,
        "state": replace(state, value=counting),
    }
    monkeypatch.setattr(columns, "_BY_NAME", watched)
    arranger = Arranger()
    view = View(filter="state:r", sort="state", group="state")
    instances = [_one(f"c{number}") for number in range(1000)]
    arranger.arrange(instances, HOSTS, view, NOW)
    asked.clear()
    instances[7] = replace(instances[7], status="Error")
    later = [replace(host, seen_at=NOW) for host in HOSTS]
    assert len(arranger.arrange(list(instances), later, view, NOW).shown) == 1000
    assert asked == ["c7"] * 3
