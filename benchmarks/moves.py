"""How long a move takes, and for how long the container is away: lxtui beside the lxc client.

Run as root: ``make bench-moves``, or ``python -m benchmarks.moves [--rounds N] [--megabytes N]``.

Role: starts a lab of real LXD daemons, and moves one container with that much data between two of
them, in turns by ``lxc stop``, ``lxc move``, ``lxc start``, by a cold and by a near-live move of
lxtui. The container itself writes down a time ten times a second: the largest gap is how long it
was away. Prints medians and ratios, and with ``--write`` puts them into docs/benchmarks.md.
Boundary: everything is in the lab, which is removed; asserts nothing about time.
Threading: one move at a time.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event as Flag

from benchmarks import document
from lxtui import remotes
from lxtui.backend.base import Backend
from lxtui.backend.lxd import LxdBackend
from lxtui.commands import Move
from lxtui.migrate.options import Mode, MoveOptions
from lxtui.model import Ref
from lxtui.perform import perform
from tests.lab.image import INIT
from tests.lab.lab import Host, Lab, down, up

NAME, LAB = "bench", "bench"
ENDS = ("lxd1", "lxd2")
_TICKS = os.sysconf("SC_CLK_TCK")
_SETTLE_SECONDS = 65
"""What was written within a minute is read again by the final pass of a near-live move."""

# A process's start (field 22) in ticks since the boot of the machine, which both hosts share.
_BEAT = "while :; do cat /proc/self/stat >>/root/beats; sleep 0.1; done &\n"


@dataclass(frozen=True, slots=True)
class Took:
    """One move: seconds in all, and seconds for which the container was away."""

    total: float
    away: float


def _by_lxc(lab: Lab, source: str, target: str) -> None:
    lab.cli("lxc", "stop", f"{source}:{NAME}")
    lab.cli("lxc", "move", f"{source}:{NAME}", f"{target}:{NAME}")
    lab.cli("lxc", "start", f"{target}:{NAME}")


def _by_lxtui(backends: dict[str, Backend], mode: Mode, source: str, target: str) -> None:
    command = Move(Ref(source, "default", NAME), target, MoveOptions(mode=mode))
    with TemporaryDirectory() as folder:
        perform(command, backends, lambda _: None, Flag(), Path(folder))


def _gap(host: Host) -> float:
    """Return the largest gap between two beats, in seconds."""
    lines = host.read_file(NAME, "/root/beats").splitlines()
    starts = [int(line.rpartition(b")")[2].split()[19]) for line in lines]
    return max(after - before for before, after in pairwise(starts)) / _TICKS


def _measure(lab: Lab, rounds: int, megabytes: int) -> dict[str, list[Took]]:
    known = remotes.load(lab.environment, Path("/nonexistent")).remotes
    backends: dict[str, Backend] = {one.name: LxdBackend(one) for one in known}
    ways: dict[str, Callable[[str, str], None]] = {
        "lxc stop, move, start": lambda a, b: _by_lxc(lab, a, b),
        "lxtui, cold": lambda a, b: _by_lxtui(backends, Mode.COLD, a, b),
        "lxtui, near-live": lambda a, b: _by_lxtui(backends, Mode.NEAR_LIVE, a, b),
    }
    first = lab.host(ENDS[0])
    first.launch(NAME, start=False)
    first.write_file(
        NAME, "/usr/sbin/init", INIT.replace("while :; do", _BEAT + "while :; do", 1).encode()
    )
    first.set_state(NAME, "start")
    fill = "for i in $(seq {}); do dd if=/dev/urandom of=/root/data$i bs=1M count=50; done"
    first.exec(NAME, ["sh", "-c", fill.format(megabytes // 50)])
    time.sleep(_SETTLE_SECONDS)
    took: dict[str, list[Took]] = {way: [] for way in ways}
    source, target = ENDS
    for _ in range(rounds):
        for way, move in ways.items():
            lab.host(source).exec(NAME, ["sh", "-c", ": >/root/beats"])
            time.sleep(1)
            began = time.monotonic()
            move(source, target)
            total = time.monotonic() - began
            time.sleep(1)
            took[way].append(Took(total, _gap(lab.host(target))))
            print(f"{way}: {took[way][-1]}", file=sys.stderr)
            source, target = target, source
    return took


def _table(took: dict[str, list[Took]], megabytes: int) -> str:
    cores, release = os.cpu_count(), os.uname().release.split("-")[0]
    medians = {
        way: Took(
            statistics.median(one.total for one in each),
            statistics.median(one.away for one in each),
        )
        for way, each in took.items()
    }
    base = next(iter(medians.values()))
    rounds = len(next(iter(took.values())))
    rows = [
        (
            f"A container with {megabytes} MB of data, LXD to LXD on one machine of {cores} CPUs "
            f"(Linux {release}), dir pools, median of {rounds} moves each, in turns."
        ),
        "",
        "| way | seconds in all | ratio | seconds away | ratio |",
        "|---|---|---|---|---|",
    ]
    for way, took_ in medians.items():
        total, away = took_.total / base.total, took_.away / base.away
        rows.append(f"| {way} | {took_.total:.2f} | {total:.2f} | {took_.away:.2f} | {away:.2f} |")
    return "\n".join(rows) + "\n"


def main() -> int:
    """Measure, print, and write if asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=3, help="moves in each way (3)")
    parser.add_argument("--megabytes", type=int, default=1000, help="data in the container (1000)")
    parser.add_argument("--write", action="store_true", help="put the table into the document")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("must be root: it starts a lab")
    lab = up(LAB, say=lambda line: print(f"bench: {line}", file=sys.stderr))
    try:
        text = _table(_measure(lab, arguments.rounds, arguments.megabytes), arguments.megabytes)
    finally:
        down(LAB)
    print(text, end="")
    if arguments.write:
        document.write("moves", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
