"""``lxfs explain``: each line of a container's file with the kernel files and the formula it is of.

Role: joins a rendering, the origins that the views state, and what was read for it.
Boundary: needs no mount and changes nothing. Renders by the same table as a mount does, from
files that are each read once: what is said of a figure is what the figure was made of. Returns
text and values; raises ``UserError``.
Threading: none; what sampling a load starts is stopped.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from itertools import groupby

from lxfs import explain_control, parse
from lxfs.cgroupfs.table import TABLE
from lxfs.entries import File
from lxfs.errors import UsageError, UserError
from lxfs.explanation import Explanation, Lines, Source, least, limit_of, values_of
from lxfs.identity import Identity
from lxfs.model import Container, SourceError
from lxfs.origin import Origin, Reading, origin_of
from lxfs.sources import cgroup1, cgroup2
from lxfs.sources.cgroups import CONTROLLERS, Hierarchies, size_name
from lxfs.sources.host import Host
from lxfs.sources.place import Place
from lxfs.table import FILES, MIRRORS
from lxfs.world import Snapshot, World

_THREADS = ("tasks", "cgroup.threads")


class _Readings:
    """What the readings of an origin say for one container, by version of each controller."""

    def __init__(
        self, host: Host, hierarchies: Hierarchies, container: Container, paths: Mapping[str, str]
    ) -> None:
        self._host = host
        self._hierarchies = hierarchies
        self._container = container
        self._paths = paths
        size = parse.meminfo(host.record("proc/meminfo")).get(b"Hugepagesize", 0)
        self._huge_page = size_name(size)

    def of(self, origin: Origin) -> tuple[Source, ...]:
        """Return the sources of an origin's lines."""
        found: list[Source] = []
        for version, readings in ((1, origin.v1), (2, origin.v2)):
            for each in readings:
                reading = replace(each, file=each.file.replace("SIZE", self._huge_page))
                place = self._place(reading.file)
                if place is not None and place[1] == version:
                    found.append(self._of_cgroup(reading, *place))
                elif place is None and version == 2:  # noqa: PLR2004 - said once
                    found.append(Source(reading.file, note="no hierarchy has the controller"))
        return (*found, *(self._of_host(reading) for reading in origin.host))

    def _place(self, file: str) -> tuple[Place, int] | None:
        if file in _THREADS:
            own = {cgroup.hierarchy: cgroup.path for cgroup in self._container.own}
            return self._hierarchies.thread_place(own or self._paths)
        if file.endswith(".pressure"):
            place = self._hierarchies.unified(self._paths)
            return None if place is None else (place, 2)
        controller = "cpuacct" if file == "cpu.stat" else file.partition(".")[0]
        return self._hierarchies.place({"blkio": "io"}.get(controller, controller), self._paths)

    def _of_host(self, reading: Reading) -> Source:
        file = reading.file.replace("INIT", str(self._container.init))
        text = self._host.records(file.lstrip("/"))
        if reading.names == ("starttime",):
            return Source(file, {"starttime": str(parse.process(text).starttime)}, "in 1/100 s")
        return Source(file, values_of(text, reading.names))

    def _of_cgroup(self, reading: Reading, place: Place, version: int) -> Source:
        match reading.kind:
            case "smallest" | "quota":
                return _smallest(reading, place)
            case "headroom":
                return _headroom(reading, place, version)
            case "listed":
                count = {"": str(len(place.tree_of_integers(reading.file)))}
                why = "number of lines, those of cgroups below included"
                return Source(reading.file, count, why, _path(place), own=True)
            case "zero":
                return Source(reading.file, note=f"0, {' '.join(reading.names)}")
        # As the sources do: the nearest that has the file is where the kernel counts.
        for level in place.ancestry:
            text = level.read_if_any(reading.file, bytes)
            if text is not None and (text.strip() or reading.kind != "nearest"):
                values = values_of(text, reading.names)
                return Source(reading.file, values, "", _path(level), own=level is place)
        return Source(reading.file, note="this kernel has no such file here")


def _path(place: Place) -> str:
    """Return what /proc/PID/cgroup calls a place."""
    return place.root.rstrip("/") + place.path or "/"


def _smallest(reading: Reading, place: Place) -> Source:
    limits: list[tuple[int | Fraction, Source]] = []
    for level in place.limiting:
        text = level.read_if_any(reading.file, bytes)
        if text is None:
            continue
        said = text.decode(errors="replace").strip()
        if reading.kind == "quota":
            period = level.read(reading.names[0], bytes)
            limit: int | Fraction | None = parse.v1_quota(text, period)
            said += f" of {period.decode(errors='replace').strip()}"
        else:
            limit = limit_of(reading.file, text)
        if limit is not None:
            source = Source(reading.file, {"": said}, "", _path(level), own=level is place)
            limits.append((limit, source))
    return least(reading.file, limits)


def _headroom(reading: Reading, place: Place, version: int) -> Source:
    left = (cgroup1 if version == 1 else cgroup2).left
    parse_limit = parse.v1_limit if version == 1 else parse.integer_or_max
    above = [
        (left(level, limit), level)
        for level, limit in place.limits(reading.file, parse_limit)
        if level is not place
    ]
    if not above:
        return Source(reading.file, note="no ancestor is limited")
    least, level = min(above, key=lambda found: found[0])
    why = f"the least of {len(above)}" if len(above) > 1 else "the only limited ancestor"
    return Source(reading.file, {"has left": str(least)}, why, _path(level))


def _find(name: str, host: Host, now: Snapshot | None) -> File:
    """Return the served file of a path, or of what is left of it below its usual directory.

    Raises ``UsageError`` for one that the caller is not shown.
    """
    wanted = name.strip("/")
    for file in FILES:
        if file.path in (wanted, f"proc/{wanted}"):
            return file
    for mirror in MIRRORS:
        with contextlib.suppress(OSError):
            found = mirror.find(host, wanted.removeprefix(f"{mirror.path}/"), now)
            if isinstance(found, File):
                return found
    known = [f"/{file.path}" for file in FILES]
    known += [f"those below /{mirror.path} that it sees" for mirror in MIRRORS]
    raise UsageError(f"{name!r} is not a file that it is shown; these are: {', '.join(known)}")


def explain(
    host: Host, pid: int, name: str, *, by_cgroup: bool = False, cpus_by_quota: bool = True
) -> Explanation:
    """Return where each line of a file that a process is shown comes from.

    ``pid`` is any process of the container, as the host numbers it. Raises ``UserError``.
    """
    try:
        hierarchies = Hierarchies.find(host)
        identity = Identity(host, hierarchies if by_cgroup else None)
        container = identity.container(pid)
        if explain_control.is_named(name, TABLE):
            world = replace(World.of(host, cpus_by_quota=cpus_by_quota), identity=identity)
            return _of_cgroups(world, pid, name, by_cgroup=by_cgroup)
        if container is None:
            return Explanation(f"/{_find(name, host, None).path}", pid, by_cgroup)
        paths = identity.cgroup_paths(container)
    except SourceError as error:
        if not os.path.exists(host.path(f"proc/{pid}")):  # noqa: PTH110 - a joined string
            raise UserError(f"there is no process {pid}") from error
        raise UserError(f"process {pid} cannot be placed: {_why(error)}") from error
    moment = host.at_one_moment()
    world = replace(World.of(moment, cpus_by_quota=cpus_by_quota), identity=identity)
    with contextlib.closing(world.loads):
        now = Snapshot(world, container)
        file = _find(name, moment, now)
        try:
            text = file.view(now).decode(errors="surrogateescape")
            readings = _Readings(moment, world.hierarchies, container, paths)
            groups = tuple(_groups(text, file, readings))
        except (OSError, ValueError) as error:
            raise UserError(f"/{file.path} is an error to its readers: {_why(error)}") from error
    return Explanation(
        f"/{file.path}",
        pid,
        by_cgroup,
        container,
        {
            controller: (found[1], _path(found[0]))
            for controller in CONTROLLERS
            if (found := world.hierarchies.place(controller, paths)) is not None
        },
        file.remembers,
        groups,
    )


def _of_cgroups(world: World, pid: int, name: str, *, by_cgroup: bool) -> Explanation:
    with contextlib.closing(world.loads):
        try:
            return explain_control.explain(world, TABLE, pid, name, by_cgroup=by_cgroup)
        except (OSError, ValueError) as error:
            raise UserError(f"{name} is an error to its readers: {_why(error)}") from error


def _why(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{error.strerror}: {error.filename}"
    return str(error)


def _groups(text: str, file: File, readings: _Readings) -> Iterator[Lines]:
    for origin, group in groupby(text.splitlines(), lambda line: origin_of(line, file.origins)):
        lines = tuple(group)
        if origin is None:
            raise ValueError(f"no origin is stated for {lines[0]!r}")
        yield Lines(lines, origin.formula, readings.of(origin))


def run(pid: int, name: str, *, by_cgroup: bool, cpus_by_quota: bool, as_json: bool) -> str:
    """Return what ``lxfs explain`` prints. Raises ``UserError``."""
    if os.geteuid() != 0:
        raise UserError("lxfs must be root: it looks at other users' processes; try sudo")
    said = explain(Host(), pid, name, by_cgroup=by_cgroup, cpus_by_quota=cpus_by_quota)
    return said.as_json() + "\n" if as_json else said.as_text()
