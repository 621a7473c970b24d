"""One LXD or Incus daemon: start, stop, kill, configure.

Role: a real daemon by hand, without systemd. Boundary: one host's directory, processes and API.
Threading: `start` and `stop` from one thread (they make and end processes); `wait_ready` and
`configure` only speak over the socket and may run in a thread per host.

Each daemon has the network namespace of its host and a mount namespace in which /sys shows that
namespace's interfaces (otherwise it takes its own bridge for Open vSwitch). Only two directories
of /sys are covered: mounting a fresh /sys, as `ip netns exec` does, would hide the cgroups.
"""

import base64
import json
import signal
import ssl
import subprocess
from pathlib import Path

from . import procs
from .errors import ApiError, LabError, LabUnavailable
from .plan import (
    IMAGE,
    MEMBER,
    NETWORK,
    POOL,
    POOL_SIZE,
    PORT,
    Driver,
    HostPlan,
    InstancePlan,
    LabPlan,
)
from .rest import Api, instance
from .tools import SYSTEM_PATH, wait_until, which

LXCFS = Path("/var/lib/lxcfs")
LAUNCH = """
set -e
mount -t sysfs -o nosuid,nodev,noexec sysfs "$1"
mount --bind "$1/class/net" /sys/class/net
mount --bind "$1/devices/virtual/net" /sys/devices/virtual/net
[ -z "$2" ] || mount --rbind "$2" /var/lib/lxcfs
[ -z "$3" ] || mount --bind "$3" "$4"
shift 4
exec "$@"
"""
PROGRAMS = {
    "lxd": ("lxd", "--group", "lxd"),
    "incus": ("incusd", "--group", "incus-admin"),
}
DIRECTORY = {"lxd": "LXD_DIR", "incus": "INCUS_DIR"}
PACKAGED = {"lxd": "/var/lib/lxd", "incus": "/var/lib/incus"}
"""Where the daemon of a package has its directory. What CRIU has saved names files by it, so two
daemons between which that goes must see theirs at one place, each in its own mount namespace."""
_LAST_WORDS = 40
"""Lines of a log at its end, in which a panic of the daemon begins."""


def program(kind: str) -> str | None:
    """Return the path of the daemon of KIND, if it is installed."""
    name = PROGRAMS[kind][0]
    return which(name, f"/usr/libexec/incus/{name}", f"/usr/lib/incus/{name}")


class Daemon:
    """The daemon of one host."""

    def __init__(self, lab: LabPlan, plan: HostPlan) -> None:
        self.lab = lab
        self.plan = plan
        self.api = Api(plan.socket)

    @property
    def pid(self) -> int | None:
        """The daemon's process id while it runs and is the one we started."""
        try:
            pid, started = json.loads(self.plan.pidfile.read_text())
        except (OSError, ValueError):
            return None
        return int(pid) if procs.start_time(pid) == started else None

    def start(self) -> None:
        """Start it, without waiting until it is ready."""
        if self.pid:
            return
        path = program(self.plan.kind)
        if not path:
            raise LabUnavailable(f"{self.plan.kind} is not installed (packaging/test-packages.sh)")
        self.plan.directory.mkdir(mode=0o711, exist_ok=True)
        covered = self.lab.view if procs_view_is_mounted(self.lab.view) and LXCFS.is_dir() else ""
        criu, seen = self.lab.criu, str(self.plan.directory)
        bound = ("", "")
        if criu:
            seen = PACKAGED[self.plan.kind]
            bound = (str(self.plan.directory), seen)
        argv = [
            *("nsenter", f"--net=/run/netns/{self.plan.netns}", "--"),
            *("unshare", "--mount", "--propagation", "slave", "--"),
            *("sh", "-c", LAUNCH, "sh", str(self.lab.sysfs), str(covered), *bound),
            *(path, *PROGRAMS[self.plan.kind][1:]),
        ]
        # A bare environment: proxies and certificate bundles of the caller are not the lab's.
        env = {
            "PATH": f"{criu}:{SYSTEM_PATH}" if criu else SYSTEM_PATH,
            "HOME": str(self.lab.root),
            DIRECTORY[self.plan.kind]: seen,
            MEMBER: str(self.lab.root),
            # Instead of the machine's own: of these two Go takes what is in them, once.
            "SSL_CERT_FILE": str(self.lab.authority),
            "SSL_CERT_DIR": str(self.lab.authority.parent),
        }
        with self.plan.log.open("ab") as log:
            child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=env,
                cwd="/",
                start_new_session=True,  # a Ctrl-C at the terminal is not for the daemon
            )
        # Each program of the chain replaces itself by the next: the child is the daemon.
        self.plan.pidfile.write_text(json.dumps([child.pid, procs.start_time(child.pid)]))
        child.returncode = 0  # it outlives us on purpose; Popen would warn

    def complaint(self) -> str:
        """Return the end of the daemon's log."""
        try:
            lines = self.plan.log.read_text(errors="replace").splitlines()
        except OSError:
            return "no log"
        lines = lines[-_LAST_WORDS:]
        # A panic says why in its first line, and where in all others.
        begins = [
            at for at, line in enumerate(lines) if line.startswith(("panic:", "fatal error:"))
        ]
        return "\n".join(lines[begins[-1] if begins else -8 :])

    def wait_ready(self, seconds: float = 120) -> None:
        """Wait until it serves; raise LabUnavailable with its own words when it does not.

        A daemon that was killed leaves its dnsmasq. Where that holds on to its address for too long
        the next daemon serves without its bridge, starts no container, and tries again after a
        minute.
        """

        def ready() -> bool:
            if self.pid is None:
                raise LabUnavailable(f"{self.plan.name}: the daemon ended:\n{self.complaint()}")
            try:
                if self.api.raw("GET", "/internal/ready")[0] != 200:
                    return False
                networks = self.api.get("/1.0/networks?recursion=1")
                return all(one.get("status") != "Unavailable" for one in networks)
            except OSError:
                return False

        if not wait_until(ready, seconds):
            raise LabUnavailable(
                f"{self.plan.name}: not ready after {seconds:.0f} s:\n{self.complaint()}"
            )

    def stop(self, number: int = signal.SIGTERM, seconds: float = 30) -> None:
        """End the daemon and leave its containers running; SIGKILL makes it a crash."""
        pid = self.pid
        if pid and not procs.stop(pid, number, seconds):
            raise LabError(f"{self.plan.name}: still runs {seconds:.0f} s after signal {number}")

    def restart(self, number: int = signal.SIGTERM) -> None:
        """Stop it with signal NUMBER, start it again, wait until it serves."""
        self.stop(number)
        self.start()
        self.wait_ready()

    def revive(self) -> str:
        """Start it if it has ended by itself, as a service manager does; return its last words."""
        if self.pid is not None:
            return ""
        said = f"{self.plan.name} has ended by itself:\n{self.complaint()}"
        self.start()
        self.wait_ready()
        return said

    def configure(self, certificate: Path, image: Path) -> None:
        """Give a fresh daemon its address, trust, pool, network, profile and image."""
        call = self.api.call
        config = {"core.https_address": f"{self.plan.address}:{PORT}"}
        call("PUT", "/1.0", {"config": {**config, "images.auto_update_interval": "0"}})
        der = base64.b64encode(ssl.PEM_cert_to_DER_cert(certificate.read_text())).decode()
        call("POST", "/1.0/certificates", {"type": "client", "name": "lab", "certificate": der})
        self.make_pool(POOL, self.lab.driver)
        devices = {"root": {"type": "disk", "path": "/", "pool": POOL}}
        if which("dnsmasq"):
            call(
                "POST",
                "/1.0/networks",
                {"name": NETWORK, "type": "bridge", "config": self._bridge()},
            )
            devices["eth0"] = {"type": "nic", "name": "eth0", "network": NETWORK}
        call("PUT", "/1.0/profiles/default", {"config": {}, "devices": devices})
        metadata = call(
            "POST",
            "/1.0/images",
            data=image.read_bytes(),
            headers={"Content-Type": "application/octet-stream"},
        )
        fingerprint = metadata["metadata"]["fingerprint"]
        call("POST", "/1.0/images/aliases", {"name": IMAGE, "target": fingerprint})
        for planned in self.plan.instances:
            self.populate(planned)

    def _bridge(self) -> dict[str, str]:
        # No NAT and no firewall: nothing here may reach beyond the lab.
        return {
            "ipv4.address": self.plan.containers,
            "ipv4.nat": "false",
            "ipv4.firewall": "false",
            "ipv6.address": "none",
        }

    def make_pool(self, name: str, driver: Driver, size: str = POOL_SIZE) -> None:
        """Make the storage pool NAME: a directory, or a filesystem in an image of SIZE."""
        config = {} if driver == "dir" else {"size": size}
        body = {"name": name, "driver": driver, "config": config}
        self.api.call("POST", "/1.0/storage-pools", body)

    def drop_pool(self, name: str) -> None:
        """Remove the storage pool NAME with the instances in it; nothing if there is none."""
        path = f"/1.0/storage-pools/{name}"
        try:
            for user in self.api.get(path)["used_by"] or ():
                kind, _, used = user.removeprefix("/1.0/").partition("/")
                if kind in {"containers", "instances"} and "/" not in used:
                    self.delete(used)
            self.api.call("DELETE", path)
        except ApiError as error:
            if error.status != 404:
                raise

    @property
    def pools(self) -> Path:
        """The folder of the pools, as the daemon sees it, which has mounted some for itself."""
        if self.pid is None:
            raise LabError(f"{self.plan.name} does not run: nobody sees its pools")
        return Path(f"/proc/{self.pid}/root{self.plan.directory}/storage-pools")

    def populate(self, planned: InstancePlan) -> None:
        """Make one planned container, with its snapshots and in its state."""
        self.create(planned.name, dict(planned.config))
        for snapshot in planned.snapshots:
            self.api.call("POST", instance(planned.name, "snapshots"), {"name": snapshot})
        if planned.running:
            self.set_state(planned.name, "start")

    def create(self, name: str, config: dict[str, str], *, pool: str = "") -> None:
        """Make the container NAME, stopped, in POOL or the one that all hosts have."""
        source = {"type": "image", "alias": IMAGE}
        root = {"root": {"type": "disk", "path": "/", "pool": pool}} if pool else {}
        body = {"name": name, "type": "container", "source": source, "config": config}
        body["devices"] = root
        self.api.call("POST", "/1.0/instances", body)

    def set_state(self, name: str, action: str, *, force: bool = False, timeout: int = 20) -> None:
        """Start, stop, restart, freeze or unfreeze NAME."""
        body = {"action": action, "force": force, "timeout": timeout}
        self.api.call("PUT", instance(name, "state"), body)

    def delete(self, name: str) -> None:
        """Remove NAME, running or not; nothing happens if there is none."""
        try:
            if self.api.get(instance(name, "state"))["status"] != "Stopped":
                self.set_state(name, "stop", force=True)
            self.api.call("DELETE", instance(name))
        except ApiError as error:
            if error.status != 404:
                raise


def procs_view_is_mounted(view: Path) -> bool:
    """Whether lxfs is mounted at VIEW and answers."""
    return view.is_mount() and (view / "proc").is_dir()
