"""/proc/diskstats of a container.

Role: the block I/O that the container has done, by device, in the host's lines.
Boundary: pure. A device that the container has not used is not named, and no count is the host's.
Threading: none.
"""

import re
from collections.abc import Iterator, Mapping

from lxfs.model import BlockIo
from lxfs.origin import Origin, value
from lxfs.parse import Device

_SECTOR = 512
"""Bytes of a sector in this file, whatever the device's own are."""

_LEAST_FIELDS = 14
"""Before Linux 4.18; discards (18) and flushes (20) came later."""

# What these do, the devices below them do again: LVM and dm-crypt, RAID, bcache, DRBD.
_STACKED = re.compile(rb"dm-|md|bcache|drbd")


def render(host: bytes, io: Mapping[Device, BlockIo]) -> bytes:
    """Return the file from the host's file and the container's block I/O.

    The host's devices in the host's order with as many columns; a device that the host does not
    list (any more) is left out. Merges, times, requests in flight and flushes are counted by no
    cgroup and zero. (Documentation/admin-guide/iostats.rst.) Raises ``ValueError`` for a host's
    file of another shape.
    """
    return b"".join(
        b"%4d %7d %b%b\n" % (*device, name, _counts(io[device], columns))
        for device, name, columns in _devices(host)
        if device in io
    )


def total(host: bytes, io: Mapping[Device, BlockIo]) -> BlockIo:
    """Return the block I/O of all devices, each transfer once, named by the host's file.

    Of devices upon others the lower count, unless they counted nothing (as when only the upper
    has a throttle on cgroup v1).
    """
    stacked = {device for device, name, _ in _devices(host) if _STACKED.match(name)}
    counted = [each for device, each in io.items() if device not in stacked] or io.values()
    return BlockIo(
        rbytes=sum(each.rbytes for each in counted),
        wbytes=sum(each.wbytes for each in counted),
        rios=sum(each.rios for each in counted),
        wios=sum(each.wios for each in counted),
        dbytes=sum(each.dbytes for each in counted),
        dios=sum(each.dios for each in counted),
    )


def _devices(host: bytes) -> Iterator[tuple[Device, bytes, int]]:
    """Yield the device, the name and the number of counts of each line."""
    for line in host.splitlines():
        fields = line.split()
        if len(fields) < _LEAST_FIELDS or not (fields[0].isdigit() and fields[1].isdigit()):
            raise ValueError(f"expected a device and its counts, found {line[:60]!r}")
        yield (int(fields[0]), int(fields[1])), fields[2], len(fields) - 3


def _counts(io: BlockIo, columns: int) -> bytes:
    counts = [0] * max(columns, 15)
    counts[0], counts[2] = io.rios, io.rbytes // _SECTOR
    counts[4], counts[6] = io.wios, io.wbytes // _SECTOR
    counts[11], counts[13] = io.dios, io.dbytes // _SECTOR
    return b"".join(b" %d" % count for count in counts[:columns])


COUNTED_V1 = tuple(
    value(f"blkio.{name}_recursive")
    for name in (
        "throttle.io_service_bytes",
        "throttle.io_serviced",
        "bfq.io_service_bytes",
        "bfq.io_serviced",
    )
)
COUNTED_V2 = (value("io.stat"),)
ORIGINS = (
    Origin(
        ("*",),
        "a device of the host's list that was used: reads, sectors read, writes, sectors written,"
        " discards, sectors discarded; the other columns are not counted per cgroup, and 0",
        v1=COUNTED_V1,
        v2=COUNTED_V2,
        host=(value("/proc/diskstats"),),
    ),
)
