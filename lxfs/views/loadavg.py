"""/proc/loadavg of a container.

Role: three averages, the threads, the last pid.
Boundary: pure; the averages are made by state.
Threading: none.
"""

from lxfs.model import LoadAverage
from lxfs.origin import THREADS_V1, THREADS_V2, Origin

_FSHIFT = 11
_HALF_HUNDREDTH = (1 << _FSHIFT) // 200


def render(load: LoadAverage) -> bytes:
    """Return the file: averages rounded to hundredths as the kernel does (fs/proc/loadavg.c).

    The running threads include the reader; the last pid is in the container's own numbering.
    """
    averages = " ".join(_hundredths(value) for value in (load.one, load.five, load.fifteen))
    tasks = load.tasks
    running, total = max(1, tasks.running), max(1, tasks.total)
    return f"{averages} {running}/{total} {tasks.last_pid}\n".encode()


def _hundredths(value: int) -> str:
    rounded = value + _HALF_HUNDREDTH
    whole, fraction = rounded >> _FSHIFT, rounded & ((1 << _FSHIFT) - 1)
    return f"{whole}.{fraction * 100 >> _FSHIFT:02}"


ORIGINS = (
    Origin(
        ("*",),
        "threads in state R or D in /proc/TID/status, every 5 s, averaged by the kernel's formula"
        " since the first read; threads in state R (at least the reader) of all; the highest pid"
        " alive, in the container's numbering",
        v1=THREADS_V1,
        v2=THREADS_V2,
    ),
)
