"""Ids of paths, of which callers' own are known for as long as the kernel needs them."""

import errno
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import cast

import pytest

from lxfs.drivers.native import nodes as module
from lxfs.drivers.native.nodes import Nodes
from lxfs.tree import Tree

OWN = "/cgroup/memory/"


def _tree(paths: list[str]) -> Tree:
    """Return a tree that has a file for everybody, and these paths for one caller."""

    def callers_own(pid: int, _: int) -> Iterator[str]:
        return iter(paths if pid == 7 else [])

    def listing(path: str, _: int) -> Mapping[str, int]:
        return {"file": 0o100000} if path == "/" else {}

    return cast(
        "Tree",
        SimpleNamespace(
            caller=lambda pid: pid,
            is_each_callers=lambda path: path.startswith(OWN),
            callers_own=callers_own,
            listing=listing,
        ),
    )


def test_what_the_kernel_forgets_is_forgotten() -> None:
    """Ids of callers' own paths are dropped with their last look-up, others stay."""
    nodes = Nodes(_tree([]))
    shared = nodes.told("/file")
    ids = [nodes.told(f"{OWN}{number}") for number in range(100_000 // 4)]
    again = nodes.told(f"{OWN}0")
    assert again == ids[0]
    for number in [shared, *ids]:
        nodes.forget(number, 1)
    assert nodes.own == 1  # which was told twice
    assert nodes.path(again) == f"{OWN}0"
    nodes.forget(again, 1)
    assert nodes.own == 0
    assert nodes.path(shared) == "/file"


def test_ids_of_callers_own_paths_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of names that nobody forgets the earliest go."""
    monkeypatch.setattr(module, "_MAX_OWN", 10)
    nodes = Nodes(_tree([]))
    ids = [nodes.told(f"{OWN}{number}") for number in range(100)]
    assert nodes.own == 10
    assert nodes.path(ids[-1]) == f"{OWN}99"
    with pytest.raises(OSError, match="Stale"):
        nodes.path(ids[0])


def test_listing_teaches_nothing() -> None:
    """An id in a listing is the one of the look-up, and is not kept for it."""
    nodes = Nodes(_tree([]))
    assert nodes.id(f"{OWN}x") == Nodes(_tree([])).told(f"{OWN}x")
    assert nodes.own == 0


def test_a_search_is_made_once_for_all_that_it_finds() -> None:
    """Of several ids from a predecessor each is found, and those of nobody cost one search."""
    searches = []
    numbers = [Nodes(_tree([])).told(f"{OWN}{name}") for name in "abc"]
    tree = _tree([])
    cast("SimpleNamespace", tree).callers_own = lambda pid, _: (
        searches.append(pid) or iter([f"{OWN}a", f"{OWN}b"])  # type: ignore[func-returns-value]
    )
    after = Nodes(tree)
    assert [after.path(number, 7) for number in numbers[:2]] == [f"{OWN}a", f"{OWN}b"]
    for _ in range(3):
        with pytest.raises(OSError, match="Stale"):
            after.path(numbers[2], 7)
    assert searches == [7]


def test_a_successor_looks_among_what_the_caller_sees() -> None:
    """An id from a predecessor is found for the caller whose path it is, and for no other."""
    number = Nodes(_tree([])).told(f"{OWN}a/b")
    after = Nodes(_tree([f"{OWN}a", f"{OWN}a/b"]))
    with pytest.raises(OSError, match=r".") as caught:
        after.path(number, 8)
    assert caught.value.errno == errno.ESTALE
    assert after.path(number, 7) == f"{OWN}a/b"
    assert after.child(number, "c", 7) == f"{OWN}a/b/c"


def test_what_a_predecessor_knew_is_believed_if_it_is_true() -> None:
    """A path on record is taken up for the id that it has, and not for another's."""
    before, after = Nodes(_tree([])), Nodes(_tree([]))
    number = before.told(f"{OWN}a")
    path = before.own_path(number)
    assert path is not None
    assert before.own_path(before.told("/file")) is None
    for wrong in (path[:-1], b"", b"/file", b"\xff"):
        after.recall(number, wrong)
    assert after.own == 0
    after.recall(number, path)
    assert after.path(number) == f"{OWN}a"
