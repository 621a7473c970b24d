"""What a mount is asked to show, and the world that it is shown from.

Role: the rules as a value that one process can hand to another, and what comes of them.
Boundary: knows no FUSE. Threading: values only.
"""

import resource
from dataclasses import dataclass

from lxfs.ledger import Ledger
from lxfs.sources.host import Host
from lxfs.world import World


@dataclass(frozen=True, slots=True)
class Rules:
    """How containers are told apart, and what they see of CPUs."""

    cpus_by_quota: bool = True
    by_cgroup: bool = False


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


def _open_many() -> None:
    """Let this process have as many files open as it may: of each container some are held."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
