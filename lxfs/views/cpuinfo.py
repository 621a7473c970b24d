"""/proc/cpuinfo of a container.

Role: the host's blocks of the CPUs that the container sees.
Boundary: pure; the format differs by architecture, and only what numbers the CPUs is understood.
Threading: none.
"""

import re
from functools import lru_cache

from lxfs.model import Cpus
from lxfs.origin import ONLINE, VISIBLE_V1, VISIBLE_V2, Origin, value

# s390 has a line for each CPU in its first block, and their number; its own blocks follow.
_S390_LINE = re.compile(rb"processor (\d+):")
_S390_COUNT = re.compile(rb"# processors +: ")


def render(host: bytes, cpus: Cpus) -> bytes:
    """Return the host's file without the blocks of the CPUs that are not visible.

    Blocks keep the kernel's numbers, as stat, the sysfs list, taskset(1) and ps(1) do. What is
    not part of a numbered block (the machine's lines on arm, powerpc and s390) stays. Raises
    ``ValueError`` when no visible CPU is in the file.
    """
    return _render(host, cpus.visible)


@lru_cache(maxsize=64)  # where no clock rate is measured, the file says the same for hours
def _render(host: bytes, visible: tuple[int, ...]) -> bytes:
    if host.startswith(b"vendor_id       : IBM/S390\n"):
        host = _without_s390_lines(host, visible)
    kept = []
    shown = 0
    for block in host.split(b"\n\n"):
        number = _number(block)
        if number is None:
            kept.append(block)
            shown += bool(_S390_LINE.search(block))
        elif number in visible:
            kept.append(block)
            shown += 1
    if not shown:
        raise ValueError(f"the host's cpuinfo has none of the CPUs {visible}")
    return b"\n\n".join(kept)


def _without_s390_lines(host: bytes, visible: tuple[int, ...]) -> bytes:
    """Return s390's file with the lines of the visible CPUs alone, and their number."""
    lines = []
    for line in host.split(b"\n"):
        if (match := _S390_LINE.match(line)) and int(match[1]) not in visible:
            continue
        count = _S390_COUNT.match(line)
        lines.append(b"%b%d" % (count[0], len(visible)) if count else line)
    return b"\n".join(lines)


def _number(block: bytes) -> int | None:
    for line in block.splitlines():
        key, colon, value = line.partition(b":")
        if colon and key.strip() in (b"processor", b"cpu number") and value.strip().isdigit():
            return int(value)
    return None


ORIGINS = (
    Origin(
        ("processor", "processor [0-9]*", "# processors", "cpu number"),
        "the visible CPUs: the lowest min(number allowed, quota rounded up) of those allowed",
        v1=VISIBLE_V1,
        v2=VISIBLE_V2,
        host=(ONLINE,),
    ),
    Origin(("*",), "the host's, of a visible CPU's block", host=(value("/proc/cpuinfo"),)),
)
