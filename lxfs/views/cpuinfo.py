"""/proc/cpuinfo of a container.

Role: the host's blocks of the CPUs that the container sees.
Boundary: pure; the format differs by architecture and only the ``processor`` key is understood.
Threading: none.
"""

from lxfs.model import Cpus
from lxfs.origin import ONLINE, VISIBLE_V1, VISIBLE_V2, Origin, value


def render(host: bytes, cpus: Cpus) -> bytes:
    """Return the host's file without the blocks of the CPUs that are not visible.

    Blocks keep the kernel's numbers, as stat, the sysfs list, taskset(1) and ps(1) do. What is
    not part of a numbered block (the machine's lines on arm and powerpc) stays. Raises
    ``ValueError`` when no visible CPU is in the file.
    """
    kept = []
    shown = 0
    for block in host.split(b"\n\n"):
        number = _processor(block)
        if number is None:
            kept.append(block)
        elif number in cpus.visible:
            kept.append(block)
            shown += 1
    if not shown:
        raise ValueError(f"the host's cpuinfo has none of the CPUs {cpus.visible}")
    return b"\n\n".join(kept)


def _processor(block: bytes) -> int | None:
    for line in block.splitlines():
        key, colon, value = line.partition(b":")
        if colon and key.strip() == b"processor" and value.strip().isdigit():
            return int(value)
    return None


ORIGINS = (
    Origin(
        ("processor",),
        "the visible CPUs: the lowest min(number allowed, quota rounded up) of those allowed",
        v1=VISIBLE_V1,
        v2=VISIBLE_V2,
        host=(ONLINE,),
    ),
    Origin(("*",), "the host's, of a visible CPU's block", host=(value("/proc/cpuinfo"),)),
)
