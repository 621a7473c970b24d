"""What a container sees of this machine, beside what the machine is.

Role: what the look of inside_look.py found → a table for people. Boundary: pure; knows nothing of
lxfs but the words of its explanations. Threading: values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from lxtui import format as text

MEMINFO, SWAPS, LOADAVG = "/proc/meminfo", "/proc/swaps", "/proc/loadavg"
UPTIME, CPUS = "/proc/uptime", "/sys/devices/system/cpu/online"
FILES = (MEMINFO, SWAPS, LOADAVG, UPTIME, CPUS)
"""What is compared."""


def _none() -> Mapping[str, Any]:
    return MappingProxyType({})


_HEALED = " 'lxfs attach --all' puts a living view in the place of a dead one."


@dataclass(frozen=True, slots=True)
class Cause:
    """One line of a file, and what made it."""

    line: str
    formula: str
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Inside:
    """One look at a container of this machine."""

    trouble: str = ""
    """Why there was none to be had."""
    mounted: tuple[tuple[str, int, str], ...] = ()
    """Each view over its files: what it is, of how many of them, whether it answers."""
    checked: int = 0
    """How many files were looked at for a view over them."""
    host: Mapping[str, str] = field(default_factory=_none)
    """The files as this machine has them."""
    seen: Mapping[str, str] = field(default_factory=_none)
    """The files as a process of the container reads them; without those that it cannot."""
    causes: Mapping[str, tuple[Cause, ...]] = field(default_factory=_none)
    """The files by the container's limits, line by line, as lxfs makes them."""


@dataclass(frozen=True, slots=True)
class Row:
    """One figure."""

    name: str
    host: str
    seen: str
    limits: str
    """By the container's limits."""
    cause: str


def inside_from(document: Any) -> Inside:
    """What inside_look.py printed."""
    entry = document if isinstance(document, Mapping) else {}
    if entry.get("trouble"):
        return Inside(trouble=str(entry["trouble"]))
    return Inside(
        mounted=tuple((str(a), int(b), str(c)) for a, b, c in entry.get("mounted", ())),
        checked=int(entry.get("checked", 0)),
        host=dict(entry.get("host", {})),
        seen=dict(entry.get("seen", {})),
        causes={
            str(name): tuple(_cause(one) for one in lines)
            for name, lines in dict(entry.get("causes", {})).items()
        },
    )


def _cause(entry: Mapping[str, Any]) -> Cause:
    return Cause(
        str(entry.get("line", "")),
        str(entry.get("formula", "")),
        tuple(_source(one) for one in entry.get("sources", ())),
    )


def _source(entry: Mapping[str, Any]) -> str:
    """One kernel file, whose it is and what it says."""
    values = entry.get("values") or {}
    said = ", ".join(f"{name} {value}".strip() for name, value in values.items())
    whose, own = entry.get("cgroup"), bool(entry.get("own"))
    where = f" of {whose}" if whose and not own else ""
    note = str(entry.get("note", ""))
    line = str(entry.get("file", "")) + where
    if said:
        return f"{line} = {said}" + (f" ({note})" if note else "")
    return f"{line}: {note}" if note else line


def rows(inside: Inside) -> tuple[Row, ...]:
    """The figures that people ask about."""
    made = {name: "\n".join(one.line for one in causes) for name, causes in inside.causes.items()}
    found = []
    for name, file, key, telling, read in _FIGURES:
        host, seen, limits = (
            read(files[file], key) if file in files else "-"
            for files in (inside.host, inside.seen, made)
        )
        cause = _why(inside.causes.get(file, ()), key, telling)
        found.append(Row(name, host, seen, limits, cause))
    return tuple(found)


def verdict(inside: Inside) -> str:
    """What the container has over its /proc and /sys, and what helps where that is of no use."""
    if not inside.mounted:
        return (
            "Nothing is mounted over its /proc and /sys: it sees this machine's figures. "
            "'lxfs attach' gives it its own."
        )
    parts = [
        f"{what} over {count} of {inside.checked} files ({answer})"
        for what, count, answer in inside.mounted
    ]
    dead = any(answer == "dead" for _, _, answer in inside.mounted)
    return f"It has {'; '.join(parts)}.{_HEALED if dead else ''}"


def _why(causes: tuple[Cause, ...], key: str, telling: str) -> str:
    """What most says where a figure comes from: a limit that is one, else the *telling* source."""
    cause = next((one for one in causes if one.line.startswith(key)), None)
    if cause is None:
        return ""
    known = [one for one in cause.sources if " = " in one]
    limits = [one for one in known if "limit)" in one or "smallest of" in one]
    told = [one for one in known if telling in one]
    return next(iter([*limits, *told, *known]), "")


def _kilobytes(document: str, key: str) -> str:
    match = re.search(rf"^{key}:\s*(\d+) kB$", document, re.MULTILINE)
    return text.size(int(match[1]) * 1024) if match else "-"


def _load(document: str, _: str) -> str:
    return " ".join(document.split()[:3]) or "-"


def _uptime(document: str, _: str) -> str:
    first = (document.split() or [""])[0]
    return text.duration(float(first)) if re.fullmatch(r"\d+\.\d+", first) else "-"


def _cpus(document: str, _: str) -> str:
    return document.strip() or "none"


def _swaps(document: str, _: str) -> str:
    sizes = [line.split()[2] for line in document.splitlines()[1:] if len(line.split()) > 2]  # noqa: PLR2004 the size
    known = [int(one) for one in sizes if one.isdecimal()]
    return f"{text.size(sum(known) * 1024)}" if known else "none"


_FIGURES = (
    ("memory", MEMINFO, "MemTotal", "", _kilobytes),
    ("available", MEMINFO, "MemAvailable", "usage", _kilobytes),
    ("page cache", MEMINFO, "Cached", "", _kilobytes),
    ("swap", MEMINFO, "SwapTotal", "", _kilobytes),
    ("swap areas", SWAPS, "", "", _swaps),
    ("CPUs online", CPUS, "", "cpus", _cpus),
    ("load average", LOADAVG, "", "", _load),
    ("uptime", UPTIME, "", "starttime", _uptime),
)
"""What it is called, where it stands, what of its sources says most, how it is read."""
