"""The files that every cgroup has, whatever its controllers, in both shapes.

Role: what each says where the v2 tree has controllers missing, or is not mounted at all, and what
a write to it means there.
Boundary: pure. Lists of ids are made elsewhere. Formats are the kernel's (kernel/cgroup/cgroup.c,
cgroup-v1.c).
Threading: pure functions.
"""

import errno
from collections.abc import Callable, Sequence

from lxfs.cgroupfs.files import ControlFile, Group, Lists, Version, Write
from lxfs.cgroupfs.pids import FREEZE, frozen
from lxfs.cgroupfs.rows import READ_WRITE, constant, row, switch, write_only
from lxfs.cgroupfs.texts import keyed, refuse, signed, stripped
from lxfs.origin import Origin, value

CONTROLLERS = ("cpuset", "cpu", "io", "memory", "hugetlb", "pids", "rdma", "misc", "dmem")
"""v2's, in the order in which the kernel names them (include/linux/cgroup_subsys.h)."""


def _is_there(name: str) -> Callable[[Group], bool]:
    return lambda group: group.text("", name) is not None


def _on_v1(group: Group) -> set[str]:
    return {name for name in CONTROLLERS if group.version(name) == 1}


def _listed(group: Group, name: str) -> bytes:
    """Return a list of controllers: the v2 tree's own, and those that v1 has here."""
    own = (group.text("", name) or b"").decode(errors="replace").split()
    others = _on_v1(group).union(own)
    names = [known for known in CONTROLLERS if known in others]
    names += [other for other in own if other not in CONTROLLERS]
    return f"{' '.join(names)}\n".encode() if names else b""


def _controllers(group: Group) -> bytes:
    return _listed(group, "cgroup.controllers")


def _subtree_control(group: Group) -> bytes:
    return _listed(group, "cgroup.subtree_control")


def _set_subtree_control(group: Group, text: bytes) -> Sequence[Write]:
    """Hand controllers down: those on v1 are in every cgroup, and cannot be withheld."""
    available = _controllers(group).decode().split()
    for_v2 = []
    for word in stripped(text).decode(errors="replace").split(" "):
        sign, name = word[:1], word[1:]
        if not word:
            continue
        if name not in CONTROLLERS or sign not in ("+", "-"):
            refuse(errno.EINVAL)
        if name not in available and sign == "+":
            refuse(errno.ENOENT)
        if name not in _on_v1(group):
            for_v2.append(word)
        elif sign == "-":
            refuse(errno.EOPNOTSUPP)
    if not for_v2:
        return ()
    return (Write("", "cgroup.subtree_control", f"{' '.join(for_v2)}\n".encode()),)


def _events(group: Group) -> bytes:
    return keyed({"populated": int(group.populated()), "frozen": frozen(group)})


def _set_type(_: Group, text: bytes) -> Sequence[Write]:
    refuse(errno.EINVAL if stripped(text) != b"threaded" else errno.EOPNOTSUPP)


def _set_most(_: Group, text: bytes) -> Sequence[Write]:
    if stripped(text) != b"max":
        refuse(errno.ERANGE if signed(stripped(text), bits=32) < 0 else errno.EOPNOTSUPP)
    return ()


def _listing(name: str, which: Lists, shape: Version) -> ControlFile:
    formula = "the host's, as the caller numbers them, without those it cannot see"
    in_v1 = "tasks" if which is Lists.THREADS else name
    in_v2 = "cgroup.threads" if which is Lists.THREADS else name
    origins = (Origin(("*",), formula, v1=(value(in_v1),), v2=(value(in_v2),)),)
    return ControlFile(name, shape, "", which, mode=READ_WRITE, takes=which, origins=origins)


def _pressure(resource: str) -> ControlFile:
    name = f"{resource}.pressure"
    return row(
        name,
        2,
        "",
        lambda _: None,
        formula="the kernel's own, of the v2 tree; no file where it keeps none",
        is_own=_is_there(name),
    )


def v1(controller: str) -> tuple[ControlFile, ...]:
    """Return the files of every cgroup in the v1 hierarchy of a controller."""
    return (
        _listing("cgroup.procs", Lists.PROCESSES, 1),
        _listing("tasks", Lists.THREADS, 1),
        *(
            row(
                name,
                1,
                controller,
                constant(b"0\n"),
                switch(on=False),
                formula="0: v2 has nothing like it",
                is_own=lambda group: group.version(controller) == 1,
            )
            for name in ("notify_on_release", "cgroup.clone_children")
        ),
    )


def v2() -> tuple[ControlFile, ...]:
    """Return the files of every v2 cgroup."""
    return (
        _listing("cgroup.procs", Lists.PROCESSES, 2),
        _listing("cgroup.threads", Lists.THREADS, 2),
        row(
            "cgroup.controllers",
            2,
            "",
            _controllers,
            formula="the v2 tree's own, and those that have a v1 hierarchy",
            of=(value("/proc/INIT/cgroup"),),
            is_own=lambda group: not _on_v1(group) and _is_there("cgroup.controllers")(group),
        ),
        row(
            "cgroup.subtree_control",
            2,
            "",
            _subtree_control,
            _set_subtree_control,
            formula="the same: a v1 hierarchy's controller is in every cgroup",
            of=(value("/proc/INIT/cgroup"),),
            is_own=lambda group: not _on_v1(group) and _is_there("cgroup.subtree_control")(group),
        ),
        row(
            "cgroup.events",
            2,
            "",
            _events,
            formula="the kernel's own wherever the v2 tree is mounted; else whether there is any"
            " process in it or below it, and whether it is frozen",
            of=(value("cgroup.procs"), value("freezer.state")),
            in_top=False,
            is_own=_is_there("cgroup.events"),
        ),
        row(
            "cgroup.type",
            2,
            "",
            constant(b"domain\n"),
            _set_type,
            formula="the kernel's own wherever the v2 tree is mounted; else domain",
            in_top=False,
            is_own=_is_there("cgroup.type"),
        ),
        row(
            "cgroup.stat",
            2,
            "",
            lambda _: None,
            formula="the kernel's own, of the v2 tree; no file where that is not mounted",
            is_own=_is_there("cgroup.stat"),
        ),
        *(
            row(
                name,
                2,
                "",
                constant(b"max\n"),
                _set_most,
                formula="the kernel's own wherever the v2 tree is mounted; else max",
                is_own=_is_there(name),
            )
            for name in ("cgroup.max.depth", "cgroup.max.descendants")
        ),
        FREEZE,
        write_only("cgroup.kill", 2, "", in_top=False),
        *(_pressure(resource) for resource in ("cpu", "memory", "io")),
    )
