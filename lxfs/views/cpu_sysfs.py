"""/sys/devices/system/cpu of a container: ``online``.

Role: the list that sysconf(_SC_NPROCESSORS_ONLN) counts.
Boundary: pure.
Threading: none.
"""

from lxfs import parse
from lxfs.model import Cpus


def online(cpus: Cpus) -> bytes:
    """Return the visible CPUs as a list (Documentation/admin-guide/cputopology.rst)."""
    return f"{parse.format_cpulist(cpus.visible)}\n".encode()
