"""A limit of CPU time: quota and period, and what the kernel lets them be.

Role: what v1's cfs files and v2's cpu.max have in common (kernel/sched/core.c).
Boundary: pure.
Threading: immutable.
"""

import errno
import re
from collections.abc import Callable
from dataclasses import dataclass

from lxfs import parse
from lxfs.cgroupfs.files import Group
from lxfs.cgroupfs.rows import levels
from lxfs.cgroupfs.texts import SPACE, refuse

PERIOD = 100_000
"""Microseconds of a period that nobody has set."""
_MIN, _MAX_PERIOD = 1000, 1_000_000
_MAX_RUNTIME = (1 << 44) - 1
_RATIO_SHIFT = 20


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """Microseconds of CPU time in microseconds of a period; no ``quota`` is no limit."""

    quota: int | None
    period: int

    def cpu_max(self) -> bytes:
        """Return it as v2 prints and reads it."""
        return b"%b %d\n" % (b"max" if self.quota is None else b"%d" % self.quota, self.period)

    @property
    def ratio(self) -> int | None:
        """The share of a CPU, as the kernel compares it (``to_ratio``)."""
        return None if self.quota is None else (self.quota << _RATIO_SHIFT) // self.period


def of_cpu_max(text: bytes) -> Bandwidth:
    """Return what cpu.max says. Raises ``ValueError``."""
    parse.cpu_max(text)
    quota, period = text.split()
    return Bandwidth(parse.integer_or_max(quota), parse.integer(period))


_WRITTEN = re.compile(rb"[%b]*([^%b]{1,20})[%b]*([0-9]*)" % (SPACE, SPACE, SPACE))


def written_cpu_max(text: bytes, period: int) -> Bandwidth:
    """Return what is written to cpu.max, as ``cpu_period_quota_parse`` reads it.

    ``period`` is the present one, which stays if no number follows the quota. Of a quota the
    leading digits count.
    """
    found = _WRITTEN.match(text)
    if found is None:
        refuse(errno.EINVAL)
    digits = re.match(rb"[0-9]+", found[1])
    if digits is None and found[1] != b"max":
        refuse(errno.EINVAL)
    return Bandwidth(
        None if digits is None else int(digits[0]), int(found[2]) if found[2] else period
    )


def check(new: Bandwidth, burst: int) -> None:
    """Raise EINVAL for a limit that the kernel does not take (``tg_set_cfs_bandwidth``)."""
    if not _MIN <= new.period <= _MAX_PERIOD or burst > _MAX_RUNTIME * 1000:
        refuse(errno.EINVAL)
    if new.quota is not None and (
        not _MIN <= new.quota <= _MAX_RUNTIME
        or burst > new.quota
        or burst + new.quota > _MAX_RUNTIME
    ):
        refuse(errno.EINVAL)


def check_hierarchy(new: Bandwidth, group: Group, limit: Callable[[Group], Bandwidth]) -> None:
    """Raise EINVAL for more than an ancestor has, as v1 does (``tg_cfs_schedulable_down``)."""
    if new.ratio is None:
        return
    for level in levels(group):
        if level is not group:
            ratio = limit(level).ratio
            if ratio is not None and new.ratio > ratio:
                refuse(errno.EINVAL)
