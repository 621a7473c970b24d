"""``lxfs status``: the containers of this machine, what each has over its files, if it answers.

Role: a look at everything, as text or JSON.
Boundary: changes nothing; raises ``UserError``; prints nothing.
Threading: single-threaded: it forks, to ask.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from lxfs import graft
from lxfs.attach import PATHS, Answers, check_root, views
from lxfs.containers import Containers, Running
from lxfs.errors import UserError
from lxfs.overmounts import CGROUPS, LXFS, SHAPES, Answer, Mounts
from lxfs.sources.host import Host
from lxfs.text import plain, table

_WORDS = {
    Answer.ANSWERS: "answers",
    Answer.DEAD: "DEAD",
    Answer.HANGS: "HANGS",
    Answer.FOREIGN: "its own: refuses the host",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """What one file is read from: ``view`` is ``lxfs`` or ``lxcfs``, or what else covers it.

    ``directory`` is where on this host that lxfs is mounted, if it is. ``answer`` is ``None`` for
    what is no view.
    """

    view: str
    directory: str = ""
    answer: Answer | None = None

    @property
    def name(self) -> str:
        """What it is called in the table."""
        if self.view == "lxfs":
            return f"lxfs on {self.directory}" if self.directory else "another lxfs"
        return self.view


@dataclass(frozen=True, slots=True)
class Status:
    """One container, the served files that it has, and ``None`` for those that are the kernel's.

    ``shape`` is that of an lxfs's cgroups over its /sys/fs/cgroup, ``""`` for none there.
    """

    container: Running
    files: Mapping[str, Shown | None] = field(default_factory=dict)
    note: str = ""
    shape: str = ""

    def rows(self) -> list[tuple[str, ...]]:
        """Return the container's lines of the table: one for each view."""
        counts: dict[Shown, int] = {}
        for shown in self.files.values():
            if shown is not None:
                counts[shown] = counts.get(shown, 0) + 1
        found = [
            (shown.name, str(count), "" if shown.answer is None else _WORDS[shown.answer])
            for shown, count in counts.items()
        ] or [("-", "0", self.note)]
        one = self.container
        heads = [(one.label, str(one.pid)), *[("", "")] * (len(found) - 1)]
        return [(*head, *row) for head, row in zip(heads, found, strict=True)]

    def as_json(self) -> dict[str, object]:
        """Return it for machines."""
        one = self.container
        return {
            "container": one.label,
            "kind": one.kind,
            "name": one.name,
            "pid": one.pid,
            "nested": one.depth > 1,
            "note": self.note or None,
            "cgroupfs": self.shape or None,
            "files": {
                f"/{path}": shown
                and {
                    "view": shown.view,
                    "mount": shown.directory or None,
                    "answers": shown.answer and shown.answer is Answer.ANSWERS,
                    "state": shown.answer and str(shown.answer),
                }
                for path, shown in self.files.items()
            },
        }


def look(host: Host) -> list[Status]:
    """Return the status of every container."""
    ours = {mount.device: mount.point for mount in views(host)}
    answers = Answers()
    found = []
    for container in Containers(host).all():
        with suppress(UserError):  # it has ended meanwhile
            found.append(_look(container, ours, answers))
    return found


def _look(container: Running, ours: Mapping[str, str], answers: Answers) -> Status:
    with graft.place(container.pid) as there:
        mounts = Mounts(there.mounts())
        known = answers.of(there, mounts)
        files: dict[str, Shown | None] = {}
        for path in (*PATHS, CGROUPS):
            spot = mounts.spot(path)
            if path == CGROUPS and spot.view is None:
                continue  # nobody asked for one
            if spot.view is not None:
                kind = "lxfs" if spot.view.fstype == LXFS else "lxcfs"
                directory = ours.get(spot.view.device, "")
                files[path] = Shown(kind, directory, known.get(spot.view.device))
            elif spot.cover and spot.top is not None:
                files[path] = Shown(f"{spot.top.source} ({spot.top.fstype})")
            elif spot.is_the_kernels:
                files[path] = None
        note = "" if files else "it has no procfs or sysfs"
        return Status(container, files, note, _shape(mounts))


def _shape(mounts: Mounts) -> str:
    view = mounts.spot(CGROUPS).view
    parts = {f"/{part}": shape for shape, part in SHAPES.items()}
    return "" if view is None else parts.get(view.root, "")


def run(*, as_json: bool) -> str:
    """Return what ``lxfs status`` prints. Raises ``UserError``."""
    check_root()
    found = look(Host())
    if as_json:
        return json.dumps([one.as_json() for one in found], indent=2) + "\n"
    if not found:
        return "no container runs here\n"
    rows = [tuple(map(plain, row)) for one in found for row in one.rows()]
    return table(("CONTAINER", "PID", "VIEW", "FILES", ""), rows)
