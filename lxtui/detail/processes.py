"""The processes of an instance, out of its own /proc.

Role: the texts of ``/proc/PID/stat``, ``status`` and ``cmdline`` → rows; two readings make a share
of the CPU. Boundary: pure; every byte is the container's to choose, so what does not parse is a
process of which less is known. Threading: functions. Source: man 5 proc.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

MOST = 500
"""Processes that are read."""
FILE_BYTES = 4096
"""Of each file so much is read."""
TICKS = 100
"""Of a second: USER_HZ, the same on every architecture that LXD and Incus run on."""
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Process:
    """One process, numbered as inside."""

    pid: int
    parent: int | None = None
    uid: int | None = None
    """As inside."""
    state: str = "?"
    name: str = ""
    command: str = ""
    cpu_ticks: int | None = None
    cpu_percent: float | None = None
    """Of one CPU, since the reading before."""
    memory: int | None = None
    """Resident bytes."""
    threads: int | None = None
    started: int | None = None
    """Ticks after the boot; with the pid it names one process."""


@dataclass(frozen=True, slots=True)
class Reading:
    """All processes at one moment."""

    at: float
    processes: tuple[Process, ...]
    cut: bool = False
    """Whether there are more than were read."""


def process_from(pid: int, uid: int | None, stat: bytes, status: bytes, cmdline: bytes) -> Process:
    """One process; empty texts are those of one that has gone or may not be read."""
    head, _, tail = stat.rpartition(b")")  # the name may hold brackets and blanks
    fields = tail.split()
    lines = _lines(status)
    name = _text(head.partition(b"(")[2]) or lines.get("Name", "")
    words = cmdline.rstrip(b"\0").split(b"\0")
    command = " ".join(_text(word) for word in words if word)[:_LONGEST]
    resident = re.fullmatch(r"(\d+) kB", lines.get("VmRSS", ""))
    times = [_integer(one) for one in fields[11:13]]
    state = fields[0].decode(errors="replace")[:1] if fields else lines.get("State", "?")[:1]
    return Process(
        pid,
        parent=_integer(fields[1]) if len(fields) > 1 else None,
        uid=uid,
        state=state or "?",
        name=name,
        command=command or f"[{name}]",
        cpu_ticks=sum(one or 0 for one in times) if len(times) == 2 else None,  # noqa: PLR2004 user and system
        memory=int(resident[1]) * 1024 if resident else None,
        threads=_integer(lines.get("Threads", "").encode()),
        started=_integer(fields[19]) if len(fields) > 19 else None,  # noqa: PLR2004 the 22nd field
    )


def with_shares(before: Reading | None, now: Reading) -> tuple[Process, ...]:
    """*now* with each process's share of one CPU since *before*, the busiest first."""
    seconds = now.at - before.at if before is not None else 0.0
    past = {(one.pid, one.started): one for one in before.processes} if before is not None else {}

    def share(one: Process) -> float | None:
        earlier = past.get((one.pid, one.started))
        if earlier is None or earlier.cpu_ticks is None or one.cpu_ticks is None or seconds <= 0:
            return None
        return max(one.cpu_ticks - earlier.cpu_ticks, 0) / TICKS / seconds * 100

    rated = [replace(one, cpu_percent=share(one)) for one in now.processes]
    return tuple(sorted(rated, key=lambda one: (-(one.cpu_percent or 0), -(one.memory or 0))))


def users(passwd: bytes) -> Mapping[int, str]:
    """Names of users by number, of the instance's own ``/etc/passwd``."""
    found: dict[int, str] = {}
    for line in passwd.splitlines():
        parts: Sequence[bytes] = line.split(b":")
        if len(parts) > 2 and (uid := _integer(parts[2])) is not None:  # noqa: PLR2004 name, x, uid
            found.setdefault(uid, _text(parts[0])[:32])
    return found


def _lines(status: bytes) -> Mapping[str, str]:
    pairs = (line.partition(b":") for line in status.splitlines())
    return {_text(key): _text(value).strip() for key, _, value in pairs}


def _integer(text: bytes) -> int | None:
    return int(text) if text.isdigit() and len(text) < 20 else None  # noqa: PLR2004 64 bits


def _text(data: bytes) -> str:
    return data.decode(errors="replace")
