"""``lxfs doctor``: whether this host can serve, serves, and will serve those that start.

Role: the kernel, the mounts and the containers; what is installed is looked at in beside.py, what
is over /sys/fs/cgroup in doctor_cgroups.py.
Boundary: changes nothing; raises ``UserError`` for anybody but root; prints nothing.
Threading: single-threaded: it forks, to ask.
"""

import contextlib
import errno
import os
import re
import struct
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from lxfs import beside, doctor_cgroups, mounting, probe, status, syscalls
from lxfs.attach import USUAL, check_root
from lxfs.errors import UserError
from lxfs.findings import Finding, Level, as_json, as_text, ok, problem, warning
from lxfs.model import SourceError
from lxfs.overmounts import LXCFS, LXFS, Answer
from lxfs.parse import Mount
from lxfs.sources.cgroups import Hierarchies
from lxfs.sources.host import Host
from lxfs.text import some

_ATTACH, _BENEATH = (5, 12), (6, 5)
_HAS_RESEND = 1 << 39  # include/uapi/linux/fuse.h, in flags and flags2 together
_NEEDED = {"memory": "memory limits and use", "cpu": "CPU quotas", "cpuset": "sets of CPUs"}
_PIDFILES = ("/run/lxfs.pid", "/run/lxfs/lxfs.pid")


def release(text: str) -> tuple[int, int]:
    """Return the first two numbers of a kernel's release."""
    found = re.match(r"(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def fuse_protocol() -> tuple[int, int, bool]:
    """Return the FUSE version of the kernel, and whether it replays requests (FUSE_HAS_RESEND).

    It is what the kernel says to a new filesystem: one is mounted in a namespace of its own, and
    gone with it. Raises ``OSError``.
    """

    def ask() -> bytes:
        device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        syscalls.unshare(syscalls.CLONE_NEWNS)
        syscalls.mount("none", "/", flags=syscalls.MS_REC | syscalls.MS_PRIVATE)
        options = f"fd={device},rootmode=40000,user_id=0,group_id=0"
        syscalls.mount("lxfs-doctor", "/proc", "fuse", syscalls.MS_NODEV, options)
        return os.read(device, 1 << 17)

    said = probe.within(ask)
    if said is None:
        raise OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
    header = 40
    major, minor, _, flags = struct.unpack_from("=IIII", said, header)
    more = struct.unpack_from("=I", said, header + 16)[0] if len(said) >= header + 20 else 0
    return major, minor, bool((flags | more << 32) & _HAS_RESEND)


def kernel(text: str) -> Iterator[Finding]:
    """Judge the kernel, by its release and what it says to a FUSE filesystem."""
    version = release(text)
    try:
        major, minor, resends = fuse_protocol()
    except OSError as error:
        yield problem(
            "fuse",
            f"/dev/fuse does not serve: {error.strerror}",
            "load the module with 'modprobe fuse', or give this container the device and root",
        )
    else:
        yield ok(
            "fuse",
            f"/dev/fuse speaks {major}.{minor}"
            + ("; the kernel replays requests that a dying server left" if resends else ""),
        )
    if version < _ATTACH:
        yield warning("kernel", f"Linux {text} cannot move mounts", "attach needs Linux 5.12")
    elif version < _BENEATH:
        yield ok(
            "kernel",
            f"Linux {text}: attach takes an old view off before it puts the new one on (in one"
            " step from 6.5 on)",
        )
    else:
        yield ok("kernel", f"Linux {text}")


def library() -> Iterator[Finding]:
    """Judge the FUSE library, as the driver finds it."""
    try:
        mounting.check_can_serve()
    except UserError as error:
        yield problem("serving", str(error), "'lxfs mount' cannot serve before that")


def cgroups(host: Host) -> Iterator[Finding]:
    """Judge the layout of the cgroups: which hierarchy has which controller."""
    try:
        hierarchies = Hierarchies.find(host)
        paths = host.cgroup_paths(os.getpid())
    except SourceError as error:
        yield problem("cgroups", str(error), "mount the cgroup hierarchies below /sys/fs/cgroup")
        return
    found = {name: hierarchies.place(name, paths) for name in (*_NEEDED, "cpuacct", "io", "pids")}
    versions = {1: [name for name, place in found.items() if place and place[1] == 1]}
    versions[2] = [name for name, place in found.items() if place and place[1] != 1]
    layout = " and ".join(f"v{number} has {', '.join(n)}" for number, n in versions.items() if n)
    if not layout:
        yield problem(
            "cgroups",
            "no hierarchy has a controller",
            "mount cgroup2 on /sys/fs/cgroup, as systemd does",
        )
        return
    yield ok("cgroups", layout)
    for name, what in _NEEDED.items():
        if found[name] is None:
            yield warning(
                "cgroups",
                f"no hierarchy has {name}: {what} of containers cannot be seen",
                f"see 'cgroup_disable' on the kernel's command line, and {name} in"
                " /sys/fs/cgroup/cgroup.controllers",
            )


def views(mounts: Iterable[Mount]) -> Iterator[Finding]:
    """Judge the views that are mounted on the host itself."""
    asked: dict[str, Answer] = {}
    seen = False
    for mount in mounts:
        if mount.fstype not in (LXFS, LXCFS) or mount.root != "/" or mount.device in asked:
            continue
        root = os.open("/", os.O_PATH)
        try:
            path = f"{mount.point.strip('/')}/proc/meminfo"
            answer = asked[mount.device] = probe.ask(root, path)
        finally:
            os.close(root)
        name = mount.fstype.removeprefix("fuse.")
        seen = seen or mount.fstype == LXFS
        if answer is Answer.ANSWERS:
            yield ok("mount", f"{name} on {mount.point} answers")
            continue
        yield (problem if mount.fstype == LXFS else warning)(
            "mount",
            f"{name} on {mount.point} {'is dead' if answer is Answer.DEAD else answer}",
            f"'umount -l {mount.point}', then start {name} again, and 'lxfs attach --all'"
            if answer is Answer.DEAD
            else f"see what its process waits for; 'systemctl restart {name}' begins anew",
        )
    if not seen:
        yield problem(
            "mount", "lxfs is not mounted", f"'systemctl start lxfs', or 'lxfs mount {USUAL[0]}'"
        )


def pidfiles(host: Host, names: Iterable[str] = _PIDFILES) -> Iterator[Finding]:
    """Judge the pid files that are there."""
    for name in names:
        with contextlib.suppress(SourceError):
            text = host.read(name.lstrip("/")).decode(errors="replace").strip()
            comm = ""
            with contextlib.suppress(SourceError):
                comm = host.read(f"proc/{text}/comm").decode(errors="replace").strip()
            if text.isdecimal() and comm.startswith("lxfs"):
                yield ok("pidfile", f"{name} names process {text}, which is {comm}")
            else:
                yield warning(
                    "pidfile", f"{name} names {text!r}, which is no lxfs", f"remove {name}"
                )


def containers(found: Sequence[status.Status]) -> Iterator[Finding]:
    """Judge what the containers have mounted."""
    if not found:
        yield ok("containers", "none run")
        return
    by_state: dict[Answer | None, list[str]] = {}
    for one in found:
        states = {shown.answer for shown in one.files.values() if shown and shown.answer}
        for state in states or (None,):
            by_state.setdefault(state, []).append(one.container.label)
    counts = Counter({state: len(names) for state, names in by_state.items()})
    if counts[Answer.ANSWERS]:
        yield ok("containers", f"{counts[Answer.ANSWERS]} have a view that answers")
    if names := by_state.get(Answer.DEAD):
        text = f"{len(names)} have a dead view: {some(names)}"
        yield problem("containers", text, "'lxfs attach --all' heals them while they run")
    if names := by_state.get(Answer.HANGS):
        yield problem(
            "containers",
            f"{len(names)} have a view that hangs: {some(names)}",
            "see what its server waits for; 'lxfs attach --replace NAME' puts another there",
        )
    if names := by_state.get(None):
        yield warning(
            "containers",
            f"{len(names)} have none: {some(names)}",
            "they are shown the host's figures; 'lxfs attach NAME' puts one in",
        )


def examine(host: Host) -> list[Finding]:
    """Return all findings. Raises ``UserError`` for anybody but root."""
    check_root()
    found = status.look(host)
    return [
        *kernel(os.uname().release),
        *library(),
        *cgroups(host),
        *views(host.mounts()),
        *pidfiles(host),
        *beside.lxcfs(host),
        *beside.hooks(Path("/")),
        *beside.permissions(Path("/")),
        *containers(found),
        *doctor_cgroups.examine(host.mounts(), doctor_cgroups.hooks(Path("/")), found),
    ]


def run(*, as_machine: bool) -> tuple[str, int]:
    """Return what ``lxfs doctor`` prints, and its status: 1 when there is a problem."""
    findings = examine(Host())
    status = int(any(finding.level is Level.PROBLEM for finding in findings))
    return (as_json if as_machine else as_text)(findings), status
