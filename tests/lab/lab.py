"""A lab: real LXD and Incus daemons with containers, brought up, looked at, removed.

Role: `up`, `down`, `status`, and what tests do with a running lab. Boundary: this machine, as root.
Threading: `up` and `down` from the main thread (they shield themselves from Ctrl-C); the methods of
Lab and Host from any thread, except start, stop, restart and link, which expect one caller.
"""

import contextlib
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import client, cluster, image, net, procs, subids
from .daemon import DIRECTORY, LXCFS, Daemon, procs_view_is_mounted, program
from .errors import ApiError, LabError, LabUnavailable
from .plan import BASE, CLUSTERS, EVERY, KINDS, MEMBER, Driver, LabPlan, make_plan
from .rest import instance
from .sweep import remnants, sweep
from .tools import SYSTEM_PATH, locked, no_interrupts, run, wait_until, which

NEEDED = ("ip", "nsenter", "unshare", "mount", "umount", "openssl", "ldd")
INSTALL = "sh packaging/test-packages.sh installs it"
Say = Callable[[str], None]


class Host(Daemon):
    """A host of a lab that is up: its daemon, and what tests do with its containers."""

    @property
    def name(self) -> str:
        """Name of the host, which is also the name of the remote."""
        return self.plan.name

    def exec(
        self, name: str, argv: Sequence[str], *, check: bool = True, stdin: bytes = b""
    ) -> subprocess.CompletedProcess[str]:
        """Run ARGV in the container NAME through this host's own command line and socket."""
        tool = "lxc" if self.plan.kind == "lxd" else "incus"
        env = {
            "PATH": SYSTEM_PATH,
            "HOME": str(self.lab.root),
            DIRECTORY[self.plan.kind]: str(self.plan.directory),
            **client.environment(self.lab),
        }
        return run([tool, "exec", f"local:{name}", "--", *argv], check=check, env=env, stdin=stdin)

    def launch(
        self,
        name: str,
        config: dict[str, str] | None = None,
        *,
        start: bool = True,
        pool: str = "",
    ) -> None:
        """Make the container NAME with the limits in CONFIG (`limits.memory` …), and start it."""
        self.create(name, config or {}, pool=pool)
        if start:
            self.set_state(name, "start")
            self.wait_settled(name)

    def wait_settled(self, name: str, seconds: float = 15) -> bool:
        """Wait until the container NAME starts nothing more: its init sleeps, its network is up.

        Before that a snapshot could freeze it while it makes a process (``procs.thaw``).
        """
        group = next(iter(procs.cgroups({self.init_pid(name)})))

        def settled() -> bool:
            pids = (group / "cgroup.procs").read_text().split()
            return sorted(map(procs.comm, map(int, pids))) == ["init", "sleep"]

        return wait_until(settled, seconds)

    def status(self, name: str) -> str | None:
        """Running, Stopped, Frozen…; None when there is no such instance."""
        try:
            return str(self.api.get(instance(name, "state"))["status"])
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def instances(self) -> dict[str, str]:
        """Name and status of every instance."""
        listed = self.api.get("/1.0/instances?recursion=1")
        return {str(entry["name"]): str(entry["status"]) for entry in listed}

    def init_pid(self, name: str) -> int:
        """Process id, on this machine, of the init of the running container NAME."""
        return int(self.api.get(instance(name, "state"))["pid"])

    def wait_address(self, name: str, seconds: float = 15) -> str:
        """Wait for the IPv4 address of NAME on eth0, and return it."""
        found: list[str] = []

        def has_one() -> bool:
            networks = self.api.get(instance(name, "state"))["network"] or {}
            found[:] = [
                str(entry["address"])
                for entry in networks.get("eth0", {}).get("addresses", ())
                if entry["family"] == "inet"
            ]
            return bool(found)

        if not wait_until(has_one, seconds, 0.1):
            raise LabError(f"{self.name}:{name} has no IPv4 address after {seconds:.0f} s")
        return found[0]

    def write_file(self, name: str, path: str, content: bytes) -> None:
        """Write CONTENT to PATH in NAME, running or stopped."""
        brand = "LXD" if self.plan.kind == "lxd" else "Incus"
        headers = {f"X-{brand}-type": "file", f"X-{brand}-mode": "0644"}
        where = instance(name, f"files?path={path}")
        self.api.call("POST", where, data=content, headers=headers)

    def read_file(self, name: str, path: str) -> bytes:
        """Return the content of PATH in NAME, running or stopped."""
        status, content = self.api.raw("GET", instance(name, f"files?path={path}"))
        if status != 200:
            raise ApiError(status, f"{self.name}:{name}: cannot read {path}")
        return content

    def checksums(self, name: str, folder: str) -> dict[str, str]:
        """SHA-256 of every file below FOLDER in the running container NAME, by its path."""
        script = 'find "$1" -type f -exec sha256sum {} +'
        lines = self.exec(name, ["sh", "-c", script, "sh", folder]).stdout.splitlines()
        return {path: digest for digest, path in (line.split(None, 1) for line in lines)}

    def checksum(self, name: str, path: str) -> str:
        """SHA-256 of one file in NAME, running or stopped."""
        return hashlib.sha256(self.read_file(name, path)).hexdigest()

    @contextmanager
    def link_cut(self) -> Iterator[None]:
        """Pull this host's cable for a while: packets vanish, no connection is refused."""
        net.set_link(self.plan, up=False)
        try:
            yield
        finally:
            net.set_link(self.plan, up=True)


@dataclass(frozen=True)
class Lab:
    """A lab that is up."""

    plan: LabPlan
    hosts: tuple[Host, ...]
    missing: dict[str, str]  # hosts this machine cannot hold: name to reason
    notes: tuple[str, ...] = ()

    def host(self, name: str) -> Host:
        """Return the host NAME; raise LabUnavailable with the reason when it is not in this lab."""
        for host in self.hosts:
            if host.name == name:
                return host
        raise LabUnavailable(f"{name}: {self.missing.get(name, 'not in this lab')}")

    @property
    def environment(self) -> dict[str, str]:
        """LXD_CONF and INCUS_CONF."""
        return client.environment(self.plan)

    @property
    def certificate(self) -> Path:
        """The client certificate all hosts trust; client.key lies beside it."""
        return self.plan.root / "client" / "client.crt"

    def server_certificate(self, name: str) -> Path:
        """Return the certificate of the host NAME, to be pinned."""
        return self.host(name).plan.directory / "server.crt"

    def cli(self, *argv: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `lxc …` or `incus …` as a user of the lab would: over HTTPS."""
        env = {"PATH": SYSTEM_PATH, "HOME": str(self.plan.root), **self.environment}
        return run(argv, check=check, env=env)

    @property
    def view_mounted(self) -> bool:
        """Whether containers get lxfs's files."""
        return procs_view_is_mounted(self.plan.view)


def unavailable() -> str | None:
    """Why this machine cannot hold any lab, or None."""
    if os.geteuid() != 0:
        return "needs root"
    if lacking := [name for name in NEEDED if not which(name)]:
        return f"not found: {', '.join(lacking)}; {INSTALL}"
    if not Path("/sys/fs/cgroup").is_mount():
        return "no cgroup hierarchy is mounted at /sys/fs/cgroup"
    return None


def no_driver(driver: Driver) -> str | None:
    """Why this machine cannot hold pools of DRIVER, or None."""
    if driver == "dir":
        return None
    if not which(f"mkfs.{driver}"):
        return f"mkfs.{driver} is not installed; {INSTALL}"
    known = Path("/proc/filesystems").read_text().split()
    return None if driver in known else f"this kernel does not know {driver}"


def missing_hosts() -> dict[str, str]:
    """Which hosts this machine cannot hold, and why."""
    reasons = {}
    for name, kind in EVERY.items():
        tool = "lxc" if kind == "lxd" else "incus"
        if not program(kind):
            reasons[name] = f"the {kind} daemon is not installed; {INSTALL}"
        elif not which(tool):
            reasons[name] = f"the {tool} client is not installed; {INSTALL}"
    return reasons


def find(name: str, base: Path = BASE) -> Lab | None:
    """Return the lab NAME as it is recorded by a finished `up`, or None; daemons may be dead."""
    try:
        state = json.loads((base / name / "state.json").read_text())
    except (OSError, ValueError):
        return None
    hosts, driver = tuple(state["hosts"]), state.get("driver", "dir")
    criu = Path(state["criu"]) if state.get("criu") else None
    plan = make_plan(name, state["block"], hosts, driver=driver, base=base, criu=criu)
    up_ones = tuple(Host(plan, host) for host in plan.hosts)
    return Lab(plan, up_ones, dict(state["missing"]), tuple(state["notes"]))


def _mount_view(plan: LabPlan) -> str:
    """Mount lxfs for the lab's containers, if there is one that works; return what came of it.

    It is mounted in the lab's own directory, and each daemon sees it at /var/lib/lxcfs in its own
    mount namespace: an LXCFS of the machine, and another lab's lxfs, are left as they are.
    """
    plan.view.mkdir(exist_ok=True)
    if importlib.util.find_spec("lxfs") is None:
        return "lxfs is not importable here: containers see the machine's /proc"
    if not LXCFS.is_dir():
        return f"{LXCFS} is missing (package lxcfs): containers see the machine's /proc"
    pidfile = plan.root / "lxfs.pid"
    argv = [sys.executable, "-m", "lxfs.cli", "mount", str(plan.view), "--pidfile", str(pidfile)]
    env = {"PATH": SYSTEM_PATH, "HOME": str(plan.root), MEMBER: str(plan.root)}
    log = plan.root / "lxfs.log"
    # Its output goes to a file: a pipe would stay open for as long as the mount lives.
    with log.open("wb") as out:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=env,
            check=False,
            timeout=30,
            start_new_session=True,
        )
    if done.returncode or not wait_until(lambda: procs_view_is_mounted(plan.view), 10):
        return f"lxfs does not mount: {log.read_text(errors='replace').strip()[-500:]}"
    return f"lxfs at {plan.view}; the daemons see it at {LXCFS}"


def _build(wanted: LabPlan, missing: dict[str, str], base: Path, say: Say) -> Lab:
    name, root, driver, criu = wanted.name, wanted.root, wanted.driver, wanted.criu
    hosts = tuple(host.name for host in wanted.hosts)
    base.mkdir(mode=0o711, exist_ok=True)
    root.mkdir(mode=0o711)
    with locked("addresses"):
        block = net.free_block(net.used_networks())
        plan = make_plan(name, block, hosts, driver=driver, base=base, criu=criu)
        net.make_bridge(plan)
    plan.sysfs.mkdir()
    for host in plan.hosts:
        net.connect(plan, host)
    notes = [*(f"added to {line}" for line in subids.ensure()), _mount_view(plan)]
    client.make_authority(plan.authority)
    members = tuple(Host(plan, host) for host in plan.hosts)
    clusters = [] if criu else [one for one in CLUSTERS if {*hosts} >= {*one}]
    joining = {second for _, second in clusters}
    for member in members:
        member.start()
    certificate = client.make_certificate(root / "client")
    tarball = root / "image.tar"
    image.build(tarball)

    def settle(member: Host) -> None:
        member.wait_ready()
        if member.name not in joining:  # which get all that by it
            member.configure(certificate, tarball)
        say(f"{member.name} is up at {member.plan.url}")

    # Threads only speak to sockets. When one host fails, or Ctrl-C comes, nothing waits for the
    # others: their daemons are killed next, which ends their requests.
    pool = ThreadPoolExecutor(len(members))
    try:
        for future in [pool.submit(settle, member) for member in members]:
            future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    known = {one.name: one for one in members}
    for first, second in clusters:
        cluster.form(known[first], known[second])
    client.write_configuration(plan, certificate)
    tarball.unlink()
    state = {"block": plan.block, "hosts": hosts, "driver": driver}
    state |= {"missing": missing, "notes": notes, "criu": str(criu or "")}
    plan.state.write_text(json.dumps(state))
    return Lab(plan, members, missing, tuple(notes))


def up(
    name: str,
    *,
    hosts: tuple[str, ...] = tuple(KINDS),
    driver: Driver | None = None,
    base: Path = BASE,
    say: Say = lambda _: None,
    criu: Path | None = None,
) -> Lab:
    """Bring the lab NAME up and return it; one that is up is returned as it is.

    DRIVER is that of the pool which every host has: `dir`, or that of the lab that is up.
    With CRIU, the directory of a program of that name, its Incus hosts are two of their own.
    Raises LabUnavailable when this machine cannot hold it, after removing what was begun; so does
    any other end, a Ctrl-C included.
    """
    make_plan(name, hosts=hosts, base=base)
    if reason := unavailable() or no_driver(driver or "dir"):
        raise LabUnavailable(reason)
    reasons = {host: why for host, why in missing_hosts().items() if host in hosts}
    possible = tuple(host for host in hosts if host not in reasons)
    for host, why in reasons.items():
        say(f"WITHOUT {host}: {why}")
    if not possible:
        raise LabUnavailable("; ".join(f"{host}: {why}" for host, why in reasons.items()))
    with locked(f"lab {name}"):
        lab = find(name, base)
        if lab and all(host.pid for host in lab.hosts):
            if driver not in {None, lab.plan.driver}:
                raise LabUnavailable(f"lab {name} is up with pools of {lab.plan.driver}: remove it")
            say(f"lab {name} is up already")
            return lab
        if remnants(name, base):
            say(f"removing what is left of an earlier lab {name}")
            sweep(name, base)
        try:
            plan = make_plan(name, hosts=possible, driver=driver or "dir", base=base, criu=criu)
            return _build(plan, reasons, base, say)
        except BaseException:
            with no_interrupts():
                say(f"removing the unfinished lab {name}")
                with contextlib.suppress(LabError):
                    sweep(name, base)
            raise


def down(name: str, *, base: Path = BASE) -> bool:
    """Remove the lab NAME with everything in it; False if there was none.

    Raises LabError that lists what could not be removed.
    """
    make_plan(name, base=base)
    if os.geteuid() != 0:
        raise LabUnavailable("needs root")
    with locked(f"lab {name}"):
        if not remnants(name, base):
            return False
        sweep(name, base)
        return True


def names(base: Path = BASE) -> list[str]:
    """Return the labs on this machine, finished or not."""
    return sorted(path.name for path in base.glob("*") if path.is_dir())
