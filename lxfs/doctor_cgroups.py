"""What of ``lxfs doctor`` is about cgroups over /sys/fs/cgroup: mounts, hooks and containers.

Role: whether a mount serves them, whether what the hooks are to put there is served, and who has
something else.
Boundary: changes nothing; asks a mount by a child, as it may hang.
Threading: forks; for programs of one thread.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from lxfs import beside, probe
from lxfs.cgroupfs.layout import TOP
from lxfs.findings import Finding, ok, problem, warning
from lxfs.install import HOOK, OCI_CONFIG
from lxfs.overmounts import CGROUPS, LXFS, SHAPES
from lxfs.parse import Mount
from lxfs.status import Status
from lxfs.text import some

_CHECK = "cgroupfs"
_SHAPE = re.compile(r"^cgroupfs=(\S+)$", re.MULTILINE)
_OFF, _RO, _RW = "off", "ro", "rw"
_SAID = {_OFF: "no cgroup/", _RO: "cgroup/ to be read", _RW: "cgroup/ to be read and written"}


@dataclass(frozen=True, slots=True)
class Hook:
    """A hook that puts cgroups into new containers: which kinds of them, in which shape.

    ``view`` is where it takes them from, ``None`` for wherever lxfs is mounted.
    """

    name: str
    kinds: tuple[str, ...]
    shape: str
    view: str | None


def hooks(root: Path) -> list[Hook]:
    """Return the hooks below a root that do so."""
    found = []
    with suppress(OSError):
        text = (root / HOOK.lstrip("/")).read_text(encoding="utf-8", errors="replace")
        if shape := _SHAPE.search(text):
            kinds = ("lxc", "lxd", "incus")
            found.append(Hook("LXC's", kinds, shape[1], beside.hook_view(text)))
    with suppress(OSError, ValueError, KeyError, TypeError):
        text = (root / OCI_CONFIG.lstrip("/")).read_text(encoding="utf-8", errors="replace")
        options = [str(word) for word in json.loads(text)["hook"]["args"]]
        values = dict(pairwise(options))
        if shape_of := values.get("--cgroupfs"):
            found.append(Hook("OCI", ("podman", "crio"), shape_of, values.get("--from")))
    return found


def served(mount: Mount) -> str | None:
    """Return how an lxfs mount was asked to serve cgroups: off, ro or rw; ``None``: no answer."""

    def look() -> bytes:
        Path(f"{mount.point}{TOP}").stat()
        return b""

    try:
        if probe.within(look) is None:
            return None
    except FileNotFoundError:
        return _OFF
    except OSError:
        return None
    return _RO if "ro" in mount.super_options else _RW


def examine(
    mounts: Iterable[Mount], installed: Sequence[Hook], found: Iterable[Status]
) -> Iterator[Finding]:
    """Judge the mounts of the host, the hooks by what those serve, and the containers by these."""
    how: dict[str, str] = {}
    seen: set[str] = set()
    for mount in mounts:
        if mount.fstype == LXFS and mount.root == "/" and mount.device not in seen:
            seen.add(mount.device)
            if (state := served(mount)) is not None:
                how[mount.point] = state
                yield ok(_CHECK, f"lxfs on {mount.point} serves {_SAID[state]}")
    for hook in installed:
        yield _hook(hook, how)
    statuses = list(found)
    for hook in installed:
        yield from _containers(hook, statuses)


def _hook(hook: Hook, how: Mapping[str, str]) -> Finding:
    text = f"{hook.name} hook puts {hook.shape}'s cgroups over /{CGROUPS} of new containers"
    if hook.shape not in SHAPES:
        text = f"{hook.name} hook is to put cgroups of {hook.shape!r} over /{CGROUPS}"
        return problem(_CHECK, text, f"shapes are {', '.join(SHAPES)}: 'lxfs install --cgroupfs'")
    if hook.view is not None and how.get(hook.view) == _OFF:
        advice = f"mount {hook.view} with --cgroupfs ro, or 'lxfs install' without --cgroupfs"
        return problem(_CHECK, f"{text}, and lxfs on {hook.view} serves none", advice)
    return ok(_CHECK, text)


def _containers(hook: Hook, found: Iterable[Status]) -> Iterator[Finding]:
    others = [
        f"{one.container.label} ({one.shape or 'none'})"
        for one in found
        if one.container.kind in hook.kinds and one.files and one.shape != hook.shape
    ]
    if others:
        yield warning(
            _CHECK,
            f"{len(others)} have other cgroups over /{CGROUPS} than the {hook.shape} of"
            f" {hook.name} hook: {some(others)}",
            f"'lxfs attach NAME --cgroupfs {hook.shape}', or start them anew",
        )
