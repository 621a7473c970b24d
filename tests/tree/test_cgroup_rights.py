"""Who may do what to a cgroup's files, from a caller's ids and capabilities alone."""

import json
import os
import stat

import pytest

from lxfs.cgroupfs.rights import (
    CAP_CHOWN,
    CAP_DAC_OVERRIDE,
    CAP_FOWNER,
    CAP_SYS_ADMIN,
    Rights,
)

FIRST = 100_000
MAP = b"         0     100000      65536\n"
ALL = b"         0          0 4294967295\n"


def _rights(
    uid: int, *, capabilities: int = 0, groups: str = "", ids: bytes = MAP, seen: int | None = None
) -> Rights:
    status = (
        f"Name:\tx\nUid:\t0\t0\t0\t{uid}\nGid:\t0\t0\t0\t{uid}\nGroups:\t{groups}\n"
        f"CapEff:\t{capabilities:016x}\n"
    )
    return Rights.of(uid if seen is None else seen, status.encode(), ids, ids, is_host=ids == ALL)


def _file(uid: int, mode: int, gid: int | None = None) -> os.stat_result:
    owner = uid if gid is None else gid
    return os.stat_result((stat.S_IFREG | mode, 0, 0, 1, uid, owner, 0, 0, 0, 0))


@pytest.mark.parametrize(
    ("rights", "file", "may"),
    [
        (_rights(FIRST), _file(FIRST, 0o644), True),
        (_rights(FIRST), _file(0, 0o644), False),
        (_rights(FIRST, capabilities=1 << CAP_DAC_OVERRIDE), _file(0, 0o644), False),
        (_rights(FIRST, capabilities=1 << CAP_DAC_OVERRIDE), _file(FIRST + 33, 0o644), True),
        (_rights(FIRST, capabilities=1 << CAP_DAC_OVERRIDE), _file(FIRST, 0o644, 0), True),
        (_rights(FIRST, capabilities=1 << CAP_DAC_OVERRIDE), _file(FIRST + 1, 0o644, 0), False),
        (_rights(FIRST, groups="5 7"), _file(0, 0o664, 7), True),
        (_rights(FIRST, groups="5 7"), _file(0, 0o644, 7), False),
        (_rights(FIRST), _file(FIRST, 0o466), False),
        (_rights(0, ids=ALL), _file(FIRST, 0o644), False),
        (_rights(0, ids=ALL, capabilities=1 << CAP_DAC_OVERRIDE), _file(FIRST, 0o444), True),
    ],
)
def test_writing(rights: Rights, file: os.stat_result, *, may: bool) -> None:
    """Owner, group and mode decide, and a capability where both ids are mapped."""
    assert rights.may(os.W_OK, file) is may
    assert Rights.load(json.loads(json.dumps(rights.dump()))) == rights


def test_administrators_are_the_host_s() -> None:
    """Root of a container is none, whatever capabilities it has there, nor is who lacks the one."""
    admin = 1 << CAP_SYS_ADMIN
    assert _rights(0, ids=ALL, capabilities=admin).is_admin
    assert not _rights(0, ids=ALL, capabilities=~admin & (1 << 40) - 1).is_admin
    assert not _rights(FIRST, capabilities=admin).is_admin
    assert not _rights(0, ids=ALL, capabilities=admin, seen=FIRST).is_admin


def test_another_id_than_the_threads_counts_alone() -> None:
    """A request made with other credentials has none of the thread's groups and capabilities."""
    rights = _rights(FIRST, capabilities=(1 << 40) - 1, groups="7", seen=5)
    assert (rights.uid, rights.groups, rights.capabilities) == (5, (), 0)
    assert not rights.may(os.W_OK, _file(FIRST, 0o644))


def test_giving_away() -> None:
    """Only who has CAP_CHOWN over the owner gives a file away; an owner changes group and mode."""
    mine = _file(FIRST, 0o644)
    assert not _rights(FIRST).may_give(mine, FIRST + 1, None)
    assert _rights(FIRST, capabilities=1 << CAP_CHOWN).may_give(mine, FIRST + 1, 5)
    assert not _rights(FIRST, capabilities=1 << CAP_CHOWN).may_give(_file(0, 0o644), FIRST, None)
    assert _rights(FIRST, groups="7").may_give(mine, None, 7)
    assert not _rights(FIRST, groups="7").may_give(mine, None, 8)
    assert _rights(FIRST).owns(mine)
    assert not _rights(FIRST).owns(_file(FIRST + 1, 0o644))
    assert _rights(FIRST, capabilities=1 << CAP_FOWNER).owns(_file(FIRST + 1, 0o644))


@pytest.mark.parametrize("text", [b"", b"Uid:\t1\n", b"Uid:\tx\tx\tx\tx\nCapEff:\tz\n"])
def test_a_status_of_another_shape_is_no_one(text: bytes) -> None:
    """Nobody is given rights by a text that is not understood."""
    with pytest.raises(ValueError, match=r"."):
        Rights.of(1, text, MAP, MAP, is_host=False)
