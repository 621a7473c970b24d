"""/proc/diskstats, pressure and slabinfo of a container."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lxfs.model import BlockIo
from lxfs.parse import Device
from lxfs.views import diskstats, pressure, slabinfo
from tests.fixtures import HYBRID, V2

NVME, DM, SDA = (259, 0), (253, 0), (8, 0)
IO = {
    DM: BlockIo(rbytes=73400320, wbytes=41943040, rios=700, wios=500),
    NVME: BlockIo(104857600, 52428800, rios=800, wios=600, dbytes=4194304, dios=4),
    (9, 9): BlockIo(rbytes=512, rios=1),
}

TEXT = b"""\
 259       0 nvme0n1 800 0 204800 0 600 0 102400 0 0 0 0 4 0 8192 0 0 0
 253       0 dm-0 700 0 143360 0 500 0 81920 0 0 0 0 0 0 0 0 0 0
"""


def test_diskstats_bytes() -> None:
    """The used devices in the host's order, with the container's counts and no other."""
    assert diskstats.render((V2 / "proc/diskstats").read_bytes(), IO) == TEXT


def test_diskstats_without_any_io() -> None:
    """A container that has done no I/O sees no device."""
    assert diskstats.render((V2 / "proc/diskstats").read_bytes(), {}) == b""
    assert diskstats.render(b"", IO) == b""


@pytest.mark.parametrize(
    ("columns", "counts"),
    [
        (11, b"1 0 2 0 3 0 4 0 0 0 0"),
        (15, b"1 0 2 0 3 0 4 0 0 0 0 5 0 6 0"),
        (17, b"1 0 2 0 3 0 4 0 0 0 0 5 0 6 0 0 0"),
        (20, b"1 0 2 0 3 0 4 0 0 0 0 5 0 6 0 0 0 0 0 0"),
    ],
)
def test_diskstats_has_as_many_columns_as_the_hosts(columns: int, counts: bytes) -> None:
    """Each kernel's number of columns, those of a future one zero."""
    host = b"   8       0 sda" + b" 77" * columns + b"\n"
    io = {SDA: BlockIo(1024, 2048, rios=1, wios=3, dbytes=3072, dios=5)}
    assert diskstats.render(host, io) == b"   8       0 sda " + counts + b"\n"


@pytest.mark.parametrize("host", [b"8 0 sda 1 2 3\n", b"eight 0 sda" + b" 1" * 17, b"nonsense\n"])
def test_diskstats_of_another_shape(host: bytes) -> None:
    """A host's line that is not a device's counts is an error."""
    with pytest.raises(ValueError, match="found"):
        diskstats.render(host, IO)


def test_transfers_are_counted_once() -> None:
    """Of a stacked device and the one below it the lower counts; one alone counts itself."""
    host = (V2 / "proc/diskstats").read_bytes()
    both = diskstats.total(host, IO)
    assert (both.rbytes, both.wbytes, both.rios) == (104857600 + 512, 52428800, 801)
    assert diskstats.total(host, {DM: IO[DM]}) == IO[DM]
    assert diskstats.total(host, {}) == BlockIo()


_count = st.integers(0, 1 << 60)
_io = st.dictionaries(
    st.sampled_from([NVME, DM, SDA, (259, 1), (7, 0), (1, 1)]),
    st.builds(
        BlockIo, rbytes=_count, wbytes=_count, rios=_count, wios=_count, dbytes=_count, dios=_count
    ),
)


@given(io=_io, source=st.sampled_from([HYBRID, V2]))
def test_diskstats_names_used_devices_only(io: dict[Device, BlockIo], source: Path) -> None:
    """For any I/O: the host's columns, used devices alone, and not one count of the host's."""
    host = (source / "proc/diskstats").read_bytes()
    names = {line.split()[2]: line.split() for line in host.splitlines()}
    for line in diskstats.render(host, io).splitlines():
        fields = line.split()
        assert len(fields) == len(names[fields[2]])
        own = io[int(fields[0]), int(fields[1])]
        assert int(fields[3]) == own.rios
        assert int(fields[9]) == own.wbytes // 512
        assert {fields[4], fields[6], *fields[10:14], fields[15], *fields[17:]} == {b"0"}


PRESSURE = b"""\
some avg10=1.50 avg60=2.25 avg300=0.75 total=123456
full avg10=1.50 avg60=2.25 avg300=0.75 total=123450
"""


def test_pressure_is_passed_on() -> None:
    """The kernel's text comes through unchanged, with or without its line of full stalls."""
    assert pressure.render(PRESSURE) == PRESSURE
    some = PRESSURE.splitlines(keepends=True)[0]
    assert pressure.render(some) == some
    for resource in ("cpu", "memory", "io"):
        text = (HYBRID / "proc/pressure" / resource).read_bytes()
        assert pressure.render(text) == text


@pytest.mark.parametrize(
    "text", [b"", b"\n", b"some avg10=1\n", b"none" + PRESSURE[4:], PRESSURE + b"x", PRESSURE[:-1]]
)
def test_pressure_of_another_shape(text: bytes) -> None:
    """Any other text is not served."""
    with pytest.raises(ValueError, match="found"):
        pressure.render(text)


def test_slabinfo_is_its_heading() -> None:
    """The first two lines of the kernel's file, whatever the host has."""
    host = (V2 / "proc/slabinfo").read_bytes()
    assert slabinfo.render() == b"".join(host.splitlines(keepends=True)[:2])
