"""The fleet as frozen values.

Role: what backends produce, the screen shows and the mover reasons about. No pylxd object and no
raw JSON gets past this module. Boundary: imports nothing of ours but errors. Threading: every
value is immutable, so any thread may hold any of them. Longer than 400 lines because it is the one
vocabulary of the package: a list of values, each without behaviour to speak of.

Units: bytes, nanoseconds of CPU time (as the REST API counts them), aware UTC datetimes.
``None`` means "not known" or "no limit"; it is never written as -1 or 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

from lxtui.errors import (
    CertificateError,
    LxtuiError,
    NotTrustedError,
    UnsupportedError,
    UsageError,
)

Config = Mapping[str, str]
Devices = Mapping[str, Mapping[str, str]]


def _none() -> MappingProxyType[str, Any]:
    return MappingProxyType({})


class Kind(StrEnum):
    """Which server a host runs."""

    LXD = "lxd"
    INCUS = "incus"


CLI = {Kind.LXD: "lxc", Kind.INCUS: "incus"}
"""Each server's own command line."""


class HostStatus(StrEnum):
    """What we know of a host's daemon right now."""

    CONNECTING = "connecting"
    ONLINE = "online"
    OFFLINE = "offline"
    UNTRUSTED = "untrusted"
    UNSUPPORTED = "unsupported"


def status_of(error: LxtuiError) -> HostStatus:
    """What a host is that could not be connected to because of *error*."""
    if isinstance(error, UnsupportedError):
        return HostStatus.UNSUPPORTED
    distrust = isinstance(error, NotTrustedError | CertificateError)
    return HostStatus.UNTRUSTED if distrust else HostStatus.OFFLINE


class StateAction(StrEnum):
    """The actions of ``PUT /1.0/instances/NAME/state`` that we use."""

    START = "start"
    STOP = "stop"
    RESTART = "restart"
    FREEZE = "freeze"
    UNFREEZE = "unfreeze"


class JobState(StrEnum):
    """Where a job of ours stands."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    """Stopped because somebody asked for it; its text says what became of things."""


class Ref(NamedTuple):
    """Names one instance of the fleet, as ``lxc`` writes it: ``host:name``."""

    host: str
    project: str
    name: str

    def __str__(self) -> str:
        """The reference for people, with its project where that is not ``default``."""
        return self.plain + self.where

    @property
    def plain(self) -> str:
        """``host:name``, as lxc writes it."""
        return f"{self.host}:{self.name}"

    @property
    def where(self) -> str:
        """The project in brackets; empty for ``default``."""
        return "" if self.project == "default" else f" (project {self.project})"

    def command(self, before: str, after: str = "") -> str:
        """A command line of lxc or incus: *before*, the reference, *after*, and the project.

        The command lines do not know the ``@kind`` with which we tell two remotes apart.
        """
        project = "" if self.project == "default" else f" --project {self.project}"
        return f"{before} {self.host.partition('@')[0]}:{self.name}{after}{project}"


def parse_ref(text: str, project: str = "default") -> Ref:
    """``host:name`` as a reference in *project*; raises UsageError for anything else."""
    host, colon, name = text.partition(":")
    if not (host and colon and name) or "/" in name:
        raise UsageError(f"{text!r} is not an instance: write it as host:name, as lxc does")
    return Ref(host, project, name)


@dataclass(frozen=True, slots=True)
class Remote:
    """A host as the command lines' configuration describes it.

    ``address`` is ``https://host:port`` or the absolute path of a unix socket.
    ``server_cert`` is the path of the pinned certificate; None for a socket, or when none is
    pinned: then ``authority`` decides, a file of certificates, and without it the system's
    authorities. ``others`` are further addresses, to be tried when the first does not answer.
    """

    name: str
    kind: Kind
    address: str
    project: str = "default"
    client_cert: str | None = None
    client_key: str | None = None
    server_cert: str | None = None
    auth_type: str = "tls"
    authority: str | None = None
    others: tuple[str, ...] = ()
    read_only: bool = False
    """Nothing on it may be changed by us."""

    @property
    def is_socket(self) -> bool:
        """Whether the host is reached through a unix socket."""
        return self.address.startswith("/")


@dataclass(frozen=True, slots=True)
class TrustToken:
    """What a token says of the host that gave it out; the secret itself stays with its owner."""

    fingerprint: str
    addresses: tuple[str, ...]
    has_secret: bool = True


@dataclass(frozen=True, slots=True)
class Greeting:
    """A host as it presents itself to somebody whom it need not trust."""

    address: str
    kind: Kind
    certificate: str = field(repr=False)
    """PEM."""
    fingerprint: str
    """SHA-256 of the certificate."""
    subject: str
    """Whom the certificate names."""
    vouched: bool
    """Whether authorities that we believe have signed it."""
    trusted: bool
    """Whether the host trusts our certificate already."""
    extensions: frozenset[str] = field(default=frozenset(), repr=False)
    methods: tuple[str, ...] = ()
    """How one may log in."""
    server_name: str = ""
    version: str = ""
    """Known of a host that trusts us."""


@dataclass(frozen=True, slots=True)
class Member:
    """One server of a cluster."""

    status: str
    """``Online``, ``Offline``, ``Evacuated``…"""
    architecture: str = ""
    message: str = ""
    """What the cluster says of it."""
    roles: tuple[str, ...] = ()

    @property
    def online(self) -> bool:
        """Whether instances may be placed on it."""
        return self.status.lower() == "online"


@dataclass(frozen=True, slots=True)
class Host:
    """A daemon as it described itself at the last connection."""

    name: str
    kind: Kind
    address: str
    status: HostStatus = HostStatus.CONNECTING
    version: str = ""
    error: str = ""
    project: str = "default"
    server_name: str = ""
    addresses: tuple[str, ...] = ()
    """``host:port`` pairs on which the daemon listens, for other daemons."""
    certificate: str = field(default="", repr=False)
    """The daemon's own certificate, PEM."""
    api_extensions: frozenset[str] = frozenset()
    architectures: tuple[str, ...] = ()
    cpus: int | None = None
    memory_total: int | None = None
    clustered: bool = False
    gpus: int | None = None
    """How many graphics cards it has."""
    pci: frozenset[str] | None = None
    """The addresses of its PCI devices."""
    seen_at: datetime | None = None
    """When it last answered."""
    read_only: bool = False
    """Nothing on it may be changed by us."""
    members: Mapping[str, Member] = field(default_factory=_none)
    """Of the cluster that it is, by name; empty where there is none, or we may not see them."""

    @property
    def online(self) -> bool:
        """Whether commands may be sent to it."""
        return self.status is HostStatus.ONLINE


def host_unseen(remote: Remote) -> Host:
    """What is known of a host before it has said a word."""
    return Host(
        remote.name,
        remote.kind,
        remote.address,
        project=remote.project,
        read_only=remote.read_only,
    )


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot of one instance."""

    name: str
    created_at: datetime | None = None
    expires_at: datetime | None = None
    stateful: bool = False
    size: int | None = None
    """Bytes that it holds alone, where the pool counts them."""
    config: Config = field(default_factory=_none, repr=False)
    """The instance's configuration when it was taken; no API call changes it."""


@dataclass(frozen=True, slots=True)
class Instance:
    """A container or virtual machine with its state at one moment."""

    ref: Ref
    status: str
    type: str = "container"
    architecture: str = ""
    created_at: datetime | None = None
    last_used_at: datetime | None = None
    """Its last start."""
    description: str = ""
    ephemeral: bool = False
    location: str = ""
    profiles: tuple[str, ...] = ()
    config: Config = field(default_factory=_none, repr=False)
    devices: Devices = field(default_factory=_none, repr=False)
    expanded_config: Config = field(default_factory=_none, repr=False)
    expanded_devices: Devices = field(default_factory=_none, repr=False)
    snapshots: tuple[Snapshot, ...] = ()
    backups: tuple[str, ...] = ()
    """Their names; asked for with one instance only."""
    ipv4: tuple[str, ...] = ()
    ipv6: tuple[str, ...] = ()
    processes: int | None = None
    cpu_ns: int | None = None
    """CPU time used since its start, summed over CPUs."""
    cpu_percent: float | None = None
    """Of one CPU, between the last two samples; 200 is two CPUs full."""
    memory: int | None = None
    memory_limit: int | None = None
    swap: int | None = None
    """In use, where the daemon says it."""
    disk: int | None = None

    @property
    def running(self) -> bool:
        """Whether its processes run (a frozen one does not count)."""
        return self.status == "Running"

    @property
    def frozen(self) -> bool:
        """Whether its processes are there and stand still."""
        return self.status == "Frozen"

    @property
    def stopped(self) -> bool:
        """Whether nothing of it is alive."""
        return self.status == "Stopped"


@dataclass(frozen=True, slots=True)
class Operation:
    """A background operation of a daemon."""

    id: str
    host: str
    description: str = ""
    status: str = "Running"
    error: str = ""
    progress: str = ""
    """The daemon's own words, such as ``fs_progress: c1: 2.81GB (87.43MB/s)``."""
    processed: int | None = None
    """Bytes so far."""
    rate: int | None = None
    """Bytes a second."""
    percent: int | None = None
    created_at: datetime | None = None
    resources: tuple[str, ...] = ()
    metadata: Mapping[str, object] = field(default_factory=dict, repr=False, compare=False)
    """Raw; holds the secrets of a migration, therefore never shown."""

    @property
    def finished(self) -> bool:
        """Whether the daemon is done with it, well or not."""
        return self.status in {"Success", "Failure", "Cancelled"}


@dataclass(frozen=True, slots=True)
class Event:
    """One message of a daemon's event stream."""

    host: str
    type: str
    """``lifecycle``, ``operation`` or ``logging``."""
    action: str = ""
    """Such as ``instance-started``, for lifecycle events."""
    source: str = ""
    project: str = "default"
    operation: Operation | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is, in one line and, where known, in numbers."""

    text: str
    processed: int | None = None
    rate: int | None = None
    percent: int | None = None
    step: int | None = None
    """Of a job with a plan: the position of the step that is being taken."""
    details: tuple[str, ...] = ()
    """Of a job on many instances: one line for each."""
    passing: bool = False
    """Whether it is the daemon's own word, of interest only until the next one."""


@dataclass(frozen=True, slots=True)
class Job:
    """A command of ours that runs, or ran, in this program."""

    id: int
    title: str
    state: JobState
    progress: Progress
    started_at: datetime
    ended_at: datetime | None = None
    commands: tuple[str, ...] = ()
    """What one would type instead, a line for each thing that is done."""


@dataclass(frozen=True, slots=True)
class UnfinishedMove:
    """A move that somebody has to see to."""

    token: str
    source: Ref
    destination: Ref
    began_at: datetime
    busy: bool
    """Whether a program works on it now."""
    ended: bool
    """Whether the copy has taken over, so that there is no way back."""
    advice: str
    """How things are and what can be done, in one line."""
    stake: str = ""
    """What runs, or has run, and would be deleted by an undo; empty: nothing."""


@dataclass(frozen=True, slots=True)
class FleetSnapshot:
    """Everything the screen shows, at one moment."""

    hosts: tuple[Host, ...] = ()
    instances: tuple[Instance, ...] = ()
    operations: tuple[Operation, ...] = ()
    jobs: tuple[Job, ...] = ()
    moves: tuple[UnfinishedMove, ...] = ()

    def host(self, name: str) -> Host | None:
        """The host of that name."""
        return next((host for host in self.hosts if host.name == name), None)

    def instance(self, ref: Ref) -> Instance | None:
        """The instance of that reference."""
        return next((one for one in self.instances if one.ref == ref), None)


@dataclass(frozen=True, slots=True)
class Profile:
    """What instances inherit by its name."""

    devices: Devices = field(default_factory=_none)
    config: Config = field(default_factory=_none, repr=False)
    description: str = ""


@dataclass(frozen=True, slots=True)
class Pool:
    """A storage pool."""

    driver: str = ""
    free: int | None = None
    """Bytes; pools on one disk count the same bytes."""
    volumes: frozenset[str] | None = None
    """Its custom volumes."""
    members: frozenset[str] = frozenset()
    """The members of a cluster that have it."""
    roots: frozenset[str] = frozenset()
    """The containers that it has a root volume of, whether they are there or not."""


@dataclass(frozen=True, slots=True)
class Network:
    """A managed network, or a bridge of the host."""

    subnets: tuple[str, ...] = ()
    """``address/length`` of the network itself; empty when it has none or is not managed."""


@dataclass(frozen=True, slots=True)
class StaticAddress:
    """An address that a device of an instance is given by its configuration."""

    project: str
    instance: str
    network: str
    address: str


@dataclass(frozen=True, slots=True)
class Quota:
    """How much of one resource a project may have, and has."""

    limit: int | None
    used: int | None


@dataclass(frozen=True, slots=True)
class Placement:
    """What a host offers to an instance that would move to it, within one project."""

    profiles: Mapping[str, Profile] = field(default_factory=_none)
    pools: Mapping[str, Pool] = field(default_factory=_none)
    networks: Mapping[str, Network] = field(default_factory=_none)
    """Managed networks and the host's bridges."""
    instance_names: frozenset[str] = frozenset()
    project: Config = field(default_factory=_none)
    """The project's configuration: its limits and restrictions."""
    quotas: Mapping[str, Quota] = field(default_factory=_none)
    """By the names of ``GET /1.0/projects/NAME/state``: ``instances``, ``memory``, …"""
    addresses: tuple[StaticAddress, ...] = ()
    """In its networks, of whatever project the instances are."""
    members: Mapping[str, Member] = field(default_factory=_none)
    """Of the cluster; empty where there is none."""


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One name in a folder of an instance, as its disk has it."""

    name: bytes
    mode: int = 0
    """Type and permissions, as stat(2) has them."""
    uid: int = 0
    gid: int = 0
    """Inside the instance."""
    size: int = 0
    modified: int = 0
    """Seconds since 1970, by the clock of the host where it was last written."""


@dataclass(frozen=True, slots=True)
class MigrationOffer:
    """A source's open operation, from which a target may pull."""

    operation: Operation
    addresses: tuple[str, ...]
    """``host:port`` pairs at which the source may be reached, the likeliest first."""
    certificate: str = field(repr=False)
    secrets: Mapping[str, str] = field(repr=False)

    def url(self, address: str) -> str:
        """Where a target that reaches the source at *address* finds the operation."""
        return f"https://{address}/1.0/operations/{self.operation.id}"


@dataclass(frozen=True, slots=True)
class InstanceSpec:
    """What the target is asked to make."""

    ref: Ref
    type: str
    architecture: str
    ephemeral: bool
    description: str
    profiles: tuple[str, ...]
    config: Config = field(repr=False)
    devices: Devices = field(repr=False)
    instance_only: bool = False
    """Without snapshots."""
    refresh: bool = False
    """It exists already: bring it up to date instead of making it."""
    inconsistent: bool = False
    """The source runs: files that vanish while they are copied are no error."""
    live: bool = False
    """With its running state: it ends where it is, and goes on there."""
    member: str = ""
    """Of the cluster on which it is made; empty: the cluster chooses."""
