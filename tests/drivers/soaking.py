"""Readers in containers, and a server that is killed under them at random times.

Run as root: ``make soak``, or ``python -m tests.drivers.soaking [--kills N] [--reads N]...``.

Role: mounts lxfs, starts containers (a pid namespace each, in a cgroup) that read every way a
program does and check what they read, kills the server meanwhile, and measures what grows.
Boundary: the mount, the containers and their cgroups are its own, and gone at the end.
Threading: the killer is the main thread; readers are processes.

A reader counts as a failure: an error of open, read or close; a file that lacks a line or has one
twice; sums that are not those of their parts, as two texts put together would have; a counter that
went back.
"""

import argparse
import contextlib
import json
import math
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from lxfs import parse
from lxfs.drivers.native import finding
from lxfs.limits import Cell, Limits
from lxfs.sources.cgroups import Hierarchies
from lxfs.sources.host import Host
from tests.drivers.conftest import Mount, eventually, mounted

# What each container runs, until it is told to stop: prints its reads and what was wrong with them.
READER = r"""
import json, os, re, select, sys, time
view, most = sys.argv[1], int(sys.argv[2])
files = ["proc/" + name for name in (
    "meminfo", "stat", "uptime", "loadavg", "cpuinfo", "swaps", "vmstat", "diskstats")]
files += ["sys/devices/system/cpu/online", "sys/devices/system/cpu/possible"]
wrong, first, last, reads, calls = [], {}, {}, 0, 0
held = {}

def text_of(path, size, keep):
    global calls
    descriptor = held.get(path) if keep else None
    if descriptor is None:
        descriptor = os.open(view + "/" + path, os.O_RDONLY)
        if keep:
            held[path] = descriptor
    os.lseek(descriptor, 0, 0)
    parts = []
    while part := os.read(descriptor, size):
        parts.append(part)
    calls += len(parts) + 1
    if not keep:
        os.close(descriptor)
    return b"".join(parts).decode()

def names(text):
    return [re.split(r"[:\s]", line, maxsplit=1)[0] for line in text.splitlines()]

def goes_back(path, values):
    before = last.get(path, values)
    last[path] = values
    return any(new < old for old, new in zip(before, values))

def check(path, text):
    name = path.rsplit("/", 1)[1]
    if not text.endswith("\n") and (text or name != "diskstats"):
        return "it has no end"
    if name not in ("diskstats", "uptime", "loadavg"):
        if first.setdefault(path, names(text)) != names(text):
            return "other lines than before"
    if name == "meminfo":
        value = {line.split(":")[0]: int(line.split()[1]) for line in text.splitlines()}
        for whole, parts in (("Active", ("Active(anon)", "Active(file)")),
                             ("Inactive", ("Inactive(anon)", "Inactive(file)")),
                             ("Slab", ("SReclaimable", "SUnreclaim"))):
            if value[whole] != sum(value[part] for part in parts):
                return f"{whole} is not the sum of its parts"
    elif name == "stat":
        cpus = [list(map(int, line.split()[1:])) for line in text.splitlines() if line[:3] == "cpu"]
        for column in (0, 2, 3):
            if not 0 <= cpus[0][column] - sum(cpu[column] for cpu in cpus[1:]) <= len(cpus):
                return "the CPUs are not the parts of the sum"
        if goes_back(path, cpus[0][:4]):
            return "a counter went back"
    elif name == "uptime":
        if goes_back(path, [float(word) for word in text.split()]):
            return "time went back"
    elif name == "loadavg" and not re.fullmatch(r"([0-9.]+ ){3}\d+/\d+ \d+\n", text):
        return "it is no load average"
    return None

ballast = []
while reads < most or not select.select([0], [], [], 0)[0]:
    for path in files:
        # As cat does, as a shell does, and as who keeps the file open and rewinds it.
        small = 1 if path.endswith(("stat", "uptime", "loadavg", "e")) else 50
        size, keep = (
            (65536, False), (small, False), (100, False), (65536, True), (7 * small, True),
        )[reads % 5]
        reads += 1
        try:
            text = text_of(path, size, keep)
            problem = check(path, text)
        except Exception as error:
            problem, text = repr(error), ""
        if problem:
            wrong.append([path, size, keep, problem, text[:3000]])
    ballast = ballast[-4:] + [bytearray(os.urandom(1) * 100000)]
    if len(wrong) > 5:
        break
print(json.dumps([reads, calls, wrong]))
"""


@dataclass(slots=True)
class Report:
    """What came of a soak."""

    files: int = 0
    """Files opened and read to the end."""
    reads: int = 0
    """Calls of read(2) for that."""
    kills: int = 0
    seconds: float = 0.0
    wrong: list[list[object]] = field(default_factory=list)
    sizes: list[dict[str, int]] = field(default_factory=list)
    """At the first look and at the last: descriptors and kilobytes of all processes."""

    def grown(self) -> list[str]:
        """Name what has become more than half as large again, small numbers apart."""
        first, last = self.sizes[0], self.sizes[-1]
        return [
            name
            for name, size in last.items()
            if size > 1.5 * first[name] + (1024 if name.endswith("kB") else 20)
        ]

    def lines(self) -> Iterator[str]:
        """Return it for people."""
        yield f"{self.files} files in {self.reads} reads; {self.kills} kills, {self.seconds:.0f} s"
        yield f"{len(self.wrong)} reads failed or were torn"
        yield from (f"  {wrong}" for wrong in self.wrong)
        for when, size in zip(("at first", "at last"), self.sizes, strict=False):
            yield f"{when}: " + ", ".join(f"{name} {count}" for name, count in size.items())
        yield from (f"grown: {name}" for name in self.grown())


@contextlib.contextmanager
def _readers(count: int, view: Path, reads: int) -> Iterator[list[subprocess.Popen[str]]]:
    """Run readers, each the init of a pid namespace of its own, in one cgroup."""
    host = Host()
    limits = Limits(memory=(32 + 32 * count) << 20, cpus=Fraction(1), pids=10 + 10 * count)
    cell = Cell.make(limits, host, Hierarchies.find(host))
    with contextlib.ExitStack() as stack:
        stack.callback(cell.remove)
        running = []
        for _ in range(count):
            command = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
            process = subprocess.Popen(
                [*command, sys.executable, "-I", "-c", READER, str(view), str(reads)],
                preexec_fn=cell.enter,  # noqa: PLW1509 - no thread of ours is about
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
            running.append(process)
        yield running


def session(mount: Mount) -> finding.Found:
    """Return the session behind a mount."""
    mounts = parse.mountinfo(Path("/proc/self/mountinfo").read_bytes())
    device = next(one.device for one in mounts if one.point == str(mount.directory))
    found = finding.find(device)
    assert found is not None
    return found


def sizes(found: finding.Found) -> dict[str, int]:
    """Return what the processes of a session have: descriptors, threads, memory in kB."""
    roles = {"holder": found.holder, "spawner": found.spawner, "server": found.server}
    said = {}
    for role, pid in roles.items():
        if pid is None:
            continue
        said[f"{role}'s descriptors"] = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
        said[f"{role}'s kB"] = next(int(x.split()[1]) for x in rollup if x.startswith("Pss:"))
    said["shared kB"] = os.fstat(found.memory.descriptor).st_blocks // 2
    return said


def soak(
    directory: Path,
    *,
    kills: int,
    reads: int,
    containers: int,
    pause: float,
    seconds: float = math.inf,
    options: Sequence[str] = (),
) -> Report:
    """Read ``reads`` files in each container at least, and kill ``kills`` servers meanwhile.

    Between two kills there are up to twice ``pause`` seconds, and none is killed when ``seconds``
    have passed, nor over a request that would then be given up, as so many have died over it.
    """
    report = Report()
    chance = random.Random()  # noqa: S311 - when a process dies is no secret
    with mounted(directory, *options) as mount, _readers(containers, directory, reads) as running:
        found = session(mount)
        began = time.monotonic()
        warm, killed = max(1, kills // 20), None
        while report.kills < kills and all(one.poll() is None for one in running):
            time.sleep(chance.uniform(0, 2 * pause))
            if time.monotonic() - began > seconds:
                break
            server = found.server
            if server is None or server == killed:
                continue
            with contextlib.suppress(ProcessLookupError):
                os.kill(server, signal.SIGKILL)
                report.kills += 1
            killed = server
            if report.kills == warm:
                report.sizes.append(_settled(mount, found, killed))
        report.sizes.append(_settled(mount, found, killed))
        for one in running:
            said = one.communicate(input="", timeout=600)[0]
            files, calls, wrong = json.loads(said)
            report.files += files
            report.reads += calls
            report.wrong += wrong
        report.seconds = time.monotonic() - began
    return report


def _settled(mount: Mount, found: finding.Found, killed: int | None) -> dict[str, int]:
    """Return the sizes once there is another server than the killed one, and it has answered."""
    assert eventually(lambda: found.server not in (None, killed), 60)
    assert mount.host_reads("proc/stat")
    return sizes(found)


def main() -> int:
    """Soak as the arguments say and print what came of it; the status tells whether it is good."""
    parser = argparse.ArgumentParser(description="Kill the server of lxfs under its readers")
    parser.add_argument("--kills", type=int, default=1000, help="SIGKILLs in all (1000)")
    parser.add_argument(
        "--reads", type=int, default=25000, help="files that each container reads (25000)"
    )
    parser.add_argument("--containers", type=int, default=4, help="that read at once (4)")
    parser.add_argument("--pause", type=float, default=0.1, help="seconds between kills (0.1)")
    parser.add_argument(
        "--seconds", type=float, default=math.inf, help="after which there are no more kills"
    )
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("must be root: it mounts")
    with tempfile.TemporaryDirectory() as directory:
        report = soak(Path(directory, "view"), **vars(arguments))
    print("\n".join(report.lines()))
    return bool(report.wrong or report.grown()) or report.kills < arguments.kills


if __name__ == "__main__":
    sys.exit(main())
