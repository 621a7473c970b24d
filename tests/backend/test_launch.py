"""Launching on LXD and on Incus, from their own images and from each other's."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event as Flag
from typing import Any

import pytest

from lxtui import remotes
from lxtui.api import Document, Request
from lxtui.api import Path as ApiPath
from lxtui.audit.journal import Audit
from lxtui.backend.base import Backend
from lxtui.backend.lxd import LxdBackend
from lxtui.calls.launch import Launch
from lxtui.errors import LxtuiError, NotFoundError, OperationError
from lxtui.launching.options import Choice, completed, troubles
from lxtui.launching.reading import image_for, read_images, read_options
from lxtui.launching.spec import LaunchSpec
from lxtui.model import Host as Info
from lxtui.model import Ref
from lxtui.perform import perform
from tests.lab.lab import Lab

MARKER = "not-for-the-journal"


class Hosts:
    """The lab's hosts, and what was made on them."""

    def __init__(self, lab: Lab) -> None:
        known = remotes.load(lab.environment, Path("/nonexistent"))
        names = ("lxd1", "lxd2", "incus1")
        self.lab = lab
        self.backends: dict[str, Backend] = {one: LxdBackend(known.named(one)) for one in names}
        self.made: list[str] = []
        self.lent: list[tuple[str, str]] = []

    def read(self, host: str, path: ApiPath, parameters: Any) -> Document:
        """As the screen and the verb do."""
        return self.backends[host].read(path, parameters)

    def look(self, host: str) -> tuple[Info, tuple[Choice, ...]]:
        """As the verb does."""
        return self.backends[host].connect(), read_images(host, "default", self.read)

    def command(self, host: str, name: str, image: str, **wishes: Any) -> Launch:
        """The launch of *name* on *host*, after the checks that are made before it is sent."""
        kind = self.backends[host].remote.kind
        options = read_options(host, "default", kind, self.read)
        found = image_for(image, options, self.backends, (), self.look)
        name = f"{name}-{os.getpid()}"
        self.made.append(name)
        spec = completed(LaunchSpec(Ref(host, "default", name), found, **wishes), options)
        assert troubles(spec, options) == {}
        return Launch(spec, kind)

    def run(self, command: Launch, audit: Audit | None = None) -> list[str]:
        """Carry it out; what was told meanwhile."""
        told: list[str] = []
        perform(
            command,
            self.backends,
            lambda one: told.append(one.text),
            Flag(),
            audit=audit or Audit(),
        )
        return told

    def publish(self, host: str, public: bool) -> str:
        """An image that no other host has; returns its fingerprint."""
        command = self.command(host, "pub", "tiny", start=False)
        self.run(command)
        backend = self.backends[host]
        body = {
            "source": {"type": "instance", "name": command.ref.name},
            "public": public,
            "properties": {"made-for": f"{os.getpid()}"},
        }
        operation = backend.request(Request("post", ("images",), {}, body))
        backend.wait(operation)
        listed = backend.read(("images",), {"recursion": "1"}).value
        mine = [one for one in listed if one["properties"].get("made-for") == f"{os.getpid()}"]
        self.lent += [(one, mine[0]["fingerprint"]) for one in self.backends]
        return str(mine[0]["fingerprint"])

    def clear(self) -> None:
        """As it was before."""
        for host in self.lab.hosts:
            for name in self.made:
                host.delete(name)
        for name, fingerprint in self.lent:
            with suppress(NotFoundError):
                backend = self.backends[name]
                backend.wait(backend.request(Request("delete", ("images", fingerprint))))
        for backend in self.backends.values():
            backend.close()


@pytest.fixture
def hosts(lab: Lab) -> Iterator[Hosts]:
    """Two LXD hosts and one Incus host."""
    made = Hosts(lab)
    yield made
    made.clear()


def _own(backend: Backend, ref: Ref) -> Any:
    value = backend.read(("instances", ref.name), {"project": ref.project}).value
    config = {
        key: one
        for key, one in value["config"].items()
        if not key.startswith(("volatile.", "image."))
    }
    return value["type"], value["profiles"], config, value["devices"]


@pytest.mark.parametrize("host", ["lxd1", "incus1"])
def test_from_its_own_image_as_the_command_line_does(
    hosts: Hosts, host: str, tmp_path: Path
) -> None:
    """The instance runs, and is what the shown command line makes; the journal has no user data."""
    audit = Audit(tmp_path / "audit.jsonl")
    data = tmp_path / "user data.yaml"
    data.write_text(f"#cloud-config\npassword: {MARKER}")  # a shell takes the last newline off
    wishes = {
        "cpu": "1",
        "memory": "64MiB",
        "config": {"user.note": "two words"},
        "user_data": data.read_text(),
        "user_data_name": str(data),
    }
    backend = hosts.backends[host]
    pool = backend.read(("storage-pools",), {"recursion": "1"}).value[0]["name"]
    bridge = next(
        one["name"]
        for one in backend.read(("networks",), {"recursion": "1"}).value
        if one["managed"] and one["type"] == "bridge"
    )
    wishes |= {"pool": pool, "network": bridge, "size": "64MiB"}
    command = hosts.command(host, "ours", "tiny", **wishes)
    hosts.run(command, audit)
    assert backend.instance(command.ref).running
    assert MARKER not in (tmp_path / "audit.jsonl").read_text()
    assert "cloud-init.user-data=" in (tmp_path / "audit.jsonl").read_text()
    theirs = hosts.command(host, "theirs", "tiny", start=False, **wishes)
    line = theirs.equivalent(theirs.kind)
    subprocess.run(
        ["sh", "-c", line],
        env={**os.environ, **hosts.lab.environment},
        check=True,
        capture_output=True,
        timeout=120,
    )
    ours = _own(backend, command.ref)
    assert ours == _own(backend, theirs.ref), shlex.split(line)
    with pytest.raises(LxtuiError, match="exists already: choose another name"):
        hosts.run(command)


@pytest.mark.parametrize("public", [False, True])
def test_from_another_hosts_image(hosts: Hosts, public: bool) -> None:
    """A private one with a secret, a public one without; LXD and Incus take LXD's."""
    fingerprint = hosts.publish("lxd2", public)
    for host in ("lxd1", "incus1"):
        command = hosts.command(host, "fetched", f"lxd2:{fingerprint[:16]}")
        assert (command.lends is None) is public
        hosts.run(command)
        now = hosts.backends[host].instance(command.ref)
        assert now.running
        assert now.config["volatile.base_image"] == fingerprint


def test_lxd_takes_an_image_of_incus(hosts: Hosts) -> None:
    """A private one; and nothing of the secret is told."""
    fingerprint = hosts.publish("incus1", False)
    command = hosts.command("lxd1", "fetched", f"incus1:{fingerprint}")
    hosts.run(command)
    assert hosts.backends["lxd1"].instance(command.ref).running


@pytest.mark.parametrize("host", ["lxd1", "incus1"])
def test_what_does_not_start_stays(hosts: Hosts, host: str) -> None:
    """The daemon's reason, and the command that removes it."""
    broken = {"raw.lxc": "lxc.hook.pre-start = /nonexistent"}
    command = hosts.command(host, "broken", "tiny", config=broken)
    with pytest.raises(OperationError, match=rf"did not start: .*delete {host}:broken-"):
        hosts.run(command)
    assert hosts.backends[host].instance(command.ref).stopped
