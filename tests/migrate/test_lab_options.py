"""Moves with options between real daemons: near-live, each transport, checksums, what is kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from threading import Event as Flag

import pytest

from lxtui.backend.base import Backend
from lxtui.commands import Move
from lxtui.errors import LxtuiError
from lxtui.migrate import MARK, MOVED, copying, mover
from lxtui.migrate.contents import Comparison, Doubt
from lxtui.migrate.options import Mode, MoveOptions, Transport, Verify
from lxtui.model import Progress, Ref
from lxtui.perform import perform
from tests.lab.fixtures import MakeInstance
from tests.lab.lab import Host, Lab
from tests.lab.tools import run

ROUTES = [("lxd1", "lxd2"), ("lxd1", "incus1"), ("incus1", "lxd2")]
WRITER = """
mkdir -p /root/random
i=100000
while :; do
    i=$((i + 1))
    echo $i >/root/counter
    echo $i >>/root/log
    dd if=/dev/urandom of=/root/random/$((i % 30)) bs=3000 count=1
    sleep 0.1
done
"""
"""Changes files of equal size several times a second, which rsync's quick check does not see."""


def _write_on(host: Host, name: str) -> None:
    host.write_file(name, "/root/writer", WRITER.encode())
    host.exec(name, ["sh", "-c", "sh /root/writer >/dev/null 2>&1 </dev/null &"])


def _move(
    backends: dict[str, Backend],
    ref: Ref,
    target: str,
    options: MoveOptions,
    folder: Path,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> None:
    perform(Move(ref, target, options), backends, on_progress, Flag(), folder)


def _differences(backends: dict[str, Backend], one: Ref, other: Ref) -> tuple[str, ...]:
    with backends[one.host].files(one) as here, backends[other.host].files(other) as there:
        return Comparison(lambda: None, lambda *_: None).run(here, there)


@pytest.mark.parametrize(
    ("source", "target", "transport"),
    # All nine together take minutes; what a transport does is the same on each route.
    [
        ("lxd1", "incus1", "pull"),
        ("incus1", "lxd2", "relay"),
        pytest.param("lxd1", "lxd2", "pull", marks=pytest.mark.long),
        pytest.param("incus1", "lxd2", "pull", marks=pytest.mark.long),
        pytest.param("lxd1", "incus1", "push", marks=pytest.mark.long),
    ],
)
def test_what_is_written_until_the_end_arrives(
    lab: Lab,
    backends: dict[str, Backend],
    make_instance: MakeInstance,
    tmp_path: Path,
    source: str,
    target: str,
    transport: str,
) -> None:
    """Near-live, by each transport: the copy has every byte of the source as it was stopped."""
    name = make_instance(lab.host(source))
    _write_on(lab.host(source), name)
    ref, there = Ref(source, "default", name), Ref(target, "default", name)
    options = MoveOptions(
        mode=Mode.NEAR_LIVE,
        transport=Transport(transport),
        verify=Verify.CHECKSUM,
        keep_source=True,
    )
    try:
        _move(backends, ref, target, options, tmp_path)
        assert lab.host(target).status(name) == "Running"
        lab.host(target).set_state(name, "stop", force=True)
        kept = ref._replace(name=f"{name}-moved")
        assert backends[source].instance(kept).stopped
        assert backends[source].instance(kept).config[MOVED] == there.plain
        assert MARK not in backends[source].instance(kept).config
        # The copy has run: its init may have written what the lab's image writes at its start.
        assert _differences(backends, kept, there) == ()
    finally:
        lab.host(source).delete(f"{name}-moved")


def _change_within_the_second(host: Host, name: str) -> Callable[[Progress], None]:
    """Just before it is stopped, change a file as if within the second in which it was copied."""

    def on_progress(progress: Progress) -> None:
        if progress.text == f"{host.name}:{name} is stopped":
            script = (
                "at=$(stat -c %Y /root/file); printf newer >/root/file; touch -d @$at /root/file"
            )
            host.exec(name, ["sh", "-c", script])

    return on_progress


@pytest.mark.parametrize(("source", "target"), ROUTES)
def test_a_change_within_the_second_of_a_pass_arrives(
    lab: Lab,
    backends: dict[str, Backend],
    make_instance: MakeInstance,
    tmp_path: Path,
    source: str,
    target: str,
) -> None:
    """A file that looks unchanged to rsync's quick check has its last content on the target."""
    host = lab.host(source)
    name = make_instance(host)
    host.write_file(name, "/root/file", b"older")
    options = MoveOptions(mode=Mode.NEAR_LIVE)
    on_progress = _change_within_the_second(host, name)
    _move(backends, Ref(source, "default", name), target, options, tmp_path, on_progress)
    assert lab.host(target).read_file(name, "/root/file") == b"newer"


def test_checksums_find_what_the_daemons_left_behind(
    lab: Lab,
    backends: dict[str, Backend],
    make_instance: MakeInstance,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where a copy is not equal, --verify=checksum names the file, and all is put back."""
    # This is what a copy to LXD is when nobody has it look twice. Incus looks into every file.
    monkeypatch.setattr(mover, "doubt", lambda *_: Doubt())
    host = lab.host("lxd1")
    name = make_instance(host)
    host.write_file(name, "/root/file", b"older")
    options = MoveOptions(mode=Mode.NEAR_LIVE, verify=Verify.CHECKSUM)
    with pytest.raises(LxtuiError, match="/root/file has another content"):
        _move(
            backends,
            Ref("lxd1", "default", name),
            "lxd2",
            options,
            tmp_path,
            _change_within_the_second(host, name),
        )
    assert host.status(name) == "Running"
    assert lab.host("lxd2").status(name) is None


@pytest.mark.parametrize(("source", "target"), ROUTES)
def test_sizes_are_compared_without_being_asked_for(
    lab: Lab,
    backends: dict[str, Backend],
    make_instance: MakeInstance,
    tmp_path: Path,
    source: str,
    target: str,
) -> None:
    """A plain move finds a file whose size is another one at the target, and goes back."""
    host = lab.host(source)
    name = make_instance(host)
    host.write_file(name, "/root/file", b"whole")

    def cut_it_short(progress: Progress) -> None:
        if "are compared" in progress.text:
            lab.host(target).write_file(name, "/root/file", b"who")

    with pytest.raises(LxtuiError, match="/root/file has another size"):
        _move(backends, Ref(source, "default", name), target, MoveOptions(), tmp_path, cut_it_short)
    assert host.status(name) == "Running"
    assert lab.host(target).status(name) is None


@pytest.mark.parametrize(("source", "target"), ROUTES)
def test_a_change_within_the_second_of_a_snapshot_arrives(
    lab: Lab,
    backends: dict[str, Backend],
    make_instance: MakeInstance,
    tmp_path: Path,
    source: str,
    target: str,
) -> None:
    """A cold move brings the file, not its snapshot, where both have one size and one second."""
    host = lab.host(source)
    name = make_instance(host)
    ref = Ref(source, "default", name)
    host.write_file(name, "/root/file", b"older")
    backends[source].wait(backends[source].create_snapshot(ref, "before"))
    script = "at=$(stat -c %Y /root/file); printf newer >/root/file; touch -d @$at /root/file"
    host.exec(name, ["sh", "-c", script])
    _move(backends, ref, target, MoveOptions(), tmp_path)
    assert lab.host(target).read_file(name, "/root/file") == b"newer"


def test_a_copy_that_stands_still_is_taken_back(
    lab: Lab,
    backends: dict[str, Backend],
    make_instance: MakeInstance,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """When the two hosts lose each other without a word, the source soon runs again."""
    monkeypatch.setattr(copying, "STALLED", 5.0)
    lxd1, lxd2 = lab.host("lxd1"), lab.host("lxd2")
    name = make_instance(lxd1)
    lxd1.exec(name, ["dd", "if=/dev/urandom", "of=/root/data", "bs=1M", "count=300"])
    route = ["blackhole", f"{lxd1.plan.address}/32"]
    began: list[float] = []

    def lose(progress: Progress) -> None:
        if progress.text.startswith("copying") and not began:
            began.append(time.monotonic())
            run(["ip", "-n", lxd2.plan.netns, "route", "add", *route])

    ref = Ref("lxd1", "default", name)
    try:
        with pytest.raises(LxtuiError, match="stands still"):
            _move(backends, ref, "lxd2", MoveOptions(), tmp_path, lose)
    finally:
        run(["ip", "-n", lxd2.plan.netns, "route", "del", *route], check=False)
    assert time.monotonic() - began[0] < 90
    assert lxd1.status(name) == "Running"
    assert lxd2.status(name) is None


@pytest.mark.parametrize(("source", "target"), ROUTES)
def test_a_failing_check_puts_everything_back(
    lab: Lab,
    backends: dict[str, Backend],
    make_instance: MakeInstance,
    tmp_path: Path,
    source: str,
    target: str,
) -> None:
    """When the user's command fails inside the target, the source runs, the target has nothing."""
    name = make_instance(lab.host(source))
    options = MoveOptions(check="test -e /no/such/file")
    with pytest.raises(LxtuiError, match="ended with status 1"):
        _move(backends, Ref(source, "default", name), target, options, tmp_path)
    assert lab.host(source).status(name) == "Running"
    assert lab.host(target).status(name) is None
    assert MARK not in backends[source].instance(Ref(source, "default", name)).config


def test_a_copy_leaves_the_source_alone(
    lab: Lab, backends: dict[str, Backend], make_instance: MakeInstance, tmp_path: Path
) -> None:
    """A copy under another name stands still beside a source that was never touched."""
    name = make_instance(lab.host("lxd1"))
    pid = lab.host("lxd1").init_pid(name)
    options = MoveOptions(copy=True, name=f"{name}-copy")
    try:
        _move(backends, Ref("lxd1", "default", name), "incus1", options, tmp_path)
        assert lab.host("lxd1").init_pid(name) == pid
        copy = backends["incus1"].instance(Ref("incus1", "default", f"{name}-copy"))
        original = backends["lxd1"].instance(Ref("lxd1", "default", name))
        assert copy.stopped
        assert MARK not in copy.config
        own = "volatile.eth0.hwaddr"
        assert copy.config.get(own, "") != original.config.get(own, "-")
    finally:
        lab.host("incus1").delete(f"{name}-copy")


def test_another_name_pool_and_project(
    lab: Lab, backends: dict[str, Backend], make_instance: MakeInstance, tmp_path: Path
) -> None:
    """At the target it has the name, the pool and the project that were asked for."""
    name = make_instance(lab.host("lxd1"))
    api = lab.host("lxd2").api
    there = Ref("lxd2", "other", f"{name}-new")
    config = {"features.images": "false", "features.profiles": "false"}
    lab.host("lxd2").make_pool("second", lab.plan.driver)
    api.call("POST", "/1.0/projects", {"name": "other", "config": config})
    options = MoveOptions(name=there.name, project="other", pool="second")
    try:
        _move(backends, Ref("lxd1", "default", name), "lxd2", options, tmp_path)
        arrived = backends["lxd2"].instance(there)
        assert arrived.running
        assert arrived.expanded_devices["root"]["pool"] == "second"
        assert lab.host("lxd1").status(name) is None
    finally:
        lab.cli("lxc", "delete", "--force", "--project=other", f"lxd2:{there.name}", check=False)
        api.call("DELETE", "/1.0/projects/other")
        lab.host("lxd2").drop_pool("second")
