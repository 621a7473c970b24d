"""How a row of the table is made: the kernel's own text where it has the shape, else what derives.

Role: the rule that all files share, and the questions that their formulas ask of a cgroup.
Boundary: pure; asks the ``Group`` that it is given.
Threading: pure functions.
"""

import errno
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from lxfs.cgroupfs.files import ControlFile, Group, Meaning, Version, View, Write
from lxfs.cgroupfs.texts import refuse, unsigned, written
from lxfs.model import SourceError
from lxfs.origin import Origin, Reading

_T = TypeVar("_T")


class MissingError(SourceError):
    """The kernel lacks what a file is made of: there is no such file, either."""


READ_ONLY, READ_WRITE, WRITE_ONLY = 0o444, 0o644, 0o200


def row(
    name: str,
    shape: Version,
    controller: str,
    derived: View,
    meant: Meaning | None = None,
    *,
    mode: int | None = None,
    formula: str,
    of: Sequence[Reading] = (),
    lines: Sequence[Origin] = (),
    in_top: bool = True,
    is_own: Callable[[Group], bool] | None = None,
) -> ControlFile:
    """Return a file that is the kernel's own where that has the ``shape``.

    Elsewhere ``derived`` makes its text of the other shape's files, and ``meant`` makes of what is
    written to it writes to those; without ``meant`` it cannot be written (EOPNOTSUPP) if its
    ``mode`` lets it be. ``formula`` and the files that it is ``of``, or origins by ``lines``, say
    how it is made.

    Where a cgroup does not have the controller there is no file; one that says itself whether it
    ``is_own`` is derived then, too.
    """

    def own(group: Group) -> bool | None:
        if is_own is not None:
            return is_own(group)
        version = group.version(controller)
        return None if version is None else version == shape

    def view(group: Group) -> bytes | None:
        match own(group):
            case None:
                return None
            case True:
                return group.text(controller, name)
        try:
            return derived(group)
        except MissingError:
            return None

    def takes(group: Group, text: bytes) -> Sequence[Write]:
        if own(group):
            return (Write(controller, name, text),)
        if not text:
            return ()  # the kernel does not look at nothing
        if meant is None:
            refuse(errno.EOPNOTSUPP)
        return meant(group, written(text))

    if mode is None:
        mode = READ_ONLY if meant is None else READ_WRITE
    return ControlFile(
        name,
        shape,
        controller,
        view,
        mode=mode,
        takes=takes if mode & 0o222 else None,
        in_top=in_top,
        origins=_origins(name, shape, formula, tuple(of), tuple(lines)),
    )


def _origins(
    name: str, shape: Version, formula: str, of: tuple[Reading, ...], lines: tuple[Origin, ...]
) -> tuple[Origin, ...]:
    if lines:
        return lines
    own = (Reading(name),)
    if shape == 1:
        return (Origin(("*",), formula, v1=own, v2=of),)
    return (Origin(("*",), formula, v1=of, v2=own),)


def ask(group: Group, controller: str, name: str, shape: Callable[[bytes], _T]) -> _T | None:
    """Return what ``shape`` makes of a kernel's file, ``None`` where there is no such file.

    Raises ``SourceError``, EIO for a file of another shape.
    """
    text = group.text(controller, name)
    return None if text is None else _shaped(text, name, shape)


def ask_host(group: Group, path: str, shape: Callable[[bytes], _T]) -> _T:
    """Return what ``shape`` makes of a file of the host. Raises ``SourceError`` as ``ask`` does."""
    return _shaped(group.host(path), path, shape)


def _shaped(text: bytes, name: str, shape: Callable[[bytes], _T]) -> _T:
    try:
        return shape(text)
    except ValueError as error:
        raise SourceError(errno.EIO, str(error), name) from error


def need(group: Group, controller: str, name: str, shape: Callable[[bytes], _T]) -> _T:
    """Return the same of a file that there must be. Raises ``MissingError`` without it."""
    value = ask(group, controller, name, shape)
    if value is None:
        raise MissingError(errno.ENOENT, "the cgroup has no such file", name)
    return value


def levels(group: Group) -> Iterator[Group]:
    """Yield the cgroup and each above it."""
    at: Group | None = group
    while at is not None:
        yield at
        at = at.up()


def smallest(
    group: Group, controller: str, name: str, shape: Callable[[bytes], int | None]
) -> int | None:
    """Return the smallest limit over a cgroup and all above it, ``None`` for none."""
    found = [ask(level, controller, name, shape) for level in levels(group)]
    return min((limit for limit in found if limit is not None), default=None)


def nearest(
    group: Group, controller: str, names: Sequence[str], shape: Callable[[bytes], Sequence[int]]
) -> Sequence[int]:
    """Return the first list, upwards, that is not empty; empty when none is."""
    for level in levels(group):
        for name in names:
            if found := ask(level, controller, name, shape):
                return found
    return ()


ALONE = "not there on hosts of the other shape"


def alone(
    name: str, shape: Version, controller: str, *, mode: int = READ_ONLY, in_top: bool = True
) -> ControlFile:
    """Return a file that the other shape has nothing for: the kernel's own where it has it."""
    return row(
        name,
        shape,
        controller,
        constant(None),
        mode=mode,
        formula=f"the kernel's own; {ALONE}",
        in_top=in_top,
        is_own=None if controller else lambda group: group.text("", name) is not None,
    )


def write_only(name: str, shape: Version, controller: str, *, in_top: bool = True) -> ControlFile:
    """Return a file that there is where the kernel has it, and that is for writing alone.

    Its view raises what the kernel answers to a reader who may: EINVAL.
    """

    def view(group: Group) -> bytes | None:
        if controller and group.version(controller) != shape:
            return None
        return group.text(controller, name)

    return ControlFile(
        name,
        shape,
        controller,
        view,
        mode=WRITE_ONLY,
        takes=lambda _, text: (Write(controller, name, text),),
        in_top=in_top,
        origins=_origins(name, shape, f"for writing; {ALONE}", (), ()),
    )


def only(number: int, otherwise: int = errno.EINVAL) -> Meaning:
    """Return the meaning of a file that takes one number, which is what it says already."""

    def meant(_: Group, text: bytes) -> Sequence[Write]:
        if unsigned(text) != number:
            refuse(otherwise)
        return ()

    return meant


def switch(*, on: bool) -> Meaning:
    """Return the meaning of a switch that cannot be turned: any number but 0 is on."""

    def meant(_: Group, text: bytes) -> Sequence[Write]:
        if bool(unsigned(text)) is not on:
            refuse(errno.EOPNOTSUPP)
        return ()

    return meant


def constant(text: bytes | None) -> View:
    """Return a view of a text that is always the same."""
    return lambda _: text


def same(controller: str, name: str) -> tuple[View, Meaning]:
    """Return view and meaning of a file that both shapes have, of this name and format."""
    return (
        lambda group: group.text(controller, name),
        lambda _, text: (Write(controller, name, text),),
    )
