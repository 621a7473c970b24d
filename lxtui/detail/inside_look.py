"""``python -m lxtui.detail.inside_look PID NAME PROJECT``: a look into a container of this machine.

Role: what process PID, the container's init, has over its /proc and /sys, what is read there from
inside, what lxfs's views make of its limits, and of which kernel files; as JSON on standard output.
Boundary: a program of its own, because a look forks, enters a pid namespace, and a FUSE filesystem
may keep it waiting for ever; lxtui itself loads nothing of lxfs. It changes nothing in the
container; its reader is one more process of its pid namespace for a moment, so that a view takes it
for one of its own. Threading: single-threaded.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lxfs import probe, syscalls
from lxfs.attach import PATHS, Answers
from lxfs.containers import label_of
from lxfs.errors import UserError
from lxfs.explain import explain
from lxfs.graft import place
from lxfs.model import SourceError
from lxfs.overmounts import LXFS, Mounts
from lxfs.sources.host import Host
from lxtui.detail.inside import FILES

_NEW_PID = 0x20000000  # CLONE_NEWPID, include/uapi/linux/sched.h
_MOST = 1 << 16


class TroubleError(Exception):
    """Why there is nothing to say, as a sentence."""


def look(pid: int, name: str, project: str) -> Mapping[str, Any]:
    """Everything about the container of that init."""
    host = Host()
    try:
        _check(host, pid, name, project)
        causes = {file: _causes(host, pid, file) for file in FILES}
        with place(pid) as there:
            mounts = Mounts(there.mounts())
            known = Answers().of(there, mounts)
            views: dict[tuple[str, str], int] = {}
            for path in PATHS:
                spot = mounts.spot(path)
                if spot.view is not None:
                    what = "lxfs" if spot.view.fstype == LXFS else "LXCFS"
                    answer = known.get(spot.view.device)
                    key = what, "not asked" if answer is None else str(answer)
                    views[key] = views.get(key, 0) + 1
                elif spot.cover and spot.top is not None:
                    key = f"{spot.top.source} ({spot.top.fstype})", "a mount of its own"
                    views[key] = views.get(key, 0) + 1
            seen = _seen(pid, there.root)  # last: from there on no thread can be begun
    except (UserError, SourceError, OSError) as error:
        raise TroubleError(f"process {pid} cannot be looked at: {error}") from error
    return {
        "mounted": [[what, count, answer] for (what, answer), count in views.items()],
        "checked": len(PATHS),
        "host": {file: _text(file) for file in FILES},
        "seen": seen,
        "causes": causes,
    }


def _check(host: Host, pid: int, name: str, project: str) -> None:
    """Whether that process is the first one of that container; another machine counts its own."""
    not_here = (
        f"process {pid}, which the host says is its init, is not that on this machine: "
        "the daemon runs in a container or on another machine"
    )
    if not Path(f"/proc/{pid}").exists():
        raise TroubleError(not_here)
    if os.geteuid() != 0:
        raise TroubleError(
            "looking into a container takes root: it reads what others' processes see; "
            "run lxtui with sudo for this page"
        )
    if host.pid_namespace(pid) == host.pid_namespace("self"):
        raise TroubleError(not_here)
    kind, label = label_of(host.cgroup_paths(pid))
    called = re.fullmatch(rf"(?:{re.escape(project)}_)?{re.escape(name)}(?:-\d+)?", label)
    if kind != "lxc" or called is None:
        raise TroubleError(not_here)


def _seen(pid: int, root: int) -> Mapping[str, str]:
    """The files as a process inside reads them; none when nothing answers in time."""

    def read() -> bytes:
        found = {}
        for file in FILES:
            try:
                descriptor = probe.open_within(root, file.lstrip("/"), os.O_RDONLY | os.O_NONBLOCK)
                found[file] = os.read(descriptor, _MOST).decode(errors="replace")
            except OSError:
                continue
        return json.dumps(found).encode()

    namespace = os.open(f"/proc/{pid}/ns/pid", os.O_RDONLY)
    try:
        syscalls.setns(namespace, _NEW_PID)  # of the children that are forked from here on
    finally:
        os.close(namespace)
    said = probe.within(read)
    found: Mapping[str, str] = json.loads(said) if said is not None else {}
    return found


def _causes(host: Host, pid: int, file: str) -> list[Any]:
    try:
        lines: list[Any] = json.loads(explain(host, pid, file).as_json())["lines"]
    except UserError:
        return []
    return lines


def _text(file: str) -> str:
    try:
        return Path(file).read_text(errors="replace")
    except OSError:
        return ""


def main(arguments: list[str]) -> int:
    """Print the look; 0 also when it could not be had: the JSON says why."""
    pid, name, project = arguments
    try:
        found: Mapping[str, Any] = look(int(pid), name, project)
    except TroubleError as trouble:
        found = {"trouble": str(trouble)}
    json.dump(found, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
