"""What a mount is asked to show, and the tree that shows it.

Role: the rules as a value that one process can hand to another, and what comes of them.
Boundary: knows no FUSE. Threading: values only.
"""

import resource
from dataclasses import dataclass

from lxfs.cgroupfs.serving import Cgroups
from lxfs.cgroupfs.table import TABLE
from lxfs.ledger import Ledger
from lxfs.sources.host import Host
from lxfs.tree import Tree
from lxfs.world import World


@dataclass(frozen=True, slots=True)
class Rules:
    """How containers are told apart, what they see of CPUs, and whether of their cgroups.

    ``cgroupfs`` is ``off``, ``ro`` or ``rw``.
    """

    cpus_by_quota: bool = True
    by_cgroup: bool = False
    cgroupfs: str = "off"

    @property
    def writable(self) -> bool:
        """Whether there is anything to write to."""
        return self.cgroupfs == "rw"


def make_world(rules: Rules, ledger: int | None = None) -> World:
    """Return the world of this host, whose counters go on from those in a ledger's file.

    Raises ``SourceError`` where there is nothing to read.
    """
    _open_many()
    host = Host()
    there = None
    if ledger is not None:
        there = Ledger(ledger, host.boot_id(), host.possible_cpus())
    return World.of(
        host, cpus_by_quota=rules.cpus_by_quota, by_cgroup=rules.by_cgroup, ledger=there
    )


def make_tree(rules: Rules, ledger: int | None = None) -> Tree:
    """Return the tree of this host. Raises as ``make_world``."""
    world = make_world(rules, ledger)
    if rules.cgroupfs == "off":
        return Tree(world)
    return Tree(world, cgroups=Cgroups(world, TABLE, writable=rules.writable))


def _open_many() -> None:
    """Let this process have as many files open as it may: of each container some are held."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
