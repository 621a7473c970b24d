"""What tools that we did not write make of a container's files: one list, for every container.

Role: runs procps, sysstat, util-linux and htop in a container and returns what each says of the
same thing, so that a test compares all of them with the limit and with each other in one assertion.
Boundary: knows a container as a callable (ARGV in, what it prints out). Threading: one caller.

iostat's table of devices is no referee: from sysstat 12.6 on it reads /sys/block, which nobody
serves (docs/lxfs.md). `vmstat -d` reads /proc/diskstats.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

Run = Callable[..., str]

_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_KIB = 1024
# A terminal type without "repeat the last character": then its screen is plain text and movements.
_HTOP = """
(sleep 2; printf q) |
TERM=vt100 script -qec 'stty rows 40 cols 120; htop -C --no-mouse -d 5' /dev/null
"""
_COLOUR = re.compile(r"\x1b\[[0-9;]*m|\x1b\([0AB]|\x1b[=>78]|\x0f")
_MOVE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
# All at once, so that they look at the same seconds.
_IDLE = """
cd /tmp
top -bn2 -d{0} >top &
vmstat {0} 2 >vmstat &
mpstat {0} 1 >mpstat &
iostat -c {0} 2 >iostat &
wait
for tool in top vmstat mpstat iostat; do echo "== $tool"; cat $tool; done
"""
PSUTIL = """
import json, psutil
psutil.PROCFS_PATH = {procfs!r}
memory = psutil.virtual_memory()
print(json.dumps({{
    "total": memory.total, "available": memory.available, "used": memory.used,
    "swap": psutil.swap_memory().total, "cpus": len(psutil.cpu_times(percpu=True)),
    "boot": psutil.boot_time(),
}}))
"""
"""A program that prints psutil's figures as JSON; to be formatted with ``procfs``."""


@dataclass(frozen=True, slots=True)
class Screen:
    """The meters of htop: memory in bytes, one label per CPU."""

    memory: int
    cpus: int
    tasks: int


def htop(run: Run) -> Screen:
    """Return the meters of the first screen that htop draws."""
    text = _MOVE.sub(" ", _COLOUR.sub("", run("sh", "-c", _HTOP)))
    memory = _found(r"Mem\[[^\]]*?/([\d.]+)([KMG])", text)
    meters = re.findall(r"(?<!\w)(CPU|\d+) *\[[^\]]*%", text.partition("PID")[0])
    tasks = _found(r"Tasks: *(\d+)", text)
    return Screen(int(float(memory[1]) * _UNITS[memory[2]]), len(set(meters)), int(tasks[1]))


def memory_totals(run: Run) -> dict[str, int]:
    """Return how much memory the container has, in bytes, by tool."""
    top = _found(r"MiB Mem : *([\d.]+) total", run("top", "-bn1"))
    vmstat = _found(r"(\d+) K total memory", run("vmstat", "-s"))
    return {
        "free": int(run("free", "-b").splitlines()[1].split()[1]),
        "top": int(float(top[1]) * _UNITS["M"]),
        "vmstat": int(vmstat[1]) * _KIB,
        "htop": htop(run).memory,
    }


def memory_free(run: Run) -> dict[str, int]:
    """Return how much of it nobody uses, in bytes, by tool; the moments differ."""
    top = _found(r"MiB Mem :.*?([\d.]+) free", run("top", "-bn1"))
    vmstat = _found(r"(\d+) K free memory", run("vmstat", "-s"))
    columns = dict(zip(*(map(str.split, run("vmstat").splitlines()[1:])), strict=True))
    return {
        "free": int(run("free", "-b").splitlines()[1].split()[3]),
        "top": int(float(top[1]) * _UNITS["M"]),
        "vmstat -s": int(vmstat[1]) * _KIB,
        "vmstat": int(columns["free"]) * _KIB,
    }


def processors(run: Run) -> dict[str, int]:
    """Return how many processors the container has, by tool.

    nproc is not among them: it counts those that the caller may run on, which is no file's matter.
    """
    lscpu = run("lscpu")
    mpstat = run("mpstat", "-P", "ALL")
    return {
        "getconf _NPROCESSORS_ONLN": int(run("getconf", "_NPROCESSORS_ONLN")),
        "getconf _NPROCESSORS_CONF": int(run("getconf", "_NPROCESSORS_CONF")),
        "lscpu": int(_found(r"^CPU\(s\): +(\d+)$", lscpu)[1]),
        "mpstat": int(_found(r"\((\d+) CPU\)", mpstat)[1]),
        "mpstat's lines": len(re.findall(r"^\S+(?: [AP]M)? +\d+ ", mpstat, re.MULTILINE)),
        "iostat": int(_found(r"\((\d+) CPU\)", run("iostat", "-c"))[1]),
        "top": len(re.findall(r"%Cpu\d+", run("top", "-1bn1"))),
        "htop": htop(run).cpus,
    }


def online(run: Run) -> str:
    """Return the list of processors that lscpu says are online."""
    return _found(r"^On-line CPU\(s\) list: +(\S+)$", run("lscpu"))[1]


def busy(run: Run, seconds: int = 3) -> dict[str, float]:
    """Return which part of some seconds was not idle, from 0 to 1, by tool."""
    parts = re.split(r"^== (\w+)\n", run("sh", "-c", _IDLE.format(seconds)), flags=re.MULTILINE)
    text = dict(zip(parts[1::2], parts[2::2], strict=True))
    vmstat = text["vmstat"].splitlines()
    idle = {
        "top": re.findall(r"%Cpu\(s\):.*?([\d.]+) id", text["top"])[-1],
        "vmstat": dict(zip(vmstat[1].split(), vmstat[-1].split(), strict=True))["id"],
        "mpstat": text["mpstat"].split()[-1],
        "iostat": text["iostat"].split()[-1],
    }
    return {tool: 1 - float(percent) / 100 for tool, percent in idle.items()}


def disks(run: Run) -> set[str]:
    """Return the disks that vmstat finds."""
    return {line.split()[0] for line in run("vmstat", "-d").splitlines()[2:]}


def _found(pattern: str, text: str) -> re.Match[str]:
    match = re.search(pattern, text, re.MULTILINE)
    assert match, f"no {pattern} in:\n{text}"
    return match
