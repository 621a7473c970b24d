"""What lies over the files of a container's /proc and /sys, and what to do about it.

Role: lines of mountinfo in, what covers each served path and a plan of what to take off and what to
put on out.
Boundary: pure; asks no kernel. Mount points are a container's to choose: a name is believed only as
far as the tree of mounts bears it out.
Threading: none.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from lxfs.parse import Mount

LXFS, LXCFS = "fuse.lxfs", "fuse.lxcfs"
_VIEWS = frozenset({LXFS, LXCFS})
_KERNELS = {"proc": "proc", "sys": "sysfs"}
NESTS = ("var/lib/lxcfs", "var/lib/lxfs")
"""Where a container has the whole view for containers in it. It stays while it answers."""
CGROUPS = "sys/fs/cgroup"
"""Where a container looks for cgroups."""
SHAPES: Mapping[str, str] = {"v1": "cgroup", "v2": "cgroup/unified"}
"""What of the view is put there, by the shape that is asked for."""


class Answer(StrEnum):
    """What became of a read of a FUSE filesystem."""

    ANSWERS = "answers"
    DEAD = "dead"
    HANGS = "hangs"
    FOREIGN = "refused"
    """It refuses the host's root: it was mounted inside of a user namespace, by whoever."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A path of a container, and the mounts that a walk to it ends on.

    ``cover`` holds those that lie on it or on a directory above it within /proc or /sys, the
    uppermost last; ``base`` is what they cover.
    """

    path: str
    base: Mount | None
    cover: tuple[Mount, ...] = ()

    @property
    def top(self) -> Mount | None:
        """The mount that the path is read from."""
        return self.cover[-1] if self.cover else self.base

    @property
    def is_the_kernels(self) -> bool:
        """Whether the base is procfs or sysfs, and the path in it the one it should be."""
        if self.base is None or self.base.fstype != _KERNELS.get(self.path.split("/", 1)[0]):
            return False
        inside = self.base.root.rstrip("/") + f"/{self.path}"[len(self.base.point.rstrip("/")) :]
        return inside == "/" + self.path.split("/", 1)[1]

    @property
    def view(self) -> Mount | None:
        """The lxfs or LXCFS that the path is read from, if it is."""
        return self.top if self.top is not None and self.top.fstype in _VIEWS else None


class Mounts:
    """The mounts of one namespace, as a tree."""

    def __init__(self, mounts: Sequence[Mount]) -> None:
        self._all = tuple(mounts)
        known = {mount.id for mount in mounts}
        # The kernel keeps no two mounts of one parent on one point.
        self._children = {
            (
                mount.parent if mount.parent in known and mount.parent != mount.id else None,
                mount.point,
            ): mount
            for mount in mounts
        }

    def spot(self, path: str) -> Spot:
        """Return what covers a path (``proc/meminfo``) in which no link is."""
        chain: list[Mount] = []
        parts = path.split("/")
        for depth in range(len(parts) + 1):
            point = "/" + "/".join(parts[:depth])
            at = chain[-1].id if chain else None
            while (found := self._children.get((at, point))) is not None:
                chain.append(found)
                at = found.id
        last = max(
            (index for index, mount in enumerate(chain) if mount.fstype in _KERNELS.values()),
            default=next(
                (index for index, mount in enumerate(chain) if mount.point == f"/{path}"),
                len(chain),
            )
            - 1,
        )
        base = chain[last] if 0 <= last < len(chain) else None
        return Spot(path, base, tuple(chain[last + 1 :]))

    def views(self) -> list[Spot]:
        """Return every lxfs and LXCFS that can be reached and that we would touch."""
        found = []
        for mount in self._all:
            path = mount.point.lstrip("/")
            if mount.fstype not in _VIEWS or not path:
                continue
            spot = self.spot(path)
            if spot.top is mount and (spot.is_the_kernels or path in NESTS):
                found.append(spot)
        return found


@dataclass(frozen=True, slots=True)
class Off:
    """Take a mount off a path."""

    path: str
    mount: int


@dataclass(frozen=True, slots=True)
class Put:
    """Put a part of the view on a path.

    ``on`` is the mount that the path is to be found on, ``replaces`` one on top of that, which is
    to go; ``whole`` puts all of the view there, ``source`` another part of it than the path's.
    """

    path: str
    on: int
    replaces: int | None = None
    whole: bool = False
    source: str | None = None

    @property
    def part(self) -> str:
        """What of the view is put there."""
        return "" if self.whole else self.source or self.path


@dataclass(frozen=True, slots=True)
class Plan:
    """What one look says is to be done, in order, and what is left as it is, and why.

    After it has been done another look is needed if anything was taken off: something may have
    come to light.
    """

    steps: tuple[Off | Put, ...] = ()
    left: Mapping[str, str] | None = None


def _wanted_off(
    mount: Mount, device: str | None, answers: Mapping[str, Answer], *, replace: bool
) -> bool:
    if mount.device == device:
        return False
    answer = answers.get(mount.device)
    return answer is Answer.DEAD or (replace and answer is not Answer.FOREIGN)


def to_attach(
    mounts: Mounts,
    paths: Iterable[str],
    device: str,
    answers: Mapping[str, Answer],
    *,
    replace: bool = False,
    everywhere: bool = True,
) -> Plan:
    """Return what brings the view of ``device`` over ``paths``.

    Dead views go, and with ``replace`` those that answer. Where nothing is mounted the view is
    put on ``everywhere``, or nowhere.
    """
    steps: list[Off | Put] = []
    left: dict[str, str] = {}
    spots = [mounts.spot(path) for path in paths]
    wanted = {spot.path for spot in spots}
    for spot in sorted(mounts.views(), key=lambda spot: -spot.path.count("/")):
        top = spot.cover[-1]
        # A nest that answers may be no more than the host's own mount, in a copy of its tree.
        nest = spot.path in NESTS
        if not _wanted_off(top, device, answers, replace=replace and not nest):
            continue
        if spot.path == CGROUPS:
            continue  # see to_attach_cgroups
        # What is below it decides whether the view may take its place in one step.
        replaced = spot.path in wanted and len(spot.cover) == 1
        if spot.base is not None and (replaced or (nest and len(spot.cover) == 1)):
            steps.append(Put(spot.path, spot.base.id, top.id, whole=nest))
        else:
            steps.append(Off(spot.path, top.id))
    going = {step.path for step in steps}
    for spot in spots:
        if spot.path in going:
            continue
        if not spot.is_the_kernels:
            left[spot.path] = _not_the_kernels(spot)
        elif spot.top is not None and spot.cover:
            if spot.top.device != device and not _is_below(spot.path, going):
                left[spot.path] = _in_the_way(spot.top, answers)
        elif everywhere and spot.base is not None:
            steps.append(Put(spot.path, spot.base.id))
    return Plan(tuple(steps), left)


def to_attach_cgroups(
    mounts: Mounts, device: str, answers: Mapping[str, Answer], shape: str | None
) -> Plan:
    """Return what brings the cgroups of the view of ``device`` over a container's.

    Without a ``shape`` the place of a dead view is taken, by that one's shape. What is below, the
    kernel's own cgroups, stays mounted and comes to light again when the view is taken off.
    """
    spot = mounts.spot(CGROUPS)
    if not spot.is_the_kernels or spot.top is None:
        return Plan((), {CGROUPS: _not_the_kernels(spot)} if shape else {})
    there = spot.view
    if there is None:
        return Plan((Put(CGROUPS, spot.top.id, source=SHAPES[shape]),) if shape else ())
    dead = answers.get(there.device) is Answer.DEAD
    source = SHAPES[shape] if shape else there.root.lstrip("/")
    if source not in SHAPES.values() or not (shape or dead):
        return Plan()
    if there.device == device and there.root == f"/{source}":
        return Plan()
    if not dead and there.device != device:
        return Plan((), {CGROUPS: _in_the_way(there, answers)})
    if len(spot.cover) > 1:  # what is below decides what it is put on
        below = spot.cover[-2]
    elif spot.base is not None:
        below = spot.base
    return Plan((Put(CGROUPS, below.id, there.id, source=source),))


def to_detach(mounts: Mounts, answers: Mapping[str, Answer], device: str | None = None) -> Plan:
    """Return what takes lxfs off: that of ``device``, or every one, and all that is dead."""
    steps: list[Off | Put] = []
    for spot in sorted(mounts.views(), key=lambda spot: -spot.path.count("/")):
        top = spot.cover[-1]
        ours = top.fstype == LXFS and device in (None, top.device) and spot.path not in NESTS
        if answers.get(top.device) is Answer.DEAD or (
            ours and answers.get(top.device) is not Answer.FOREIGN
        ):
            steps.append(Off(spot.path, top.id))
    return Plan(tuple(steps), {})


def _is_below(path: str, others: Collection[str]) -> bool:
    return any(path.startswith(f"{other}/") for other in others)


def _not_the_kernels(spot: Spot) -> str:
    if spot.base is None:
        return "nothing is mounted there"
    kind = _KERNELS[spot.path.split("/", 1)[0]]
    return f"it is on {spot.base.source} ({spot.base.fstype}), not on {kind}"


def _in_the_way(mount: Mount, answers: Mapping[str, Answer]) -> str:
    name = f"{mount.source} ({mount.fstype})"
    if mount.fstype in _VIEWS:
        return f"{name} is on it and {answers.get(mount.device, 'is hidden')}"
    return f"{name} is on it"
