"""The files of the pids controller, which both shapes have alike, and of the freezer.

Role: what each says of a cgroup that the other version counts or freezes, and what a write means.
Boundary: pure. Formats are the kernel's (kernel/cgroup/pids.c, legacy_freezer.c, freezer.c).
Threading: pure functions.
"""

import errno
from collections.abc import Sequence

from lxfs import parse
from lxfs.cgroupfs.files import ControlFile, Group, Version, Write
from lxfs.cgroupfs.rows import ask, levels, row, same
from lxfs.cgroupfs.texts import line, refuse, signed, stripped
from lxfs.origin import keys, value


def pids(shape: Version) -> tuple[ControlFile, ...]:
    """Return the files of the pids controller."""
    found = []
    for name in ("pids.current", "pids.events", "pids.max", "pids.peak"):
        view, meant = same("pids", name)
        found.append(
            row(
                name,
                shape,
                "pids",
                view,
                meant if name == "pids.max" else None,
                formula="the same file",
                of=(value(name),),
                in_top=False,
            )
        )
    return tuple(found)


_FREEZE = "cgroup.freeze"


def _freezes(group: Group) -> bool | None:
    """Return whether a v2 cgroup is to be frozen, ``None`` where it cannot be (or is the root)."""
    frozen = ask(group, "", _FREEZE, parse.integer)
    return None if frozen is None else bool(frozen)


def _above_freezes(group: Group) -> bool:
    return any(_freezes(level) for level in levels(group) if level is not group)


def _is_v1(group: Group) -> bool:
    return group.version("freezer") == 1


def _state(group: Group) -> bytes | None:
    if (own := _freezes(group)) is None:
        return None
    events = ask(group, "", "cgroup.events", parse.flat_keyed) or {}
    if events.get(b"frozen"):
        return b"FROZEN\n"
    return b"FREEZING\n" if own or _above_freezes(group) else b"THAWED\n"


def _set_state(_: Group, text: bytes) -> Sequence[Write]:
    wanted = {b"FROZEN": b"1\n", b"THAWED": b"0\n"}.get(stripped(text))
    if wanted is None:
        refuse(errno.EINVAL)
    return (Write("", _FREEZE, wanted),)


def _self_freezing(group: Group) -> bytes | None:
    own = _freezes(group)
    return None if own is None else line(own)


def _parent_freezing(group: Group) -> bytes | None:
    return None if _freezes(group) is None else line(_above_freezes(group))


FREEZER: tuple[ControlFile, ...] = (
    row(
        "freezer.state",
        1,
        "freezer",
        _state,
        _set_state,
        formula="FROZEN when all of it is; FREEZING when it or an ancestor is to be; else THAWED",
        of=(keys("cgroup.events", "frozen"), value(_FREEZE)),
        in_top=False,
        is_own=_is_v1,
    ),
    row(
        "freezer.self_freezing",
        1,
        "freezer",
        _self_freezing,
        formula="as it is",
        of=(value(_FREEZE),),
        in_top=False,
        is_own=_is_v1,
    ),
    row(
        "freezer.parent_freezing",
        1,
        "freezer",
        _parent_freezing,
        formula="1 when an ancestor is to be frozen",
        of=(value(_FREEZE),),
        in_top=False,
        is_own=_is_v1,
    ),
)


def frozen(group: Group) -> int:
    """Return 1 for a cgroup that v1 has frozen."""
    return int((group.text("freezer", "freezer.state") or b"").strip() == b"FROZEN")


def _freeze(group: Group) -> bytes | None:
    return group.text("freezer", "freezer.self_freezing")


def _set_freeze(_: Group, text: bytes) -> Sequence[Write]:
    """Freeze by v1's freezer; v2's check is of an integer of 0 or 1 (``cgroup_freeze_write``)."""
    wanted = signed(stripped(text), bits=32)
    if wanted not in (0, 1):
        refuse(errno.ERANGE)
    return (Write("freezer", "freezer.state", b"FROZEN\n" if wanted else b"THAWED\n"),)


FREEZE = row(
    _FREEZE,
    2,
    "",
    _freeze,
    _set_freeze,
    formula="the kernel's own wherever the v2 tree is mounted; else as it is",
    of=(value("freezer.self_freezing"),),
    in_top=False,
    is_own=lambda group: group.text("", _FREEZE) is not None,
)
