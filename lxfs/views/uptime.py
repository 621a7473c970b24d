"""/proc/uptime of a container.

Role: how long its init has run, and the idle time of the CPUs that it sees.
Boundary: pure.
Threading: none.
"""

from lxfs.origin import ONLINE, START, VISIBLE_V1, VISIBLE_V2, Origin
from lxfs.views.stat import USED_V1, USED_V2

_NSEC_PER_CENTISECOND = 10_000_000


def render(age: int, idle: int) -> bytes:
    """Return the file from the age of init and the summed idle time, both in nanoseconds.

    (Documentation/filesystems/proc.rst.) Raises ``ValueError`` for a negative time.
    """
    if age < 0 or idle < 0:
        raise ValueError(f"an age of {age} ns with {idle} ns idle means nothing")
    return f"{_seconds(age)} {_seconds(idle)}\n".encode()


def _seconds(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds // _NSEC_PER_CENTISECOND, 100)
    return f"{seconds}.{rest:02}"


ORIGINS = (
    Origin(
        ("*",),
        "now less the start of init, never negative; then stat's idle, of all CPUs together",
        v1=(*USED_V1, *VISIBLE_V1),
        v2=(*USED_V2, *VISIBLE_V2),
        host=(START, ONLINE),
    ),
)
