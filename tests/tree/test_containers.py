"""Which containers run, by the /proc of a machine, and what they are called."""

import json
import os
from pathlib import Path

import pytest

from lxfs.containers import Containers, Running, label_of, monitor, nspawn_name, unescaped
from lxfs.errors import UserError
from lxfs.sources.host import Host

ID = "abcdef0123456789" * 4


class Machine:
    """A /proc of recorded files."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.process(os.getpid(), 1, 100, [os.getpid()], "/")
        (root / "proc/self").symlink_to(str(os.getpid()))

    @property
    def containers(self) -> Containers:
        """What is found in it."""
        return Containers(Host(str(self.root)))

    def process(
        self,
        pid: int,
        parent: int,
        namespace: int,
        nspid: list[int],
        cgroup: str,
        cmdline: str = "init",
        exe: str = "/sbin/init",
    ) -> None:
        """Add a process."""
        there = self.root / f"proc/{pid}"
        (there / "ns").mkdir(parents=True)
        (there / "ns/pid").symlink_to(f"pid:[{namespace}]")
        (there / "cgroup").write_text(f"0::{cgroup}\n")
        ids = "\t".join(map(str, nspid))
        (there / "status").write_text(f"Name:\tx\nState:\tS (sleeping)\nNSpid:\t{ids}\n")
        fields = ["S", str(parent), *["0"] * 17, str(1000 + pid), *["0"] * 30]
        (there / "stat").write_text(f"{pid} (a) b) {' '.join(fields)}\n")
        (there / "cmdline").write_bytes(cmdline.replace(" ", "\0").encode() + b"\0")
        (there / "exe").symlink_to(exe)

    def monitored(self, pid: int, name: str, directory: str, exe: str) -> None:
        """Add a container of LXC's and its monitor, whose title has its spaces."""
        self.process(pid, 1, 100, [pid], "/lxc.monitor", exe=exe)
        title = f"[lxc monitor] {directory} {name}\0".encode()
        (self.root / f"proc/{pid}/cmdline").write_bytes(title)
        self.process(pid + 1, pid, 1000 + pid, [pid + 1, 1], f"/lxc.payload.{name}-1")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine without containers."""
    return Machine(tmp_path)


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("/lxc.payload.web1", ("lxc", "web1")),
        ("/lxc.payload.web1/system.slice/a.service", ("lxc", "web1")),
        ("/machine.slice/machine-a\\x2db.scope/payload", ("nspawn", "a\\x2db")),
        ("/system.slice/systemd-nspawn@deb.service/payload", ("nspawn", "deb")),
        (f"/machine.slice/libpod-{ID}.scope/container", ("podman", ID)),
        (f"/system.slice/docker-{ID}.scope", ("docker", ID)),
        (f"/docker/{ID}", ("oci", ID)),
        (f"/kubepods.slice/kubepods-pod1.slice/cri-containerd-{ID}.scope", ("containerd", ID)),
        ("/user.slice/session-1.scope", ("", "")),
        ("/", ("", "")),
    ],
)
def test_cgroups_name_containers(path: str, label: tuple[str, str]) -> None:
    """The path of a cgroup says who made it and for whom."""
    assert label_of({"": path, "memory": "/"}) == label


def test_a_container_cannot_rename_itself_by_cgroup() -> None:
    """A cgroup that a container makes in its own is no name: the outermost part counts."""
    assert label_of({"": "/lxc.payload.evil/lxc.payload.web1"}) == ("lxc", "evil")


def test_titles_of_monitors() -> None:
    """LXC's monitor says directory and name; a process that only looks like it says nothing."""
    assert monitor(b"[lxc monitor] /var/lib/lxd/containers web1\0") == (
        "/var/lib/lxd/containers",
        "web1",
    )
    assert monitor(b"[lxc monitor] web1") is None
    assert monitor(b"lxc monitor") is None


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("systemd-nspawn -D /srv/deb -M box", "box"),
        ("/usr/bin/systemd-nspawn --machine=box --directory=/srv/deb", "box"),
        ("systemd-nspawn -Mbox", "box"),
        ("systemd-nspawn -D /srv/deb --boot", "deb"),
        ("systemd-nspawn --image=/srv/deb.raw", "deb"),
        ("systemd-nspawn --boot", ""),
        ("nginx -M box", None),
    ],
)
def test_names_of_nspawn(line: str, name: str | None) -> None:
    """The machine is called as its command line says, else as its directory."""
    assert nspawn_name(line.replace(" ", "\0").encode() + b"\0") == name
    assert unescaped("a\\x2db") == "a-b"


def test_lxd_incus_and_lxc(machine: Machine) -> None:
    """The monitor's program tells LXD from Incus from LXC, also after an upgrade of it."""
    machine.monitored(20, "web1", "/var/lib/lxd/containers", "/usr/bin/lxd (deleted)")
    machine.monitored(30, "web2", "/var/lib/incus/containers", "/usr/libexec/incus/incusd")
    machine.monitored(40, "web3", "/var/lib/lxc", "/usr/bin/lxc-start")
    assert [(one.label, one.pid) for one in machine.containers.all()] == [
        ("incus:web2", 31),
        ("lxc:web3", 41),
        ("lxd:web1", 21),
    ]


def test_one_name_on_two_daemons_is_ambiguous(machine: Machine) -> None:
    """A name that LXD and Incus both have lists both with their pids; with the kind it is one."""
    machine.monitored(20, "web1", "/var/lib/lxd/containers", "/usr/bin/lxd")
    machine.monitored(30, "web1", "/var/lib/incus/containers", "/usr/libexec/incus/incusd")
    with pytest.raises(UserError) as caught:
        machine.containers.named("web1")
    assert "pid 21 (lxd:web1 in /var/lib/lxd/containers)" in str(caught.value)
    assert "pid 31 (incus:web1 in /var/lib/incus/containers)" in str(caught.value)
    assert machine.containers.named("lxd:web1").pid == 21
    assert machine.containers.named("21").label == "lxd:web1"


def test_projects(machine: Machine) -> None:
    """An instance of a project is found by its name and with the project's, and is ambiguous."""
    machine.monitored(20, "blue_web1", "/var/lib/lxd/containers", "/usr/bin/lxd")
    assert machine.containers.named("web1").pid == 21
    machine.monitored(30, "web1", "/var/lib/lxd/containers", "/usr/bin/lxd")
    with pytest.raises(UserError, match="2 containers"):
        machine.containers.named("web1")
    assert machine.containers.named("blue_web1").pid == 21


def test_a_monitor_in_a_container_is_not_believed(machine: Machine) -> None:
    """A process that poses as LXC's monitor inside of a container names nothing."""
    machine.monitored(20, "evil", "/var/lib/lxd/containers", "/usr/bin/lxd")
    machine.process(25, 21, 1020, [25, 7], "/lxc.payload.evil-1", exe="/usr/bin/lxd")
    (machine.root / "proc/25/cmdline").write_bytes(b"[lxc monitor] /var/lib/lxd/containers web1\0")
    machine.process(26, 25, 1026, [26, 8, 1], "/lxc.payload.evil-1/lxc.payload.web1")
    found = machine.containers.all()
    assert [(one.label, one.depth) for one in found] == [("lxd:evil", 1), ("nested:evil-1/26", 2)]
    with pytest.raises(UserError, match="no running container"):
        machine.containers.named("web1")


def test_runc_and_crun_say_it_in_their_state(machine: Machine) -> None:
    """A container of plain runc or crun is called as in its directory of states."""
    machine.process(20, 1, 200, [20, 1], "/box")
    machine.process(30, 1, 300, [30, 1], "/tin")
    for path, state in (
        ("run/runc/box/state.json", {"init_process_pid": 20}),
        ("run/crun/tin/status", {"pid": 30}),
        ("run/runc/gone/state.json", {"init_process_pid": 99}),
    ):
        file = machine.root / path
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(state))
    (machine.root / "run/runc/broken").mkdir()
    assert [one.label for one in machine.containers.all()] == ["crun:tin", "runc:box"]


def test_podman_containers_of_a_pod(machine: Machine) -> None:
    """Containers that share a pid namespace are each one, called as podman calls them."""
    other = ID[::-1]
    machine.process(20, 1, 200, [20, 1], f"/machine.slice/libpod-{ID}.scope")
    machine.process(30, 1, 200, [30, 9], f"/machine.slice/libpod-{other}.scope/container")
    names = [{"id": ID, "names": ["pause"]}, {"id": other, "names": ["web"]}]
    file = machine.root / "var/lib/containers/storage/overlay-containers/containers.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(names))
    assert [(one.label, one.pid) for one in machine.containers.all()] == [
        ("podman:pause", 20),
        ("podman:web", 30),
    ]
    assert machine.containers.named(other).pid == 30


def test_podman_says_names_by_conmon(machine: Machine) -> None:
    """Wherever podman keeps its containers, conmon above them knows the name."""
    machine.process(
        20, 1, 100, [20], "/", f"/usr/bin/conmon -c {ID} -r /usr/bin/runc -n web", "/usr/bin/conmon"
    )
    machine.process(21, 20, 200, [21, 1], f"/libpod_parent/libpod-{ID}")
    for name in ("web", "podman:web", ID, ID[:12], ID[:5]):
        assert machine.containers.named(name).label == "podman:web"
    with pytest.raises(UserError, match="no running container"):
        machine.containers.named(ID[:3])


def test_docker_keeps_names_beside_ids(machine: Machine) -> None:
    """A container of docker is called as in its configuration, by either layout of its cgroup."""
    other = ID[::-1]
    machine.process(20, 1, 200, [20, 1], f"/system.slice/docker-{ID}.scope")
    machine.process(30, 1, 300, [30, 1], f"/docker/{other}")
    for number, name in ((ID, "/web"), (other, "/db")):
        file = machine.root / f"var/lib/docker/containers/{number}/config.v2.json"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps({"Name": name}))
    assert [one.label for one in machine.containers.all()] == ["docker:web", "oci:db"]
    assert machine.containers.named("db").pid == 30


@pytest.mark.parametrize(("namespace", "kind"), [("moby", "docker"), ("k8s.io", "containerd")])
def test_containerds_shim_says_whose(machine: Machine, namespace: str, kind: str) -> None:
    """Whatever its cgroup is called, a container below a shim has that shim's id and owner."""
    shim = f"/usr/bin/containerd-shim-runc-v2 -namespace {namespace} -id {ID} -address /run/c.sock"
    machine.process(20, 1, 100, [20], "/", shim, "/usr/bin/containerd-shim-runc-v2")
    machine.process(21, 20, 200, [21, 1], f"/mine/{ID}")
    assert [one.label for one in machine.containers.all()] == [f"{kind}:{ID[:12]}"]


def test_what_has_no_name_has_its_pid(machine: Machine) -> None:
    """A pid namespace that nobody names is listed, and found, by its init's pid."""
    machine.process(20, 1, 200, [20, 1], "/user.slice")
    machine.process(30, 1, 300, [30, 1], "/lxfs-run-1-2-3")
    assert [one.label for one in machine.containers.all()] == ["lxfs run:30", "pidns:20"]


def test_units_of_a_container_are_no_containers(machine: Machine) -> None:
    """All cgroups of one LXC container are one container, which its init stands for."""
    machine.monitored(20, "web1", "/var/lib/lxd/containers", "/usr/bin/lxd")
    machine.process(22, 21, 1020, [22, 2], "/lxc.payload.web1-1/system.slice/a.service")
    assert [one.pid for one in machine.containers.all()] == [21]


def test_the_host_is_no_container(machine: Machine) -> None:
    """A process of our own pid namespace, or none, is refused with the reason."""
    with pytest.raises(UserError, match="host's own pid namespace"):
        machine.containers.named(str(os.getpid()))
    with pytest.raises(UserError, match="no process 999"):
        machine.containers.named("999")
    with pytest.raises(UserError, match="0 is not a process"):
        machine.containers.named("0")


def test_patterns() -> None:
    """A shell pattern is of names, of kinds and names, or of pids."""
    one = Running(21, "lxd", "blue_web1", ("web1",))
    assert one.is_called("lxd:web1")
    assert one.is_called("21")
    assert not one.is_called("incus:web1")
    assert not one.is_called("web")
