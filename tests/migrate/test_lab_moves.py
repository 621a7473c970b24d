"""Real moves between real daemons: LXD to LXD, LXD to Incus, Incus to LXD."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from threading import Event as Flag

import pytest

from lxtui import remotes
from lxtui.backend.base import Backend
from lxtui.backend.lxd import LxdBackend
from lxtui.commands import Move
from lxtui.errors import InterruptedByUserError, LxtuiError
from lxtui.migrate import MARK, ends
from lxtui.migrate.options import MoveOptions
from lxtui.model import CLI, InstanceSpec, Kind, MigrationOffer, Progress, Ref, Remote, StateAction
from lxtui.perform import perform
from tests.lab.fixtures import MakeInstance
from tests.lab.lab import Host, Lab

ROUTES = [("lxd1", "lxd2"), ("lxd1", "incus1"), ("incus1", "lxd2")]


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
    lxd1.write_file(name, "/root/file", b"newer")
    perform(Move(ref, "incus1"), backends, lambda _: None, Flag())
    moved = ref._replace(host="incus1")
    assert [one.name for one in backends["incus1"].instance(moved).snapshots] == ["before"]
    assert incus1.read_file(name, "/root/file") == b"newer"
    backends["incus1"].wait(backends["incus1"].restore_snapshot(moved, "before"))
    assert incus1.read_file(name, "/root/file") == b"old"


def test_a_copy_that_cannot_connect_is_taken_back(
    lab: Lab,
    backends: dict[str, Backend],
    make_instance: MakeInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """When the target cannot be reached in the middle, the source runs as before."""
    monkeypatch.setattr(ends, "PATIENCE", 5.0)
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


def test_snapshots_of_incus_reach_an_older_lxd(
    lab: Lab, backends: dict[str, Backend], make_instance: MakeInstance
) -> None:
    """Snapshots with a key that LXD 5.0 refuses arrive without it, with their data, relayed."""
    incus1, lxd1 = lab.host("incus1"), lab.host("lxd1")
    name = make_instance(incus1)
    ref = Ref("incus1", "default", name)
    incus1.write_file(name, "/root/file", b"old")
    backends["incus1"].wait(backends["incus1"].create_snapshot(ref, "before"))
    incus1.write_file(name, "/root/file", b"newer")
    (taken,) = backends["incus1"].instance(ref).snapshots
    assert "volatile.uuid.generation" in taken.config
    seen: list[Progress] = []
    perform(Move(ref, "lxd1"), backends, seen.append, Flag())
    moved = ref._replace(host="lxd1")
    assert _hosts_with(lab, name) == {"lxd1": "Running"}
    (arrived,) = backends["lxd1"].instance(moved).snapshots
    assert arrived.name == "before"
    accepts = "instance_generation_id" in backends["lxd1"].connect().api_extensions
    assert ("volatile.uuid.generation" in arrived.config) is accepts
    assert lxd1.read_file(name, "/root/file") == b"newer"
    backends["lxd1"].wait(backends["lxd1"].change_state(moved, StateAction.STOP, force=True))
    backends["lxd1"].wait(backends["lxd1"].restore_snapshot(moved, "before"))
    assert lxd1.read_file(name, "/root/file") == b"old"
    assert any("through this machine" in one.text for one in seen) is not accepts


def _unreachable(backend: LxdBackend) -> LxdBackend:
    """The same host, advertising an address at which no other host finds it."""

    class Unreachable(LxdBackend):
        def offer(self, ref: Ref, spec: InstanceSpec) -> MigrationOffer:
            return replace(super().offer(ref, spec), addresses=("127.0.0.1:1", "127.0.0.1:2"))

    return Unreachable(backend.remote)


@pytest.mark.parametrize(("source", "target"), ROUTES)
def test_hosts_that_cannot_reach_each_other(
    lab: Lab, make_instance: MakeInstance, source: str, target: str
) -> None:
    """When the target can connect to no address of the source, the copy is relayed."""
    known = remotes.load(lab.environment, Path("/nonexistent"))
    ends = {
        source: _unreachable(LxdBackend(known.named(source))),
        target: LxdBackend(known.named(target)),
    }
    name = make_instance(lab.host(source), {"limits.memory": "64MiB"}, start=False)
    files = _fill(lab.host(source), name)
    seen: list[Progress] = []
    perform(Move(Ref(source, "default", name), target), dict(ends), seen.append, Flag())
    assert any("cannot reach" in one.text for one in seen)
    assert _hosts_with(lab, name) == {target: "Stopped"}
    assert {path: lab.host(target).checksum(name, path) for path in files} == files
    for backend in ends.values():
        backend.close()


def test_each_advertised_address_is_tried(lab: Lab, make_instance: MakeInstance) -> None:
    """When only the last address of the source can be reached, the target pulls from that one."""

    class Misleading(LxdBackend):
        def offer(self, ref: Ref, spec: InstanceSpec) -> MigrationOffer:
            made = super().offer(ref, spec)
            return replace(made, addresses=("127.0.0.1:1", "127.0.0.1:2", *made.addresses))

    known = remotes.load(lab.environment, Path("/nonexistent"))
    ends = {
        "lxd1": Misleading(known.named("lxd1")),
        "incus1": LxdBackend(known.named("incus1")),
    }
    name = make_instance(lab.host("lxd1"), start=False)
    seen: list[Progress] = []
    perform(Move(Ref("lxd1", "default", name), "incus1"), dict(ends), seen.append, Flag())
    assert not any("cannot reach" in one.text for one in seen)
    assert _hosts_with(lab, name) == {"incus1": "Stopped"}
    for backend in ends.values():
        backend.close()


def test_a_relay_goes_through_unix_sockets(lab: Lab, make_instance: MakeInstance) -> None:
    """A source that does not listen on the network is moved through its local socket."""
    lxd1, lxd2 = lab.host("lxd1"), lab.host("lxd2")
    name = make_instance(lxd1)
    files = _fill(lxd1, name)
    ends: dict[str, Backend] = {
        host.name: LxdBackend(Remote(host.name, Kind.LXD, str(host.plan.socket)))
        for host in (lxd1, lxd2)
    }
    address = lxd1.api.get("/1.0")["config"]["core.https_address"]
    lxd1.api.call("PATCH", "/1.0", {"config": {"core.https_address": ""}})
    try:
        outcome = perform(Move(Ref("lxd1", "default", name), "lxd2"), ends, lambda _: None, Flag())
    finally:
        lxd1.api.call("PATCH", "/1.0", {"config": {"core.https_address": address}})
        for backend in ends.values():
            backend.close()
    assert outcome.move is not None
    assert _hosts_with(lab, name) == {"lxd2": "Running"}
    assert {path: lxd2.checksum(name, path) for path in files} == files


def test_ctrl_c_during_a_relay_puts_everything_back(lab: Lab, make_instance: MakeInstance) -> None:
    """A request to stop while files are relayed leaves the source running, the target empty."""
    known = remotes.load(lab.environment, Path("/nonexistent"))
    ends: dict[str, Backend] = {
        "lxd1": _unreachable(LxdBackend(known.named("lxd1"))),
        "incus1": LxdBackend(known.named("incus1")),
    }
    name = make_instance(lab.host("lxd1"))
    stop = Flag()

    def ask_to_stop(progress: Progress) -> None:
        if "through this machine" in progress.text:
            stop.set()

    with pytest.raises(InterruptedByUserError):
        perform(Move(Ref("lxd1", "default", name), "incus1"), ends, ask_to_stop, stop)
    assert _hosts_with(lab, name) == {"lxd1": "Running"}
    for backend in ends.values():
        backend.close()


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


@pytest.mark.parametrize(("source", "target"), [("lxd1", "lxd2"), ("lxd1", "incus1")])
def test_a_missing_profile_can_be_copied(
    lab: Lab, backends: dict[str, Backend], make_instance: MakeInstance, source: str, target: str
) -> None:
    """With copy_profiles the target gets the profile, as it was and without a mark."""
    name, kind = make_instance(lab.host(source), start=False), lab.host(target).plan.kind
    profile = f"p-{name}"
    lab.cli("lxc", "profile", "create", f"{source}:{profile}")
    lab.cli("lxc", "profile", "set", f"{source}:{profile}", "limits.processes", "200")
    try:
        lab.cli("lxc", "profile", "add", f"{source}:{name}", profile)
        options = MoveOptions(copy_profiles=True)
        move = Move(Ref(source, "default", name), target, options)
        perform(move, backends, lambda _: None, Flag())
        assert _hosts_with(lab, name) == {target: "Stopped"}
        made = backends[target].placement("default").profiles[profile]
        assert dict(made.config) == {"limits.processes": "200"}
    finally:
        for host in lab.hosts:
            host.delete(name)
        lab.cli("lxc", "profile", "delete", f"{source}:{profile}", check=False)
        lab.cli(CLI[Kind(kind)], "profile", "delete", f"{target}:{profile}", check=False)


def test_a_failed_move_removes_the_profile_that_it_copied(
    lab: Lab, backends: dict[str, Backend], make_instance: MakeInstance
) -> None:
    """A move whose check fails leaves neither instance nor profile on the target."""
    name = make_instance(lab.host("lxd1"))
    profile = f"p-{name}"
    lab.cli("lxc", "profile", "create", f"lxd1:{profile}")
    try:
        lab.cli("lxc", "profile", "add", f"lxd1:{name}", profile)
        options = MoveOptions(copy_profiles=True, check="false", force=True)
        move = Move(Ref("lxd1", "default", name), "incus1", options)
        with pytest.raises(LxtuiError, match="nothing is left on incus1"):
            perform(move, backends, lambda _: None, Flag())
        assert _hosts_with(lab, name) == {"lxd1": "Running"}
        assert profile not in backends["incus1"].placement("default").profiles
    finally:
        lab.host("lxd1").delete(name)
        lab.cli("lxc", "profile", "delete", f"lxd1:{profile}", check=False)


def test_a_snapshot_that_incus_would_refuse_is_found_before_anything_is_touched(
    lab: Lab, backends: dict[str, Backend], make_instance: MakeInstance
) -> None:
    """A key of LXD in a snapshot, which no API call can change, stops the move to Incus; the
    remedy that it names works.
    """
    name = make_instance(lab.host("lxd1"), {"security.devlxd": "true"}, start=False)
    lab.cli("lxc", "snapshot", f"lxd1:{name}", "old")
    lab.cli("lxc", "config", "unset", f"lxd1:{name}", "security.devlxd")
    move = Move(Ref("lxd1", "default", name), "incus1")
    with pytest.raises(LxtuiError, match=r"snapshot 'old' .* cannot go along.*--instance-only"):
        perform(move, backends, lambda _: None, Flag())
    assert _hosts_with(lab, name) == {"lxd1": "Stopped"}
    without = replace(move, options=MoveOptions(instance_only=True))
    perform(without, backends, lambda _: None, Flag())
    assert _hosts_with(lab, name) == {"incus1": "Stopped"}


@pytest.mark.parametrize(("target", "cli"), [("lxd2", "lxc"), ("incus1", "incus")])
def test_a_full_project_is_found_before_anything_is_touched(
    lab: Lab, backends: dict[str, Backend], make_instance: MakeInstance, target: str, cli: str
) -> None:
    """A project that may have no more instances, and a restricted one, stop the move; the daemon's
    own key is named, and the source was not touched.
    """
    name = make_instance(lab.host("lxd1"), {"security.nesting": "true"})
    rules = ["limits.instances=0", "restricted=true"]
    try:
        settings = [word for rule in rules for word in ("-c", rule)]
        lab.cli(cli, "project", "create", f"{target}:full", *settings)
        move = Move(Ref("lxd1", "default", name), target, MoveOptions(project="full"))
        with pytest.raises(LxtuiError, match=r"limits\.instances.*containers\.nesting"):
            perform(move, backends, lambda _: None, Flag())
        assert _hosts_with(lab, name) == {"lxd1": "Running"}
        assert MARK not in backends["lxd1"].instance(move.ref).config
    finally:
        lab.host("lxd1").delete(name)
        lab.cli(cli, "project", "delete", f"{target}:full", check=False)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_command_puts_everything_back(
    lab: Lab, make_instance: MakeInstance, number: signal.Signals
) -> None:
    """Ctrl-C (twice), SIGTERM and a closed terminal end a headless move where it began."""
    lxd1 = lab.host("lxd1")
    name = make_instance(lxd1)
    lxd1.exec(name, ["dd", "if=/dev/urandom", "of=/root/data", "bs=1M", "count=200"])
    command = [sys.executable, "-m", "lxtui.cli", "move", f"lxd1:{name}", "lxd2", "--json"]
    with subprocess.Popen(
        command,
        env={**os.environ, **lab.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as move:
        assert move.stderr is not None
        for line in move.stderr:
            if "pulls" in line:
                break
        move.send_signal(number)
        move.send_signal(number)
        answer, _ = move.communicate(timeout=60)
    assert move.returncode == 1
    assert json.loads(answer)["result"] == "failed"
    assert "runs where it was" in json.loads(answer)["error"]
    assert _hosts_with(lab, name) == {"lxd1": "Running"}
