"""The files of v1's blkio controller and of v2's io controller.

Role: what each says of a cgroup whose block I/O the other version counts and limits, and what a
write to it means there.
Boundary: pure. Counters are those of the views of /proc (``lxfs.stats``), formats the kernel's
(block/blk-throttle.c, blk-cgroup.c).
Threading: pure functions.
"""

import errno
import re
from collections.abc import Callable, Mapping, Sequence

from lxfs import parse, stats
from lxfs.cgroupfs.files import ControlFile, Group, Meaning, View, Write
from lxfs.cgroupfs.rows import ask, row, write_only
from lxfs.cgroupfs.texts import SPACE, refuse
from lxfs.model import BlockIo
from lxfs.origin import keys, value
from lxfs.parse import Device

_LIMITS = {
    "rbps": "blkio.throttle.read_bps_device",
    "wbps": "blkio.throttle.write_bps_device",
    "riops": "blkio.throttle.read_iops_device",
    "wiops": "blkio.throttle.write_iops_device",
}
"""v2's words of io.max in their order, and v1's files."""
_U64_MAX = (1 << 64) - 1


def _io(group: Group) -> Mapping[Device, BlockIo]:
    return ask(group, "io", "io.stat", stats.v2_block_io) or {}


def _counted(kinds: Mapping[str, Callable[[BlockIo], int]]) -> View:
    """Return a view of a v1 file of counts by device and kind, with a total of each and of all.

    Discards have a line of their own since 4.20; Sync and Async, of which v2 does not tell, are 0.
    """

    def view(group: Group) -> bytes:
        lines, everything = [], 0
        for (major, minor), io in sorted(_io(group).items()):
            counts = {name: count(io) for name, count in kinds.items()}
            total = sum(counts.values())
            shown = {
                "Read": counts["Read"],
                "Write": counts["Write"],
                "Sync": 0,
                "Async": 0,
                "Discard": counts["Discard"],
                "Total": total,
            }
            lines += [f"{major}:{minor} {name} {count}\n" for name, count in shown.items()]
            everything += total
        return "".join([*lines, f"Total {everything}\n"]).encode()

    return view


_SIZES = _counted(
    {"Read": lambda io: io.rbytes, "Write": lambda io: io.wbytes, "Discard": lambda io: io.dbytes}
)
_REQUESTS = _counted(
    {"Read": lambda io: io.rios, "Write": lambda io: io.wios, "Discard": lambda io: io.dios}
)


def _io_max(text: bytes) -> Mapping[bytes, Mapping[str, bytes]]:
    """Return the words of io.max by device; raises ``ValueError``."""
    found = {}
    for line in text.splitlines():
        device, *words = line.split()
        limits = {}
        for word in words:
            name, equals, number = word.partition(b"=")
            if not equals:
                raise ValueError(f"expected a device and its limits, found {line[:40]!r}")
            limits[name.decode(errors="replace")] = number
        found[device] = limits
    return found


def _v1_limit(word: str) -> View:
    def view(group: Group) -> bytes:
        devices = ask(group, "io", "io.max", _io_max) or {}
        return b"".join(
            [
                b"%b %b\n" % (device, limits[word])
                for device, limits in devices.items()
                if limits.get(word, b"max") != b"max"
            ]
        )

    return view


_SPACE = rb"[%b]" % SPACE
_DEVICE = re.compile(rb"%b*([0-9]+:%b*[0-9]+)%b" % (_SPACE, _SPACE, _SPACE))
_DIGITS = re.compile(rb"%b*([0-9]+)" % _SPACE)


def _device(text: bytes) -> tuple[bytes, bytes]:
    """Return the device that a text begins with, and what follows (``blkg_conf_prep``)."""
    found = _DEVICE.match(text)
    if found is None:
        refuse(errno.EINVAL)
    return found[1].translate(None, SPACE), text[found.end() :]


def _set_v1_limit(word: str) -> Meaning:
    """Return the meaning of ``MAJOR:MINOR NUMBER``; 0 is no limit (``tg_set_conf``)."""

    def meant(_: Group, text: bytes) -> Sequence[Write]:
        device, rest = _device(text)
        found = _DIGITS.match(rest)
        if found is None:
            refuse(errno.EINVAL)
        number = int(found[1]) & _U64_MAX
        limit = b"%d" % number if number else b"max"
        return (Write("io", "io.max", b"%b %b=%b\n" % (device, word.encode(), limit)),)

    return meant


def _v1_limits(text: bytes) -> Mapping[bytes, bytes]:
    """Return the limits of a v1 file by device; raises ``ValueError``."""
    found = {}
    for line in text.splitlines():
        device, _, number = line.partition(b" ")
        parse.integer(number)
        found[device] = number
    return found


def _v2_limits(group: Group) -> bytes:
    each = {word: ask(group, "io", name, _v1_limits) or {} for word, name in _LIMITS.items()}
    devices = list(dict.fromkeys(device for limits in each.values() for device in limits))
    lines = []
    for device in devices:
        words = [
            b"%b=%b" % (word.encode(), limits.get(device, b"max")) for word, limits in each.items()
        ]
        lines.append(b" ".join([device, *words]) + b"\n")
    return b"".join(lines)


def _set_v2_limits(_: Group, text: bytes) -> Sequence[Write]:
    """Limit each of what is named, by v1's files (``tg_set_limit``)."""
    device, rest = _device(text)
    writes = {}
    for word in rest.replace(b"\xa0", b" ").split():
        name, _equals, number = word[:26].partition(b"=")
        known = _LIMITS.get(name.decode(errors="replace"))
        digits = _DIGITS.match(number)
        if digits is None and number != b"max":
            refuse(errno.EINVAL)
        limit = 0 if digits is None else int(digits[1]) & _U64_MAX
        if digits is not None and not limit:
            refuse(errno.ERANGE)
        if known is None or limit == 1:
            refuse(errno.EINVAL)
        writes[known] = Write("io", known, b"%b %d\n" % (device, limit))
    return tuple(writes.values())


def _stat(group: Group) -> bytes:
    found = stats.v1_block_io(lambda name: ask(group, "io", name, parse.blkio))
    return "".join(
        [
            f"{major}:{minor} rbytes={io.rbytes} wbytes={io.wbytes} rios={io.rios}"
            f" wios={io.wios} dbytes={io.dbytes} dios={io.dios}\n"
            for (major, minor), io in sorted(found.items())
        ]
    ).encode()


_NUMBER = rb"[0-9]+"


def _v1_weight(group: Group) -> bytes | None:
    """Return BFQ's weight of a cgroup, which v2 has among those of devices, as the default."""
    text = group.text("io", "io.bfq.weight")
    found = None if text is None else re.match(rb"default (%b)\n" % _NUMBER, text)
    return None if found is None else found[1] + b"\n"


def _set_v1_weight(_: Group, text: bytes) -> Sequence[Write]:
    return (Write("io", "io.bfq.weight", text),)


def _v2_weight(group: Group) -> bytes | None:
    return group.text("io", "blkio.bfq.weight_device")


def _set_v2_weight(_: Group, text: bytes) -> Sequence[Write]:
    return (Write("io", "blkio.bfq.weight_device", text),)


_COUNTERS = {
    "io_service_bytes": (_SIZES, ("rbytes", "wbytes", "dbytes")),
    "io_serviced": (_REQUESTS, ("rios", "wios", "dios")),
}

V1: tuple[ControlFile, ...] = (
    *(
        row(
            f"blkio.throttle.{name}{suffix}",
            1,
            "io",
            view,
            formula="by device; Sync and Async are 0, as v2 does not tell them apart"
            + ("" if suffix else ". With descendants'"),
            of=(keys("io.stat", *words),),
        )
        for name, (view, words) in _COUNTERS.items()
        for suffix in ("", "_recursive")
    ),
    *(
        row(
            name,
            1,
            "io",
            _v1_limit(word),
            _set_v1_limit(word),
            formula="by device, where it is not max",
            of=(keys("io.max", word),),
        )
        for word, name in _LIMITS.items()
    ),
    row(
        "blkio.bfq.weight",
        1,
        "io",
        _v1_weight,
        _set_v1_weight,
        formula="the default; no file without the BFQ scheduler",
        of=(value("io.bfq.weight"),),
        in_top=False,
    ),
    write_only("blkio.reset_stats", 1, "io"),
)

V2: tuple[ControlFile, ...] = (
    row(
        "io.stat",
        2,
        "io",
        _stat,
        formula="by device, the throttle's counts, or BFQ's where that has none",
        of=(
            value("blkio.throttle.io_service_bytes_recursive"),
            value("blkio.throttle.io_serviced_recursive"),
            value("blkio.bfq.io_service_bytes_recursive"),
            value("blkio.bfq.io_serviced_recursive"),
        ),
    ),
    row(
        "io.max",
        2,
        "io",
        _v2_limits,
        _set_v2_limits,
        formula="by device with any limit; max where v1's file has no line",
        of=tuple(value(name) for name in _LIMITS.values()),
        in_top=False,
    ),
    row(
        "io.bfq.weight",
        2,
        "io",
        _v2_weight,
        _set_v2_weight,
        formula="as it is; no file without the BFQ scheduler",
        of=(value("blkio.bfq.weight_device"),),
        in_top=False,
    ),
)
