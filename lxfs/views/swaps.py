"""/proc/swaps of a container.

Role: one line for all the swap that the container may use.
Boundary: pure. The host's devices and files are not named.
Threading: none.
"""

from lxfs.model import SwapUse
from lxfs.origin import Origin, origin_of
from lxfs.views.meminfo import ORIGINS as MEMINFO
from lxfs.views.meminfo import swap_sizes, swap_total

_HEADER = b"Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"


def render(host_meminfo: bytes, use: SwapUse | None) -> bytes:
    """Return the file from the host's meminfo and the container's use, in kB.

    Without swap there is the header alone. The line has LXCFS's shape (name ``none``, type
    ``virtual``, priority 0), which its readers know; the sizes are meminfo's SwapTotal and the
    difference to SwapFree.
    """
    total, used = swap_sizes(swap_total(host_meminfo), use)
    if total == 0:
        return _HEADER
    # As meminfo does it: the difference of two rounded figures, not a rounded difference.
    used_kb = total // 1024 - (total - used) // 1024
    line = f"none{' ' * 36}virtual\t\t{total // 1024}\t\t{used_kb}\t\t0\n"
    return _HEADER + line.encode()


def _origins() -> tuple[Origin, ...]:
    total, free = (origin_of(f"{name}:", MEMINFO) for name in ("SwapTotal", "SwapFree"))
    assert total is not None  # noqa: S101 - every line of meminfo has an origin
    assert free is not None  # noqa: S101
    return (
        Origin(("Filename",), "the header"),
        Origin(
            ("none",),
            "all the swap that may be used, if any: Size is meminfo's SwapTotal, Used is that less"
            " SwapFree",
            v1=(*total.v1, *free.v1),
            v2=(*total.v2, *free.v2),
            host=total.host,
        ),
    )


ORIGINS = _origins()
