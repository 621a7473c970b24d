"""How fast each served file is read: lxfs through both drivers beside LXCFS, in one container.

Run as root: ``make bench-lxfs``, or ``python -m benchmarks.lxfs_reads [--quick] [--write]``.

Role: mounts the installed LXCFS, this checkout's lxfs by each of its drivers, and by each driver a
tree in which every file is the same constant text, all at once; lets one container read from them
in turns, then several, then containers by the hundred; prints ratios and puts them into
docs/benchmarks.md. Absolute times depend on the machine and on what else runs on it, ratios of the
same run much less.
Boundary: asserts nothing about time; removes mounts, cgroups and processes.
Threading: one server is read at a time.
"""

import argparse
import contextlib
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from benchmarks import cgroupfs_reads, document, tree_reads
from benchmarks.containers import Container, containers
from benchmarks.peers import LXFS, Server, confine, lxcfs_command, over_a_containers, place, served
from lxfs.limits import Limits

LIMITS = Limits(memory=256 << 20, cpus=Fraction(2), pids=200)
FILES = (
    *(
        f"proc/{name}"
        for name in ["meminfo", "swaps", "cpuinfo", "stat", "uptime", "loadavg", "diskstats"]
    ),
    *(f"proc/pressure/{name}" for name in ["cpu", "memory", "io"]),
    "sys/devices/system/cpu/online",
)
MEMINFO = FILES[0]
LXCFS = "LXCFS"
DRIVERS = ("native", "fusepy")


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure: turns and reads of each file, containers, seconds of a rate."""

    turns: int
    reads: int
    firsts: int
    many: tuple[int, ...]
    seconds: float


WHOLE = Effort(turns=40, reads=30, firsts=21, many=(1, 50, 500), seconds=0.3)
QUICK = Effort(turns=10, reads=20, firsts=7, many=(1, 20), seconds=0.2)


@dataclass
class Warm:
    """Of one file through one server: microseconds of a read, turn by turn, and of its CPU."""

    read: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


Warms = Mapping[str, Mapping[str, Warm]]
"""By server, then by file."""


def _drivers() -> tuple[str, ...]:
    """Return the drivers that this checkout has, of those that we know."""
    text = subprocess.run(
        [*LXFS[:-2], "mount", "--help"], capture_output=True, text=True, check=True
    ).stdout
    return DRIVERS if "--driver" in text else DRIVERS[1:]


@contextlib.contextmanager
def _servers() -> Iterator[tuple[dict[str, Server], dict[str, Server]]]:
    """Yield those that serve a container's figures, and by driver those that serve a constant."""
    with contextlib.ExitStack() as stack:
        top = stack.enter_context(place())
        found = {}
        if (command := lxcfs_command(top / "pid")) is not None:
            found[LXCFS] = stack.enter_context(served(command, top / "lxcfs"))
        floors = {}
        for driver in _drivers():
            option = ("--driver", driver) if "native" in _drivers() else ()
            found[driver] = stack.enter_context(served([*LXFS, *option], top / driver))
            constant = [sys.executable, "-m", "benchmarks.constant", driver]
            floors[driver] = stack.enter_context(served(constant, top / f"{driver}-floor"))

        def there(servers: Mapping[str, Server], part: str) -> dict[str, Server]:
            return {
                name: stack.enter_context(over_a_containers(server, FILES, top / part / name))
                for name, server in servers.items()
            }

        yield there(found, "views"), there(floors, "floors")


class Placement(NamedTuple):
    """Which CPUs the servers may run on, and which the readers."""

    name: str
    servers: set[int]
    readers: set[int]

    @classmethod
    def all(cls) -> list["Placement"]:
        """Return those that this machine allows: one with a single CPU has no others."""
        ours = sorted(os.sched_getaffinity(0))
        first, last = {ours[0]}, {ours[-1]}
        if first == last:
            return [cls("on the one CPU there is", first, first)]
        return [
            cls("server and reader on one CPU", first, first),
            cls("server and reader on a CPU each", first, last),
            cls("as the scheduler places them", set(ours), set(ours)),
        ]

    def apply(self, servers: Iterable[Server], reader: Container) -> None:
        """Hold all threads there that there are; new ones inherit it."""
        for server in servers:
            confine(server.pid, self.servers)
        confine(reader.pid, self.readers)


def _in_turns(names: list[str], turn: int) -> list[str]:
    return names[turn % len(names) :] + names[: turn % len(names)]


def _warm(reader: Container, servers: Mapping[str, Server], effort: Effort) -> Warms:
    """Measure each file through each server that has it."""
    warms: dict[str, dict[str, Warm]] = {
        name: {file: Warm() for file in FILES if (server.directory / file).exists()}
        for name, server in servers.items()
    }
    for turn in range(-1, effort.turns):  # the first is not counted
        for file in FILES:
            for name in _in_turns([name for name in servers if file in warms[name]], turn):
                server = servers[name]
                before = server.cpu()
                took = reader.ask("repeat", str(server.directory / file), effort.reads)
                if turn >= 0:
                    warms[name][file].read.append(took / effort.reads / 1000)
                    warms[name][file].cpu.append((server.cpu() - before) / effort.reads / 1000)
    return warms


def _firsts(reader: Container, servers: Mapping[str, Server], effort: Effort) -> dict[str, float]:
    """Return the median of the first read of a new pid namespace, in microseconds."""
    took: dict[str, list[float]] = {name: [] for name in servers}
    for turn in range(effort.firsts):
        for name in _in_turns(list(servers), turn):
            path = str(servers[name].directory / MEMINFO)
            took[name].append(reader.ask("first", path) / 1000)
    return {name: statistics.median(each) for name, each in took.items()}


def _rates(
    reader: Container, servers: Mapping[str, Server], effort: Effort
) -> dict[int, dict[str, float]]:
    """Return reads of meminfo in a second, by number of readers: medians."""
    found: dict[int, dict[str, list[float]]] = {
        readers: {name: [] for name in servers} for readers in (1, 2, 8)
    }
    for turn in range(max(3, effort.turns // 5)):
        for readers, by_name in found.items():
            for name in _in_turns(list(servers), turn):
                path = str(servers[name].directory / MEMINFO)
                by_name[name].append(reader.ask("rate", path, readers, effort.seconds))
    return {
        readers: {name: statistics.median(rates) for name, rates in by_name.items()}
        for readers, by_name in found.items()
    }


@dataclass(frozen=True, slots=True)
class Crowd:
    """Of so many containers that read by turns: microseconds of a read, and KiB of the server."""

    read: float
    rss: int
    pss: int


def _crowds(servers: Mapping[str, Server], effort: Effort) -> dict[int, dict[str, Crowd]]:
    """Let containers by the hundred read four files each, one container after the other."""
    found: dict[int, dict[str, Crowd]] = {}
    files = [f"proc/{name}" for name in ("meminfo", "stat", "uptime", "loadavg")]
    for count in effort.many:
        found[count] = {}
        with containers(LIMITS, count) as many:
            took: dict[str, list[float]] = {name: [] for name in servers}
            for turn in range(3 if count > 1 else 30):
                for name in _in_turns(list(servers), turn):
                    for one in many:
                        for file in files:
                            path = str(servers[name].directory / file)
                            took[name].append(one.ask("read", path) / 1000)
            for name, server in servers.items():
                memory = server.memory()
                reads = statistics.median(took[name])
                found[count][name] = Crowd(reads, memory["Rss"], memory["Pss"])
    return found


def _median(values: list[float]) -> float:
    return statistics.median(values)


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]


def _per_file(warms: Warms, floors: Mapping[str, Warm], lxfs: list[str]) -> list[str]:
    """Return the table of files: times, in relation to LXCFS's and to the floor, and CPU times."""
    times = {
        name: {file: _median(warm.read) for file, warm in each.items()}
        for name, each in warms.items()
    }
    bottom = {name: _median(floor.read) for name, floor in floors.items()}
    peer = times.get(LXCFS, {})
    compared = lxfs if peer else []
    head = ["file", *(f"{name}, µs" for name in times)]
    head += [f"{name}: reads per LXCFS's" for name in compared]
    head += [f"{name}: time per its floor" for name in lxfs]
    head += [f"CPU of {name}" for name in times]
    rows = []
    for file in FILES:
        row = [file]
        row += [_cell(each.get(file)) for each in times.values()]
        row += [
            _cell(peer[file] / times[name][file] if file in peer else None, 2) for name in compared
        ]
        row += [_cell(times[name][file] / bottom[name], 2) for name in lxfs]
        row += [_cell(_median(each[file].cpu) if file in each else None) for each in warms.values()]
        rows.append(row)
    floor = [*["-"] * bool(peer), *(_cell(bottom[name]) for name in lxfs)]
    floor += ["-"] * (len(compared) + len(lxfs) + bool(peer))
    floor += [_cell(_median(floors[name].cpu)) for name in lxfs]
    rows.append(["constant text", *floor])
    if peer:
        means = [
            statistics.geometric_mean(peer[file] / times[name][file] for file in peer)
            for name in lxfs
        ]
        row = ["geometric mean", *["-"] * len(times), *(_cell(mean, 2) for mean in means)]
        rows.append(row + ["-"] * (len(head) - len(row)))
    return _table(head, rows)


def _cell(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _alone() -> list[str]:
    """Return the table of what of each read is the tree's own."""
    rows = [
        [file, f"{cost.whole:.1f}", f"{cost.kernel:.1f}", str(cost.calls)]
        for file, cost in tree_reads.costs(LIMITS, FILES).items()
    ]
    return _table(["file", "open, read, close, µs", "its system calls, µs", "calls"], rows)


def _machine(command: str) -> str:
    """Return what it was measured on."""
    model = next(
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    )
    lxcfs = "no LXCFS"
    if (path := shutil.which("lxcfs")) is not None:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
        lxcfs = f"LXCFS {said.stdout.split()[-1]}" if said.stdout else "LXCFS"
    release = platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    layout = "cgroup v2" if Path("/sys/fs/cgroup/cgroup.controllers").exists() else "cgroup v1"
    return (
        f"{release}, Linux {os.uname().release.split('-')[0]}, {layout}, {os.cpu_count()} CPUs"
        f" ({model}), {lxcfs}, Python {platform.python_version()}. Load when it began:"
        f" {os.getloadavg()[0]:.1f}. `{command}`"
    )


def _measure(effort: Effort, command: str) -> str:
    lines = [_machine(command), ""]
    with _servers() as (servers, floors):
        lxfs = list(floors)
        with containers(LIMITS, 1) as (reader,):
            floor = {f"{name} floor": each for name, each in floors.items()}
            everything = {**servers, **floor}
            lines += [
                (
                    f"Open, read to the end, close, by one reader: medians of {effort.turns}"
                    f" turns of {effort.reads} reads each, and the CPU time of the server for a"
                    " read, user and system, in µs:"
                ),
                "",
            ]
            placements = Placement.all()
            for placement in placements:
                placement.apply(everything.values(), reader)
                warms = _warm(reader, everything, effort)
                bottom = {name: warms[f"{name} floor"][MEMINFO] for name in lxfs}
                shown = {name: warms[name] for name in servers}
                lines += [f"*{placement.name.capitalize()}:*", "", *_per_file(shown, bottom, lxfs)]
                lines.append("")
            lines += [
                "The tree alone, in one process without FUSE, at its fastest; its system calls:",
                "",
                *_alone(),
                "",
            ]
            firsts = _firsts(reader, everything, effort)
            rates = _rates(reader, servers, effort)
        crowds = _crowds(servers, effort)
    lines += [
        (
            f"First read of a new pid namespace ({MEMINFO}, median of {effort.firsts}; the"
            " constant's is what the reader, a new process, takes for itself and the kernel for"
            " FUSE), and reads of it per second by several readers of one container, as the"
            " scheduler places them:"
        ),
        "",
        *_table(
            ["", *everything],
            [
                ["first read, µs", *(f"{firsts[name]:.0f}" for name in everything)],
                *(
                    [
                        f"readers: {readers}",
                        *(f"{rate:.0f}" for rate in by_name.values()),
                        *["-"] * len(floors),
                    ]
                    for readers, by_name in rates.items()
                ),
            ],
        ),
        "",
        (
            "Containers that read meminfo, stat, uptime and loadavg once each, one container after"
            " the other; afterwards, memory of all the server's processes:"
        ),
        "",
        *_table(
            ["containers", *(f"{name}, {what}" for name in servers for what in _CROWD)],
            [
                [str(count), *(cell for one in by_name.values() for cell in _cells(one))]
                for count, by_name in crowds.items()
            ],
        ),
    ]
    lines += ["", *cgroupfs_reads.measure(LIMITS, effort.turns, effort.reads)]
    return "\n".join(lines) + "\n"


_CROWD = ("µs per read", "RSS MiB", "PSS MiB")


def _cells(crowd: Crowd) -> list[str]:
    return [f"{crowd.read:.0f}", f"{crowd.rss / 1024:.1f}", f"{crowd.pss / 1024:.1f}"]


def main() -> None:
    """Measure, print, and write if asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="less of everything, in 20 seconds")
    parser.add_argument("--write", action="store_true", help="put the tables into the document")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("must be root: it mounts")
    os.setpriority(os.PRIO_PROCESS, 0, -20)  # servers and readers, too: before what else runs here
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if lxcfs_command(Path()) is None:
        print("lxcfs is not installed: lxfs alone", file=sys.stderr)
    command = "make bench-lxfs" if arguments.write else " ".join(["make bench-lxfs", *sys.argv[1:]])
    text = _measure(QUICK if arguments.quick else WHOLE, command)
    print(text, end="")
    if arguments.write:
        document.write("reads", text)


if __name__ == "__main__":
    main()
