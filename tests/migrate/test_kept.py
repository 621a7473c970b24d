"""Sources that were kept: when their time is over, and what keeps them from being deleted."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event as Flag

import pytest

from lxtui import headless_kept
from lxtui.backend.base import Backend
from lxtui.cli import main
from lxtui.clock import utc_now
from lxtui.commands import Move
from lxtui.errors import ConflictError
from lxtui.migrate import KEPT_STATE, KEPT_UNTIL, MARK, kept
from lxtui.migrate.options import MoveOptions
from lxtui.model import Instance, Ref, Snapshot
from lxtui.perform import perform
from tests.lab.fixtures import MakeInstance
from tests.lab.lab import Lab
from tests.migrate.test_mover import SOURCE, TARGET, Stage

KEPT = SOURCE._replace(name="web1-moved")
LATER = timedelta(days=8)


@pytest.fixture
def stage() -> Stage:
    """A finished move whose source was kept for the usual time."""
    made = Stage()
    made.move(MoveOptions(keep_source=True))
    return made


def _backends(stage: Stage) -> dict[str, Backend]:
    return {"a": stage.a, "b": stage.b}


def _look(stage: Stage, now: datetime) -> kept.Kept:
    instances = (*stage.a.instances(), *stage.b.instances())
    (found,) = kept.survey(instances, _backends(stage), now)
    return found


def test_a_kept_source_may_go_when_its_time_is_over(stage: Stage) -> None:
    """It is listed with its end; before that it stays, after it it is deleted, and only it."""
    found = _look(stage, utc_now())
    assert (found.ref, found.destination) == (KEPT, TARGET)
    assert found.refusal == "its time is not over"
    assert found.until is not None
    assert timedelta(days=6, hours=23) < found.until - utc_now() < timedelta(days=7, minutes=1)
    with pytest.raises(ConflictError, match="left alone: its time is not over"):
        kept.remove(found, _backends(stage), utc_now())
    over = _look(stage, utc_now() + LATER)
    assert over.refusal == ""
    kept.remove(over, _backends(stage), utc_now() + LATER)
    assert {one.ref for one in (*stage.a.instances(), *stage.b.instances())} == {TARGET}


def test_without_an_end_it_is_never_deleted() -> None:
    """0 days: until somebody deletes it."""
    stage = Stage()
    stage.move(MoveOptions(keep_source=True, keep_days=0))
    found = _look(stage, utc_now() + 1000 * LATER)
    assert found.until is None
    assert found.refusal == "it is kept until somebody deletes it"


CHANGES: dict[str, tuple[Callable[[Instance], Instance], str]] = {
    "runs": (lambda one: replace(one, status="Running"), "it is running"),
    "was started": (
        lambda one: replace(one, last_used_at=datetime(2026, 11, 21, tzinfo=UTC)),
        "started or changed",
    ),
    "configuration": (
        lambda one: replace(one, config={**one.config, "limits.cpu": "1"}),
        "started or changed",
    ),
    "device": (
        lambda one: replace(one, devices={"d": {"type": "disk"}}),
        "started or changed",
    ),
    "snapshot": (lambda one: replace(one, snapshots=(Snapshot("new"),)), "started or changed"),
    "backup": (lambda one: replace(one, backups=("b1",)), "started or changed"),
    "moved": (
        lambda one: replace(one, config={**one.config, MARK: "x"}),
        "a move of it is at work",
    ),
    "no state": (
        lambda one: replace(
            one, config={key: value for key, value in one.config.items() if key != KEPT_STATE}
        ),
        "look at it yourself",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_somebody_has_used_since_is_left_alone(stage: Stage, change: str) -> None:
    """Started, changed, in a move, or not sure: it is not deleted, however old it is."""
    over = _look(stage, utc_now() + LATER)
    alter, why = CHANGES[change]
    stage.fleet.add_instance(alter(stage.a.instance(KEPT)))
    assert why in _look(stage, utc_now() + LATER).refusal
    with pytest.raises(ConflictError, match=why):
        kept.remove(over, _backends(stage), utc_now() + LATER)
    assert stage.a.instance(KEPT)


def test_what_its_daemon_notes_is_no_change(stage: Stage) -> None:
    """Volatile keys come and go by themselves."""
    now = stage.a.instance(KEPT)
    stage.fleet.add_instance(replace(now, config={**now.config, "volatile.last_state.power": "x"}))
    assert _look(stage, utc_now() + LATER).refusal == ""


def test_without_its_successor_it_is_left_alone(stage: Stage) -> None:
    """It may be the last of its kind: the other one gone, another in its place, or being moved."""
    successor = stage.b.instance(TARGET)
    when = utc_now() + LATER
    stage.fleet.add_instance(replace(successor, config={**successor.config, MARK: "x"}))
    assert "is being moved" in _look(stage, when).refusal
    known = stage.a.instance(KEPT)
    stage.fleet.add_instance(replace(known, config={**known.config, "volatile.uuid": "1"}))
    stage.fleet.add_instance(replace(successor, config={"volatile.uuid": "2"}))
    assert "another one has its name" in _look(stage, when).refusal
    del stage.fleet.daemons["b"].instances[TARGET]
    assert "is not there" in _look(stage, when).refusal
    (found,) = kept.survey(stage.a.instances(), {"a": stage.a}, when)
    assert "no host is named b" in found.refusal
    stage.fleet.daemons["b"].alive = False
    assert "b" in _look_at_a(stage, when).refusal


def _look_at_a(stage: Stage, when: datetime) -> kept.Kept:
    (found,) = kept.survey(stage.a.instances(), _backends(stage), when)
    return found


@pytest.mark.parametrize("as_json", [False, True])
def test_cleaning_asks_and_says(
    stage: Stage,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    *,
    as_json: bool,
) -> None:
    """Nothing goes in a dry run or after a no; after a yes it is gone."""
    monkeypatch.setattr(headless_kept, "utc_now", lambda: utc_now() + LATER)
    backends, asked = _backends(stage), list[str]()

    def no(title: str) -> bool:
        asked.append(title)
        return False

    assert headless_kept.clean(backends, as_json=True, dry_run=True, agrees=no)
    (listed,) = json.loads(capsys.readouterr().out)
    assert listed["instance"] == "a:web1-moved"
    assert listed["moved_to"] == "b:web1"
    assert listed["may_be_deleted"] is True
    assert not asked
    assert not headless_kept.clean(backends, as_json=False, dry_run=False, agrees=no)
    assert asked == ["delete a:web1-moved, with its snapshots"]
    assert stage.a.instance(KEPT)
    capsys.readouterr()
    assert headless_kept.clean(backends, as_json=as_json, dry_run=False, agrees=lambda _: True)
    assert not stage.a.instances()
    said, complaints = capsys.readouterr()
    assert complaints == ""
    if as_json:
        (told,) = json.loads(said)
        assert (told["instance"], told["deleted"], told["error"]) == ("a:web1-moved", True, None)
    else:
        assert said.splitlines()[-1] == "a:web1-moved is deleted"


def test_cleaning_without_a_terminal_takes_a_yes(
    stage: Stage, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody was asked, so nothing is deleted, and the error says what is missing."""
    monkeypatch.setattr(headless_kept, "utc_now", lambda: utc_now() + LATER)
    monkeypatch.setattr("lxtui.cli._backends", lambda *_: (_backends(stage), None))
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert main(["moves", "--clean"]) == 1
    said = capsys.readouterr().err
    assert said == (
        "lxtui: there is no terminal to ask on: to delete a:web1-moved, with its snapshots, "
        "give --yes\n"
    )
    assert stage.a.instance(KEPT)
    assert main(["moves", "--clean", "--yes"]) == 0
    assert not stage.a.instances()


def test_the_command_line_of_kept_sources(capsys: pytest.CaptureFixture[str]) -> None:
    """Listing and cleaning where nothing is kept and a host is dead; a dry run of nothing."""
    assert main(["--demo", "moves", "--kept"]) == 1
    assert capsys.readouterr().out == "no kept sources\n"
    assert main(["--demo", "moves", "--clean", "--dry-run"]) == 1
    assert capsys.readouterr().out == "nothing to delete\n"
    assert main(["--demo", "moves", "--dry-run"]) == 2
    assert main(["--demo", "move", "oslo:web1", "kyoto", "--keep-days", "3", "--dry-run"]) in {0, 1}
    assert "is kept, stopped, as web1-moved, for 3 days" in capsys.readouterr().out


@pytest.mark.parametrize(("source", "target"), [("lxd1", "incus1"), ("incus1", "lxd2")])
def test_a_real_kept_source_goes_unless_it_was_started(
    lab: Lab,
    backends: dict[str, Backend],
    make_instance: MakeInstance,
    tmp_path: Path,
    source: str,
    target: str,
) -> None:
    """Daemons keep what the check rests on: the state is the same until somebody starts it."""
    name = make_instance(lab.host(source))
    ref = Ref(source, "default", name)
    keep = MoveOptions(keep_source=True, keep_days=1)
    perform(Move(ref, target, keep), backends, lambda _: None, Flag(), tmp_path)
    lies = ref._replace(name=f"{name}-moved")
    later = utc_now() + LATER

    def look() -> kept.Kept:
        (found,) = kept.survey([backends[source].instance(lies)], backends, later)
        return found

    try:
        assert backends[source].instance(lies).config[KEPT_UNTIL]
        lab.host(source).stop()
        lab.host(source).start()
        lab.host(source).wait_ready()
        over = look()
        assert over.refusal == ""
        lab.host(source).set_state(lies.name, "start")
        lab.host(source).set_state(lies.name, "stop", force=True)
        assert look().refusal == "it was started or changed since it was kept"
        with pytest.raises(ConflictError):
            kept.remove(over, backends, later)
        fresh = {KEPT_STATE: kept.state_of(backends[source].instance(lies))}
        backends[source].set_config(lies, fresh)
        kept.remove(over, backends, later)
        assert lab.host(source).status(lies.name) is None
        assert lab.host(target).status(name) == "Running"
    finally:
        lab.host(source).delete(lies.name)
