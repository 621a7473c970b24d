"""Moves that keep name, project and server: a copy in another pool takes its original's place.

The demo fleet gives the state, and every call and every write to the journal is a moment at which
lxtui may die. Real daemons are in test_lab_places.py and test_matrix.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Event as Flag
from typing import Any

import pytest

from lxtui.backend.demo import DemoBackend
from lxtui.errors import LxtuiError, OperationError
from lxtui.migrate import INCOMING, MARK, MOVED, ends, mover, rollback
from lxtui.migrate.exchange import IDENTITY, Identity
from lxtui.migrate.facts import Level, MoveFacts, incoming_name, without_addresses
from lxtui.migrate.looks import Looks
from lxtui.migrate.mover import Mover
from lxtui.migrate.options import Mode, MoveOptions
from lxtui.migrate.plan import StepKind, plan_move
from lxtui.migrate.preflight import check
from lxtui.migrate.prepare import begin, prepare
from lxtui.migrate.recovery import resume, undo, unfinished
from lxtui.migrate.standing import ended
from lxtui.model import Instance, Kind, Pool, Ref, Snapshot, StateAction
from lxtui.names import snapshot_name_trouble
from tests.migrate.test_findings import _facts
from tests.migrate.test_recovery import CHANGING, SOURCE, Bomb, Killed, Scene

KEPT = SOURCE._replace(name="web1-moved")
MAC = "00:16:3e:00:00:01"
CONFIG = {
    "user.mine": "kept",
    "boot.autostart": "true",
    "volatile.eth0.hwaddr": MAC,
    "volatile.cloud-init.instance-id": "first",
}
DEVICES = {"eth0": {"type": "nic", "network": "lxdbr0", "ipv4.address": "10.20.30.9"}}


class Place(Scene):
    """One host with two pools."""

    def __init__(self, folder: Path, options: MoveOptions, *, running: bool) -> None:
        super().__init__(folder, options, running=running)
        daemon = self.fleet.daemons["a"]
        daemon.pools["fast"] = Pool("zfs", 10**12, frozenset())
        root = {"root": daemon.profiles["default"].devices["root"]}
        daemon.instances[SOURCE] = replace(
            daemon.instances[SOURCE],
            config=CONFIG,
            expanded_config=CONFIG,
            devices=DEVICES,
            expanded_devices={**root, **DEVICES},
        )

    def ends(self) -> tuple[DemoBackend, DemoBackend]:
        """The same host twice."""
        backend = DemoBackend(self.fleet, "a")
        return backend, backend

    def instance(self, ref: Ref = SOURCE) -> Instance:
        """An instance as it is now."""
        return DemoBackend(self.fleet, "a").instance(ref)

    def pool(self) -> str:
        """Where the root disk of the instance is."""
        return self.instance().expanded_devices["root"]["pool"]

    def macs(self) -> list[str]:
        """The MAC addresses of all instances."""
        every = map(self.config, self.where())
        return [one["volatile.eth0.hwaddr"] for one in every if "volatile.eth0.hwaddr" in one]


def _moments(folder: Path, options: MoveOptions, *, running: bool) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ends, "_PAUSE", 0.0)
        return Place(folder, options, running=running).die(patch, -1)


def _deaths(
    folder: Path, patch: pytest.MonkeyPatch, options: MoveOptions, *, running: bool
) -> Iterator[tuple[int, Place]]:
    for at in range(_moments(folder / "count", options, running=running)):
        scene = Place(folder / str(at), options, running=running)
        scene.die(patch, at)
        yield at, scene


@pytest.fixture(autouse=True)
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo's daemons need no time."""
    for name in ("PATIENCE", "LINGER", "_PAUSE"):
        monkeypatch.setattr(ends, name, 0.0)


FAST = MoveOptions(pool="fast")
CASES = [
    pytest.param(FAST, True, id="cold-running"),
    pytest.param(FAST, False, id="cold-stopped"),
    pytest.param(replace(FAST, mode=Mode.NEAR_LIVE), True, id="near-live"),
    pytest.param(replace(FAST, keep_source=True, check="true"), True, id="kept"),
]


def _moved(scene: Place, at: int, state: str) -> None:
    """Name, project, addresses and configuration as they were, in the other pool, and no mark."""
    kept = scene.options.keep_source
    assert scene.where() == {SOURCE: state, **({KEPT: "Stopped"} if kept else {})}, at
    assert scene.pool() == "fast", at
    assert scene.config(SOURCE) == CONFIG, at
    assert scene.instance().devices["eth0"] == DEVICES["eth0"], at
    assert len(set(scene.macs())) == len(scene.macs()), at
    if kept:
        left = scene.config(KEPT)
        assert left[MOVED] == SOURCE.plain
        assert not {MARK, INCOMING} & left.keys()
        assert left["boot.autostart"] == "false"


def _as_before(scene: Place, at: int, state: str) -> None:
    assert scene.where() == {SOURCE: state}, at
    assert scene.pool() == "default", at
    assert scene.config(SOURCE) == CONFIG, at
    assert scene.instance().devices == DEVICES, at


@pytest.mark.parametrize(("options", "running"), CASES)
def test_whenever_it_dies_resume_finishes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: MoveOptions, running: bool
) -> None:
    """Killed at any moment, a resumed move ends with one instance, in the other pool, as it was."""
    state = "Running" if running else "Stopped"
    for at, scene in _deaths(tmp_path, monkeypatch, options, running=running):
        (records, errors) = unfinished(scene.folder)
        assert not errors
        if not records:
            if scene.pool() == "default":
                _as_before(scene, at, state)
            else:
                _moved(scene, at, state)
            continue
        resume(scene.folder, records[0].header.token, scene.backends(), lambda _: None, Flag())
        _moved(scene, at, state)
        assert scene.at_work() == [], at
        assert unfinished(scene.folder) == ([], [])


@pytest.mark.parametrize(("options", "running"), CASES)
def test_whenever_it_dies_undo_puts_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: MoveOptions, running: bool
) -> None:
    """Killed at any moment, an undone move leaves the instance with its name and addresses."""
    undone = 0
    for at, scene in _deaths(tmp_path, monkeypatch, options, running=running):
        (records, _) = unfinished(scene.folder)
        if not records:
            continue
        token = records[0].header.token
        if ended(records[0]):
            before = scene.where()
            with pytest.raises(LxtuiError, match="has taken over from a:web1-moved"):
                undo(scene.folder, token, scene.backends(), lambda _: None, lose=True)
            assert scene.where() == before
            continue
        said = undo(scene.folder, token, scene.backends(), lambda _: None, lose=True)
        undone += 1
        assert "where it was, nothing is left of its copy" in said
        _as_before(scene, at, "Running" if running else "Stopped")
        assert scene.at_work() == [], at
        assert unfinished(scene.folder) == ([], [])
    assert undone > 30


@pytest.mark.parametrize(("options", "running"), CASES)
def test_a_move_that_dies_while_it_is_put_back_is_only_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: MoveOptions, running: bool
) -> None:
    """Killed at any moment of its roll-back, undo leaves all as it was."""
    state = "Running" if running else "Stopped"

    def fail(*_: object) -> None:
        raise LxtuiError("not this time")

    monkeypatch.setattr(Looks, "at_both", fail)
    for at in range(1000):
        scene = Place(tmp_path / str(at), options, running=running)
        bomb = Bomb(at)
        source, target = scene.ends()

        def armed(*arguments: Any, bomb: Bomb = bomb, backend: DemoBackend = source) -> Any:
            for name in CHANGING:
                setattr(backend, name, bomb.around(getattr(backend, name)))
            return rollback.take_back(*arguments)

        with monkeypatch.context() as patch:
            patch.setattr(mover, "take_back", armed)
            plan = prepare(source, target, SOURCE, scene.options)
            with closing(begin(plan, scene.folder)) as journal:
                try:
                    Mover(plan, source, target, lambda _: None, Flag(), journal).run()
                except LxtuiError:
                    break
                except Killed:
                    pass
        undo(scene.folder, plan.token, scene.backends(), lambda _: None, lose=True)
        _as_before(scene, at, state)
    assert at > 20


@pytest.mark.parametrize(("options", "running"), CASES[:1])
def test_two_never_run_at_any_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: MoveOptions, running: bool
) -> None:
    """Killed at any moment, at most one runs or may start by itself, and no MAC is there twice."""
    for at, scene in _deaths(tmp_path, monkeypatch, options, running=running):
        may_run = [
            ref
            for ref, status in scene.where().items()
            if status == "Running" or scene.config(ref).get("boot.autostart") == "true"
        ]
        assert len(may_run) <= 1, at
        assert len(set(scene.macs())) == len(scene.macs()), at


@pytest.mark.parametrize("step", [StepKind.YIELD, StepKind.ASSUME, StepKind.START])
def test_the_copy_of_an_original_that_somebody_deletes_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: StepKind
) -> None:
    """When the original is deleted in the middle its copy is all that there is, and is kept."""
    for at in range(1000):
        scene = Place(tmp_path / str(at), FAST, running=True)
        scene.die(monkeypatch, at)
        (records, _) = unfinished(scene.folder)
        if records and step.value in records[0].done:
            break
    backend = DemoBackend(scene.fleet, "a")
    backend.wait(backend.delete_instance(KEPT))
    with pytest.raises(LxtuiError, match=r"deleted or renamed by somebody else.*left as it is"):
        undo(scene.folder, records[0].header.token, scene.backends(), lambda _: None, lose=True)
    (left,) = scene.where()
    assert not {MARK, INCOMING} & scene.config(left).keys()
    assert scene.instance(left).expanded_devices["root"]["pool"] == "fast"


def test_a_name_that_somebody_takes_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the name is taken between the two renames, nothing is deleted; a later undo ends it."""
    for at in range(1000):
        scene = Place(tmp_path / str(at), FAST, running=True)
        scene.die(monkeypatch, at)
        (records, _) = unfinished(scene.folder)
        if records and StepKind.YIELD.value in records[0].done:
            break
    token = records[0].header.token
    scene.fleet.add_instance(Instance(SOURCE, "Stopped", created_at=scene.fleet.clock()))
    with pytest.raises(LxtuiError, match=r"its name back.*stays stopped, perhaps as web1-moved"):
        undo(scene.folder, token, scene.backends(), lambda _: None, lose=True)
    assert len(scene.where()) == 3
    backend = DemoBackend(scene.fleet, "a")
    backend.wait(backend.delete_instance(SOURCE))
    undo(scene.folder, token, scene.backends(), lambda _: None, lose=True)
    _as_before(scene, at, "Running")


def test_an_original_that_somebody_starts_is_not_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the renamed original has run, resume deletes nothing."""
    for at in range(1000):
        scene = Place(tmp_path / str(at), FAST, running=True)
        scene.die(monkeypatch, at)
        (records, _) = unfinished(scene.folder)
        if records and ended(records[0]) and KEPT in scene.where():
            break
    backend = DemoBackend(scene.fleet, "a")
    backend.wait(backend.change_state(KEPT, StateAction.START))
    with pytest.raises(LxtuiError, match="decide which of the two to keep"):
        resume(scene.folder, records[0].header.token, scene.backends(), lambda _: None, Flag())
    assert scene.where() == {SOURCE: "Running", KEPT: "Running"}


def _in_place(**about: Any) -> MoveFacts:
    facts = _facts(**{"pool": "fast", **about})
    placement = replace(
        facts.placement, pools={**facts.placement.pools, "fast": Pool("dir", 10**12)}
    )
    there = replace(facts.target, name="a", kind=about.get("kind", Kind.INCUS))
    return replace(facts, target=there, placement=placement)


def _blockers(facts: MoveFacts) -> str:
    return "\n".join(str(one) for one in check(facts) if one.level is Level.BLOCKER)


def test_the_plan_of_an_exchange() -> None:
    """The copy has a name of its own, neither addresses nor autostart; each rename is a step."""
    nic = {"type": "nic", "network": "br0", "hwaddr": MAC, "ipv4.address": "10.1.0.9"}
    facts = _in_place(config={"volatile.eth0.hwaddr": MAC}, devices={"eth0": nic})
    assert _blockers(facts) == ""
    plan = plan_move(facts, "0123456789abcdef")
    assert plan.source == plan.destination == SOURCE
    assert plan.spec.ref.name == "web1-lxtui-01234567"
    assert plan.spec.config[INCOMING] == "true"
    assert "volatile.eth0.hwaddr" not in plan.spec.config
    assert plan.spec.devices["eth0"] == {"type": "nic", "network": "br0"}
    kinds = [step.kind.value for step in plan.steps]
    assert kinds == [
        "claim",
        "stop",
        "copy",
        "verify",
        "yield",
        "assume",
        "start",
        "delete",
        "finish",
    ]
    undoes = {step.kind: step.undo for step in plan.steps}
    assert undoes[StepKind.COPY] == "a:web1-lxtui-01234567 is deleted"
    assert undoes[StepKind.YIELD]
    assert undoes[StepKind.ASSUME]
    assert plan.commands == ()  # from one kind to the other, say these facts
    facts = replace(facts, source=replace(facts.source, kind=Kind.INCUS))
    assert plan_move(facts, "0").commands == (
        "incus stop a:web1",
        "incus move a:web1 --storage fast",
        "incus start a:web1",
    )


def test_the_same_pool_is_refused() -> None:
    """Where nothing but the pool could differ, and it does not, the refusal says where it is."""
    assert "a:web1 is in pool default of a already; choose another pool" in _blockers(
        _in_place(pool="default")
    )
    assert "a:web1 is on a already; choose another host" in _blockers(_in_place(copy=True))


def test_the_name_of_the_kept_original_must_be_free() -> None:
    """What the original is called for a while must not be there already."""
    facts = _in_place()
    taken = replace(facts.placement, instance_names=frozenset({"web1", "web1-moved"}))
    facts = replace(facts, placement=taken)
    assert "has an instance named web1-moved already" in _blockers(facts)
    assert "web1-moved" not in _blockers(replace(facts, arriving=True))


@pytest.mark.parametrize("name", ["a", "a" * 63, "a-" * 31])
def test_the_copy_has_a_valid_name(name: str) -> None:
    """However long the name, that of the copy is a host name and another one."""
    made = incoming_name(SOURCE._replace(name=name), "0123456789abcdef").name
    assert len(made) <= 63
    assert made != name
    assert snapshot_name_trouble(made) == ""


def test_only_addresses_are_held_back() -> None:
    """Of a network card the addresses go, what is no address stays, and other devices are whole."""
    devices = {
        "eth0": {"type": "nic", "ipv4.address": "10.1.0.9", "ipv6.address": "none", "mtu": "1400"},
        "data": {"type": "disk", "source": "/srv", "hwaddr": "odd"},
    }
    kept = {"type": "nic", "ipv6.address": "none", "mtu": "1400"}
    assert without_addresses(devices) == {"eth0": kept, "data": devices["data"]}


def test_the_identity_survives_the_journal(tmp_path: Path) -> None:
    """What the journal keeps is what is given back; there is nothing else of the configuration."""
    scene = Place(tmp_path, FAST, running=True)
    identity = Identity.of(scene.instance())
    assert Identity.read(identity.written()) == identity
    assert "kept" not in identity.written()
    assert identity.config == {key: one for key, one in CONFIG.items() if "volatile" in key}
    source, target = scene.ends()
    with closing(begin(prepare(source, target, SOURCE, FAST), tmp_path)) as journal:
        assert IDENTITY not in journal.record.notes


def test_a_refused_rename_is_taken_back(tmp_path: Path) -> None:
    """When a daemon refuses the second rename everything is put back, and the reason said."""
    scene = Place(tmp_path, FAST, running=True)

    class Refusing(DemoBackend):
        def rename_instance(self, ref: Ref, name: str) -> Any:
            if ref.name.startswith("web1-lxtui-") and name == "web1":
                raise OperationError("a: no")
            return super().rename_instance(ref, name)

    backend = Refusing(scene.fleet, "a")
    plan = prepare(backend, backend, SOURCE, FAST)
    with (
        closing(begin(plan, tmp_path)) as journal,
        pytest.raises(LxtuiError, match="a: no; a:web1 runs where it was, nothing is left of its"),
    ):
        Mover(plan, backend, backend, lambda _: None, Flag(), journal).run()
    _as_before(scene, 0, "Running")
    assert [one.name for one in scene.instance().snapshots] == [Snapshot("daily").name]
