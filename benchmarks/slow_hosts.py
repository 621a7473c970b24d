"""The first full table of twenty hosts, beside what the slowest of them takes alone.

Role: starts a lab of real daemons, puts each behind relays of several distances, starts lxtui once
with the most distant host alone and once with all twenty, by turns, and takes the time from the
start to the table with everything. What is more than the slowest alone is what the others cost it.
Boundary: a lab of its own, which is removed; a pseudo terminal; asserts nothing about time.
Threading: the relays have a thread.
"""

import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.relays import Distant, Relays, configure
from benchmarks.terminal import Terminal
from lxtui import remotes
from lxtui.backend.lxd import LxdBackend
from tests.lab.lab import Lab, down, up

LAB, HOSTS = "bench", 20
_EACH = 5
"""Instances that are made on each daemon."""
_NEAR, _FAR = 0.002, 0.150
"""Seconds one way: a machine room, and the other side of the world."""


@dataclass(frozen=True, slots=True)
class Firsts:
    """Seconds from the start to the full table; one for each turn."""

    alone: list[float]
    """With the most distant host only."""
    together: list[float]
    instances: int
    farthest: float
    """Seconds one way."""

    @property
    def more(self) -> float:
        """Seconds by which all are later than the slowest alone, the median of the turns."""
        pairs = zip(self.together, self.alone, strict=True)
        return statistics.median(all_of_them - one for all_of_them, one in pairs)


def measure(turns: int) -> Firsts:
    """Needs root; LabUnavailable where there can be no lab."""
    lab = up(LAB)
    try:
        counts = _fill(lab)
        known = [
            Distant(
                f"host{number:02}",
                (daemon := lab.hosts[number % len(lab.hosts)]).plan.url,
                daemon.plan.kind,
                daemon.plan.directory / "server.crt",
                _NEAR * (_FAR / _NEAR) ** (number / (HOSTS - 1)),
            )
            for number in range(HOSTS)
        ]
        total = sum(counts[one.url] for one in known)
        slowest = known[-1]
        alone, together = [], []
        for _ in range(turns):
            alone.append(_until_full(lab, [slowest], counts[slowest.url]))
            together.append(_until_full(lab, known, total))
    finally:
        down(LAB)
    return Firsts(alone, together, total, slowest.delay)


def _fill(lab: Lab) -> dict[str, int]:
    """How many instances each daemon has, by its address."""
    found = {}
    for host in lab.hosts:
        for number in range(_EACH):
            host.launch(f"far{number}", start=False)
    for remote in remotes.load(lab.environment, Path("/nonexistent")).remotes:
        if not remote.is_socket:
            backend = LxdBackend(remote)
            backend.connect()
            found[remote.address] = len(backend.instances())
            backend.close()
    return found


def _until_full(lab: Lab, hosts: list[Distant], total: int) -> float:
    with TemporaryDirectory() as home, _relayed(hosts) as relays:
        environment = configure(Path(home), lab.plan.lxc_conf, hosts, relays.ports)
        terminal = Terminal([], 120, 40, home, environment=environment)
        terminal.start()
        try:
            count = len(hosts)
            return terminal.wait(rb"hosts %d/%d.*/%d " % (count, count, total)) - terminal.began
        finally:
            terminal.stop()


@contextmanager
def _relayed(hosts: list[Distant]) -> Iterator[Relays]:
    relays = Relays(hosts)
    try:
        yield relays
    finally:
        relays.close()


def line(firsts: Firsts) -> str:
    """The figures as a row of the table of seconds, with what the goal is about."""
    alone, together = map(statistics.median, (firsts.alone, firsts.together))
    return (
        f"| start to all {firsts.instances} instances of {HOSTS} real hosts in the table, "
        f"{_NEAR * 1000:.0f} to {firsts.farthest * 1000:.0f} ms away each way, median of "
        f"{len(firsts.together)} | {together:.2f} |\n"
        f"| the same with the most distant one alone | {alone:.2f} |\n"
        f"| later than that one alone by | {firsts.more:.2f} |"
    )
