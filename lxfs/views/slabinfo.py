"""/proc/slabinfo of a container.

Role: the header alone. The kernel's caches are shared by all, and no cgroup counts its objects by
cache: cgroup v1's memory.kmem.slabinfo is empty since Linux 5.9, v2 never had one.
Boundary: pure.
Threading: none.
"""

from lxfs.origin import Origin

_TEXT = b"""\
slabinfo - version: 2.1
# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> \
: tunables <limit> <batchcount> <sharedfactor> \
: slabdata <active_slabs> <num_slabs> <sharedavail>
"""


def render() -> bytes:
    """Return the version and the heading of no lines (``man 5 slabinfo``)."""
    return _TEXT


ORIGINS = (Origin(("*",), "the heading alone: no cgroup counts the kernel's caches one by one"),)
