"""Profiles that a move makes at its target, on the demo fleet."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Event as Flag

import pytest

from lxtui.backend.demo import DEVICES, DemoFleet
from lxtui.errors import LxtuiError
from lxtui.migrate import MARK, ends
from lxtui.migrate.journal import Journal
from lxtui.migrate.mover import Mover
from lxtui.migrate.options import MoveOptions
from lxtui.migrate.plan import StepKind
from lxtui.migrate.prepare import begin, prepare
from lxtui.migrate.profiles import make_profiles
from lxtui.migrate.recovery import resume, undo
from lxtui.model import Instance, Kind, Profile, Ref

SOURCE = Ref("a", "default", "web1")
TARGET = SOURCE._replace(host="b")
SPECIAL = Profile({}, {"limits.processes": "100"}, "special")
OPTIONS = MoveOptions(copy_profiles=True)


@pytest.fixture(autouse=True)
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo's daemons need no time."""
    for name in ("PATIENCE", "LINGER", "_PAUSE"):
        monkeypatch.setattr(ends, name, 0.0)


@pytest.fixture
def fleet() -> DemoFleet:
    """Two hosts and an instance with a profile that only the first has."""
    fleet = DemoFleet(tempo=0.0)
    fleet.add_host("a", Kind.LXD, "5.0.2")
    fleet.add_host("b", Kind.LXD, "5.0.2")
    fleet.daemons["a"].profiles["special"] = SPECIAL
    fleet.add_instance(
        Instance(
            SOURCE,
            "Running",
            architecture="x86_64",
            created_at=fleet.clock(),
            profiles=("default", "special"),
            expanded_devices=DEVICES[Kind.LXD],
        )
    )
    return fleet


def _move(fleet: DemoFleet, folder: Path, options: MoveOptions = OPTIONS) -> None:
    a, b = fleet.backends()
    plan = prepare(a, b, SOURCE, options)
    with closing(begin(plan, folder)) as journal:
        Mover(plan, a, b, lambda _: None, Flag(), journal).run()


def test_a_missing_profile_is_copied(fleet: DemoFleet, tmp_path: Path) -> None:
    """After the move the target has the profile as the source has it, without a mark."""
    _move(fleet, tmp_path)
    assert fleet.daemons["b"].profiles["special"] == SPECIAL
    assert fleet.daemons["b"].instances[TARGET].running


def test_without_the_option_it_is_a_blocker(fleet: DemoFleet, tmp_path: Path) -> None:
    """Nothing is made at the target unasked."""
    with pytest.raises(LxtuiError, match="--copy-profiles"):
        _move(fleet, tmp_path, MoveOptions())
    assert "special" not in fleet.daemons["b"].profiles


def test_a_roll_back_removes_it(fleet: DemoFleet, tmp_path: Path) -> None:
    """A move that fails leaves no profile behind."""
    with pytest.raises(LxtuiError, match="nothing is left on b"):
        _move(fleet, tmp_path, replace(OPTIONS, check="false"))
    assert "special" not in fleet.daemons["b"].profiles
    assert list(fleet.daemons["a"].instances) == [SOURCE]


def test_a_profile_that_somebody_uses_stays(fleet: DemoFleet, tmp_path: Path) -> None:
    """One that another instance has got meanwhile is left to it, without the mark."""
    a, b = fleet.backends()
    plan = prepare(a, b, SOURCE, OPTIONS)
    with closing(begin(plan, tmp_path)) as journal:
        journal.begin(StepKind.PROFILES)
        make_profiles(journal, b, plan.profiles)
    assert fleet.daemons["b"].profiles["special"].config[MARK] == plan.token
    other = Ref("b", "default", "other")
    fleet.add_instance(Instance(other, "Stopped", profiles=("special",)))
    undo(tmp_path, plan.token, {"a": a, "b": b}, lambda _: None)
    assert fleet.daemons["b"].profiles["special"] == SPECIAL


def test_somebody_elses_profile_stays(fleet: DemoFleet, tmp_path: Path) -> None:
    """A profile of the name that appeared before ours was made is neither taken nor removed."""
    a, b = fleet.backends()
    plan = prepare(a, b, SOURCE, OPTIONS)
    theirs = Profile({}, {"limits.processes": "1"})
    fleet.daemons["b"].profiles["special"] = theirs
    with closing(begin(plan, tmp_path)) as journal, pytest.raises(LxtuiError, match="exists"):
        Mover(plan, a, b, lambda _: None, Flag(), journal).run()
    assert fleet.daemons["b"].profiles["special"] == theirs


@pytest.mark.parametrize("made", [False, True])
def test_a_crash_in_the_middle_is_resumed(fleet: DemoFleet, tmp_path: Path, made: bool) -> None:
    """Whether the profile was made before the crash or not, the resumed move ends well."""
    a, b = fleet.backends()
    plan = prepare(a, b, SOURCE, OPTIONS)
    journal = begin(plan, tmp_path)
    journal.begin(StepKind.PROFILES)
    if made:
        make_profiles(journal, b, plan.profiles)
    journal.close()
    resume(tmp_path, plan.token, {"a": a, "b": b}, lambda _: None, Flag())
    assert fleet.daemons["b"].profiles["special"] == SPECIAL
    assert fleet.daemons["b"].instances[TARGET].running
    assert not Journal.peek(tmp_path, plan.token).unfinished
