"""Which processes and cgroups belong to a lab, and their end.

Role: finds them by what they are (their environment, their root directory), not by a list that a
crash could leave stale, and never by a program's name. Boundary: /proc, signals, rmdir of cgroups.
Threading: one caller.
"""

import contextlib
import os
import signal
from pathlib import Path

from . import loops
from .plan import MEMBER
from .tools import wait_until

PROC = Path("/proc")
OURS = ("lxc.payload.", "lxc.monitor.")
CGROUPS = Path("/sys/fs/cgroup")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # gone meanwhile, a kernel thread, or hidden from us
        return b""


def start_time(pid: int) -> int | None:
    """Return the process's start in clock ticks after boot (proc(5), stat, field 22), if it is."""
    stat = _read(PROC / str(pid) / "stat")
    if not stat:
        return None
    fields = stat[stat.rindex(b")") + 2 :].split()
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def comm(pid: int) -> str:
    """Return what the kernel calls the process, without its end if it is long; "" if it is gone."""
    return _read(PROC / str(pid) / "comm").decode(errors="replace").strip()


def _is_member(folder: Path, root: Path, images: set[str]) -> bool:
    marker = f"{MEMBER}={root}".encode()
    if marker in _read(folder / "environ").split(b"\0"):
        return True
    # A monitor renames itself in place, and in doing so may overwrite its environment.
    if _read(folder / "cmdline").startswith(f"[lxc monitor] {root}/".encode()):
        return True
    # A container's processes stand on a directory of the lab, or in a filesystem on an image of
    # it. Field 4 is the path in its own filesystem, which may be mounted anywhere: compare its
    # end.
    inside = f"/{root.parent.name}/{root.name}/".encode()
    for line in _read(folder / "mountinfo").splitlines():
        fields = line.split(b" ", 5)
        if len(fields) > 5 and fields[4] == b"/":
            return inside in fields[3] or not images.isdisjoint(
                line.decode(errors="replace").split()
            )
    return False


def members(root: Path) -> set[int]:
    """Return the processes of the lab at ROOT, this one and its ancestors excepted."""
    images = loops.below(root)
    numbered = (folder for folder in PROC.iterdir() if folder.name.isdigit())
    found = {int(one.name) for one in numbered if _is_member(one, root, images)}
    return found - {os.getpid()}


def cgroups(pids: set[int]) -> set[Path]:
    """Return the container cgroups that the processes PIDS are in, over all hierarchies."""
    mounts: dict[str, Path] = {}  # controller, as both files write it, to mountpoint
    for line in _read(PROC / "self/mountinfo").decode().splitlines():
        before, after = line.split(" - ", 1)
        kind, _, options = after.split(" ", 2)
        where = Path(before.split()[4])
        if kind == "cgroup2":
            mounts[""] = where
        elif kind == "cgroup":
            mounts |= dict.fromkeys(options.split(","), where)
    found = set()
    for pid in pids:
        for line in _read(PROC / str(pid) / "cgroup").decode().splitlines():
            _, controllers, path = line.split(":", 2)
            mount = mounts.get(controllers.split(",")[0])
            parts = path.strip("/").split("/")
            depth = next((n for n, part in enumerate(parts, 1) if part.startswith(OURS)), 0)
            if mount and depth:
                found.add(mount.joinpath(*parts[:depth]))
    return {path for path in found if path.is_dir()}


def payloads(name: str) -> set[Path]:
    """Return the cgroups of containers NAME, over all hierarchies and hosts."""
    return {path for top in ("", "*/") for path in CGROUPS.glob(f"{top}lxc.payload.{name}*")}


def thaw(tops: set[Path], *, stuck: bool = False) -> set[Path]:
    """Let go of what is frozen in the cgroups TOPS and below; return where that was.

    With STUCK only of what does not get frozen. On cgroup v1 nothing but the daemon's patience ends
    that: a process that was about to wait for the child that it has just made by vfork(2) misses
    the signal, is not frozen while the child is, and the kernel does not try again. Nor does a
    process of a frozen v1 cgroup die of SIGKILL.
    """
    found = set()
    for top in tops:
        for state in (*top.glob("**/freezer.state"), *top.glob("**/cgroup.freeze")):
            was = _read(state)
            frozen = was == b"FROZEN\n" or b"frozen 1\n" in _read(state.parent / "cgroup.events")
            if was in (b"", b"THAWED\n", b"0\n") or (stuck and frozen):
                continue
            with contextlib.suppress(OSError):  # it may just go away
                state.write_text("0" if state.name == "cgroup.freeze" else "THAWED")
                found.add(state.parent)
    return found


def _signal(pid: int, number: int) -> None:
    """Signal PID through a descriptor, so that a number used again is not hit."""
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return
    try:
        signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        pass
    finally:
        os.close(handle)


def kill_members(root: Path, seconds: float = 20) -> set[int]:
    """Kill every process of the lab, again until none is left; return those that stay."""

    def none_left() -> bool:
        left = members(root)
        for pid in left:
            _signal(pid, signal.SIGKILL)
        return not left

    wait_until(none_left, seconds)
    return members(root)


def stop(pid: int, number: int, seconds: float) -> bool:
    """Send signal NUMBER to PID and wait for its end; False if it still runs after SECONDS."""
    started = start_time(pid)
    if started is None:
        return True
    _signal(pid, number)

    def gone() -> bool:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        return start_time(pid) != started

    return wait_until(gone, seconds)


def remove_cgroups(paths: set[Path]) -> list[Path]:
    """Remove the cgroups PATHS with what is below them; return those that stay."""

    def removed() -> bool:
        for top in paths:
            folders = sorted((p for p in top.rglob("*") if p.is_dir()), reverse=True)
            for folder in (*folders, top):
                with contextlib.suppress(OSError):
                    folder.rmdir()
        return not any(top.exists() for top in paths)

    # The kernel lets go of a killed process a moment after it is dead.
    wait_until(removed, 5)
    return [path for path in sorted(paths) if path.exists()]
