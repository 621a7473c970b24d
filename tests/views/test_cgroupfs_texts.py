"""Numbers as the kernel reads them from a written text."""

import errno
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lxfs.cgroupfs import conversions, texts
from lxfs.cgroupfs.bandwidth import Bandwidth, written_cpu_max

# What Linux 6.18 makes of a text in memory.limit_in_bytes, cpu.shares and cpu.cfs_quota_us.
SIZES: dict[bytes, int | None] = {
    b"\n": 0,
    b"0": 0,
    b"-1\n": None,
    b"4096": 4096,
    b"4097": 4096,
    b" 4096 ": 4096,
    b"0x1000": 4096,
    b"010000": 4096,
    b"4k": 4096,
    b"4K\n": 4096,
    b"1G": 1 << 30,
    b"k": 0,
    b"18446744073709551615": None,
    b"18446744073709551616": 0,
    b"9223372036854771712": None,
    b"99999999999999999999999": 200376420520685568,
    b"\n5": 0,
}
NO_SIZES = (
    *(b"max", b"4kB", b"1e6", b"abc", b"-5", b"-2", b"+5", b"5 5", b"\xff", b"0-1", b"08", b"0x"),
    b"0\n0",
)


@pytest.mark.parametrize("text", SIZES)
def test_sizes(text: bytes) -> None:
    """A limit of memory is read as page_counter_memparse() reads it."""
    assert texts.limit(text, b"-1") == SIZES[text]


def _errno(call: Callable[[], object]) -> int | None:
    try:
        call()
    except OSError as error:
        return error.errno
    return None


def _outcome(call: Callable[[], int]) -> int | None:
    """Return what is returned, or the errno: no number here is one."""
    try:
        return call()
    except OSError as error:
        return error.errno


@pytest.mark.parametrize("text", NO_SIZES)
def test_no_sizes(text: bytes) -> None:
    """What is no limit of memory is EINVAL, a sign and another version's word included."""
    assert _errno(lambda: texts.limit(text, b"-1")) == errno.EINVAL


@pytest.mark.parametrize(
    ("text", "unsigned", "signed"),
    [
        (b"4096", 4096, 4096),
        (b"0x1000\n", 4096, 4096),
        (b"010000", 4096, 4096),
        (b"+5", 5, 5),
        (b"-5", errno.EINVAL, -5),
        (b"18446744073709551615", (1 << 64) - 1, errno.ERANGE),
        (b"18446744073709551616", errno.ERANGE, errno.ERANGE),
        (b"-9223372036854775808", errno.EINVAL, -(1 << 63)),
        (b"99999999999999999999999x", errno.ERANGE, errno.ERANGE),
        (b"", errno.EINVAL, errno.EINVAL),
        (b" 1", errno.EINVAL, errno.EINVAL),
        (b"1 ", errno.EINVAL, errno.EINVAL),
        (b"1\n\n", errno.EINVAL, errno.EINVAL),
        (b"4k", errno.EINVAL, errno.EINVAL),
        (b"-+5", errno.EINVAL, errno.EINVAL),
    ],
)
def test_numbers(text: bytes, unsigned: int, signed: int) -> None:
    """A number is read as kstrtoull() and kstrtoll() read it, with their errno."""
    assert _outcome(lambda: texts.unsigned(text)) == unsigned
    assert _outcome(lambda: texts.signed(text)) == signed


@given(st.binary(max_size=24))
def test_garbage_is_an_error_of_the_kernel_s(text: bytes) -> None:
    """Whatever is written is a number, EINVAL or ERANGE, and never another failure."""
    for read in (
        texts.unsigned,
        texts.signed,
        lambda some: texts.limit(some, b"max"),
        lambda some: written_cpu_max(some, 100_000),
    ):
        assert _errno(lambda read=read: read(text)) in {None, errno.EINVAL, errno.ERANGE}  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"max 100000", Bandwidth(None, 100_000)),
        (b"max", Bandwidth(None, 5000)),
        (b"50000\n", Bandwidth(50_000, 5000)),
        (b" 50000  20000 x", Bandwidth(50_000, 20_000)),
        (b"50000 abc", Bandwidth(50_000, 5000)),
    ],
)
def test_cpu_max(text: bytes, expected: Bandwidth) -> None:
    """A quota without a period leaves the period; what is no period counts as none."""
    assert written_cpu_max(text, 5000) == expected


@given(st.integers(conversions.MIN_WEIGHT, conversions.MAX_WEIGHT))
def test_weights_come_back(weight: int) -> None:
    """Every weight is the same again after its way over shares, as the kernel promises."""
    shares = conversions.shares_of_weight(weight)
    assert conversions.weight_of_shares(shares) == weight
    assert conversions.MIN_SHARES <= shares <= conversions.MAX_SHARES


@pytest.mark.parametrize(
    ("shares", "weight"),
    [(2, 1), (10, 1), (1024, 100), (512, 50), (2048, 200), (102400, 10000), (262144, 10000)],
)
def test_weights_are_the_kernel_s(shares: int, weight: int) -> None:
    """Shares of 1024 are a weight of 100; beyond v2's range they are its ends."""
    assert conversions.weight_of_shares(shares) == weight


@pytest.mark.parametrize("nice", range(-20, 20))
def test_nice_values_come_back(nice: int) -> None:
    """The shares of a nice value are closest to that value."""
    assert conversions.nice_of_shares(conversions.shares_of_nice(nice)) == nice
