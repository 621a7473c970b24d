"""What a cgroup's files of statistics say, in either shape, as values of the model.

Role: one reading of memory.stat, cpu.stat and their like for whatever shows them: the views of
/proc, which are of one kernel, and the files of the other shape.
Boundary: pure; kernel text in, values of the model out. A file of the wrong shape is a
``ValueError`` that says what is missing.
Threading: pure functions.
"""

from collections.abc import Callable, Mapping

from lxfs import parse
from lxfs.model import NSEC_PER_TICK, BlockIo, CpuSpread, CpuTime, MemoryStat

NSEC_PER_USEC = 1000


def v1_memory(text: bytes) -> MemoryStat:
    """Return v1's memory.stat: its total_ lines, descendants included (cgroup-v1/memory.rst)."""
    values = parse.flat_keyed(text)

    def total(name: str) -> int:
        try:
            return values[b"total_" + name.encode()]
        except KeyError:
            raise ValueError(f"no total_{name} line") from None

    return MemoryStat(
        anon=total("rss"),
        file=total("cache"),
        # Lines that came with 3.16 (dirty: 4.2; swapcached: 5.18) or with a kernel option.
        shmem=values.get(b"total_shmem", 0),
        file_mapped=values.get(b"total_mapped_file", 0),
        file_dirty=values.get(b"total_dirty", 0),
        file_writeback=values.get(b"total_writeback", 0),
        active_anon=total("active_anon"),
        inactive_anon=total("inactive_anon"),
        active_file=total("active_file"),
        inactive_file=total("inactive_file"),
        unevictable=total("unevictable"),
        swapcached=values.get(b"total_swapcached", 0),
        anon_thp=values.get(b"total_rss_huge", 0),
    )


def v2_memory(text: bytes) -> MemoryStat:
    """Return v2's memory.stat (Documentation/admin-guide/cgroup-v2.rst)."""
    values = parse.flat_keyed(text)

    def must(name: str) -> int:
        try:
            return values[name.encode()]
        except KeyError:
            raise ValueError(f"no {name} line") from None

    def may(name: str) -> int | None:
        return values.get(name.encode())

    return MemoryStat(
        anon=must("anon"),
        file=must("file"),
        shmem=must("shmem"),
        file_mapped=must("file_mapped"),
        file_dirty=must("file_dirty"),
        file_writeback=must("file_writeback"),
        active_anon=must("active_anon"),
        inactive_anon=must("inactive_anon"),
        active_file=must("active_file"),
        inactive_file=must("inactive_file"),
        unevictable=must("unevictable"),
        swapcached=may("swapcached") or 0,
        anon_thp=may("anon_thp") or 0,
        file_thp=may("file_thp"),
        shmem_thp=may("shmem_thp"),
        slab_reclaimable=may("slab_reclaimable"),
        slab_unreclaimable=may("slab_unreclaimable"),
        kernel_stack=may("kernel_stack"),
        pagetables=may("pagetables"),
        sec_pagetables=may("sec_pagetables"),
        percpu=may("percpu"),
        vmalloc=may("vmalloc"),
        zswap=may("zswap"),
        zswapped=may("zswapped"),
    )


def root_usage(stat: MemoryStat) -> int:
    """Return the use of v2's root cgroup, which has no sum of its own, as v1's root makes it.

    (``mem_cgroup_usage`` in mm/memcontrol-v1.c.)
    """
    return stat.anon + stat.file


def swapped(both: int, memory: int) -> int:
    """Return what is swapped, of v1's use of memory and swap together and that of memory, in bytes.

    Two files are two moments: their difference may come out below nothing.
    """
    return max(0, both - memory)


def swap_limit(both: int | None, memory: int | None) -> int | None:
    """Return what v1's limit of memory and swap together allows beyond that of memory, in bytes."""
    return None if both is None else max(0, both - (memory or 0))


def v1_cpu(text: bytes) -> CpuTime:
    """Return v1's cpuacct.stat, in ticks there (cgroup-v1/cpuacct.rst)."""
    values = parse.flat_keyed(text)
    try:
        return CpuTime(
            user=values[b"user"] * NSEC_PER_TICK, system=values[b"system"] * NSEC_PER_TICK
        )
    except KeyError as key:
        raise ValueError(f"no {key} line") from None


def v1_cpu_spread(text: bytes) -> CpuSpread:
    """Return v1's cpuacct.usage_all."""
    return CpuSpread(*parse.columns(text, b"cpu user system"))


def v2_cpu(text: bytes) -> CpuTime:
    """Return v2's cpu.stat, in microseconds there; nice time is told apart since 6.10."""
    values = parse.flat_keyed(text)
    try:
        user, system = values[b"user_usec"], values[b"system_usec"]
    except KeyError as key:
        raise ValueError(f"no {key} line") from None
    nice = min(values.get(b"nice_usec", 0), user)
    return CpuTime(
        user=(user - nice) * NSEC_PER_USEC,
        system=system * NSEC_PER_USEC,
        nice=nice * NSEC_PER_USEC,
    )


_Counts = Mapping[parse.Device, Mapping[bytes, int]]


def v1_block_io(ask: Callable[[str], _Counts | None]) -> dict[parse.Device, BlockIo]:
    """Return v1's blkio counters by device; ``ask`` reads a file, ``None`` where there is none.

    Counted by the throttle, which since Linux 6.10 sleeps until a limit is set on the device, or
    else by the BFQ scheduler, where that serves the device (cgroup-v1/blkio-controller.rst).
    """
    found: dict[parse.Device, BlockIo] = {}
    for family in ("throttle", "bfq"):
        stem = f"blkio.{family}.io_service"
        sizes, counts = ask(f"{stem}_bytes_recursive") or {}, ask(f"{stem}d_recursive") or {}
        for device in sizes.keys() | counts.keys():
            size, count = sizes.get(device, {}), counts.get(device, {})
            io = BlockIo(
                rbytes=size.get(b"Read", 0),
                wbytes=size.get(b"Write", 0),
                dbytes=size.get(b"Discard", 0),
                rios=count.get(b"Read", 0),
                wios=count.get(b"Write", 0),
                dios=count.get(b"Discard", 0),
            )
            if io != BlockIo():
                found.setdefault(device, io)
    return found


def v2_block_io(text: bytes) -> dict[parse.Device, BlockIo]:
    """Return v2's io.stat by device."""
    found = {
        device: BlockIo(**{name.decode(): value for name, value in values.items()})
        for device, values in parse.io_stat(text).items()
    }
    return {device: io for device, io in found.items() if io != BlockIo()}
