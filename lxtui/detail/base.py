"""How the pages of a detail screen reach a host.

Role: the protocol between the pages and answers.py, and the values that go over it. Boundary: pure.
Threading: every method blocks, raises LxtuiError, and may be called from any thread but the
screen's; ``happened`` alone answers at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from lxtui.detail.happenings import Happening
from lxtui.detail.inside import Inside
from lxtui.detail.processes import Reading
from lxtui.detail.samples import HostSample, Sample
from lxtui.files.listing import FileStart, Listing
from lxtui.model import Profile, Ref, Snapshot


@dataclass(frozen=True, slots=True)
class Processes:
    """A reading, and what its numbers of users are called inside."""

    reading: Reading
    users: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class LogText:
    """The end of a log."""

    data: bytes
    size: int
    """Of all of it."""


@dataclass(frozen=True, slots=True)
class HostReading:
    """A host and all of its instances that we may see, at one moment."""

    host: HostSample
    instances: Mapping[Ref, Sample] = field(default_factory=dict)


class Questions(Protocol):
    """What the pages ask."""

    def happened(self, host: str) -> tuple[Happening, ...]:
        """The latest events of a host, the oldest first."""

    def profiles(self, ref: Ref, names: tuple[str, ...]) -> Mapping[str, Profile | None]:
        """The profiles of an instance; None for one that may not be read."""

    def snapshots(self, ref: Ref) -> tuple[Snapshot, ...]:
        """Its snapshots, with their sizes where the pool counts them."""

    def sample(self, ref: Ref) -> Sample:
        """What it uses now."""

    def host_sample(self, host: str) -> HostReading:
        """What a host uses now, and each of its instances."""

    def processes(self, ref: Ref) -> Processes:
        """The processes of a running instance, out of its own /proc."""

    def logs(self, ref: Ref) -> tuple[str, ...]:
        """The names of its logs."""

    def log(self, ref: Ref, name: str) -> LogText:
        """The end of one of them."""

    def console_log(self, ref: Ref) -> LogText:
        """What it wrote to its console since the last reader: the servers forget what was read."""

    def listing(self, ref: Ref, path: bytes) -> Listing:
        """What is in one of its directories."""

    def file_start(self, ref: Ref, path: bytes) -> FileStart:
        """The beginning of one of its files."""

    def inside(self, ref: Ref) -> Inside:
        """What it sees of this machine; says why where it cannot be known."""
