"""The lab that is up: what the other rungs rest on."""

import http.client
import json
import signal
import socket
import ssl
import time
from pathlib import Path

import pytest

from . import procs
from .fixtures import MakeInstance
from .lab import Host, Lab
from .plan import INSTANCES, PORT
from .tools import wait_until


def ask(lab: Lab, name: str, *, trust: Path, timeout: float = 5) -> dict[str, object]:
    """GET /1.0 of the host NAME over HTTPS with the lab's certificate, trusting only TRUST."""
    context = ssl.create_default_context(cafile=str(trust))
    context.check_hostname = False  # the certificate is pinned; it names no address of the lab
    context.load_cert_chain(lab.certificate, lab.certificate.with_name("client.key"))
    address = lab.host(name).plan.address
    connection = http.client.HTTPSConnection(address, PORT, context=context, timeout=timeout)
    try:
        connection.request("GET", "/1.0")
        metadata = json.loads(connection.getresponse().read())["metadata"]
    finally:
        connection.close()
    assert isinstance(metadata, dict)
    return metadata


@pytest.fixture(params=["lxd1", "lxd2", "incus1"])
def host(request: pytest.FixtureRequest) -> Host:
    """Each host of the lab in turn."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Host)
    return found


def test_every_host_answers_and_trusts(lab: Lab, host: Host) -> None:
    """Over HTTPS each daemon shows the pinned certificate and trusts the lab's client."""
    answer = ask(lab, host.name, trust=lab.server_certificate(host.name))
    assert answer["auth"] == "trusted"


def test_another_hosts_certificate_is_not_accepted(lab: Lab, lxd1: Host, lxd2: Host) -> None:
    """Each daemon has a certificate of its own: one pin does not fit the other host."""
    with pytest.raises(ssl.SSLCertVerificationError):
        ask(lab, lxd1.name, trust=lab.server_certificate(lxd2.name))


def test_command_lines_list(lab: Lab, host: Host) -> None:
    """Lxc and incus, with the lab's configuration, list the planned containers over HTTPS."""
    tool = "lxc" if host.plan.kind == "lxd" else "incus"
    listed = json.loads(lab.cli(tool, "list", f"{host.name}:", "--format", "json").stdout)
    found = {entry["name"]: entry for entry in listed}
    for planned in INSTANCES[host.name]:
        entry = found[planned.name]
        assert entry["status"] == ("Running" if planned.running else "Stopped")
        snapshots = {snapshot["name"].split("/")[-1] for snapshot in entry["snapshots"] or ()}
        assert snapshots == set(planned.snapshots)
        assert dict(planned.config).items() <= entry["config"].items()


def test_limits_are_in_force(host: Host, make_instance: MakeInstance) -> None:
    """The memory limit of a container stands in its cgroup, whichever the layout."""
    name = make_instance(host, {"limits.memory": "96MiB"})
    groups = procs.cgroups({host.init_pid(name)})
    files = [g / file for g in groups for file in ("memory.limit_in_bytes", "memory.max")]
    limits = [file.read_text().strip() for file in files if file.exists()]
    assert limits == [str(96 * 1024 * 1024)]


def test_containers_have_addresses(host: Host, make_instance: MakeInstance) -> None:
    """A running container gets an IPv4 address from its host's bridge."""
    name = make_instance(host)
    prefix = host.plan.containers.rsplit(".", 1)[0]
    assert host.wait_address(name).startswith(f"{prefix}.")


def test_graceful_stop_is_quick(host: Host, make_instance: MakeInstance) -> None:
    """A container obeys the polite request to stop, long before force would be used."""
    name = make_instance(host)
    host.wait_address(name)  # its init has set up what it does at a stop
    began = time.monotonic()
    host.set_state(name, "stop", timeout=60)
    assert host.status(name) == "Stopped"
    assert time.monotonic() - began < 30


def test_orphans_are_reaped(host: Host, make_instance: MakeInstance) -> None:
    """The init of the image leaves no zombies behind."""
    name = make_instance(host)
    host.exec(name, ["sh", "-c", "(sleep 0.1 &) ; (true &) ; sleep 0.3"])

    def no_zombies() -> bool:
        return "Z" not in host.exec(name, ["ps", "-eo", "stat="]).stdout

    assert wait_until(no_zombies, 5)


def test_files_survive_a_move(
    lab: Lab, lxd1: Host, lxd2: Host, make_instance: MakeInstance
) -> None:
    """`lxc move` between the LXD hosts takes every file along and leaves nothing behind."""
    name = make_instance(lxd1, {"limits.memory": "64MiB"})
    lxd1.exec(name, ["sh", "-c", "mkdir -p /srv/d && dd if=/dev/urandom of=/srv/d/x bs=1M count=8"])
    lxd1.write_file(name, "/srv/hello", b"from the source\n")
    before = lxd1.checksums(name, "/srv")
    assert set(before) == {"/srv/d/x", "/srv/hello"}
    lxd1.set_state(name, "stop")
    lab.cli("lxc", "move", f"lxd1:{name}", f"lxd2:{name}")
    assert lxd1.status(name) is None
    assert lxd2.checksum(name, "/srv/hello") == before["/srv/hello"]
    lxd2.set_state(name, "start")
    assert lxd2.checksums(name, "/srv") == before


def test_containers_outlive_a_crash_of_the_daemon(host: Host, make_instance: MakeInstance) -> None:
    """A killed daemon comes back with its containers still running as the same processes."""
    name = make_instance(host)
    init = host.init_pid(name)
    before = host.pid
    host.restart(signal.SIGKILL)
    assert host.pid != before
    assert wait_until(lambda: host.status(name) == "Running", 10)
    assert host.init_pid(name) == init
    assert host.exec(name, ["echo", "here"]).stdout == "here\n"


def test_a_cut_link_is_silence(lab: Lab, lxd2: Host) -> None:
    """With its cable pulled a host is silent, not refusing; mended, it answers again."""
    trust = lab.server_certificate("lxd2")
    with lxd2.link_cut(), pytest.raises((TimeoutError, socket.timeout)):
        ask(lab, "lxd2", trust=trust, timeout=1)

    def answers() -> bool:
        try:
            return bool(ask(lab, "lxd2", trust=trust, timeout=1))
        except OSError:
            return False

    assert wait_until(answers, 20, 0.2)


def test_tools_of_the_image_run(host: Host, make_instance: MakeInstance) -> None:
    """The image's procps and htop are the real ones, and run, through a shell as well."""
    name = make_instance(host)
    for tool, said in {"free": "procps", "ps": "procps", "top": "procps", "htop": "htop"}.items():
        option = "-V" if tool != "htop" else "--version"
        assert said in host.exec(name, [tool, option]).stdout
        assert said in host.exec(name, ["sh", "-c", f"{tool} {option}"]).stdout
    assert host.exec(name, ["top", "-bn1"]).stdout.startswith("top - ")
