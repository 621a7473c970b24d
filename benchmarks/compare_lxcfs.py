"""What lxfs and LXCFS show the same container, field by field, and why they differ.

Run as root: ``make compare-lxcfs``, or ``python -m benchmarks.compare_lxcfs [--json | --write]``.
On cgroup v2, in the emulated machine: ``python -m tests.machine.compare``.

Role: mounts both, starts a container that uses memory, disk and CPU under limits, reads every file
of both at the same moments, and prints a table of the fields that differ. ``--write`` puts it into
docs/lxfs.md, between the marks of this machine's cgroup version. Every difference must have its
reason in ``benchmarks.compare_reasons``: one that has none is printed as UNEXPLAINED, and the exit
status is 1.
Boundary: reads; makes only its own mounts, cgroup and processes, and removes them.
Threading: none.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.compare_reasons import UNEXPLAINED, why
from benchmarks.peers import in_container, side_by_side
from lxfs.limits import Limits
from lxfs.sources.cgroups import Hierarchies
from lxfs.sources.host import Host

LIMITS = Limits(memory=256 << 20, cpus=Fraction(3, 2), pids=64)
DOCUMENT = Path(__file__).resolve().parents[1] / "docs/lxfs.md"

# Of what moves while it is read, as much is the same: kB in meminfo, ticks or counts elsewhere.
_NEAR_KB, _NEAR, _NEAR_SHARE = 256, 20, 0.02
_NEAR_PERCENT = 5

# What the container runs: some memory of each kind, some disk, half of its CPU quota for a while.
_LOAD = """
import json, mmap, os, sys, time
def text(path):
    try:
        with open(path, "rb") as file:
            return file.read().decode(errors="replace")
    except OSError as error:
        return "errno " + os.strerror(error.errno)
def files(top):
    for where, directories, names in os.walk(top):
        directories.sort()
        for name in sorted([*names, *(n for n in directories if os.path.islink(f"{where}/{n}"))]):
            yield os.path.relpath(f"{where}/{name}", top)
views = json.loads(sys.argv[1])
keep = bytearray(os.urandom(4096)) * (48 << 8)
shared = mmap.mmap(-1, 16 << 20)
shared.write(os.urandom(16 << 20))
here = sys.argv[2]
descriptor = os.open(here, os.O_RDWR | os.O_CREAT | os.O_DIRECT, 0o600)
block = mmap.mmap(-1, 1 << 20)
for _ in range(8):
    os.write(descriptor, block)
os.fsync(descriptor)
os.lseek(descriptor, 0, os.SEEK_SET)
for _ in range(8):
    os.readv(descriptor, [block])
wanted = {v: [f for f in files(top) if not f.startswith("cgroup")] for v, top in views.items()}
def look():
    return {v: {f: text(f"{top}/{f}") for f in wanted[v]} for v, top in views.items()}
look()
def stat():
    return {v: text(top + "/proc/stat") for v, top in views.items()}
before = stat()
begun = time.monotonic(), time.process_time()
end = begun[0] + 2
while time.monotonic() < end:
    until = time.process_time() + 0.15
    while time.process_time() < until:
        pass
    time.sleep(0.05)
used = (time.process_time() - begun[1]) / (time.monotonic() - begun[0])
after = stat()
print(json.dumps([look(), before, after, used]))
"""

Fields = dict[str, str]


@dataclass(frozen=True, slots=True)
class Difference:
    """One field on which the two differ: what each shows, what the host has, the reason."""

    file: str
    field: str
    lxcfs: str
    lxfs: str
    host: str
    why: str


def _numbers(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        yield name.rstrip(":"), value.strip().removesuffix(" kB")


def _columns(names: str, values: list[str], prefix: str = "") -> Fields:
    return {prefix + name: value for name, value in zip(names.split(), values, strict=False)}


_CPU = "user nice system idle iowait irq softirq steal guest guest_nice"


def _stat(text: str) -> Fields:
    fields: Fields = {}
    rows = [line.split() for line in text.splitlines()]
    fields["cpuN lines"] = " ".join(row[0] for row in rows if re.fullmatch(r"cpu\d+", row[0]))
    for row in rows:
        if row[0] == "cpu":
            fields |= _columns(_CPU, row[1:], "cpu ")
        elif not row[0].startswith("cpu"):
            fields[row[0]] = row[1]
    return fields


def _cpuinfo(text: str) -> Fields:
    processors = re.findall(r"^processor\s*: (\d+)", text, re.MULTILINE)
    return {"processors": " ".join(processors)}


def _diskstats(text: str) -> Fields:
    rows = [line.split() for line in text.splitlines()]
    names = "reads reads_merged sectors_read ms_reading writes writes_merged sectors_written"
    fields = {"devices": " ".join(row[2] for row in rows)}
    for row in rows:
        fields |= _columns(names, row[3:], f"{row[2]} ")
    return fields


def _pressure(text: str) -> Fields:
    return {
        f"{kind} {name}": value
        for kind, *pairs in (line.split() for line in text.splitlines())
        for name, _, value in (pair.partition("=") for pair in pairs)
    }


def _slabinfo(text: str) -> Fields:
    return {"caches": str(max(0, len(text.splitlines()) - 2))}


def _swaps(text: str) -> Fields:
    lines = text.splitlines()[1:]
    fields = {"lines": str(len(lines))}
    for line in lines:
        fields |= _columns("name type size used priority", line.split())
    return fields


SHAPES: dict[str, Callable[[str], Fields]] = {
    "proc/meminfo": lambda text: dict(_numbers(text)),
    "proc/vmstat": lambda text: dict(_numbers(text)),
    "proc/stat": _stat,
    "proc/cpuinfo": _cpuinfo,
    "proc/diskstats": _diskstats,
    "proc/slabinfo": _slabinfo,
    "proc/swaps": _swaps,
    "proc/uptime": lambda text: _columns("age idle", text.split()),
    "proc/loadavg": lambda text: _columns("1min 5min 15min running/threads last_pid", text.split()),
}


def fields(file: str, text: str) -> Fields:
    """Return what a file says, by field; a file of one value has one field with no name."""
    if text.startswith("errno "):
        return {"": text.removeprefix("errno ")}
    if file.startswith("proc/pressure/"):
        return _pressure(text)
    shape = SHAPES.get(file)
    return shape(text) if shape else {"": text.strip().replace("\n", " ")[:40]}


def _same(left: str, right: str, near: int) -> bool:
    if left == right:
        return True
    try:
        a, b = float(left), float(right)
    except ValueError:
        return False
    # What one of them has and the other has not is no matter of the moment.
    return (a == 0) == (b == 0) and abs(a - b) <= max(near, _NEAR_SHARE * max(abs(a), abs(b)))


def _own_cpus(path: str) -> str:
    """Return a name in which all CPUs, caches and links of one kind are one."""
    path = re.sub(r"(cpu|index|policy|node|state)\d+", r"\1N", path)
    path = re.sub(r"(system/node)/.*", r"\1/*", path)
    return re.sub(r"/(cpuidle|hotplug|power|vulnerabilities|index.|topology)/.*", r"/\1/*", path)


def compare(
    lxcfs: Mapping[str, str], lxfs: Mapping[str, str], host: Mapping[str, str], version: int
) -> list[Difference]:
    """Return the differences between two sets of file texts, in order of file and field."""
    found: dict[tuple[str, str], Difference] = {}
    order = [*lxfs, *(path for path in lxcfs if path not in lxfs)]
    for path in order:
        name = _own_cpus(path)
        if path not in lxcfs or path not in lxfs:
            served = "served" if path in lxfs else "not served"
            other = "served" if path in lxcfs else "not served"
            reason = why(name, "", version)
            found.setdefault((name, ""), Difference(name, "", other, served, "", reason))
            continue
        theirs, ours = fields(path, lxcfs[path]), fields(path, lxfs[path])
        real = fields(path, host.get(path, ""))
        near = _NEAR_KB if path == "proc/meminfo" else _NEAR
        if path == "proc/diskstats":  # a disk that only one of them has is in the row of devices
            theirs = {name: value for name, value in theirs.items() if name in ours}
        for field in dict.fromkeys([*theirs, *ours]):
            a, b = theirs.get(field, "absent"), ours.get(field, "absent")
            if not _same(a, b, near):
                difference = Difference(
                    name, field, a, b, real.get(field, "absent"), why(name, field, version)
                )
                found.setdefault((name, field), difference)
    return list(found.values())


def measure() -> tuple[list[Difference], str]:
    """Run the container beside both, and return what differs and what it was measured on."""
    version = 1 if "memory" in Hierarchies.find(Host()).v1 else 2
    # Not /tmp, which may be a tmpfs: there is disk I/O to be counted.
    disk = "/var/tmp"  # noqa: S108 - a private directory is made in it
    with side_by_side() as mounts, TemporaryDirectory(dir=disk, prefix="lxfs-compare-") as folder:
        if "lxcfs" not in mounts:
            sys.exit("lxcfs is not installed: nothing to compare with")
        names = json.dumps({name: str(path) for name, path in mounts.items()})
        said = in_container(LIMITS, _LOAD, names, f"{folder}/file")
    seen, before, after, used = json.loads(said)
    host = {path: Path("/", path).read_text(errors="replace") for path in SHAPES}
    peer = subprocess.run(["lxcfs", "--version"], capture_output=True, text=True, check=False)
    said_version = (peer.stdout + peer.stderr).strip(' \n"')
    release = ".".join(os.uname().release.split(".")[:2])
    on = f"LXCFS {said_version}, cgroup v{version}, Linux {release}"
    return [
        *compare(seen["lxcfs"], seen["lxfs"], host, version),
        *_compare_busy(before, after, version, used / float(LIMITS.cpus or 1)),
    ], on


def _busy(before: str, after: str) -> int:
    """Return the share of the time between two /proc/stat that was not idle, in percent."""
    first, last = fields("proc/stat", before), fields("proc/stat", after)
    spent = {name: int(last[f"cpu {name}"]) - int(first[f"cpu {name}"]) for name in _CPU.split()}
    total = sum(spent.values())
    return round(100 * (total - spent["idle"] - spent["iowait"]) / total) if total else 0


def _compare_busy(
    before: Mapping[str, str],
    after: Mapping[str, str],
    version: int,
    used: float,
) -> list[Difference]:
    stat, field = "proc/stat", "busy in the last 2 s"
    theirs, ours = (_busy(before[view], after[view]) for view in ("lxcfs", "lxfs"))
    if abs(theirs - ours) <= _NEAR_PERCENT:
        return []
    return [
        Difference(
            stat,
            field,
            f"{theirs} %",
            f"{ours} %",
            f"({used * 100:.0f} %)",
            why(stat, field, version),
        )
    ]


def table(differences: list[Difference], on: str) -> str:
    """Return the Markdown of one machine's table."""
    rows = [
        f"Measured on {on}; a container of 256 MiB and 1.5 CPUs that used half of them.",
        "",
        "| file | field | LXCFS | lxfs | the host, a moment later | why |",
        "|---|---|---|---|---|---|",
    ]
    for item in differences:
        cells = (item.file, item.field, item.lxcfs, item.lxfs, item.host, item.why)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") or " " for cell in cells) + " |")
    return "\n".join(rows) + "\n"


def write(text: str, on: str, document: Path = DOCUMENT) -> None:
    """Put a table between the marks of its cgroup version."""
    (short,) = re.findall(r"cgroup (v\d)", on)
    begin, end = f"<!-- compare {short} -->\n", f"<!-- end compare {short} -->"
    head, _, rest = document.read_text().partition(begin)
    _, mark, tail = rest.partition(end)
    if not mark:
        sys.exit(f"{document} has no lines {begin.strip()} and {end}")
    document.write_text(head + begin + text + end + tail)


def unexplained(differences: list[Difference]) -> bool:
    """Say which differences have no reason; whether there are any."""
    without = [item for item in differences if item.why == UNEXPLAINED]
    for item in without:
        print(f"unexplained: {item.file} {item.field}", file=sys.stderr)
    return bool(without)


def main() -> int:
    """Measure, then print or write; 1 when a difference has no reason."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--json", action="store_true", help="print the differences as JSON")
    parser.add_argument("--write", action="store_true", help="put the table into docs/lxfs.md")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("must be root: it mounts")
    differences, on = measure()
    if arguments.json:
        print(json.dumps([[asdict(item) for item in differences], on]))
    elif arguments.write:
        write(table(differences, on), on)
    else:
        print(table(differences, on), end="")
    return 1 if unexplained(differences) else 0


if __name__ == "__main__":
    sys.exit(main())
