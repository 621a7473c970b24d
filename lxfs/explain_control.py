"""``lxfs explain`` of a control file: of which kernel files it was made, by which formula.

Role: finds the file as a process sees it, renders it as a mount does, and joins the lines with the
origins that its row states and with what was read meanwhile.
Boundary: reads; nothing is said to be a source that was not read. Raises ``UserError``.
Threading: none.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from lxfs import parse
from lxfs.cgroupfs.files import ControlFile, Group, Lists, Table, Version
from lxfs.cgroupfs.groups import Here
from lxfs.cgroupfs.layout import TOP, V2
from lxfs.cgroupfs.looking import Caller, Found, Looking
from lxfs.cgroupfs.rendering import render
from lxfs.cgroupfs.table import UNIFIED
from lxfs.errors import UsageError
from lxfs.explanation import Explanation, Lines, Source, least, limit_of, values_of
from lxfs.origin import Origin, Reading, origin_of
from lxfs.overmounts import CGROUPS, Mounts
from lxfs.sources.cgroups import CONTROLLERS
from lxfs.world import World

_ITSELF = "the kernel's own file, as it is"
_INITS = "/proc/INIT/"
_BELOW = (f"{TOP.lstrip('/')}/", f"{CGROUPS}/")


def is_named(name: str, table: Table) -> bool:
    """Return whether a name is meant to be a control file's: a path to one, or its name alone."""
    wanted = name.strip("/")
    return wanted.startswith(_BELOW) or any(wanted in files for files in table.values())


@dataclass(frozen=True, slots=True)
class _Note:
    """A kernel file that was read: of which cgroup, and what it said, if there is one."""

    file: str
    text: bytes | None
    cgroup: str | None
    own: bool


@dataclass(frozen=True, slots=True)
class _Noting:
    """A cgroup of which it is noted what is read, and of those above it."""

    here: Here
    init: int
    notes: list[_Note] = field(default_factory=list)
    own: bool = True

    def version(self, controller: str) -> Version | None:
        return self.here.version(controller)

    def text(self, controller: str, name: str) -> bytes | None:
        text = self.here.text(controller, name)
        hierarchy = self.here.hierarchy(controller)
        path = None if hierarchy is None else self.here.counted_at(hierarchy)
        self.notes.append(_Note(name, text, path, self.own))
        return text

    def up(self) -> Group | None:
        above = self.here.up()
        return None if above is None else _Noting(above, self.init, self.notes, own=False)

    def populated(self) -> bool:
        return self.here.populated()

    def host(self, path: str) -> bytes:
        text = self.here.host(path)
        self.notes.append(_Note(f"/{path}", text, None, own=False))
        return text


def explain(
    world: World, table: Table, pid: int, name: str, *, by_cgroup: bool = False
) -> Explanation:
    """Return where each line of a control file that a process sees comes from.

    ``name`` is a path in the view (``cgroup/unified/memory.max``), one that the process sees below
    its /sys/fs/cgroup, or the file's name alone: that of its own cgroup. Raises ``UsageError`` for
    a file that it does not see, ``OSError`` as reading it does.
    """
    looking = Looking(world, table)
    caller = looking.caller(pid)
    path = _path(looking, caller, name)
    try:
        return looking.ask(path, caller, lambda found: _explained(found, looking, by_cgroup))
    except FileNotFoundError as error:
        raise UsageError(
            f"{path} is not there for process {pid}: its own cgroup's is found by the name alone"
        ) from error


def _path(looking: Looking, caller: Caller, name: str) -> str:
    """Return the path in the view of a name. Raises ``UsageError``."""
    wanted = name.strip("/")
    if wanted.startswith(_BELOW[0]):
        return f"/{wanted}"
    mounts = parse.mountinfo(looking.world.host.read(f"proc/{caller.pid}/mountinfo"))
    spot = Mounts(mounts).spot(CGROUPS)
    seen = None if spot.view is None else spot.view.root
    if wanted.startswith(_BELOW[1]):
        if seen is None:
            raise UsageError(
                f"process {caller.pid} has no lxfs on its /{CGROUPS}: name the file as the view"
                f" has it, as {_BELOW[0]}{UNIFIED}/memory.max"
            )
        return f"{seen}{wanted.removeprefix(CGROUPS)}"
    # Of a name that both shapes have it is the one that the process sees, else v2's.
    names = sorted(looking.table, key=lambda each: (each == UNIFIED) is (seen == TOP))
    directory = f"{TOP}/{next(each for each in names if wanted in looking.table[each])}"
    while (leads := looking.ask(directory, caller, lambda found: found.leads)) is not None:
        directory += f"/{leads}"
    return f"{directory}/{wanted}"


def _explained(found: Found, looking: Looking, by_cgroup: bool) -> Explanation:
    control, here, caller = found.control, found.here, found.caller
    if control is None or here is None:
        raise UsageError(f"{found.path} is a directory")
    if not looking.exists(found, control):
        raise FileNotFoundError(found.path)
    group = _Noting(here, caller.pid if caller.container is None else caller.container.init)
    is_read = control.mode & 0o444  # else there is nothing to explain, and EINVAL to read
    text = render(found, looking.world.host, group) if is_read else b""
    cgroups = {
        each: (version, path)
        for each in CONTROLLERS
        if (version := here.version(each)) is not None
        and (path := here.counted_at(here.hierarchy(each) or V2)) is not None
    }
    groups = tuple(_groups(text, control, group))
    return Explanation(found.path, caller.pid, by_cgroup, caller.container, cgroups, groups=groups)


def _groups(text: bytes, control: ControlFile, group: _Noting) -> Iterator[Lines]:
    lines = text.decode(errors="surrogateescape").splitlines()
    itself = next((note for note in group.notes if note.file == control.name), None)
    if itself is not None and itself.text == text:
        said = Source(control.name, {}, "", itself.cgroup, own=itself.own)
        yield Lines(tuple(lines), _ITSELF, (said,))
        return
    for origin, some in groupby(lines, lambda line: origin_of(line, control.origins)):
        alike = tuple(some)
        if origin is None:
            raise ValueError(f"no origin is stated for {alike[0]!r}")
        yield Lines(alike, origin.formula, tuple(_sources(origin, control, group)))


def _sources(origin: Origin, control: ControlFile, group: _Noting) -> Iterator[Source]:
    """Yield what was read of what an origin names: of files of the other shape, or of a list."""
    readings = origin.v2 if control.shape == 1 else origin.v1
    if isinstance(control.view, Lists):
        readings = (*origin.v1, *origin.v2)
    for reading in dict.fromkeys((*readings, *origin.host)):
        notes = list(dict.fromkeys(note for note in group.notes if note.file == reading.file))
        if reading.kind == "zero":
            yield Source(reading.file, note=f"0, {' '.join(reading.names)}")
        elif reading.kind == "smallest":
            yield _smallest(reading, notes)
        elif reading.file.startswith(_INITS):  # by which its cgroup was found
            yield Source(reading.file.replace("INIT", str(group.init)))
        elif notes:
            yield _one(reading, notes)


def _one(reading: Reading, notes: Sequence[_Note]) -> Source:
    """Return what was taken of a file: of the nearest cgroup that says anything."""
    said = next((note for note in notes if (note.text or b"").strip()), notes[0])
    if said.text is None:
        return Source(reading.file, note="this kernel has no such file here")
    values = values_of(said.text, reading.names)
    return Source(reading.file, values, "", said.cgroup, own=said.own)


def _smallest(reading: Reading, notes: Iterable[_Note]) -> Source:
    limits = []
    for note in notes:
        limit = None if note.text is None else limit_of(reading.file, note.text)
        if limit is not None and note.text is not None:
            said = {"": note.text.decode(errors="replace").strip()}
            limits.append((limit, Source(reading.file, said, "", note.cgroup, own=note.own)))
    return least(reading.file, limits)
