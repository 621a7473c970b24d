"""Numbers of one shape as those of the other.

Role: the published mappings, each with where it is published; both directions beside each other.
Boundary: pure arithmetic.
Threading: pure functions.
"""

SHARES = 1024
"""cpu.shares of a cgroup for which nobody has set any; ``cpu.weight`` is then 100."""
MIN_SHARES, MAX_SHARES = 2, 1 << 18
"""kernel/sched/sched.h: what is beyond is brought back to these."""
WEIGHT, MIN_WEIGHT, MAX_WEIGHT = 100, 1, 10_000
"""include/linux/cgroup.h: CGROUP_WEIGHT_DFL, _MIN and _MAX; what is beyond is ERANGE."""


def weight_of_shares(shares: int) -> int:
    """Return the cpu.weight of cpu.shares: ``sched_weight_to_cgroup`` of kernel/sched/sched.h.

    It is what the kernel itself would print in cpu.weight, were the hierarchy v2: both files show
    one number of the scheduler's. Container runtimes have other formulas, which map the ends of
    the ranges onto each other and the default of 1024 onto 39 (or, later, 100 by a curve): those
    are for configurations, not for what the scheduler does.
    """
    return min(max(_closest(shares * WEIGHT, SHARES), MIN_WEIGHT), MAX_WEIGHT)


def shares_of_weight(weight: int) -> int:
    """Return the cpu.shares of a cpu.weight: ``sched_weight_from_cgroup``, within v1's bounds."""
    return min(max(_closest(weight * SHARES, WEIGHT), MIN_SHARES), MAX_SHARES)


def _closest(dividend: int, divisor: int) -> int:
    """Divide as DIV_ROUND_CLOSEST_ULL does: halves go up."""
    return (dividend + divisor // 2) // divisor


_NICE = (
    *(88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916),
    *(9548, 7620, 6100, 4904, 3906, 3121, 2501, 1991, 1586, 1277),
    *(1024, 820, 655, 526, 423, 335, 272, 215, 172, 137),
    *(110, 87, 70, 56, 45, 36, 29, 23, 18, 15),
)
"""The scheduler's weights of nice -20 to 19 (sched_prio_to_weight of kernel/sched/core.c)."""
MIN_NICE, MAX_NICE = -20, 19


def nice_of_shares(shares: int) -> int:
    """Return the nice value whose weight is closest: ``cpu_weight_nice_read_s64``."""
    last = None
    for index, weight in enumerate(_NICE):
        delta = abs(weight - shares)
        if last is not None and delta >= last:
            return MIN_NICE + index - 1
        last = delta
    return MAX_NICE


def shares_of_nice(nice: int) -> int:
    """Return the weight of a nice value from -20 to 19: ``cpu_weight_nice_write_s64``."""
    return _NICE[nice - MIN_NICE]


def both_limit(memory: int | None, swap: int | None) -> int | None:
    """Return v1's limit of memory and swap together, of v2's two limits, in bytes."""
    return None if memory is None or swap is None else memory + swap


def soft_of_low(low: int) -> int | None:
    """Return v1's soft limit of v2's memory.low, in bytes; ``None`` is none.

    Documentation/admin-guide/cgroup-v2.rst has memory.low in the soft limit's place: what is below
    either is reclaimed last. A soft limit of nothing and no soft limit are both memory.low 0.
    """
    return low or None


def low_of_soft(soft: int | None) -> int:
    """Return v2's memory.low of v1's soft limit."""
    return soft or 0
