"""Snapshots: when they expire, what a restore would lose, their verbs."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lxtui.backend.demo_data import demo_fleet
from lxtui.calls.snapshots import RenameSnapshot, SetExpiry, TakeSnapshot
from lxtui.cli import main
from lxtui.errors import OperationError, UsageError
from lxtui.expiry import NEVER, expiry, iso
from lxtui.model import Instance, Kind, Ref, Snapshot
from lxtui.restoring import Loss, loss, restoring
from lxtui.screens.snapshots import stateless as why_stateless

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
REF = Ref("oslo", "default", "web1")


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("7d", NOW + timedelta(days=7)),
        ("12h", NOW + timedelta(hours=12)),
        (" 2W ", NOW + timedelta(days=14)),
        ("never", NEVER),
        ("2027-01-31T10:00:00Z", datetime(2027, 1, 31, 10, tzinfo=UTC)),
        ("2027-01-31T10:00:00+02:00", datetime(2027, 1, 31, 8, tzinfo=UTC)),
    ],
)
def test_moments_as_people_say_them(written: str, moment: datetime) -> None:
    """Spans from now on, dates, never."""
    assert expiry(written, NOW) == moment


@pytest.mark.parametrize(
    "written", ["", "7", "d", "0d", "-1d", "soon", "2020-01-01", "9" * 400 + "d"]
)
def test_what_is_no_moment_is_refused(written: str) -> None:
    """As is one that is over: the host would delete the snapshot at once."""
    with pytest.raises(UsageError):
        expiry(written, NOW)


@given(st.text())
def test_anything_else_is_a_usage_error(written: str) -> None:
    """Whatever is typed."""
    with contextlib.suppress(UsageError):
        assert expiry(written, NOW) == NEVER or expiry(written, NOW) > NOW


def test_never_is_the_apis_zero() -> None:
    """With four digits of the year, which strftime leaves out."""
    assert iso(NEVER) == "0001-01-01T00:00:00Z"
    assert iso(NOW) == "2026-11-21T12:00:00Z"


def test_equivalents() -> None:
    """Of both command lines; an expiry by their query, which has no project but in the path."""
    ref = REF._replace(project="p")
    assert TakeSnapshot(REF, "s", stateful=True).equivalent(Kind.LXD) == (
        "lxc snapshot oslo:web1 s --stateful"
    )
    assert RenameSnapshot(REF, "a", "b").equivalent(Kind.LXD) == "lxc rename oslo:web1/a web1/b"
    assert RenameSnapshot(ref, "a", "b").equivalent(Kind.INCUS) == (
        "incus snapshot rename oslo:web1 a b --project p"
    )
    assert SetExpiry(ref, "a", NOW).equivalent(Kind.INCUS) == (
        """incus query -X PUT --wait -d '{"expires_at": "2026-11-21T12:00:00Z"}' """
        "'oslo:/1.0/instances/web1/snapshots/a?project=p'"
    )


_DOCUMENT: dict[str, Any] = {
    "config": {"limits.cpu": "2", "volatile.x": "1"},
    "devices": {},
    "profiles": ["default"],
}


def _snapshot(day: int, **more: Any) -> Snapshot:
    return Snapshot(f"day{day}", NOW - timedelta(days=5 - day), **more)


INSTANCE = Instance(REF, "Running", snapshots=(_snapshot(1), _snapshot(2), _snapshot(3)))


def _loss(
    snapshot: dict[str, Any] | None = None,
    pool: Any = None,
    volume: Any = None,
    instance: Instance = INSTANCE,
    *,
    stateless: bool = False,
) -> Loss:
    read = {**_DOCUMENT, "created_at": iso(NOW - timedelta(days=4)), **(snapshot or {})}
    return loss(instance, "day1", _DOCUMENT, read, pool, volume, NOW, stateless=stateless)


def test_what_a_restore_loses() -> None:
    """Its age, later snapshots, the running state; nothing where nothing is different."""
    found = _loss(pool={"driver": "dir"})
    assert found.later == ("day2", "day3")
    assert "4d ago, is lost" in found.lines[0]
    assert found.lines[1] == "later snapshots stay: day2, day3"
    assert "its processes are lost" in found.lines[2]
    assert found.lines[3] == "its configuration is the same as then"
    assert (found.changed, found.difference, found.blocker) == ((), (), "")
    stopped = _loss(instance=replace(INSTANCE, status="Stopped"))
    assert "stays so" in stopped.lines[2]
    assert "go on where they were" in _loss({"stateful": True}).lines[2]
    assert "its processes are lost" in _loss({"stateful": True}, stateless=True).lines[2]


def test_configuration_that_goes_back_is_shown() -> None:
    """Keys and devices, as a difference; what the daemon sets itself is no difference."""
    then = {"config": {"limits.cpu": "1", "volatile.x": "2"}, "devices": {"d": {"type": "none"}}}
    found = _loss(then)
    assert found.changed == ("config limits.cpu", "devices d")
    assert "-  limits.cpu: '2'" in found.difference
    assert "+  limits.cpu: '1'" in found.difference


def test_zfs_goes_back_past_no_later_snapshot() -> None:
    """Unless volume or pool say that they may be deleted; the latest one can always be restored."""
    zfs: dict[str, Any] = {"driver": "zfs", "config": {}}
    assert "delete day2, day3 first" in _loss(pool=zfs).blocker
    general = {**zfs, "config": {"volume.zfs.remove_snapshots": "true"}}
    for found in (
        _loss(pool=general),
        _loss(pool=zfs, volume={"config": {"zfs.remove_snapshots": "true"}}),
    ):
        assert (found.blocker, found.later_go) == ("", True)
        assert found.lines[1] == "later snapshots are deleted with it: day2, day3"
    assert _loss(pool=general, volume={"config": {"zfs.remove_snapshots": "false"}}).blocker
    alone = replace(INSTANCE, snapshots=(_snapshot(1),))
    assert not _loss(pool=zfs, instance=alone).blocker


@pytest.mark.parametrize("odd", [None, [], 5, {"config": 3}])
def test_documents_of_odd_shapes(odd: Any) -> None:
    """What is not known is not said."""
    found = loss(INSTANCE, "day2", odd, odd, odd, odd, NOW)
    assert found.later == ("day3",)
    assert not found.blocker


def test_running_state_and_why_not() -> None:
    """Of what runs only; Incus wants a key, LXD refuses that key for containers."""
    allowed = replace(INSTANCE, expanded_config={"migration.stateful": "true"})
    assert not why_stateless(INSTANCE, Kind.LXD)
    assert "migration.stateful" in why_stateless(INSTANCE, Kind.INCUS)
    assert not why_stateless(allowed, Kind.INCUS)
    assert "does not run" in why_stateless(replace(INSTANCE, status="Stopped"), Kind.LXD)


@pytest.fixture
def fleet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """One demo fleet that stays from verb to verb; a user without hosts."""
    for name in ("LXD_CONF", "INCUS_CONF", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    made = demo_fleet(tempo=0.0)
    monkeypatch.setattr("lxtui.backend.demo_data.demo_fleet", lambda: made)
    return made


def _taken(fleet: Any) -> dict[str, Snapshot]:
    return {one.name: one for one in fleet.backend("oslo").instance(REF).snapshots}


def test_the_verbs(fleet: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Taken with an expiry, renamed, given another expiry, deleted."""
    assert main(["--demo", "snapshot", "oslo:web1", "one", "--expires", "7d"]) == 0
    expires = _taken(fleet)["one"].expires_at
    assert expires is not None
    assert timedelta(days=6, hours=23) < expires - datetime.now(UTC) <= timedelta(days=7)
    assert main(["--demo", "rename", "oslo:web1/one", "two"]) == 0
    assert main(["--demo", "expire", "oslo:web1/two", "never"]) == 0
    assert _taken(fleet)["two"].expires_at is None
    capsys.readouterr()
    assert main(["--demo", "delete", "oslo:web1/two", "--yes", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["command"] == "delete"
    assert "two" not in _taken(fleet)


def test_misuse(fleet: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """A moment that is over, no snapshot, a bad name, state of what is stopped."""
    for wrong in (
        ["expire", "oslo:web1/daily0", "yesterday"],
        ["expire", "oslo:web1", "7d"],
        ["rename", "oslo:web1/daily0", ".."],
        ["stop", "oslo:web1/daily0"],
        ["stop", "oslo:web1", "--dry-run"],
    ):
        assert main(["--demo", *wrong]) == 2, wrong
    assert main(["--demo", "snapshot", "oslo:web1", "x", "--stateful"]) == 1
    assert "CRIU" in capsys.readouterr().err
    assert set(_taken(fleet)) == {"daily0", "daily1"}


def test_a_restore_is_previewed(fleet: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Documented keys; nothing is done; what is in the way is said by the status too."""
    before = fleet.backend("oslo").instance(REF)
    assert main(["--demo", "restore", "oslo:web1", "daily1", "--dry-run", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert " ".join(said) == (
        "instance project snapshot possible blocker loses changed difference later_snapshots "
        "later_snapshots_deleted"
    )
    assert main(["--demo", "restore", "oslo:web1", "daily0", "--dry-run"]) == 1
    assert "delete daily1 first" in capsys.readouterr().out
    assert fleet.backend("oslo").instance(REF).snapshots == before.snapshots


def test_a_restore_brings_the_running_state(fleet: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the snapshot has one, as the hosts do it only when asked; unless that is not wished.
    When the host cannot, it is said how the files alone are put back.
    """
    daemon = fleet.daemons["oslo"]
    now = daemon.find(REF)
    saved = tuple(replace(one, stateful=one.name == "daily1") for one in now.snapshots)
    daemon.put(replace(now, snapshots=saved))
    command = restoring(replace(now, snapshots=saved), "daily1")
    assert command.equivalent(Kind.LXD) == "lxc restore oslo:web1 daily1 --stateful"
    assert not restoring(replace(now, snapshots=saved), "daily0").stateful
    assert main(["--demo", "restore", "oslo:web1", "daily1"]) == 1
    said = capsys.readouterr().err
    assert "'lxtui restore oslo:web1 daily1 --stateless' leaves out the running state" in said
    assert main(["--demo", "restore", "oslo:web1", "daily1", "--stateless"]) == 0
    capsys.readouterr()
    several = ["--demo", "restore", "--filter", "name:web1 host:oslo", "daily1"]
    assert main([*several, "--dry-run", "--json"]) == 1  # one host plays dead
    (one,) = json.loads(capsys.readouterr().out)["instances"]
    assert one["command"] == "lxc restore oslo:web1 daily1 --stateful"
    assert main([*several, "--stateless", "--yes"]) == 2


def test_a_name_that_does_harm_is_not_sent(fleet: Any) -> None:
    """Whoever makes the command."""
    from threading import Event as Flag

    from lxtui.perform import perform

    backends = {"oslo": fleet.backend("oslo")}
    for command in (TakeSnapshot(REF, ".."), RenameSnapshot(REF, "daily0", "..")):
        with pytest.raises(OperationError, match="needs a name"):
            perform(command, backends, lambda _: None, Flag())
