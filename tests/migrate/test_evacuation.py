"""Evacuating a host of the demo fleet, and one of the lab."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from threading import Event as Flag

import pytest

from lxtui import evacuation, remotes
from lxtui.backend.base import Backend
from lxtui.backend.demo import DEVICES, DemoFleet
from lxtui.backend.lxd import LxdBackend
from lxtui.errors import NotFoundError, UsageError
from lxtui.evacuation import survey
from lxtui.migrate import MOVED, ends
from lxtui.migrate.journal import records
from lxtui.migrate.options import MoveOptions
from lxtui.migrate.placement import Fate, Row
from lxtui.model import Instance, Kind, Placement, Pool, Progress, Ref
from tests.lab.fixtures import MakeInstance
from tests.lab.lab import Lab

GIB = 2**30


@pytest.fixture(autouse=True)
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo's daemons need no time."""
    for name in ("PATIENCE", "LINGER", "_PAUSE"):
        monkeypatch.setattr(ends, name, 0.0)


def _add(fleet: DemoFleet, ref: Ref, *, limit: int | None = None, **more: object) -> None:
    about = {"status": "Running", "profiles": ("default",), "disk": GIB, **more}
    fleet.add_instance(
        Instance(
            ref,
            architecture="x86_64",
            created_at=fleet.clock(),
            memory_limit=limit,
            expanded_devices=DEVICES[Kind.LXD],
            **about,  # type: ignore[arg-type]
        )
    )


@pytest.fixture
def fleet() -> DemoFleet:
    """Three hosts of 64 GiB, four instances of 30 GiB each on the first."""
    fleet = DemoFleet(tempo=0.0)
    for name in ("a", "b", "c"):
        fleet.add_host(name, Kind.LXD, "5.0.2")
    for number in range(4):
        _add(fleet, Ref("a", "default", f"i{number}"), limit=30 * GIB)
    return fleet


def _survey(fleet: DemoFleet, options: MoveOptions | None = None) -> tuple[Row, ...]:
    a, b, c = fleet.backends()
    return survey(a, [b, c], options or MoveOptions())


def _evacuate(
    fleet: DemoFleet, folder: Path, stop: Flag | None = None, **how: object
) -> tuple[Row, ...]:
    return evacuation.carry_out(
        _survey(fleet),
        MoveOptions(),
        {one.remote.name: one for one in fleet.backends()},
        lambda *_: None,
        stop or Flag(),
        folder,
        **how,  # type: ignore[arg-type]
    )


def _where(fleet: DemoFleet) -> dict[str, list[str]]:
    return {
        name: sorted(ref.name for ref in daemon.instances) for name, daemon in fleet.daemons.items()
    }


def _fates(rows: tuple[Row, ...]) -> dict[Fate, int]:
    """How many have each fate."""
    return {fate: sum(row.fate is fate for row in rows) for fate in {row.fate for row in rows}}


@pytest.mark.parametrize("parallel", [1, 4])
def test_all_go_where_there_is_room(fleet: DemoFleet, tmp_path: Path, parallel: int) -> None:
    """Afterwards the host is empty, and no target has more than its memory allows."""
    rows = _evacuate(fleet, tmp_path, parallel=parallel)
    assert {row.fate for row in rows} == {Fate.MOVED}
    assert [len(names) for names in _where(fleet).values()] == [0, 2, 2]
    assert all(row.seconds is not None for row in rows)


def test_nothing_is_begun_when_one_does_not_fit(fleet: DemoFleet, tmp_path: Path) -> None:
    """A fifth that fits nowhere keeps the others where they are, and the reason is told."""
    _add(fleet, Ref("a", "default", "huge"), limit=65 * GIB)
    rows = _evacuate(fleet, tmp_path)
    assert _fates(rows) == {Fate.NOT_BEGUN: 4, Fate.DOES_NOT_FIT: 1}
    assert "b: 64 GiB of memory left, 65 GiB needed" in rows[-1].reason
    assert len(_where(fleet)["a"]) == 5


def test_keep_going_moves_the_rest(fleet: DemoFleet, tmp_path: Path) -> None:
    """With keep_going what fits is moved, what does not stays."""
    _add(fleet, Ref("a", "default", "huge"), limit=65 * GIB)
    rows = _evacuate(fleet, tmp_path, keep_going=True)
    assert _fates(rows) == {Fate.MOVED: 4, Fate.DOES_NOT_FIT: 1}
    assert _where(fleet)["a"] == ["huge"]


@pytest.mark.parametrize(("keep_going", "moved"), [(False, 1), (True, 3)])
def test_a_failure_ends_it_or_not(
    fleet: DemoFleet, tmp_path: Path, keep_going: bool, moved: int
) -> None:
    """The second that does not stop by itself fails and stays; the rest goes on as told."""
    ref = Ref("a", "default", "i1")
    config = {"user.demo.stubborn": "true"}
    _add(fleet, ref, limit=30 * GIB, config=config, expanded_config=config)
    rows = _evacuate(fleet, tmp_path, keep_going=keep_going)
    fates = {row.source.name: row.fate for row in rows}
    assert fates["i1"] is Fate.FAILED
    assert list(fates.values()).count(Fate.MOVED) == moved
    assert fleet.daemons["a"].instances[ref].running
    assert not any(record.unfinished for record in records(tmp_path))  # type: ignore[union-attr]


def test_a_request_to_stop_takes_back_what_runs(fleet: DemoFleet, tmp_path: Path) -> None:
    """A move in the middle is rolled back, the others are not begun."""
    stop = Flag()

    def interrupt(_: Ref, progress: Progress) -> None:
        if "pulls" in progress.text:
            stop.set()

    rows = evacuation.carry_out(
        _survey(fleet),
        MoveOptions(),
        {one.remote.name: one for one in fleet.backends()},
        interrupt,
        stop,
        tmp_path,
    )
    assert [row.fate for row in rows] == [Fate.FAILED, *[Fate.NOT_BEGUN] * 3]
    assert "runs where it was" in rows[0].reason
    assert len(_where(fleet)["a"]) == 4


def test_what_a_target_refuses_goes_elsewhere(fleet: DemoFleet) -> None:
    """A host where the name is taken, or without the pool, is no candidate."""
    _add(fleet, Ref("b", "default", "i0"))
    targets = {row.source.name: row.target for row in _survey(fleet)}
    assert targets["i0"] == "c"
    fleet.daemons["c"].pools = {"other": Pool("zfs")}
    row = next(row for row in _survey(fleet) if row.source.name == "i0")
    assert row.fate is Fate.DOES_NOT_FIT
    assert "b: b has an instance named i0 already" in row.reason
    assert "c: c has no storage pool 'default'" in row.reason


def test_room_on_disk_counts(fleet: DemoFleet) -> None:
    """A pool that has room for one takes one."""
    for name in ("b", "c"):
        fleet.daemons[name].pools = {"default": Pool("zfs", GIB + GIB // 2)}
    assert _fates(_survey(fleet)) == {Fate.PLANNED: 2, Fate.DOES_NOT_FIT: 2}


def test_kept_sources_stay(fleet: DemoFleet) -> None:
    """What an earlier move has left under another name is no instance to move."""
    config = {MOVED: "b:old"}
    _add(fleet, Ref("a", "default", "old-moved"), status="Stopped", config=config)
    row = next(row for row in _survey(fleet) if row.source.name == "old-moved")
    assert (row.fate, row.well) == (Fate.STAYS, True)
    assert "b:old" in row.reason


def test_a_host_is_no_target_of_itself(fleet: DemoFleet) -> None:
    """The host itself, and one host twice, are bad usage."""
    a, b, _ = fleet.backends()
    for targets in ([a, b], [b, b]):
        with pytest.raises(UsageError):
            survey(a, targets, MoveOptions())


def test_a_project_that_a_target_lacks(fleet: DemoFleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """A target without the project takes what is in others, and the reason names it."""
    _add(fleet, Ref("a", "mine", "special"))
    a, b, _ = fleet.backends()
    ask = b.placement

    def placement(project: str) -> Placement:
        if project == "mine":
            raise NotFoundError("b: no such project")
        return ask(project)

    monkeypatch.setattr(b, "placement", placement)
    rows = survey(a, [b], MoveOptions())
    row = next(row for row in rows if row.source.name == "special")
    assert row.reason == "b: it has no project 'mine'"


def test_a_real_host_is_evacuated(lab: Lab, make_instance: MakeInstance, tmp_path: Path) -> None:
    """Two small containers of an LXD host go to an LXD and an Incus host, two at a time."""
    known = remotes.load(lab.environment, Path("/nonexistent")).remotes
    backends: Mapping[str, Backend] = {one.name: LxdBackend(one) for one in known}
    names = {make_instance(lab.host("lxd1"), {"limits.memory": "64MiB"}) for _ in range(2)}
    targets = [backends["lxd2"], backends["incus1"]]
    found = survey(backends["lxd1"], targets, MoveOptions(force=True))
    rows = [row for row in found if row.source.name in names]
    assert {row.fate for row in rows} == {Fate.PLANNED}
    done = evacuation.carry_out(
        rows, MoveOptions(force=True), backends, lambda *_: None, Flag(), tmp_path, parallel=2
    )
    assert {row.fate for row in done} == {Fate.MOVED}, done
    for row in done:
        assert lab.host(row.target).status(row.source.name) == "Running"
        assert lab.host("lxd1").status(row.source.name) is None
    for backend in backends.values():
        backend.close()
