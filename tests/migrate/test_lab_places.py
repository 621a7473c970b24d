"""Moves within one server, and with another configuration, between real daemons."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event as Flag

import pytest

from lxtui.backend.base import Backend
from lxtui.commands import Move
from lxtui.errors import LxtuiError
from lxtui.migrate import MARK
from lxtui.migrate.facts import Level
from lxtui.migrate.options import Mode, MoveOptions, Transport, Verify
from lxtui.migrate.plan import StepKind
from lxtui.migrate.prepare import prepare
from lxtui.model import Ref
from lxtui.perform import perform
from tests.lab.fixtures import MakeInstance
from tests.lab.lab import Host, Lab

PROJECT = {"features.images": "false", "features.profiles": "false"}


def _move(backends: dict[str, Backend], ref: Ref, options: MoveOptions, folder: Path) -> None:
    perform(Move(ref, ref.host, options), backends, lambda _: None, Flag(), folder)


@pytest.fixture(params=["lxd1", "incus1"])
def host(request: pytest.FixtureRequest, lab: Lab) -> Iterator[Host]:
    """A host with a second pool and a second project."""
    chosen = lab.host(request.param)
    cli = "lxc" if chosen.plan.kind == "lxd" else "incus"
    chosen.make_pool("second", lab.plan.driver)
    chosen.api.call("POST", "/1.0/projects", {"name": "other", "config": PROJECT})
    try:
        yield chosen
    finally:
        for name in chosen.api.get("/1.0/instances?recursion=1&project=other"):
            lab.cli(
                cli, "delete", "-f", "--project=other", f"{chosen.name}:{name['name']}", check=False
            )
        chosen.api.call("DELETE", "/1.0/projects/other")
        chosen.drop_pool("second")


@pytest.mark.parametrize(
    ("host", "mode"), [("lxd1", Mode.NEAR_LIVE), ("incus1", Mode.COLD)], indirect=["host"]
)
def test_a_move_within_one_server(
    host: Host,
    backends: dict[str, Backend],
    make_instance: MakeInstance,
    tmp_path: Path,
    mode: Mode,
) -> None:
    """To another project and pool of its own host, under its own name, with all its files."""
    name = make_instance(host)
    host.write_file(name, "/root/file", b"content")
    ref = Ref(host.name, "default", name)
    backends[host.name].wait(backends[host.name].create_snapshot(ref, "before"))
    verify = Verify.CHECKSUM if mode is Mode.COLD else Verify.FILES
    options = MoveOptions(mode=mode, project="other", pool="second", verify=verify)
    _move(backends, ref, options, tmp_path)
    arrived = backends[host.name].instance(ref._replace(project="other"))
    assert arrived.running
    assert arrived.expanded_devices["root"]["pool"] == "second"
    assert [one.name for one in arrived.snapshots] == ["before"]
    assert MARK not in arrived.config
    assert host.status(name) is None


def _identity(backend: Backend, ref: Ref) -> dict[str, str]:
    """What the network and cloud-init know it by."""
    config = backend.instance(ref).config
    keys = ("volatile.eth0.hwaddr", "volatile.cloud-init.instance-id")
    return {key: config[key] for key in keys}


def test_another_pool_keeps_name_and_addresses(
    host: Host, backends: dict[str, Backend], make_instance: MakeInstance, tmp_path: Path
) -> None:
    """Its copy takes its place with MAC and static address; a failure gives both back."""
    name, backend = make_instance(host, start=False), backends[host.name]
    ref = Ref(host.name, "default", name)
    kept = ref._replace(name=f"{name}-moved")
    address = host.plan.containers.replace(".1/24", ".77")
    nic = {**backend.instance(ref).expanded_devices["eth0"], "ipv4.address": address}
    backend.reconfigure(ref, {}, {"eth0": nic})
    host.set_state(name, "start")
    host.exec(name, ["sh", "-c", "printf content >/root/file"])
    backend.wait(backend.create_snapshot(ref, "before"))
    before, others = _identity(backend, ref), host.instances().keys()
    with pytest.raises(LxtuiError, match=f"is in pool default of {host.name} already"):
        _move(backends, ref, MoveOptions(pool="default"), tmp_path)

    def seen(pool: str) -> None:
        arrived = backend.instance(ref)
        assert arrived.running
        assert arrived.expanded_devices["root"]["pool"] == pool
        assert arrived.devices["eth0"]["ipv4.address"] == address
        assert [one.name for one in arrived.snapshots] == ["before"]
        assert not [key for key in arrived.config if key.startswith("user.lxtui.")]
        assert _identity(backend, ref) == before
        assert host.wait_address(name) == address
        assert host.exec(name, ["cat", "/root/file"]).stdout == "content"

    with pytest.raises(LxtuiError, match=r"status 1.*runs where it was, nothing is left of its"):
        _move(backends, ref, MoveOptions(pool="second", check="false"), tmp_path)
    seen("default")
    assert host.instances().keys() == others
    try:
        _move(backends, ref, MoveOptions(pool="second", keep_source=True), tmp_path)
        seen("second")
        assert backend.instance(kept).stopped
    finally:
        host.delete(kept.name)
    gradual = MoveOptions(pool="default", mode=Mode.NEAR_LIVE)
    _move(backends, ref, gradual, tmp_path)
    seen("default")
    assert host.instances().keys() == others


def test_another_name_in_another_pool(
    host: Host, backends: dict[str, Backend], make_instance: MakeInstance, tmp_path: Path
) -> None:
    """Within one project the pool may change along with the name."""
    name = make_instance(host)
    ref = Ref(host.name, "default", name)
    other = MoveOptions(pool="second", name=f"{name}-b")
    try:
        _move(backends, ref, other, tmp_path)
        arrived = backends[host.name].instance(ref._replace(name=other.name))
        assert arrived.running
        assert arrived.expanded_devices["root"]["pool"] == "second"
        assert host.status(name) is None
    finally:
        host.delete(other.name)


def test_another_configuration_and_other_profiles(
    lab: Lab,
    backends: dict[str, Backend],
    make_instance: MakeInstance,
    tmp_path: Path,
) -> None:
    """At the target it has the configuration and the profiles that were asked for, and runs."""
    there = lab.host("incus1")
    name = make_instance(
        lab.host("lxd1"), {"limits.memory": "64MiB", "user.old": "1", "user.kept": "1"}
    )
    there.api.call("POST", "/1.0/profiles", {"name": "more", "config": {"user.from": "more"}})
    options = MoveOptions(
        config=("limits.memory=96MiB", "user.old=", "user.new=a=b"), profiles=("default", "more")
    )
    try:
        perform(
            Move(Ref("lxd1", "default", name), "incus1", options),
            backends,
            lambda _: None,
            Flag(),
            tmp_path,
        )
        arrived = backends["incus1"].instance(Ref("incus1", "default", name))
        wanted = {"limits.memory": "96MiB", "user.new": "a=b", "user.kept": "1"}
        assert {key: arrived.config[key] for key in wanted} == wanted
        assert "user.old" not in arrived.config
        assert arrived.expanded_config["user.from"] == "more"
        assert arrived.running
    finally:
        there.delete(name)
        there.api.call("DELETE", "/1.0/profiles/more")


def test_a_profile_that_is_left_behind_is_needed_by_snapshots(
    lab: Lab, backends: dict[str, Backend], make_instance: MakeInstance, tmp_path: Path
) -> None:
    """LXD needs the source's profiles for the snapshots: the plan knows, and can copy them."""
    lxd1, lxd2 = lab.host("lxd1"), lab.host("lxd2")
    name = make_instance(lxd1, start=False)
    ref = Ref("lxd1", "default", name)
    lxd1.api.call("POST", "/1.0/profiles", {"name": "older", "config": {}})
    try:
        lab.cli("lxc", "profile", "add", f"lxd1:{name}", "older")
        backends["lxd1"].wait(backends["lxd1"].create_snapshot(ref, "before"))
        options = MoveOptions(profiles=("default",))
        with pytest.raises(LxtuiError, match="no profile 'older', which the snapshots"):
            perform(Move(ref, "lxd2", options), backends, lambda _: None, Flag(), tmp_path)
        options = MoveOptions(profiles=("default",), copy_profiles=True)
        perform(Move(ref, "lxd2", options), backends, lambda _: None, Flag(), tmp_path)
        arrived = backends["lxd2"].instance(ref._replace(host="lxd2"))
        assert arrived.profiles == ("default",)
        assert [one.name for one in arrived.snapshots] == ["before"]
    finally:
        for host in (lxd1, lxd2):
            host.delete(name)
            lab.cli("lxc", "profile", "delete", f"{host.name}:older", check=False)


@pytest.mark.parametrize(
    ("source", "target", "reason"),
    [
        ("lxd1", "lxd2", "LXD saves a container with its console"),
        ("lxd1", "incus1", "lxd1 runs lxd, incus1 incus"),
    ],
)
def test_a_live_move_says_why_it_is_near_live(
    lab: Lab,
    backends: dict[str, Backend],
    make_instance: MakeInstance,
    source: str,
    target: str,
    reason: str,
) -> None:
    """Where running state cannot go along, the daemon's own reason is said, and nothing touched."""
    name = make_instance(lab.host(source))
    ref = Ref(source, "default", name)
    pid, before = lab.host(source).init_pid(name), backends[source].instance(ref)
    plan = prepare(backends[source], backends[target], ref, MoveOptions(mode=Mode.LIVE))
    said = " ".join(str(one) for one in plan.findings if one.level is Level.WARNING)
    assert "cannot be moved live, near-live is planned instead" in said
    assert re.search(reason, said), said
    assert StepKind.REFRESH in [step.kind for step in plan.steps]
    assert lab.host(source).init_pid(name) == pid
    assert backends[source].instance(ref).config == before.config
    assert not [
        one for one in backends[source].operations() if name in one.resources and not one.finished
    ]


@pytest.mark.parametrize("host", ["lxd1", "incus1"])
def test_a_daemon_without_criu_says_so(
    lab: Lab, backends: dict[str, Backend], make_instance: MakeInstance, host: str
) -> None:
    """Asked whether it would begin, a real daemon gives its reason, and nothing is at work."""
    chosen = lab.host(host)
    config = {"migration.stateful": "true"} if host == "incus1" else {}
    name = make_instance(chosen, config)
    said = backends[host].live_refusal(Ref(host, "default", name))
    assert re.search(f"{host}: .*CRIU isn't installed on the source server", said), said
    at_work = backends[host].operations()
    assert not [one for one in at_work if name in one.resources and not one.finished]


@pytest.mark.parametrize(
    # LXD as the target takes a file of the same second for unchanged, Incus looks into it.
    ("source", "target"),
    [("lxd1", "incus1"), ("incus1", "lxd2")],
)
def test_a_copy_is_brought_up_to_date(
    lab: Lab,
    backends: dict[str, Backend],
    make_instance: MakeInstance,
    tmp_path: Path,
    source: str,
    target: str,
) -> None:
    """A refreshed copy has the files, the snapshots and the configuration of the source now."""
    here, there = lab.host(source), lab.host(target)
    name = make_instance(here)
    ref, copy = Ref(source, "default", name), Ref(target, "default", name)

    def carry_over(options: MoveOptions) -> None:
        perform(Move(ref, target, options), backends, lambda _: None, Flag(), tmp_path)

    here.write_file(name, "/root/file", b"older")
    here.write_file(name, "/root/gone", b"")
    backends[source].wait(backends[source].create_snapshot(ref, "first"))
    carry_over(MoveOptions(copy=True))
    # As if within the second in which it was copied: rsync takes it for unchanged.
    script = "at=$(stat -c %Y /root/file); printf newer >/root/file; touch -d @$at /root/file"
    here.exec(name, ["sh", "-c", script])
    here.exec(name, ["rm", "/root/gone"])
    backends[source].wait(backends[source].create_snapshot(ref, "second"))
    backends[source].wait(backends[source].delete_snapshot(ref, "first"))
    backends[source].set_config(ref, {"limits.memory": "70MiB"})
    here.set_state(name, "stop", force=True)
    carry_over(MoveOptions(copy=True, refresh=True, verify=Verify.CHECKSUM))
    arrived = backends[target].instance(copy)
    assert arrived.stopped
    assert arrived.config["limits.memory"] == "70MiB"
    assert [one.name for one in arrived.snapshots] == ["second"]
    assert MARK not in arrived.config
    there.set_state(name, "start")
    assert there.read_file(name, "/root/file") == b"newer"
    with pytest.raises(LxtuiError, match="stop it first"):
        carry_over(MoveOptions(copy=True, refresh=True))


def test_a_relay_can_be_held_back(
    lab: Lab, backends: dict[str, Backend], make_instance: MakeInstance, tmp_path: Path
) -> None:
    """With a limit a copy takes at least the time that its bytes need, and arrives whole."""
    name = make_instance(lab.host("lxd1"))
    lab.host("lxd1").exec(name, ["dd", "if=/dev/urandom", "of=/root/data", "bs=1M", "count=16"])
    ref = Ref("lxd1", "default", name)
    options = MoveOptions(transport=Transport.RELAY, limit=8, verify=Verify.CHECKSUM)
    began = time.monotonic()
    perform(Move(ref, "incus1", options), backends, lambda _: None, Flag(), tmp_path)
    assert time.monotonic() - began > 16 / 8
    assert lab.host("incus1").status(name) == "Running"
