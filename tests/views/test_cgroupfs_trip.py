"""From one shape to the other and back: nothing is lost that both can say."""

from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lxfs.cgroupfs.conversions import shares_of_weight
from lxfs.cgroupfs.files import Lists
from lxfs.cgroupfs.rows import ALONE
from lxfs.cgroupfs.table import TABLE, UNIFIED
from lxfs.cgroupfs.texts import v1_limit
from tests.fixtures.cgroups import RecordedGroup

_PAGE = 4096
_V1_MEMORY = (
    *("cache", "rss", "rss_huge", "shmem", "mapped_file", "dirty", "writeback"),
    *("workingset_refault_anon", "workingset_refault_file", "swap", "swapcached"),
    *("pgpgin", "pgpgout", "pgfault", "pgmajfault", "inactive_anon", "active_anon"),
    *("inactive_file", "active_file", "unevictable"),
)
"""v1's lines in the kernel's order, as recorded."""
_UNTOLD = ("pgpgin", "pgpgout")
"""Lines that v2 has nothing for."""

bytes_ = st.integers(0, 1 << 40).map(lambda pages: pages * _PAGE)
limits = st.none() | st.integers(1, 1 << 40).map(lambda pages: pages * _PAGE)
counts = st.integers(0, 1 << 50)
microseconds = st.integers(0, 1 << 45)
nanoseconds = microseconds.map(lambda each: each * 1000)


def _line(number: int) -> str:
    return f"{number}\n"


@st.composite
def v1_texts(draw: st.DrawFn) -> dict[str, dict[str, str]]:
    """Make up what v1 says of a cgroup, as far as v2 can say the same."""
    usage, swapped, limit = draw(bytes_), draw(bytes_), draw(limits)
    both = None if limit is None else draw(st.none() | bytes_.map(lambda more: limit + more))
    amounts = {name: 0 if name in _UNTOLD else draw(counts) for name in _V1_MEMORY}
    amounts["swap"] = swapped
    memory = {name: amounts[name] for name in _V1_MEMORY}
    memory |= {
        "hierarchical_memory_limit": int(v1_limit(limit)),
        "hierarchical_memsw_limit": int(v1_limit(both)),
    }
    memory |= {f"total_{name}": amounts[name] for name in _V1_MEMORY}
    frozen = draw(st.booleans())
    quota = draw(st.none() | st.integers(1000, 1 << 43))
    devices = draw(st.lists(st.integers(0, 255), unique=True, max_size=3).map(sorted))
    numbers = draw(st.lists(counts, min_size=8, max_size=8))
    return {
        "memory": {
            "memory.usage_in_bytes": _line(usage),
            "memory.max_usage_in_bytes": _line(usage + draw(bytes_)),
            "memory.limit_in_bytes": v1_limit(limit).decode(),
            "memory.soft_limit_in_bytes": v1_limit(draw(limits)).decode(),
            "memory.failcnt": _line(draw(counts)),
            "memory.memsw.usage_in_bytes": _line(usage + swapped),
            "memory.memsw.limit_in_bytes": v1_limit(both).decode(),
            "memory.memsw.failcnt": _line(draw(counts)),
            "memory.kmem.usage_in_bytes": _line(draw(bytes_)),
            "memory.kmem.tcp.usage_in_bytes": _line(draw(bytes_)),
            "memory.oom_control": f"oom_kill_disable 0\nunder_oom 0\noom_kill {draw(counts)}\n",
            "memory.stat": "".join(f"{name} {amount}\n" for name, amount in memory.items()),
        },
        "cpu": {
            "cpu.shares": _line(shares_of_weight(draw(st.integers(1, 10_000)))),
            "cpu.idle": _line(draw(st.integers(0, 1))),
            "cpu.cfs_quota_us": _line(-1 if quota is None else quota),
            "cpu.cfs_period_us": _line(draw(st.integers(1000, 1_000_000))),
            "cpu.cfs_burst_us": _line(draw(microseconds)),
            "cpu.stat": f"nr_periods {draw(counts)}\nnr_throttled {draw(counts)}\n"
            f"throttled_time {draw(nanoseconds)}\nnr_bursts {draw(counts)}\n"
            f"burst_time {draw(nanoseconds)}\n",
            "cpu.stat.local": f"throttled_time {draw(nanoseconds)}\n",
        },
        "cpuacct": {
            "cpuacct.usage": f"{draw(nanoseconds)}\n",
            "cpuacct.stat": f"user {draw(counts)}\nsystem {draw(counts)}\n",
        },
        "cpuset": {
            "cpuset.cpus": "0-2,5\n",
            "cpuset.effective_cpus": "0-1\n",
            "cpuset.mems": "0\n",
            "cpuset.effective_mems": "0\n",
        },
        "io": {
            f"blkio.throttle.{direction}_{unit}_device": "".join(
                f"8:{minor} {draw(st.integers(2, 1 << 60))}\n" for minor in devices
            )
            for direction in ("read", "write")
            for unit in ("bps", "iops")
        }
        | {
            f"blkio.throttle.io_service{name}_recursive": "".join(
                f"8:{minor} {kind} {count}\n"
                for minor in devices
                for kind, count in zip(
                    ("Read", "Write", "Sync", "Async", "Discard", "Total"),
                    (first + 1, second, 0, 0, third, first + 1 + second + third),
                    strict=True,
                )
            )
            + f"Total {(first + 1 + second + third) * len(devices)}\n"
            for name, (first, second, third) in (("_bytes", numbers[:3]), ("d", numbers[3:6]))
        },
        "pids": {"pids.max": "64\n", "pids.current": "7\n", "pids.events": "max 3\n"},
        "freezer": {
            "freezer.state": "FROZEN\n" if frozen else "THAWED\n",
            "freezer.self_freezing": _line(int(frozen)),
            "freezer.parent_freezing": "0\n",
        },
        "hugetlb": {
            "hugetlb.2MB.usage_in_bytes": "4194304\n",
            "hugetlb.2MB.limit_in_bytes": draw(
                st.sampled_from(("9223372036852678656\n", "8388608\n"))
            ),
            "hugetlb.2MB.failcnt": _line(draw(counts)),
            "hugetlb.2MB.numa_stat": "total=1 N0=1\nhierarchical_total=1 N0=1\n",
        },
    }


def _all(group: RecordedGroup, shape: int) -> dict[str, dict[str, str]]:
    """Return what all files of a shape say, by controller."""
    found: dict[str, dict[str, str]] = {}
    for files in TABLE.values():
        for file in files.values():
            if isinstance(file.view, Lists) or file.shape != shape:
                continue
            if (text := file.view(group)) is not None:
                found.setdefault(file.controller, {})[file.name] = text.decode()
    return found


def _host() -> dict[str, str]:
    return {
        "proc/sys/vm/swappiness": "60\n",
        "sys/devices/system/cpu/online": "0-7\n",
        "sys/devices/system/cpu/possible": "0-7\n",
    }


def _group(version: int, texts: Mapping[str, Mapping[str, str]]) -> RecordedGroup:
    names = [*texts, "cpuacct"] if version == 2 else list(texts)
    said: dict[str, Any] = {
        "versions": dict.fromkeys(names, version),
        "levels": [dict(texts), {}],
        "host": _host(),
    }
    if version == 2:
        said["versions"][""] = 2
    return RecordedGroup(said)


@settings(max_examples=40, deadline=None)
@given(v1_texts())
def test_v1_is_the_same_after_v2(texts: dict[str, dict[str, str]]) -> None:
    """What v1 says is the same again when v2's files made of it are all that is there."""
    unified = _all(_group(1, texts), 2)
    everything = {name: text for some in unified.values() for name, text in some.items()}
    controllers = [name for name in unified if name]
    there = _group(2, {"": everything} | {name: {} for name in controllers})
    again = _all(there, 1)
    for controller, files in texts.items():
        back = {**again.get(controller, {}), **again.get("", {})}
        assert {name: back.get(name) for name in files} == files


@settings(max_examples=5, deadline=None)
@given(v1_texts())
def test_every_file_of_v2_is_there_on_v1(texts: dict[str, dict[str, str]]) -> None:
    """Of a cgroup that v1 counts, no v2 file is missing but those that v1 cannot make."""
    found = _all(_group(1, texts), 2)
    names = {name for some in found.values() for name in some}
    wanted = {
        file.name
        for file in TABLE[UNIFIED].values()
        if not isinstance(file.view, Lists) and ALONE not in file.origins[0].formula
    }
    assert {name for name in wanted - names if "1GB" not in name} == {
        *("cgroup.stat", "cpu.pressure", "io.pressure", "memory.pressure"),
        *("memory.numa_stat", "io.bfq.weight", "pids.peak"),
        *("hugetlb.2MB.rsvd.current", "hugetlb.2MB.rsvd.max"),
    }
