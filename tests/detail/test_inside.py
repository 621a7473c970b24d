"""What a look into a container says."""

from __future__ import annotations

from typing import Any

from lxtui.detail.inside import Inside, inside_from, rows, verdict

MEMORY = {
    "file": "memory.limit_in_bytes",
    "values": {"": "268435456"},
    "note": "the only limit",
    "cgroup": "/lxc.payload.web1",
    "own": True,
}
NO_LIMIT: dict[str, Any] = {
    "file": "cpu.cfs_quota_us",
    "values": {},
    "note": "no limit in this cgroup or above it",
    "cgroup": None,
    "own": False,
}
DOCUMENT = {
    "mounted": [["lxfs", 13, "answers"]],
    "checked": 14,
    "host": {
        "/proc/meminfo": "MemTotal:       24684092 kB\nMemAvailable:   19750792 kB\n",
        "/proc/loadavg": "20.52 19.58 12.98 3/400 99\n",
        "/proc/uptime": "48360.12 1.00\n",
        "/sys/devices/system/cpu/online": "0-1\n",
        "/proc/swaps": "Filename Type Size Used Priority\n/dev/sda2 partition 1048576 0 -2\n",
    },
    "seen": {"/proc/meminfo": "MemTotal:         262144 kB\n", "/proc/uptime": "8.00 1.00\n"},
    "causes": {
        "/proc/meminfo": [
            {
                "line": "MemTotal:         262144 kB",
                "formula": "min(limit, the host's)",
                "sources": [MEMORY, {**MEMORY, "file": "/proc/meminfo", "note": "", "own": False,
                                     "cgroup": None, "values": {"MemTotal": "24684092 kB"}}],
            }
        ],
        "/proc/uptime": [
            {
                "line": "8.01 8.00",
                "formula": "now less the start of init",
                "sources": [
                    NO_LIMIT,
                    {**MEMORY, "file": "/proc/9/stat", "values": {"starttime": "4"}, "note": ""},
                ],
            }
        ],
    },
}  # fmt: skip


def test_three_columns_and_what_made_them() -> None:
    """The machine, what is read inside, what the limits give; the cause is a limit."""
    by_name = {row.name: row for row in rows(inside_from(DOCUMENT))}
    memory = by_name["memory"]
    assert (memory.host, memory.seen, memory.limits) == ("23.5 GiB", "256 MiB", "256 MiB")
    assert memory.cause == "memory.limit_in_bytes = 268435456 (the only limit)"
    assert by_name["load average"].host == "20.52 19.58 12.98"
    assert by_name["uptime"].cause == "/proc/9/stat = starttime 4"
    assert (by_name["swap areas"].host, by_name["CPUs online"].host) == ("1 GiB", "0-1")


def test_what_was_not_read_is_not_known() -> None:
    """A file that the container cannot read has no figure, and no guess of one."""
    by_name = {row.name: row for row in rows(inside_from(DOCUMENT))}
    assert by_name["load average"].seen == "-"
    assert by_name["load average"].limits == "-"


def test_the_verdict() -> None:
    """It names what is mounted and whether it answers, or says that nothing is."""
    assert verdict(inside_from(DOCUMENT)) == "It has lxfs over 13 of 14 files (answers)."
    assert "Nothing is mounted" in verdict(Inside())
    assert "'lxfs attach'" in verdict(Inside())
    assert "'lxfs attach --all'" in verdict(Inside(mounted=(("LXCFS", 7, "dead"),)))


def test_trouble_is_all_that_is_said() -> None:
    """Where there is no look to be had, there are no figures."""
    assert inside_from({"trouble": "no", **DOCUMENT}) == Inside(trouble="no")
