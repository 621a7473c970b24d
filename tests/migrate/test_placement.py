"""Who goes where: never more than fits, everyone placed or explained, the same each time."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from lxtui.migrate.placement import (
    Arrangement,
    Candidate,
    Load,
    Room,
    memory_left,
    memory_need,
    place,
)
from lxtui.model import Instance, Ref

HOSTS = ("b", "c", "d")
_size = st.integers(0, 100)
_maybe = st.none() | _size
_rooms = st.lists(
    st.builds(
        Room,
        host=st.sampled_from(HOSTS),
        memory=_maybe,
        pools=st.dictionaries(st.sampled_from(("p", "q")), _maybe),
    ),
    unique_by=lambda room: room.host,
)
_candidate = st.builds(
    Candidate,
    host=st.sampled_from(HOSTS),
    pool=st.sampled_from(("p", "q")),
    disk=_maybe,
    refusal=st.sampled_from(("", "", "no")),
)


@st.composite
def _loads(draw: st.DrawFn, rooms: list[Room]) -> list[Load]:
    known = [room.host for room in rooms]
    return [
        Load(
            Ref("a", "default", f"i{number}"),
            draw(_size),
            tuple(
                one
                for one in draw(st.lists(_candidate, max_size=3, unique_by=lambda one: one.host))
                if one.host in known
            ),
        )
        for number in range(draw(st.integers(0, 8)))
    ]


_cases = _rooms.flatmap(lambda rooms: st.tuples(_loads(rooms), st.just(rooms)))


@given(_cases)
def test_nothing_is_overcommitted(case: tuple[list[Load], list[Room]]) -> None:
    """What is placed on a host needs no more memory, and no more of each pool, than it has."""
    loads, rooms = case
    placed = place(loads, rooms).placed
    memory: Counter[str] = Counter()
    disk: Counter[tuple[str, str]] = Counter()
    for load in loads:
        host = placed.get(load.ref)
        for one in load.candidates:
            if one.host == host:
                assert not one.refusal
                memory[host] += load.memory
                disk[host, one.pool] += one.disk or 0
    for room in rooms:
        assert room.memory is None or memory[room.host] <= room.memory
        for pool, free in room.pools.items():
            assert free is None or disk[room.host, pool] <= free


@given(_cases)
def test_everyone_is_placed_or_explained(case: tuple[list[Load], list[Room]]) -> None:
    """Each instance has a host or a reason, never both; with a reason for each host."""
    loads, rooms = case
    found = place(loads, rooms)
    for load in loads:
        assert (load.ref in found.placed) is not (load.ref in found.unplaced)
        if load.ref in found.unplaced:
            assert found.unplaced[load.ref]
            assert all(f"{one.host}: " in found.unplaced[load.ref] for one in load.candidates)


@given(_cases, st.randoms())
def test_the_order_of_the_question_does_not_matter(
    case: tuple[list[Load], list[Room]],
    random: object,
) -> None:
    """The same hosts and instances give the same arrangement, however they are listed."""
    loads, rooms = case
    shuffled, others = list(loads), list(rooms)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    random.shuffle(others)  # type: ignore[attr-defined]
    assert place(loads, rooms).placed == place(shuffled, others).placed


def _load(name: str, memory: int, *hosts: str, disk: int | None = None) -> Load:
    return Load(
        Ref("a", "default", name), memory, tuple(Candidate(host, "p", disk) for host in hosts)
    )


def test_the_largest_goes_first_to_where_it_fits_best() -> None:
    """Small rooms are filled by what fits them, so that the large one stays for the large."""
    rooms = [Room("b", 10), Room("c", 4)]
    found = place([_load("small", 4, "b", "c"), _load("large", 9, "b", "c")], rooms)
    assert {ref.name: host for ref, host in found.placed.items()} == {"large": "b", "small": "c"}


def test_what_does_not_fit_is_explained_for_each_host() -> None:
    """The reason names the host, what is left there, and what is needed."""
    rooms = [Room("b", 5 * 2**30, {"p": 2**30}), Room("c", 2**30)]
    found = place([_load("big", 4 * 2**30, "b", "c", disk=3 * 2**30)], rooms)
    (reason,) = found.unplaced.values()
    assert "b: 1 GiB left in pool p, 3 GiB needed" in reason
    assert "c: 1 GiB of memory left, 4 GiB needed" in reason


def test_without_a_host_there_is_a_reason() -> None:
    """No candidate at all is said, too."""
    ref = Ref("a", "default", "x")
    assert place([_load("x", 1)], []) == Arrangement({}, {ref: "there is no host to go to"})


def test_need_and_room_of_memory() -> None:
    """A limit counts in full, without one the use; what is stopped needs none; room is never
    negative.
    """
    ref = Ref("b", "default", "x")
    limited = Instance(ref, "Running", memory=10, memory_limit=100)
    free = Instance(ref, "Running", memory=10)
    stopped = Instance(ref, "Stopped", memory_limit=100)
    assert [memory_need(one) for one in (limited, free, stopped)] == [100, 10, 0]
    assert memory_left(150, [limited, free, stopped]) == 40
    assert memory_left(50, [limited]) == 0
    assert memory_left(None, [limited]) is None
