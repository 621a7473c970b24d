"""A migration header loses keys of its snapshots, or its kind of transfer, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lxtui.migrate.header import by_rsync, without_snapshot_keys


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def _bytes(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _entry(key: str, value: str = "v") -> bytes:
    return _bytes(2, _bytes(1, key.encode()) + _bytes(2, value.encode()))


def _snapshot(*keys: str) -> bytes:
    name, architecture = _bytes(1, b"daily"), _varint(6 << 3) + _varint(300)
    return _bytes(5, name + b"".join(map(_entry, keys)) + architecture)


_BEFORE = _varint(1 << 3) + _varint(2) + _bytes(4, b"daily") + _varint(9 << 3 | 1) + b"12345678"
_AFTER = _bytes(7, b"\x01") + _varint(11 << 3 | 5) + b"1234"


def test_the_key_is_gone_and_the_rest_stays() -> None:
    """Only entries of the named keys leave; fields around them keep every byte and their order."""
    header = _BEFORE + _snapshot("a", "bad", "b") + _snapshot("bad") + _AFTER
    expected = _BEFORE + _snapshot("a", "b") + _snapshot() + _AFTER
    assert without_snapshot_keys(header, frozenset({"bad"})) == expected


def test_long_snapshots_get_their_new_length() -> None:
    """A length that needs fewer bytes than before is written with fewer."""
    keys = [f"key{number}" for number in range(40)]
    header = _snapshot(*keys)
    shorter = without_snapshot_keys(header, frozenset(keys[1:]))
    assert shorter == _snapshot("key0")


@given(
    st.lists(
        st.one_of(
            st.builds(_bytes, st.integers(6, 2000), st.binary(max_size=300)),
            st.lists(st.text(max_size=20), max_size=5).map(lambda keys: _snapshot(*keys)),
        )
    )
)
def test_without_keys_nothing_changes(parts: list[bytes]) -> None:
    """A header from which nothing is dropped stays the same, byte for byte."""
    header = b"".join(parts)
    assert without_snapshot_keys(header, frozenset()) == header


@given(st.binary(max_size=60))
def test_whatever_arrives_ends(anything: bytes) -> None:
    """Bytes that are no message raise ValueError or come back no longer than they were."""
    try:
        assert len(without_snapshot_keys(anything, frozenset({""}))) <= len(anything)
    except ValueError:
        return


@pytest.mark.parametrize(
    "broken", [b"\x80", _BEFORE[:-1], _bytes(5, b"\x12\x05ab"), b"\x0b", b"\x80" * 12]
)
def test_broken_messages_are_refused(broken: bytes) -> None:
    """A message that is cut short or of an unknown wire type raises ValueError."""
    with pytest.raises(ValueError, match=r"cut short|wire type"):
        without_snapshot_keys(broken, frozenset({"x"}))


def test_rsync_takes_the_place_of_what_was_offered() -> None:
    """The kind of transfer becomes rsync's number, of one byte; all else keeps its bytes."""
    btrfs = _varint(1 << 3) + _varint(300) + _BEFORE[2:] + _snapshot("a") + _AFTER
    assert by_rsync(btrfs) == b"\x08\0" + _BEFORE[2:] + _snapshot("a") + _AFTER
    with pytest.raises(ValueError, match="cut short"):
        by_rsync(btrfs[:-1])
