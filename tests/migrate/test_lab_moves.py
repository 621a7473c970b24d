"""Real moves between real daemons: LXD to LXD, LXD to Incus, Incus to LXD."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from threading import Event as Flag

import pytest

from lxtui import remotes
from lxtui.backend.base import Backend
from lxtui.backend.lxd import LxdBackend
from lxtui.commands import Move
from lxtui.errors import InterruptedByUserError, LxtuiError
from lxtui.model import Progress, Ref
from lxtui.perform import perform
from tests.lab.fixtures import MakeInstance
from tests.lab.lab import Host, Lab

ROUTES = [("lxd1", "lxd2"), ("lxd1", "incus1"), ("incus1", "lxd2")]


@pytest.fixture
def backends(lab: Lab) -> Iterator[dict[str, Backend]]:
    """One backend for each host of the lab, as the command lines' configuration names them."""
    known = remotes.load(lab.environment, Path("/nonexistent")).remotes
    made: dict[str, Backend] = {one.name: LxdBackend(one) for one in known}
    yield made
    for backend in made.values():
        backend.close()


def _fill(host: Host, name: str) -> dict[str, str]:
    """Put files of several kinds into the container; their checksums."""
    host.write_file(name, "/root/random", os.urandom(3_000_000))
    host.write_file(name, "/root/empty", b"")
    host.write_file(name, "/root/text", b"line\n" * 1000)
    paths = ("/root/random", "/root/empty", "/root/text")
    return {path: host.checksum(name, path) for path in paths}


def _hosts_with(lab: Lab, name: str) -> dict[str, str]:
    return {host.name: status for host in lab.hosts for status in [host.status(name)] if status}


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
@pytest.mark.parametrize(("source", "target"), ROUTES)
def test_a_container_moves_with_its_data(
    lab: Lab,
    backends: dict[str, Backend],
    make_instance: MakeInstance,
    source: str,
    target: str,
    running: bool,
) -> None:
    """After a move it is on the target alone, in its old state, every file and limit the same."""
    before = lab.host(source)
    after = lab.host(target)
    name = make_instance(before, {"limits.memory": "64MiB", "user.note": "kept"}, start=running)
    files = _fill(before, name)
    seen: list[Progress] = []
    outcome = perform(Move(Ref(source, "default", name), target), backends, seen.append, Flag())
    assert _hosts_with(lab, name) == {target: "Running" if running else "Stopped"}
    assert {path: after.checksum(name, path) for path in files} == files
    config = backends[target].instance(Ref(target, "default", name)).config
    assert config["limits.memory"] == "64MiB"
    assert config["user.note"] == "kept"
    assert "user.lxtui.move" not in config
    assert outcome.move is not None
    assert outcome.move.running is running


def test_snapshots_move_along(
    lab: Lab, backends: dict[str, Backend], make_instance: MakeInstance
) -> None:
    """Snapshots arrive with their names and their own data."""
    lxd1, incus1 = lab.host("lxd1"), lab.host("incus1")
    name = make_instance(lxd1, start=False)
    ref = Ref("lxd1", "default", name)
    lxd1.write_file(name, "/root/file", b"old")
    backends["lxd1"].wait(backends["lxd1"].create_snapshot(ref, "before"))
    lxd1.write_file(name, "/root/file", b"new")
    perform(Move(ref, "incus1"), backends, lambda _: None, Flag())
    moved = ref._replace(host="incus1")
    assert [one.name for one in backends["incus1"].instance(moved).snapshots] == ["before"]
    assert incus1.read_file(name, "/root/file") == b"new"
    backends["incus1"].wait(backends["incus1"].restore_snapshot(moved, "before"))
    assert incus1.read_file(name, "/root/file") == b"old"


def test_a_copy_that_cannot_connect_is_taken_back(
    lab: Lab, backends: dict[str, Backend], make_instance: MakeInstance
) -> None:
    """When the target cannot be reached in the middle, the source runs as before."""
    lxd1, lxd2 = lab.host("lxd1"), lab.host("lxd2")
    name = make_instance(lxd1)

    def kill_the_target(progress: Progress) -> None:
        if "pulls" in progress.text:
            lxd2.stop(signal.SIGKILL)

    try:
        with pytest.raises(LxtuiError):
            perform(Move(Ref("lxd1", "default", name), "lxd2"), backends, kill_the_target, Flag())
    finally:
        lxd2.start()
        lxd2.wait_ready()
    assert _hosts_with(lab, name) == {"lxd1": "Running"}


def test_ctrl_c_puts_everything_back(
    lab: Lab, backends: dict[str, Backend], make_instance: MakeInstance
) -> None:
    """A request to stop during the copy leaves the source running and the target empty."""
    name = make_instance(lab.host("lxd1"))
    stop = Flag()

    def ask_to_stop(progress: Progress) -> None:
        if "compared" in progress.text or "copying" in progress.text:
            stop.set()

    with pytest.raises(InterruptedByUserError):
        perform(Move(Ref("lxd1", "default", name), "incus1"), backends, ask_to_stop, stop)
    assert _hosts_with(lab, name) == {"lxd1": "Running"}


@pytest.mark.parametrize(
    ("device", "words"),
    [
        ({"type": "disk", "path": "/", "pool": "elsewhere"}, "no storage pool 'elsewhere'"),
    ],
)
def test_a_missing_pool_is_found_before_anything_is_touched(
    lab: Lab,
    backends: dict[str, Backend],
    make_instance: MakeInstance,
    device: dict[str, str],
    words: str,
) -> None:
    """A pool that the target does not have stops the move while the source still runs."""
    lxd1 = lab.host("lxd1")
    lab.cli("lxc", "storage", "create", "lxd1:elsewhere", "dir")
    name = make_instance(lxd1, start=False)
    try:
        lab.cli("lxc", "delete", f"lxd1:{name}")
        lab.cli("lxc", "init", "--empty", f"lxd1:{name}", "-s", device["pool"])
        with pytest.raises(LxtuiError, match=words):
            perform(Move(Ref("lxd1", "default", name), "lxd2"), backends, lambda _: None, Flag())
        assert _hosts_with(lab, name) == {"lxd1": "Stopped"}
    finally:
        lxd1.delete(name)
        lab.cli("lxc", "storage", "delete", "lxd1:elsewhere")


def test_a_missing_profile_is_found_before_anything_is_touched(
    lab: Lab, backends: dict[str, Backend], make_instance: MakeInstance
) -> None:
    """A profile that the target does not have stops the move, and the message makes it."""
    name = make_instance(lab.host("lxd1"))
    lab.cli("lxc", "profile", "create", "lxd1:special")
    try:
        lab.cli("lxc", "profile", "add", f"lxd1:{name}", "special")
        with pytest.raises(LxtuiError, match=r"incus profile create incus1:special"):
            perform(Move(Ref("lxd1", "default", name), "incus1"), backends, lambda _: None, Flag())
        assert _hosts_with(lab, name) == {"lxd1": "Running"}
    finally:
        lab.host("lxd1").delete(name)
        lab.cli("lxc", "profile", "delete", "lxd1:special")
