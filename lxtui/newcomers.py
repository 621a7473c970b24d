"""Hosts that are added while the screen is open.

Role: what the dialog's look and yes mean: enrol.py, then a worker of the fleet. Boundary: enrol and
the fleet; knows no screen. Threading: ``look`` and ``add`` block, on the dialog's threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path

from lxtui.backend.base import Backend
from lxtui.enrol import Candidate, Wish, enrol, survey
from lxtui.fleet import Fleet
from lxtui.model import Ref, Remote


@dataclass(frozen=True, slots=True)
class Newcomers:
    """How a fleet gets further hosts."""

    fleet: Fleet
    connect: Callable[[Remote], Backend]
    read_only: Collection[str] = ()
    """Names of hosts on which nothing may be changed."""

    def look(self, name: str, address: str, secret: str) -> Newcomer:
        """Who is there; LxtuiError when nobody is, or somebody else than the token says."""
        return Newcomer(self, survey(Wish(name, address), secret, os.environ, Path.home()))


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A host that was seen, and is not ours yet."""

    newcomers: Newcomers
    candidate: Candidate

    @property
    def lines(self) -> list[str]:
        """What a person has to look at before it is believed."""
        known = ["the one that the token names"] if self.candidate.confirmed else []
        return [*self.candidate.lines, *known, f"as: {self.candidate.command}"]

    def add(self, secret: str) -> str:
        """Make it one of ours and of the fleet; its name."""
        name = self.candidate.wish.name
        ref, command = Ref(name, "", ""), f"lxtui hosts add {name}"
        with self.newcomers.fleet.audit.of(ref, f"add host {name}", command):
            remote = enrol(self.candidate, secret, os.environ, Path.home())
        held = remote.name in self.newcomers.read_only
        self.newcomers.fleet.add(self.newcomers.connect(replace(remote, read_only=held)))
        return remote.name
