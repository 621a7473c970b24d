"""What lxtui asks of a host, whichever server runs there.

Role: the one protocol behind which LXD, Incus and the demo fleet look alike; the contract suite
in tests/backend runs against all three. Boundary: speaks model values and LxtuiError only.
Threading: every method blocks and may be called from any thread; none may run on the screen's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from threading import Event as Flag
from typing import Protocol

from lxtui import api
from lxtui.errors import OperationError
from lxtui.model import (
    Devices,
    Event,
    FileEntry,
    Host,
    Instance,
    InstanceSpec,
    Member,
    MigrationOffer,
    Operation,
    Placement,
    Profile,
    Ref,
    Remote,
    StateAction,
)

OnProgress = Callable[[Operation], None]


class ChannelEndedError(EOFError):
    """The other side has closed; ``clean`` says whether it took leave by a close frame."""

    def __init__(self, host: str, *, clean: bool) -> None:
        super().__init__(f"{host}: the channel was closed")
        self.clean = clean


class Channel(Protocol):
    """One websocket of a migration; text and binary messages stay what they are."""

    def fileno(self) -> int:
        """Return the descriptor that select(2) waits for."""

    def receive(self, timeout: float | None = None) -> str | bytes:
        """Return the next message; TimeoutError when there is none for *timeout* seconds,
        ChannelEndedError when there will be none any more.
        """

    def send(self, message: str | bytes) -> None:
        """Send one message; ChannelEndedError when nobody listens any more."""

    def put(self, message: str | bytes) -> None:
        """Send one message, as far as the other side takes it now; ``drain`` sends the rest."""

    def drain(self) -> None:
        """Send more of what was put, as much as goes without waiting."""

    @property
    def backlog(self) -> int:
        """Bytes that were put and are not sent yet."""

    def close(self, *, clean: bool = True) -> None:
        """Close it, without a close frame if not *clean*; a second time is no error."""


class Files(Protocol):
    """The files of one instance, running or not; paths are absolute inside it."""

    def entries(self, folder: bytes, most: int = 0) -> list[FileEntry]:
        """Everything in *folder*, links not followed; cut short beyond *most* (0: never)."""

    def links(self, paths: Sequence[bytes]) -> list[bytes]:
        """Where each symbolic link points to."""

    def set_times(self, paths: Sequence[bytes], seconds: int) -> None:
        """Say that each was last read and written at *seconds* since 1970."""

    def digests(self, files: Sequence[tuple[bytes, int]]) -> list[bytes]:
        """SHA-256 of each file's content, of the size that it is said to have."""

    def heads(self, paths: Sequence[bytes], most: int) -> list[bytes]:
        """The first *most* bytes of each, whatever size it is said to have: of /proc too.

        Empty for what is not there or may not be read.
        """


class Disk(Files, Protocol):
    """All that can be done with the files of an instance; links are followed inside it."""

    def small(self, paths: Sequence[bytes]) -> list[tuple[FileEntry, bytes] | OperationError]:
        """What each file was when it was opened, and its first 32 KiB; or why it was not."""

    def look(self, path: bytes, *, follow: bool = False) -> FileEntry | None:
        """What *path* is; None when there is nothing. Links are followed inside the instance."""

    def opened(self, path: bytes) -> AbstractContextManager[tuple[FileEntry, Iterator[bytes]]]:
        """What a file was when it was opened, and its bytes until there are no more."""

    def create(self, path: bytes, data: Iterable[bytes], mode: int, uid: int, gid: int) -> None:
        """Write a new file, which nobody else may read before it is whole.

        OperationError when there is one of that name; what was written stays when it fails.
        """

    def make_folder(self, path: bytes, mode: int, uid: int, gid: int) -> None:
        """Make a folder; OperationError when there is something of that name."""

    def make_link(self, path: bytes, target: bytes) -> None:
        """Make a symbolic link that says *target*."""

    def rename(self, old: bytes, new: bytes, *, replace: bool) -> None:
        """Give *old* the name *new*; without *replace*, OperationError when there is one."""

    def remove(self, path: bytes) -> None:
        """Remove a file, or a link itself."""

    def remove_folder(self, path: bytes) -> None:
        """Remove an empty folder."""

    def room(self, path: bytes) -> int | None:
        """Bytes that can still be written below *path*; None where that is not told."""


class Stream(Protocol):
    """Bytes that come one after the other."""

    def read(self, size: int, /) -> bytes:
        """Return at most *size* bytes, none at the end; HostUnreachableError when it breaks off."""


@dataclass(frozen=True, slots=True)
class Download:
    """What a host sends."""

    body: Stream
    size: int | None
    """Bytes; None when the host does not say."""
    headers: Mapping[str, str]
    """Looked up whatever the case of their letters."""

    def read(self, size: int, /) -> bytes:
        """At most *size* bytes of the body."""
        return self.body.read(size)


class Backend(Protocol):
    """One host. Every method raises a subclass of LxtuiError when it cannot do its work."""

    @property
    def remote(self) -> Remote:
        """Where it is and how we log in."""

    def connect(self) -> Host:
        """Ask the daemon who it is; the first call, and the check that it still answers."""

    def close(self) -> None:
        """Let go of the connections."""

    def instances(self) -> tuple[Instance, ...]:
        """Every instance that we may see, over all projects where that is allowed."""

    def instance(self, ref: Ref) -> Instance:
        """One instance as it is now; NotFoundError when there is none."""

    def operations(self, project: str = "") -> tuple[Operation, ...]:
        """What the daemon works at, in one project or in all that we may see."""

    def members(self) -> Mapping[str, Member]:
        """The servers of the cluster, by name; none where there is no cluster."""

    def listen(self, on_event: Callable[[Event], None], stop: Flag) -> None:
        """Deliver events until *stop* is set; HostUnreachableError when the stream ends before."""

    def change_state(
        self, ref: Ref, action: StateAction, *, force: bool = False, timeout: int = 30
    ) -> Operation:
        """Start, stop or restart; a graceful stop fails after *timeout* seconds."""

    def create_snapshot(self, ref: Ref, name: str) -> Operation:
        """Take a snapshot of the disk, without running state."""

    def restore_snapshot(self, ref: Ref, name: str, *, stateful: bool = False) -> Operation:
        """Put the instance back to the snapshot, its processes too if *stateful*."""

    def delete_snapshot(self, ref: Ref, name: str) -> Operation:
        """Remove one snapshot."""

    def delete_instance(self, ref: Ref) -> Operation:
        """Remove a stopped instance and its snapshots."""

    def rename_instance(self, ref: Ref, name: str) -> Operation:
        """Give a stopped instance another name."""

    def create_backup(self, ref: Ref, name: str) -> Operation:
        """Have the daemon write the instance with its snapshots into a tar, for a day at most."""

    def export(self, ref: Ref, name: str) -> AbstractContextManager[Stream]:
        """Return the bytes of a backup, until the block ends."""

    def delete_backup(self, ref: Ref, name: str) -> Operation:
        """Remove a backup; NotFoundError when there is none."""

    def execute(self, ref: Ref, argv: Sequence[str]) -> int:
        """Run a program inside a running instance, without input; its exit status."""

    def set_config(self, ref: Ref, changes: Mapping[str, str | None], *, unless: str = "") -> None:
        """Set keys of the instance's own configuration; None removes a key.

        ConflictError when somebody else changes it at the same time, or has set the key *unless*.
        """

    def reconfigure(self, ref: Ref, changes: Mapping[str, str | None], devices: Devices) -> None:
        """The same as ``set_config``, and put *devices* in place of the instance's own."""

    def wait(self, operation: Operation, on_progress: OnProgress | None = None) -> None:
        """Return when the operation is done; OperationError carries the daemon's own reason."""

    def cancel(self, operation: Operation) -> None:
        """Ask the daemon to give the operation up; one that cannot be given up is no error."""

    def placement(self, project: str) -> Placement:
        """What an instance that moves here could use."""

    def create_profile(self, project: str, name: str, profile: Profile) -> None:
        """Make a profile; ConflictError or OperationError when there is one of that name."""

    def set_profile_config(
        self, project: str, name: str, changes: Mapping[str, str | None]
    ) -> None:
        """Set keys of a profile's configuration; None removes a key."""

    def delete_profile(self, project: str, name: str) -> None:
        """Remove a profile; OperationError while it is used, NotFoundError when it is gone."""

    def read(self, path: api.Path, parameters: Mapping[str, str] | None = None) -> api.Document:
        """What a path of the API answers; NotFoundError, NotTrustedError when it may not be."""

    def request(self, request: api.Request) -> Operation:
        """Ask for a change; what is done at once is an operation that has ended in success.

        ConflictError when the request bears an ETag of something that has changed since.
        """

    def download(
        self, path: api.Path, parameters: Mapping[str, str] | None = None
    ) -> AbstractContextManager[Download]:
        """The bytes that a path answers, until the block ends."""

    def upload(
        self,
        path: api.Path,
        parameters: Mapping[str, str],
        data: Stream,
        headers: Mapping[str, str] | None = None,
    ) -> Operation:
        """Send bytes to a path until *data* has no more; the rest is as for ``request``."""

    def live_refusal(self, ref: Ref) -> str:
        """Why this host would not begin to move a running instance with its running state.

        Empty when it would; what it began by being asked is given up. Nothing is changed.
        """

    def offer(self, ref: Ref, spec: InstanceSpec) -> MigrationOffer:
        """Open the instance for one pull by the daemon that makes *spec* of it."""

    def accept(self, spec: InstanceSpec, offer: MigrationOffer, url: str) -> Operation:
        """Begin to make *spec* from the offer, pulling from *url* (one of the offer's)."""

    def receive(self, spec: InstanceSpec) -> MigrationOffer:
        """Begin to make *spec* from what will be sent into the returned channels."""

    def send(self, ref: Ref, spec: InstanceSpec, sink: MigrationOffer, url: str) -> Operation:
        """Begin to push the instance into *sink*, the target's, found at *url*."""

    def files(self, ref: Ref) -> AbstractContextManager[Disk]:
        """The files of an instance, until the block ends."""

    def channel(self, offer: MigrationOffer, name: str) -> AbstractContextManager[Channel]:
        """One channel of this host's side of a migration (``control``, ``fs``)."""
