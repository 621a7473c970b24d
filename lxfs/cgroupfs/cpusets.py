"""The files of the cpuset controller, in both shapes.

Role: what each says of a cgroup whose CPUs and memory nodes the other version limits, and what a
write to it means there.
Boundary: pure. Formats and checks are the kernel's (kernel/cgroup/cpuset.c, cpuset-v1.c).
Threading: pure functions.
"""

import errno
from collections.abc import Sequence

from lxfs import parse
from lxfs.cgroupfs.files import ControlFile, Group, Meaning, View, Write
from lxfs.cgroupfs.rows import READ_WRITE, constant, levels, row, switch
from lxfs.cgroupfs.texts import refuse, signed, stripped
from lxfs.origin import value


def _effective(group: Group, kind: str) -> bytes | None:
    return group.text("cpuset", f"cpuset.{kind}.effective")


def _v1_list(kind: str) -> View:
    """Return v1's list of CPUs or nodes: v2's own, or where nobody has set one, what holds.

    An empty list means that in v2, and in v1 that nothing may run there.
    """

    def view(group: Group) -> bytes | None:
        own = group.text("cpuset", f"cpuset.{kind}")
        return own if own is not None and own.strip() else _effective(group, kind)

    return view


def _listed(text: bytes) -> tuple[int, ...] | None:
    """Return what a list says, ``None`` for forms that the kernel alone knows, and for bad ones."""
    try:
        return parse.cpulist(text)
    except ValueError:
        return None


def _set_v1_list(kind: str) -> Meaning:
    """Return the meaning of a list written to v1's file: the same, for v2's parser is v1's.

    v1 wants an ancestor's to contain it (EACCES), and some where there are processes (ENOSPC). What
    not even the machine has is for the kernel to refuse: it looks at that first.
    """
    shown = _v1_list(kind)

    def meant(group: Group, text: bytes) -> Sequence[Write]:
        wanted, parent = _listed(text), group.up()
        if wanted is not None and not wanted and group.text("cpuset", "cgroup.procs"):
            refuse(errno.ENOSPC)
        if wanted and parent is not None:
            theirs = _listed(shown(parent) or b"")
            all_of_them = _listed(_effective(list(levels(group))[-1], kind) or b"")
            exists = all_of_them is None or set(wanted) <= set(all_of_them)
            if theirs and exists and not set(wanted) <= set(theirs):
                refuse(errno.EACCES)
        return (Write("cpuset", f"cpuset.{kind}", text),)

    return meant


def _v2_effective(kind: str) -> View:
    """Return what holds; kernels without the file let hold what is set."""

    def view(group: Group) -> bytes | None:
        holds = group.text("cpuset", f"cpuset.effective_{kind}")
        return group.text("cpuset", f"cpuset.{kind}") if holds is None else holds

    return view


def _set_v2_list(kind: str) -> Meaning:
    """Return the meaning of a list written to v2's file; none means what the parent has."""
    holds = _v2_effective(kind)

    def meant(group: Group, text: bytes) -> Sequence[Write]:
        parent = group.up()
        if not stripped(text) and parent is not None:
            text = holds(parent) or text
        return (Write("cpuset", f"cpuset.{kind}", text),)

    return meant


def _set_partition(_: Group, text: bytes) -> Sequence[Write]:
    wanted = stripped(text)
    if wanted not in (b"member", b"root", b"isolated"):
        refuse(errno.EINVAL)
    if wanted != b"member":
        refuse(errno.EOPNOTSUPP)  # v1 has no partitions
    return ()


def _set_level(_: Group, text: bytes) -> Sequence[Write]:
    if signed(text) != -1:
        refuse(errno.EINVAL)  # as on a machine without levels to search
    return ()


def _exclusive(group: Group) -> bytes:
    return b"1\n" if group.up() is None else b"0\n"


def _set_exclusive(group: Group, text: bytes) -> Sequence[Write]:
    return switch(on=group.up() is None)(group, text)


def _flag(name: str, *, on: bool, why: str, in_top: bool = True) -> ControlFile:
    view = constant(b"1\n" if on else b"0\n")
    formula = f"{int(on)}: {why}"
    return row(name, 1, "cpuset", view, switch(on=on), formula=formula, in_top=in_top)


def _v1_files(kind: str, noun: str) -> tuple[ControlFile, ...]:
    return (
        row(
            f"cpuset.{kind}",
            1,
            "cpuset",
            _v1_list(kind),
            _set_v1_list(kind),
            formula=f"as set; where nobody has set any, the {noun} that hold",
            of=(value(f"cpuset.{kind}"), value(f"cpuset.{kind}.effective")),
        ),
        row(
            f"cpuset.effective_{kind}",
            1,
            "cpuset",
            lambda group: _effective(group, kind),
            formula="as it is",
            of=(value(f"cpuset.{kind}.effective"),),
        ),
    )


def _v2_files(kind: str) -> tuple[ControlFile, ...]:

    def own(group: Group) -> bytes | None:
        return group.text("cpuset", f"cpuset.{kind}")

    return (
        row(
            f"cpuset.{kind}",
            2,
            "cpuset",
            own,
            _set_v2_list(kind),
            formula="as set",
            of=(value(f"cpuset.{kind}"),),
            in_top=False,
        ),
        row(
            f"cpuset.{kind}.effective",
            2,
            "cpuset",
            _v2_effective(kind),
            formula="as it is",
            of=(value(f"cpuset.effective_{kind}"),),
        ),
    )


V1: tuple[ControlFile, ...] = (
    *_v1_files("cpus", "CPUs"),
    *_v1_files("mems", "nodes"),
    row(
        "cpuset.cpu_exclusive",
        1,
        "cpuset",
        _exclusive,
        _set_exclusive,
        formula="0, and 1 at the top: v2 has partitions in its place",
    ),
    row(
        "cpuset.mem_exclusive",
        1,
        "cpuset",
        _exclusive,
        _set_exclusive,
        formula="0, and 1 at the top: v2 has nothing like it",
    ),
    _flag("cpuset.mem_hardwall", on=False, why="v2 has nothing like it"),
    _flag("cpuset.memory_migrate", on=True, why="v2 always moves the memory along"),
    _flag("cpuset.memory_spread_page", on=False, why="v2 has nothing like it"),
    _flag("cpuset.memory_spread_slab", on=False, why="v2 has nothing like it"),
    _flag("cpuset.sched_load_balance", on=True, why="v2 has partitions in its place"),
    row(
        "cpuset.sched_relax_domain_level",
        1,
        "cpuset",
        constant(b"-1\n"),
        _set_level,
        formula="-1, the system's default: v2 has nothing like it",
    ),
    row(
        "cpuset.memory_pressure",
        1,
        "cpuset",
        constant(b"0\n"),
        formula="0: v2 does not count it",
    ),
)

V2: tuple[ControlFile, ...] = (
    *_v2_files("cpus"),
    *_v2_files("mems"),
    row(
        "cpuset.cpus.partition",
        2,
        "cpuset",
        constant(b"member\n"),
        _set_partition,
        mode=READ_WRITE,
        formula="member: v1 has no partitions",
        in_top=False,
    ),
)
