"""``lxfs attach`` and ``lxfs detach``: the view in containers that already run.

Role: which view, which containers, look, do, look again; one line about each.
Boundary: what is to be done is decided in overmounts.py, and done in graft.py. Prints nothing;
raises ``UserError``.
Threading: single-threaded: it forks.
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from lxfs import graft, probe
from lxfs.containers import Containers, Running
from lxfs.errors import UsageError, UserError
from lxfs.overmounts import (
    CGROUPS,
    LXFS,
    NESTS,
    SHAPES,
    Answer,
    Mounts,
    Plan,
    Spot,
    to_attach,
    to_attach_cgroups,
    to_detach,
)
from lxfs.parse import Mount
from lxfs.sources.host import Host
from lxfs.table import FILES, MIRRORS

PATHS = (*(file.path for file in FILES), *(mirror.path for mirror in MIRRORS))
USUAL = tuple(f"/{path}" for path in reversed(NESTS))
"""Where the view is looked for first, where there are several."""
_LOOKS = 32
"""Mounts that may be stacked on one file."""


@dataclass(frozen=True, slots=True)
class View:
    """An lxfs mount of this host, and a descriptor of it."""

    directory: str
    device: str
    root: int


def views(host: Host) -> list[Mount]:
    """Return the whole lxfs mounts that this process sees, each filesystem once."""
    found: dict[str, Mount] = {}
    for mount in host.mounts():
        if mount.fstype == LXFS and mount.root == "/":
            found.setdefault(mount.device, mount)
    return sorted(found.values(), key=lambda mount: mount.point not in USUAL)


def _mounted_on(there: Sequence[Mount], directory: str) -> Mount:
    """Return the lxfs of a directory. Raises ``UserError``."""
    # Links are followed up to the directory only: a look at itself is answered by its server.
    above, name = os.path.split(os.path.abspath(directory))  # noqa: PTH100 - links are kept
    real = os.path.join(os.path.realpath(above), name)  # noqa: PTH118
    for mount in there:
        if mount.point == real:
            return mount
    raise UserError(f"lxfs is not mounted on {real}: 'lxfs mount {real}' does that")


@contextlib.contextmanager
def view(host: Host, directory: str | None) -> Iterator[View]:
    """Open the lxfs mount of a directory, or the only one. Raises ``UserError``."""
    there = views(host)
    if directory is not None:
        there = [_mounted_on(there, directory)]
    elif not there:
        raise UserError(f"lxfs is not mounted: 'lxfs mount {USUAL[0]}' does that")
    elif len(there) > 1 and there[0].point not in USUAL:
        listed = ", ".join(mount.point for mount in there)
        raise UserError(f"several lxfs are mounted; say which with --from: {listed}")
    mount = there[0]
    # O_PATH asks the server nothing, so that this cannot hang.
    root = os.open(mount.point, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        answer = probe.ask(root, "proc/meminfo")
        if answer is not Answer.ANSWERS:
            raise UserError(
                f"lxfs on {mount.point} is {answer}: 'lxfs umount {mount.point}' and 'lxfs mount"
                f" {mount.point}' bring it back"
                if answer is Answer.DEAD
                else f"lxfs on {mount.point} {answer}"
            )
        yield View(mount.point, mount.device, root)
    finally:
        os.close(root)


class Answers:
    """Which FUSE filesystems answer: each is asked once, through the first mount of it seen."""

    def __init__(self) -> None:
        self._known: dict[str, Answer] = {}

    def of(self, there: graft.Place, mounts: Mounts) -> Mapping[str, Answer]:
        """Return the answers of all views in a namespace, by device."""
        for spot in mounts.views():
            top = spot.cover[-1]
            if top.device not in self._known:
                self._known[top.device] = probe.ask(there.root, spot.path)
        return self._known


@dataclass
class Report:
    """What was done to one container, over all looks."""

    container: Running
    put: set[str] = field(default_factory=set)
    off: set[str] = field(default_factory=set)
    absent: set[str] = field(default_factory=set)
    left: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def add(self, done: graft.Done) -> None:
        """Take in what became of one look's steps."""
        self.put.update(done.put)
        self.off.update(done.off)
        self.absent.update(done.absent)
        self.failed.update(done.failed or {})

    def __str__(self) -> str:
        said = [f"{len(self.put)} mounted"] if self.put else []
        said += [f"{len(self.off)} taken off"] if self.off else []
        said += [_listed("not there", self.absent)] if self.absent else []
        for why in sorted({*self.left.values()}):
            said.append(_listed(f"left, as {why}", _with(self.left, why)))
        for why in sorted({*self.failed.values()}):
            said.append(_listed(f"FAILED, {why}", _with(self.failed, why)))
        return f"{self.container.label} (pid {self.container.pid}): " + (
            "; ".join(said) or "nothing to do"
        )


def _with(found: Mapping[str, str], why: str) -> list[str]:
    return [path for path, said in found.items() if said == why]


def _listed(heading: str, paths: Iterable[str]) -> str:
    return f"{heading}: {', '.join(f'/{path}' for path in sorted(paths))}"


def _work(
    container: Running,
    there: graft.Place,
    root: int | None,
    plan: Callable[[Mounts], Plan],
) -> Report:
    """Look and do until nothing comes to light any more."""
    report = Report(container)
    for _ in range(_LOOKS):
        found = plan(Mounts(there.mounts()))
        report.left = dict(found.left or {})
        steps = [
            step
            for step in found.steps
            if step.path not in report.failed and step.path not in report.absent
        ]
        if not steps:
            break
        done = graft.do(there, root, steps)
        report.add(done)
        if not done.off:
            break
    return report


def _attach_one(
    container: Running,
    view: View,
    answers: Answers,
    *,
    replace: bool,
    heal: bool,
    cgroupfs: str | None = None,
    root: str = "/",
) -> Report | None:
    """Bring the view into one container; return ``None`` where there is nothing to heal.

    ``cgroupfs`` is the shape of the cgroups that are put there too, if any are.
    """
    with graft.place(container.pid, root) as there, graft.alone(there):
        graft.check_is_apart(there)
        mounts = Mounts(there.mounts())
        known = answers.of(there, mounts)
        seen = [spot for spot in mounts.views() if spot.path not in (*NESTS, CGROUPS)]
        cgroups = mounts.spot(CGROUPS).view
        dead_cgroups = cgroups is not None and known.get(cgroups.device) is Answer.DEAD
        states = [known[spot.cover[-1].device] for spot in seen]
        others = [
            spot
            for spot, state in zip(seen, states, strict=True)
            if spot.cover[-1].device != view.device and state not in (Answer.DEAD, Answer.FOREIGN)
        ]
        if heal and Answer.DEAD not in states and not dead_cgroups and not (replace and others):
            return None
        if others and not replace and not heal:
            spot = others[0]
            raise UserError(
                f"{container.label} has {spot.cover[-1].fstype.removeprefix('fuse.')} on"
                f" /{spot.path}, which {known[spot.cover[-1].device]}; 'lxfs attach --replace'"
                " takes it off"
            )

        def plan(now: Mounts) -> Plan:
            return to_attach(
                now,
                PATHS,
                view.device,
                answers.of(there, now),
                replace=replace,
                everywhere=replace or not others,
            )

        report = _work(container, there, view.root, plan)
        if cgroupfs is not None or dead_cgroups:
            _put_cgroups(report, there, view, answers, cgroupfs)
        now = Mounts(there.mounts())
        shown = [path for path in PATHS if _device(now.spot(path)) == view.device]
        if not shown:
            said = "; ".join(sorted({*report.left.values()})) or "it has no such files"
            raise UserError(f"nothing could be mounted: {said}")
        if probe.ask(there.root, shown[0]) is not Answer.ANSWERS:
            report.failed[shown[0]] = "it was mounted and does not answer"
        return report


def _put_cgroups(
    report: Report, there: graft.Place, view: View, answers: Answers, shape: str | None
) -> None:
    """Put the cgroups of the view over the container's own. Raises ``UserError``."""
    now = Mounts(there.mounts())
    found = to_attach_cgroups(now, view.device, answers.of(there, now), shape)
    report.left.update(found.left or {})
    if found.steps:
        report.add(graft.do(there, view.root, found.steps))
        if shape is not None and not {*report.put, *report.failed, *report.absent} & {CGROUPS}:
            raise UserError(
                f"lxfs on {view.directory} serves no {SHAPES[shape]}: mount it with --cgroupfs ro"
            )


def _device(spot: Spot) -> str | None:
    return spot.top.device if spot.top is not None else None


def check_root() -> None:
    """Raise ``UserError`` for anybody but root."""
    if os.geteuid() != 0:
        raise UserError("lxfs must be root: it enters other users' namespaces; try sudo")


def _each(
    found: Sequence[Running], work: Callable[[Running], Report | None]
) -> Iterator[tuple[str, bool]]:
    for container in found:
        try:
            report = work(container)
        except (UserError, OSError) as error:
            yield f"{container.label} (pid {container.pid}): {error}", False
        else:
            if report is not None:
                yield str(report), not report.failed


def attach(
    wanted: Sequence[str],
    *,
    everyone: bool,
    replace: bool,
    directory: str | None,
    cgroupfs: str | None = None,
) -> Iterator[tuple[str, bool]]:
    """Bring the view into containers; yield a line about each and whether it went well.

    ``wanted`` are pids and names. With ``everyone`` they are patterns, none meaning all, and only
    containers with a dead view (with ``replace`` also with another that answers) are touched.
    Raises ``UserError``.
    """
    host = _checked(wanted, everyone=everyone, verb="attach")
    found = _found(host, wanted, everyone=everyone)
    with view(host, directory) as source:
        answers = Answers()
        yield from _each(
            found,
            lambda container: _attach_one(
                container, source, answers, replace=replace, heal=everyone, cgroupfs=cgroupfs
            ),
        )


def attach_root(
    container: Running, root: str, directory: str | None, cgroupfs: str | None = None
) -> str:
    """Bring the view into a container that is just being made, whose root is yet elsewhere.

    Returns the line about it; raises ``UserError``.
    """
    host = Host()
    if host.pid_namespace(container.pid) == host.pid_namespace("self"):
        return f"{container.label}: it has the host's pid namespace, and is shown the host"
    with view(host, directory) as source:
        return str(
            _attach_one(
                container,
                source,
                Answers(),
                replace=False,
                heal=False,
                cgroupfs=cgroupfs,
                root=root,
            )
        )


def _detach_one(container: Running, answers: Answers, device: str | None) -> Report | None:
    with graft.place(container.pid) as there, graft.alone(there):
        graft.check_is_apart(there)
        report = _work(
            container,
            there,
            None,
            lambda now: to_detach(now, answers.of(there, now), device),
        )
        return report if report.off or report.failed else None


def detach(
    wanted: Sequence[str], *, everyone: bool, directory: str | None
) -> Iterator[tuple[str, bool]]:
    """Take lxfs and what is dead out of containers; yield as ``attach`` does.

    With a ``directory`` it is the lxfs that is mounted there, and no other that answers.
    """
    host = _checked(wanted, everyone=everyone, verb="detach")
    device = None
    if directory is not None:
        device = _mounted_on(views(host), directory).device
    answers = Answers()
    found = _found(host, wanted, everyone=everyone)

    def work(container: Running) -> Report | None:
        report = _detach_one(container, answers, device)
        return Report(container) if report is None and not everyone else report

    yield from _each(found, work)


def _checked(wanted: Sequence[str], *, everyone: bool, verb: str) -> Host:
    check_root()
    if not wanted and not everyone:
        raise UsageError(f"say which container, by pid or name, or --all: lxfs {verb} web1")
    return Host()


def _found(host: Host, wanted: Sequence[str], *, everyone: bool) -> list[Running]:
    containers = Containers(host)
    if everyone:
        return containers.matching(wanted)
    return [containers.named(name) for name in wanted]
