"""Removes a lab of which only the name is known.

Role: the same removal after a good end, a failure, a Ctrl-C or a kill -9 of whoever made it.
Boundary: what is named after the lab, or belongs to it by its own description. Threading: one
caller, under the lab's lock.
"""

import contextlib
import re
import shutil
from functools import partial
from pathlib import Path

from . import loops, net, procs, subids
from .errors import LabError
from .plan import BASE, EVERY, make_plan
from .tools import no_interrupts, run, wait_until

LXC_LOCKS = Path("/run/lxc/lock")  # liblxc keeps one per container path
PIVOT = "lxc.pivot"


def mounts_below(root: Path) -> list[str]:
    """The mountpoints at or below ROOT, the deepest first."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        # The kernel writes blanks in names as octal escapes; the lab's own names have none.
        where = line.split()[4].replace("\\040", " ")
        if where == str(root) or where.startswith(f"{root}/"):
            found.append(where)
    return found[::-1]


def _orphan_cgroups(root: Path) -> set[Path]:
    """Empty cgroups that are called as this lab's containers are.

    They stay when monitors were killed. Another lab's may be called alike (liblxc appends -1, -2 to
    a name that is taken): those have processes, and could not be removed anyway.
    """
    names = {path.name for host in _parts(root) for path in _parts(host / "containers")}
    found = set()
    for top in (Path("/sys/fs/cgroup"), *Path("/sys/fs/cgroup").glob("*/")):
        for path in top.glob("lxc.*"):
            match = re.fullmatch(r"lxc\.(?:payload|monitor)\.(.+?)(?:-\d+)?", path.name)
            if match and match[1] in names and _is_empty(path):
                found.add(path)
    return found


def _parts(folder: Path) -> list[Path]:
    """What is in FOLDER; nothing of one that cannot be read, as the mount of a killed lxfs."""
    with contextlib.suppress(OSError):
        return list(folder.iterdir())
    return []


def _is_empty(cgroup: Path) -> bool:
    tasks = [cgroup / "cgroup.procs", *cgroup.glob("**/cgroup.procs")]
    with contextlib.suppress(OSError):
        return not any(path.read_text().strip() for path in tasks)
    return False


def _remove_pivots() -> None:
    """Remove the cgroup through which liblxc leaves the others, once no container is there."""
    for top in (Path("/sys/fs/cgroup"), *Path("/sys/fs/cgroup").glob("*")):
        if (top / PIVOT).is_dir() and not any(top.glob("lxc.monitor.*")):
            with contextlib.suppress(OSError):
                (top / PIVOT).rmdir()


def remnants(name: str, base: Path = BASE) -> list[str]:
    """What of the lab NAME is on the machine, in words; nothing when it is fully gone."""
    plan = make_plan(name, hosts=tuple(EVERY), base=base)
    members = procs.members(plan.root)
    interfaces = {plan.bridge, *(host.veth for host in plan.hosts)} & net.links()
    names = {host.netns for host in plan.hosts} & net.namespaces()
    return [
        *(f"process {pid}" for pid in sorted(members)),
        *(f"cgroup {path}" for path in sorted(procs.cgroups(members))),
        *(f"mount {where}" for where in mounts_below(plan.root)),
        *(f"loop device {device}" for device in sorted(loops.below(plan.root))),
        *(f"interface {link}" for link in sorted(interfaces)),
        *(f"namespace {space}" for space in sorted(names)),
        *([f"directory {plan.root}"] if plan.root.exists() else []),
    ]


def sweep(name: str, base: Path = BASE) -> None:
    """Remove the lab NAME; raise LabError that lists what resists."""
    root = make_plan(name, base=base).root
    with no_interrupts():
        groups = procs.cgroups(procs.members(root)) | _orphan_cgroups(root)
        procs.thaw(groups)
        procs.kill_members(root)
        for where in mounts_below(root):
            run(["umount", "--lazy", where], check=False)
        wait_until(partial(loops.detach, root), 10)
        net.remove(name)
        stuck = procs.remove_cgroups(groups)
        # Never walk into something mounted below: removing it would remove what is behind it.
        if not mounts_below(root):
            shutil.rmtree(root, ignore_errors=True)
            locks = LXC_LOCKS / root.relative_to("/")
            shutil.rmtree(locks, ignore_errors=True)
            with contextlib.suppress(OSError):
                root.parent.rmdir()  # goes with the last lab
                for folder in locks.parents[: len(root.parents) + 1]:
                    folder.rmdir()
        _remove_pivots()
        if not base.exists():
            subids.forget()
        left = [*remnants(name, base), *(f"cgroup {path}" for path in stuck)]
    if left:
        raise LabError(f"of lab {name} this could not be removed: {'; '.join(left)}")
