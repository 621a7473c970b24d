"""The containers of this machine, whoever started them, and what they are called.

Role: /proc in, running containers out, each with the process that stands for it; a name or a pid
of the command line to one of them.
Boundary: reads /proc and the state files that container engines keep for root; starts nothing and
asks no daemon. A container writes what it likes into the names of its own cgroups and processes:
only the outermost part of a cgroup's path names it, and only a process of the host's own pid
namespace says who started it.
Threading: none.
"""

import contextlib
import errno
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import pairwise
from pathlib import PurePosixPath

from lxfs import parse
from lxfs.errors import UserError
from lxfs.model import SourceError
from lxfs.sources.host import Host

_ID = "[0-9a-f]{64}"
_LABELS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("lxc", re.compile(r"lxc\.payload\.(.+)")),
    ("nspawn", re.compile(r"machine-(.+)\.scope|systemd-nspawn@(.+)\.service")),
    ("podman", re.compile(rf"libpod-({_ID})(?:\.scope)?")),
    ("docker", re.compile(rf"docker-({_ID})\.scope")),
    ("containerd", re.compile(rf"cri-containerd-({_ID})\.scope")),
    ("cri-o", re.compile(rf"crio-({_ID})(?:\.scope)?")),
    ("oci", re.compile(rf"({_ID})")),
    ("lxfs run", re.compile(r"lxfs-run-(.+)")),
)
_ENGINES = frozenset({"podman", "docker", "containerd", "cri-o", "oci"})
"""Those that may put several containers into one pid namespace (a pod)."""
_ESCAPED = re.compile(r"\\x([0-9a-f]{2})")
_MONITOR = "[lxc monitor] "
_MONITORS = {"lxd": "lxd", "incusd": "incus"}
_SHOWN_ID = 12
_PREFIX = re.compile(r"[0-9a-f]{4,63}")


@dataclass(frozen=True, slots=True)
class Running:
    """A running container.

    ``pid`` is its init as we number it, or where several share a pid namespace the oldest process
    of this one. ``kind`` and ``name`` say who runs it under what name, ``names`` what else it is
    called; ``home`` is where its daemon keeps containers. ``depth`` counts pid namespaces
    below ours: 2 is a container in a container.
    """

    pid: int
    kind: str
    name: str
    names: tuple[str, ...] = ()
    home: str = ""
    depth: int = 1

    @property
    def label(self) -> str:
        """What is said of it on the command line, and understood there."""
        return f"{self.kind}:{self.name or self.pid}"

    def is_called(self, wanted: str, match: Callable[[str, str], bool] = str.__eq__) -> bool:
        """Return whether a name, ``kind:name`` or pid is this container's."""
        kind, colon, name = wanted.partition(":")
        if colon and kind == self.kind:
            wanted = name
        return any(match(name, wanted) for name in (self.name, *self.names, str(self.pid)) if name)


@dataclass(frozen=True, slots=True)
class _Process:
    pid: int
    parent: int
    starttime: int
    namespace: int
    nspid: tuple[int, ...]
    label: tuple[str, str]


def label_of(paths: Mapping[str, str]) -> tuple[str, str]:
    """Return kind and name by the cgroups of a process: the outermost part that says so."""
    for path in sorted(set(paths.values()), key=len, reverse=True):
        for part in path.split("/"):
            for kind, shape in _LABELS:
                if match := shape.fullmatch(part):
                    return kind, next(group for group in match.groups() if group)
    return "", ""


def unescaped(name: str) -> str:
    """Undo systemd's escapes in the name of a unit (``man 1 systemd-escape``)."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), name)


def monitor(cmdline: bytes) -> tuple[str, str] | None:
    """Return directory and name from the title of LXC's monitor process, if it is one."""
    title = cmdline.rstrip(b"\0").decode(errors="replace")
    directory, space, name = title.removeprefix(_MONITOR).rpartition(" ")
    return (directory, name) if title.startswith(_MONITOR) and space else None


def nspawn_name(cmdline: bytes) -> str | None:
    """Return the machine's name from the command line of systemd-nspawn, if that says it."""
    arguments = [word.decode(errors="replace") for word in cmdline.rstrip(b"\0").split(b"\0")]
    if PurePosixPath(arguments[0]).name != "systemd-nspawn":
        return None
    given: dict[str, str] = {}
    for number, word in enumerate(arguments[1:], start=1):
        for option in ("--machine", "-M", "--directory", "-D", "--image", "-i"):
            if word == option and number + 1 < len(arguments):
                given[option.lstrip("-")[0].lower()] = arguments[number + 1]
            elif word.startswith(f"{option}=") or (
                len(option) == len("-M") and word.startswith(option) and word != option
            ):
                given[option.lstrip("-")[0].lower()] = word[len(option) :].removeprefix("=")
    if name := given.get("m"):
        return name
    tree = given.get("d") or given.get("i")
    return PurePosixPath(tree).name.removesuffix(".raw") if tree else ""


def conmon_name(cmdline: bytes) -> tuple[str, tuple[str, ...]] | None:
    """Return name and ids from the command line of conmon, which podman puts above containers."""
    said = _options(cmdline)
    name, number = said.get("-n"), said.get("-c", "")
    return (name, (number, number[:_SHOWN_ID])) if name and re.fullmatch(_ID, number) else None


def _options(cmdline: bytes) -> dict[str, str]:
    """Return each word of a command line with the one after it."""
    words = [word.decode(errors="replace") for word in cmdline.rstrip(b"\0").split(b"\0")]
    return dict(pairwise(words))


class Containers:
    """What runs on a machine at the moment of asking."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._own = host.pid_namespace("self")
        self._states: dict[int, tuple[str, str]] | None = None
        self._ids: dict[str, str] | None = None

    def all(self) -> list[Running]:
        """Return every container, those in containers included, by kind and name."""
        groups: dict[tuple[object, ...], list[_Process]] = {}
        for process in self._processes():
            kind, _ = process.label
            whose = process.label if kind in _ENGINES else None
            groups.setdefault((process.namespace, whose), []).append(process)
        found = [self._running(processes) for processes in groups.values()]
        return sorted(found, key=lambda one: (one.kind, one.name, one.pid))

    def of(self, pid: int) -> Running:
        """Return the container of a process, which then stands for it. Raises ``UserError``."""
        try:
            process = self._process(pid)
        except SourceError as error:
            if error.errno not in (errno.ENOENT, errno.ESRCH):
                raise UserError(f"process {pid} cannot be looked at: {error.strerror}") from error
            raise UserError(f"there is no process {pid}, or it is ending") from error
        if process is None:
            raise UserError(
                f"process {pid} is in the host's own pid namespace: it is shown the host's figures"
                " with or without lxfs"
            )
        return self._running([process])

    def named(self, wanted: str) -> Running:
        """Return the container of a name, ``kind:name`` or pid. Raises ``UserError``."""
        if wanted.isdecimal() and int(wanted) > 0:
            return self.of(int(wanted))
        if wanted.isdecimal():
            raise UserError("0 is not a process: give the pid or the name of a container")
        # What runs in a container chooses its own names.
        outer = [one for one in self.all() if one.depth == 1]
        found = [one for one in outer if one.is_called(wanted)]
        if not found and _PREFIX.fullmatch(wanted):
            found = [one for one in outer if one.is_called(f"{wanted}*", fnmatchcase)]
            found = [one for one in found if any(re.fullmatch(_ID, name) for name in one.names)]
        if not found:
            raise UserError(f"no running container is called {wanted!r}; see 'lxfs status'")
        if len(found) > 1:
            listed = ", ".join(
                f"pid {one.pid} ({one.label}{f' in {one.home}' if one.home else ''})"
                for one in found
            )
            raise UserError(f"{len(found)} containers are called {wanted!r}; give a pid: {listed}")
        return found[0]

    def matching(self, patterns: Iterable[str]) -> list[Running]:
        """Return all containers, or those that a shell pattern such as ``lxd:web*`` names."""
        wanted = list(patterns)
        return [
            one
            for one in self.all()
            if not wanted or any(one.is_called(pattern, fnmatchcase) for pattern in wanted)
        ]

    def _processes(self) -> Iterator[_Process]:
        for name in self._host.names("proc"):
            if name.isdecimal():
                with contextlib.suppress(SourceError):  # gone, or a thread of the kernel
                    process = self._process(int(name))
                    if process is not None:
                        yield process

    def _process(self, pid: int) -> _Process | None:
        host = self._host
        namespace = host.pid_namespace(pid)
        if namespace == self._own:
            return None
        paths = host.cgroup_paths(pid, keep=False)
        status = host.task_status(pid)
        stat = host.read(f"proc/{pid}/stat")
        fields = stat[stat.rfind(b")") + 2 :].split()
        started = parse.process(stat).starttime
        return _Process(pid, int(fields[1]), started, namespace, status.nspid, label_of(paths))

    def _running(self, processes: list[_Process]) -> Running:
        first = min(processes, key=lambda one: (one.nspid[-1] != 1, one.starttime, one.pid))
        depth = len(first.nspid) - 1
        kind, name = first.label
        if depth > 1:
            return Running(first.pid, "nested", f"{name or first.pid}/{first.pid}", depth=depth)
        for said in (self._by_parent(first), self._by_state(first.pid)):
            if said is not None:
                return said
        if kind in _ENGINES:
            return self._by_id(first.pid, kind, name)
        if kind == "nspawn":
            name = unescaped(name)
        return Running(first.pid, kind or "pidns", "" if kind == "lxfs run" else name)

    def _by_id(self, pid: int, kind: str, number: str) -> Running:
        name = self._engines_names().get(number, number[:_SHOWN_ID])
        return Running(pid, kind, name, (number, number[:_SHOWN_ID]))

    def _by_parent(self, process: _Process) -> Running | None:
        """Return what the supervisor says of it: LXC's monitor, or systemd-nspawn."""
        try:
            if self._host.pid_namespace(process.parent) != self._own:
                return None
            cmdline = self._host.read(f"proc/{process.parent}/cmdline")
            program = self._host.link(f"proc/{process.parent}/exe")
        except SourceError:
            return None
        program = PurePosixPath(program.removesuffix(" (deleted)")).name
        if (title := monitor(cmdline)) is not None:
            home, name = title
            # Of a project other than the default: PROJECT_NAME.
            names = (name.split("_", 1)[1],) if "_" in name else ()
            return Running(process.pid, _MONITORS.get(program, "lxc"), name, names, home)
        if program == "conmon" and (named := conmon_name(cmdline)) is not None:
            return Running(process.pid, "podman", *named)
        if program.startswith("containerd-shim"):
            said = _options(cmdline)
            number = said.get("-id", "")
            kind = "docker" if said.get("-namespace") == "moby" else "containerd"
            return self._by_id(process.pid, kind, number)
        if program == "systemd-nspawn" and (machine := nspawn_name(cmdline)) is not None:
            return Running(process.pid, "nspawn", machine or unescaped(process.label[1]))
        return None

    def _by_state(self, pid: int) -> Running | None:
        """Return what runc or crun, used by itself, has written down of an init."""
        if self._states is None:
            self._states = dict(self._engines_states())
        if pid not in self._states:
            return None
        kind, name = self._states[pid]
        if re.fullmatch(_ID, name):
            return None  # an engine's; it has a better name for it
        return Running(pid, kind, name)

    def _engines_states(self) -> Iterator[tuple[int, tuple[str, str]]]:
        for kind, file, key in (
            ("runc", "state.json", "init_process_pid"),
            ("crun", "status", "pid"),
        ):
            for name in self._names(f"run/{kind}"):
                state = self._json(f"run/{kind}/{name}/{file}")
                if isinstance(state, dict) and isinstance(state.get(key), int):
                    yield state[key], (kind, name)

    def _engines_names(self) -> Mapping[str, str]:
        """Return the names that podman and docker gave to ids."""
        if self._ids is not None:
            return self._ids
        self._ids = {}
        storage = "var/lib/containers/storage"
        listed = self._json(f"{storage}/overlay-containers/containers.json")
        listed = listed or self._json(f"{storage}/vfs-containers/containers.json")
        for entry in listed if isinstance(listed, list) else ():
            if isinstance(entry, dict) and entry.get("id") and entry.get("names"):
                self._ids[str(entry["id"])] = str(entry["names"][0])
        for number in self._names("var/lib/docker/containers"):
            entry = self._json(f"var/lib/docker/containers/{number}/config.v2.json")
            if isinstance(entry, dict) and entry.get("Name"):
                self._ids[number] = str(entry["Name"]).lstrip("/")
        return self._ids

    def _names(self, directory: str) -> list[str]:
        try:
            return self._host.names(directory)
        except SourceError:
            return []

    def _json(self, path: str) -> object:
        try:
            found: object = json.loads(self._host.read(path))
        except (SourceError, ValueError):
            return None
        return found
