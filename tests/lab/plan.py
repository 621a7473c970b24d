"""What a lab named NAME consists of: names, addresses, directories, instances.

Role: the one place that decides them. Boundary: pure, touches no system. Threading: values only.

Everything a lab leaves on the machine is named after it, so that another process, or a later one,
can remove a lab of which it knows nothing but the name.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

Kind = Literal["lxd", "incus"]
Driver = Literal["dir", "btrfs"]
DRIVERS: tuple[Driver, ...] = get_args(Driver)

BASE = Path("/var/lib/lxtui-lab")
PORT = 8443
POOL = "default"
POOL_SIZE = "8GiB"
"""Of an image that a daemon makes for a pool: sparse, so that it takes what is written."""
NETWORK = "labbr0"  # in each daemon; one name, so that the default profile fits every host
IMAGE = "tiny"
BLOCKS = 64  # of 1024 addresses each: 10.213.0.0/16
MEMBER = "LXTUI_LAB_MEMBER"  # in the environment of every process of a lab: its root directory


@dataclass(frozen=True)
class InstancePlan:
    """A container that a fresh lab holds."""

    name: str
    config: tuple[tuple[str, str], ...] = ()
    running: bool = True
    snapshots: tuple[str, ...] = ()


@dataclass(frozen=True)
class HostPlan:
    """One daemon: its directory, its network namespace, its address, its containers."""

    name: str
    kind: Kind
    directory: Path
    netns: str
    veth: str  # the end in the root namespace; the other end is eth0 in the host's
    address: str
    containers: str  # address and prefix length of the bridge its containers sit on
    instances: tuple[InstancePlan, ...] = ()

    @property
    def socket(self) -> Path:
        """The daemon's unix socket."""
        return self.directory / "unix.socket"

    @property
    def url(self) -> str:
        """Where the daemon answers over HTTPS."""
        return f"https://{self.address}:{PORT}"

    @property
    def log(self) -> Path:
        """What the daemon wrote to its standard output and error."""
        return self.directory.with_suffix(".log")

    @property
    def pidfile(self) -> Path:
        """Process id and start time of the daemon."""
        return self.directory.with_suffix(".pid")


@dataclass(frozen=True)
class LabPlan:
    """A whole lab."""

    name: str
    root: Path
    block: int
    bridge: str
    driver: Driver = "dir"
    """Of the pool that every host has."""
    hosts: tuple[HostPlan, ...] = field(default=())
    criu: Path | None = None
    """The directory of a program `criu` for its daemons, which are then no cluster."""

    @property
    def network(self) -> str:
        """The addresses of the lab, as a network."""
        return f"10.213.{4 * self.block}.0/22"

    @property
    def gateway(self) -> str:
        """The root namespace's address in the lab, with its prefix length."""
        return f"10.213.{4 * self.block}.1/24"

    @property
    def lxc_conf(self) -> Path:
        """LXD_CONF for the lxc client."""
        return self.root / "client" / "lxc"

    @property
    def incus_conf(self) -> Path:
        """INCUS_CONF for the incus client."""
        return self.root / "client" / "incus"

    @property
    def authority(self) -> Path:
        """The certificate of the one authority that the daemons believe; its key lies beside it."""
        return self.root / "authority" / "ca.crt"

    @property
    def view(self) -> Path:
        """Where lxfs is mounted; the daemons see it at /var/lib/lxcfs."""
        return self.root / "lxfs"

    @property
    def sysfs(self) -> Path:
        """Where each daemon mounts the sysfs of its own network namespace."""
        return self.root / "sys"

    @property
    def state(self) -> Path:
        """What a later process must know of a lab that is up."""
        return self.root / "state.json"


def _limits(memory: str, cpus: str) -> tuple[tuple[str, str], ...]:
    return (("limits.memory", memory), ("limits.cpu", cpus))


# Distinct names over all hosts: cgroups are named after the instance and shared by the machine.
INSTANCES: dict[str, tuple[InstancePlan, ...]] = {
    "lxd1": (
        InstancePlan("web1", _limits("256MiB", "1"), snapshots=("before-update", "nightly")),
        InstancePlan("db1", _limits("512MiB", "2"), running=False, snapshots=("empty",)),
    ),
    "lxd2": (
        InstancePlan("web2", _limits("256MiB", "1")),
        InstancePlan(
            "cache1", (("limits.memory", "128MiB"), ("limits.cpu.allowance", "50ms/100ms"))
        ),
    ),
    "incus1": (
        InstancePlan("app1", _limits("256MiB", "1"), snapshots=("release-1",)),
        InstancePlan("job1", _limits("64MiB", "1"), running=False),
    ),
}
KINDS: dict[str, Kind] = {"lxd1": "lxd", "lxd2": "lxd", "incus1": "incus"}
CLUSTER = ("incus1", "incus2")
LXD_CLUSTER = ("lxd1", "lxd3")
CLUSTERS = (CLUSTER, LXD_CLUSTER)
"""In a lab that has both hosts of one, they are one cluster."""
EVERY: dict[str, Kind] = {**KINDS, "incus2": "incus", "lxd3": "lxd"}
"""With the hosts that a lab has only when asked: the second members of clusters."""


def check_name(name: str) -> str:
    """Return NAME, or raise ValueError: it becomes part of interface names of 15 characters."""
    if not re.fullmatch(r"[a-z][a-z0-9]{0,6}", name):
        raise ValueError(
            f"lab name {name!r}: one to seven lower-case letters and digits, a letter first"
        )
    return name


def make_plan(
    name: str,
    block: int = 0,
    hosts: tuple[str, ...] = tuple(KINDS),
    *,
    driver: Driver = "dir",
    base: Path = BASE,
    criu: Path | None = None,
) -> LabPlan:
    """Lay out the lab NAME on the BLOCK-th range of addresses.

    Raises ValueError for a name that does not fit, a block out of range, or an unknown host.
    """
    check_name(name)
    if not 0 <= block < BLOCKS:
        raise ValueError(f"block {block}: there are {BLOCKS}")
    if unknown := set(hosts) - set(EVERY):
        raise ValueError(f"unknown hosts: {', '.join(sorted(unknown))}")
    root = base / name
    numbers = {host: number for number, host in enumerate(EVERY, start=1)}
    # The members of a cluster have one network.
    bridges = numbers | {second: numbers[first] for first, second in CLUSTERS}
    return LabPlan(
        name=name,
        root=root,
        block=block,
        bridge=f"lxt-{name}",
        driver=driver,
        hosts=tuple(
            HostPlan(
                name=host,
                kind=EVERY[host],
                directory=root / host,
                netns=f"lxt-{name}-{host}",
                veth=f"lxt-{name}-{numbers[host]}",
                address=f"10.213.{4 * block}.{10 + numbers[host]}",
                containers=f"10.213.{4 * block + bridges[host]}.1/24",
                instances=INSTANCES.get(host, ()),
            )
            for host in EVERY
            if host in hosts
        ),
        criu=criu,
    )
