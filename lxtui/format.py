"""Numbers and times as people read them.

Role: pure text. Boundary: imports nothing of ours. Threading: functions of their arguments.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import urlsplit

_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_STEP = 1024
_SUFFIXES = {
    **{unit: _STEP**power for power, unit in enumerate(_BINARY)},
    **{unit: 1000**power for power, unit in enumerate(("B", "kB", "MB", "GB", "TB", "PB", "EB"))},
    "": 1,
    "bit": 1 / 8,
}
_SIZE = re.compile(r"\s*(\d+)\s*([A-Za-z]*)\s*")


def size(count: float | None) -> str:
    """Bytes in the largest binary unit that leaves at least 1: ``256 MiB``; ``-`` for None."""
    if count is None:
        return "-"
    power = 0
    while count >= _STEP and power < len(_BINARY) - 1:
        count /= _STEP
        power += 1
    digits = 0 if power == 0 or count >= 100 or count == int(count) else 1  # noqa: PLR2004 three digits read well
    return f"{count:.{digits}f} {_BINARY[power]}"


def rate(per_second: float | None) -> str:
    """Bytes a second; empty for None."""
    return "" if per_second is None else f"{size(per_second)}/s"


def limit_bytes(text: str, total: int | None) -> int | None:
    """``limits.memory`` in bytes: ``256MiB``, ``1GB``, or a percentage of *total*.

    None for no limit, for an unknown total and for what does not parse: a limit that we cannot
    read must not be shown as one. The suffixes are those of LXD's instance options.
    """
    text = text.strip()
    if text.endswith("%"):
        share = text[:-1]
        return int(total * int(share) / 100) if total is not None and share.isdigit() else None
    match = _SIZE.fullmatch(text)
    if match is None or match[2] not in _SUFFIXES:
        return None
    return int(int(match[1]) * _SUFFIXES[match[2]])


def duration(seconds: float) -> str:
    """A time span in its two largest units: ``3d 4h``, ``12m 5s``, ``0.4s``."""
    if seconds < 10:  # noqa: PLR2004 below ten seconds a tenth matters
        return f"{max(seconds, 0):.1f}s"
    left = int(seconds)
    parts: list[str] = []
    for unit, length in (("y", 31_557_600), ("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, length)
        if count or parts:
            parts.append(f"{count}{unit}" if count else "")
        if len(parts) == 2:  # noqa: PLR2004 two units are enough
            break
    return " ".join(part for part in parts if part)


def age(since: datetime | None, now: datetime) -> str:
    """How long ago, in one unit: ``5m``, ``3d``; ``-`` when not known or never."""
    if since is None:
        return "-"
    seconds = max(int((now - since).total_seconds()), 0)
    for unit, length in (("y", 31_557_600), ("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def until(moment: datetime | None, now: datetime) -> str:
    """How long until then: ``in 6d 23h``; ``never`` for None, ``now due`` when it is over."""
    if moment is None:
        return "never"
    seconds = (moment - now).total_seconds()
    return f"in {duration(seconds)}" if seconds > 0 else "now due"


def percent(value: float | None) -> str:
    """A share with one decimal below ten: ``3.4%``, ``87%``; ``-`` for None."""
    if value is None:
        return "-"
    return f"{value:.1f}%" if value < 10 else f"{value:.0f}%"  # noqa: PLR2004 above ten the tenth is noise


def timestamp(text: str) -> datetime | None:
    """An RFC 3339 time of the REST API; None for Go's zero time and for what does not parse.

    The daemons write up to nine digits of a second, datetime reads six.
    """
    shortened = re.sub(r"(\.\d{6})\d+", r"\1", text)
    try:
        parsed = datetime.fromisoformat(shortened)
    except ValueError:
        return None
    if parsed.year <= 1970:  # noqa: PLR2004 year 1 is Go's zero, 1970 is the kernel's
        return None
    return parsed.astimezone(UTC)


def plain(text: str) -> str:
    """*text* without control characters: what a container names must not drive a terminal."""
    return "".join(char if char.isprintable() else "?" for char in text)


def address(text: str) -> str:
    """A remote's address without what is the same everywhere."""
    return urlsplit(text).netloc if text.startswith("https://") else text


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows under a header, columns as wide as they must be; one line each, no trailing blanks."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [header, *rows]
    ]
    return "\n".join(lines)


def path(name: bytes) -> str:
    """A file's path for a person: what is not printable is escaped."""
    shown = name.decode(errors="backslashreplace")
    return shown if shown.isprintable() else ascii(shown)[1:-1]
