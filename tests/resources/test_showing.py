"""Which entries are shown how, and what is said of hosts that do not answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from lxtui.arranging import View
from lxtui.errors import HostUnreachableError, NotTrustedError, UsageError
from lxtui.model import Host, HostStatus, Kind
from lxtui.resources.affairs import MEMBERS, WARNINGS
from lxtui.resources.arranging import arrange, check
from lxtui.resources.catalog import TABLES
from lxtui.resources.entry import Entry
from lxtui.resources.images import IMAGES
from lxtui.resources.profiles import PROFILES
from lxtui.resources.reading import entry_from
from lxtui.resources.shelf import Shelf
from lxtui.resources.table import Table

NOW = datetime(2026, 11, 21, tzinfo=UTC)
UP = Host("up", Kind.LXD, "unix", status=HostStatus.ONLINE)
DOWN = Host("down", Kind.LXD, "unix", status=HostStatus.OFFLINE, error="down: no answer")


def entries(table: Table, *documents: dict[str, object], host: str = "up") -> list[Entry]:
    """Lines of that table."""
    made = (entry_from(table, host, one) for one in documents)
    return [one for one in made if one is not None]


def shown(table: Table, several: list[Entry], words: str = "", sort: str = "") -> list[str]:
    """The names of the lines."""
    view = View(filter=words, columns=table.default, sort=sort)
    return [one.ref.name for one in arrange(table, several, {"up": UP}, view, NOW).lines]


IMAGES_HERE = entries(
    IMAGES,
    {
        "fingerprint": "aaa",
        "size": 90 * 2**20,
        "aliases": [{"name": "debian/12"}],
        "uploaded_at": (NOW - timedelta(days=30)).isoformat(),
        "properties": {"os": "Debian", "release": "bookworm"},
    },
    {
        "fingerprint": "bbb",
        "size": 4 * 2**20,
        "uploaded_at": (NOW - timedelta(days=1)).isoformat(),
        "properties": {"description": "Alpine 3.22"},
    },
    {"fingerprint": "ccc"},
)


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("debian", ["aaa"]),
        ("bookworm", ["aaa"]),
        ("!debian", ["bbb", "ccc"]),
        ("size>50M", ["aaa"]),
        ("age<7d", ["bbb"]),
        ("fingerprint:bb", ["bbb"]),
        ("alpine | size>50M", ["bbb", "aaa"]),
        ("ccc", ["ccc"]),
        ("used-by:", []),
    ],
)
def test_the_filter_language_is_the_same(words: str, names: list[str]) -> None:
    """Words, columns, sizes, ages and alternatives choose among images as among instances."""
    assert sorted(shown(IMAGES, IMAGES_HERE, words)) == sorted(names)


def test_numbers_are_sorted_as_numbers_and_the_unknown_is_last() -> None:
    """By size: 4 MiB before 90 MiB, and what has none at the end."""
    assert shown(IMAGES, IMAGES_HERE, sort="size") == ["bbb", "aaa", "ccc"]


def test_configuration_keys_are_columns() -> None:
    """A key of a profile's configuration can be filtered by."""
    found = entries(
        PROFILES, {"name": "a", "config": {"limits.cpu": "4"}}, {"name": "b", "config": {}}
    )
    assert shown(PROFILES, found, "limits.cpu:4") == ["a"]


def test_new_and_severe_warnings_come_first() -> None:
    """High before low, acknowledged ones after all new ones."""
    found = entries(
        WARNINGS,
        {"uuid": "low", "severity": "low", "status": "new"},
        {"uuid": "read", "severity": "high", "status": "acknowledged"},
        {"uuid": "high", "severity": "high", "status": "new"},
    )
    assert shown(WARNINGS, found) == ["high", "low", "read"]


def test_unknown_columns_are_refused_by_name() -> None:
    """The error names the table's columns."""
    with pytest.raises(UsageError, match="fingerprint"):
        check(IMAGES, View(columns=("nonsense",)))


@pytest.mark.parametrize("table", TABLES, ids=lambda one: one.id)
def test_every_table_is_whole(table: Table) -> None:
    """Its usual columns exist, each id and alias once, and its first column always stays."""
    names = [name for one in table.fields for name in (one.id, *one.aliases)]
    assert len(names) == len(set(names))
    assert all(table.find(name) is not None for name in table.default)
    assert table.fields[0].rank == 0


def test_rows_appear_host_by_host_and_stay_when_a_host_falls_silent() -> None:
    """A dead host's last answer stays, dim, with its error and age; others are not affected."""
    shelf, other = Shelf(PROFILES), replace(UP, name="other")
    assert shelf.begin(UP)
    assert shelf.begin(other)
    shelf.answered("up", tuple(entries(PROFILES, {"name": "a"})), NOW)
    assert [one.ref.name for one in shelf.entries([UP, other])] == ["a"]
    assert shelf.asking([UP, other]) == ["other"]
    shelf.begin(UP)
    shelf.answered("up", HostUnreachableError("up: no answer"), NOW)
    assert [one.ref.name for one in shelf.entries([UP, other])] == ["a"]
    assert shelf.stale([UP, other]) == {"up"}
    (note,) = shelf.notes([UP, other], NOW + timedelta(minutes=5))
    assert note.line == "up: no answer; as it was 5m ago"
    assert note.bad


def test_a_host_is_asked_once_at_a_time() -> None:
    """Asked while it is being asked, it is asked once more afterwards, not twice at once."""
    shelf = Shelf(PROFILES)
    assert shelf.begin(UP)
    assert not shelf.begin(UP)
    assert not shelf.begin(UP)
    assert shelf.answered("up", (), NOW)
    assert shelf.begin(UP)
    assert not shelf.answered("up", (), NOW)


def test_silent_hosts_are_not_asked() -> None:
    """The fleet knows that it does not answer; its own words are the note."""
    shelf = Shelf(PROFILES)
    assert not shelf.begin(DOWN)
    assert [one.line for one in shelf.notes([DOWN], NOW)] == ["down: no answer"]


@pytest.mark.parametrize(
    ("hosts", "answer", "matching", "said"),
    [
        ([], None, "", "lxtui hosts add"),
        ([UP], None, "", "asking up"),
        ([DOWN], None, "", "no host answers"),
        ([UP], (), "", "no host has a profile"),
        ([UP], NotTrustedError("up: no"), "", "may not see profiles"),
        ([UP], HostUnreachableError("up: no answer"), "", "r asks again"),
        ([UP], ({"name": "a"},), "zzz", "nothing matches zzz: escape"),
    ],
    ids=["no host", "loading", "offline", "empty", "no permission", "failed", "no match"],
)
def test_each_empty_state_has_its_sentence(
    hosts: list[Host], answer: object, matching: str, said: str
) -> None:
    """Loading, empty, offline and not allowed are told apart."""
    shelf = Shelf(PROFILES)
    for host in hosts:
        shelf.begin(host)
    if isinstance(answer, HostUnreachableError | NotTrustedError):
        shelf.answered("up", answer, NOW)
    elif isinstance(answer, tuple):
        shelf.answered("up", tuple(entries(PROFILES, *answer)), NOW)
    assert said in shelf.hollow({host.name: host for host in hosts}, matching)


def test_where_there_is_no_cluster_nobody_is_at_fault() -> None:
    """Hosts outside clusters get no note each; the table says it once."""
    shelf = Shelf(MEMBERS)
    shelf.begin(UP)
    shelf.answered("up", (), NOW)
    assert shelf.notes([UP], NOW) == []
    assert shelf.hollow({"up": UP}, "") == "no host is part of a cluster"
