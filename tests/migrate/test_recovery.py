"""A move that dies at any moment is finished or taken back by the next lxtui.

The demo fleet gives the state, every call to a host and every write to the journal is a moment at
which the mover may die: before it and after it. Real daemons and a real SIGKILL are in
test_matrix.py.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Event as Flag
from typing import Any

import pytest

from lxtui.backend.demo import DemoBackend, DemoFleet
from lxtui.errors import ConflictError, LxtuiError, OperationError
from lxtui.migrate import COPIED_AT, COPY_OF, MARK, MOVED, ends, live, mover, rollback
from lxtui.migrate.journal import Journal
from lxtui.migrate.looks import Looks
from lxtui.migrate.mover import Mover
from lxtui.migrate.options import Mode, MoveOptions
from lxtui.migrate.plan import StepKind
from lxtui.migrate.prepare import begin, prepare
from lxtui.migrate.recovery import resume, undo, unfinished
from lxtui.migrate.standing import ended
from lxtui.model import Instance, Kind, Profile, Ref, Snapshot, StateAction

SOURCE = Ref("a", "default", "web1")
TARGET = SOURCE._replace(host="b")
CONFIG = {"user.mine": "kept", "boot.autostart": "true"}
FOR_CRIU = {
    "migration.stateful": "true",
    "security.privileged": "true",
    "raw.lxc": "lxc.console.path = none",
}
SPECIAL = Profile({}, {"limits.processes": "9"})
CHANGING = (
    "change_state",
    "delete_instance",
    "rename_instance",
    "set_config",
    "reconfigure",
    "accept",
    "offer",
    "wait",
    "instance",
    "create_profile",
    "set_profile_config",
    "delete_profile",
)


class Killed(BaseException):
    """lxtui is gone: nothing is rolled back, nothing is said."""


class Bomb:
    """Goes off at the moment of that number; counts them when there is none."""

    def __init__(self, at: int = -1) -> None:
        self.at = at
        self.moments = 0

    def tick(self) -> None:
        """Pass one moment."""
        if self.moments == self.at:
            self.at = -1
            self.moments += 1
            raise Killed
        self.moments += 1

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """*call* with a moment before it and one after it."""

        def armed(*arguments: Any, **named: Any) -> Any:
            self.tick()
            answer = call(*arguments, **named)
            self.tick()
            return answer

        return armed


class Scene:
    """Two demo hosts and one instance; a mover that may die, and what comes after it."""

    def __init__(self, folder: Path, options: MoveOptions, *, running: bool) -> None:
        self.folder = folder
        self.options = options
        self.fleet = DemoFleet(tempo=0.0)
        able = options.mode is Mode.LIVE
        self.fleet.add_host("a", Kind.INCUS if able else Kind.LXD, "6.0.4" if able else "5.0.2")
        self.fleet.add_host("b", Kind.INCUS, "6.0.4")
        for daemon in self.fleet.daemons.values():
            daemon.criu = able
        config = {**CONFIG, **(FOR_CRIU if able else {})}
        self.fleet.daemons["a"].profiles["special"] = SPECIAL
        self.fleet.add_instance(
            Instance(
                SOURCE,
                "Running" if running else "Stopped",
                architecture="x86_64",
                created_at=self.fleet.clock(),
                profiles=("default", "special") if options.copy_profiles else ("default",),
                config=config,
                expanded_config=config,
                snapshots=(Snapshot("daily"),),
            )
        )
        if options.refresh:
            a, b = self.backends().values()
            plan = prepare(a, b, SOURCE, MoveOptions(copy=True))
            with closing(begin(plan, folder)) as journal:
                Mover(plan, a, b, lambda _: None, Flag(), journal).run()

    def die(self, monkeypatch: pytest.MonkeyPatch, at: int) -> int:
        """Move, and die at moment *at*; returns how many moments there were."""
        bomb = Bomb(at)
        a, b = self.ends()
        plan = prepare(a, b, SOURCE, self.options)
        for backend in (a, b):
            for name in CHANGING:
                setattr(backend, name, bomb.around(getattr(backend, name)))
        with monkeypatch.context() as patch:
            patch.setattr(Journal, "_append", bomb.around(Journal._append))
            patch.setattr(mover, "take_back", _die)
            try:
                with closing(begin(plan, self.folder)) as journal:
                    Mover(plan, a, b, lambda _: None, Flag(), journal).run()
            except Killed:
                pass
        return bomb.moments

    def ends(self) -> tuple[DemoBackend, DemoBackend]:
        """Fresh connections to where it is and where it goes."""
        a, b = self.backends().values()
        return a, b

    def backends(self) -> dict[str, DemoBackend]:
        """Fresh connections, as another process has them."""
        return {name: DemoBackend(self.fleet, name) for name in ("a", "b")}

    def where(self) -> dict[Ref, str]:
        """Every instance of the fleet and its state."""
        backends = self.backends().values()
        for backend in backends:
            backend.connect()  # what is due on one may change what is on the other
        return {one.ref: one.status for backend in backends for one in backend.instances()}

    def at_work(self) -> list[str]:
        """What the daemons have not ended."""
        backends = self.backends().values()
        return [one.description for backend in backends for one in backend.operations()]

    def config(self, ref: Ref) -> dict[str, str]:
        """The configuration that an instance is left with."""
        config = self.backends()[ref.host].instance(ref).config
        left_out = {COPY_OF, COPIED_AT, *FOR_CRIU}
        return {key: one for key, one in config.items() if key not in left_out}


def _die(*_: object) -> None:
    raise Killed


def _fail(*_: object) -> None:
    raise LxtuiError("not this time")


def _moments(folder: Path, options: MoveOptions, *, running: bool) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ends, "_PAUSE", 0.0)
        return Scene(folder, options, running=running).die(patch, -1)


CASES = [
    pytest.param(MoveOptions(), True, id="cold-running"),
    pytest.param(MoveOptions(), False, id="cold-stopped"),
    pytest.param(MoveOptions(mode=Mode.NEAR_LIVE), True, id="near-live"),
    pytest.param(MoveOptions(mode=Mode.LIVE), True, id="live"),
    pytest.param(MoveOptions(keep_source=True, check="true"), True, id="kept"),
    pytest.param(MoveOptions(copy=True), True, id="copy"),
    pytest.param(MoveOptions(copy_profiles=True), True, id="profiles"),
]
REFRESH = pytest.param(MoveOptions(copy=True, refresh=True), True, id="refresh")


@pytest.fixture(autouse=True)
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo's daemons need no time."""
    for name in ("PATIENCE", "LINGER", "_PAUSE"):
        monkeypatch.setattr(ends, name, 0.0)
    monkeypatch.setattr(live, "_PAUSE", 0.0)


@pytest.mark.parametrize(("options", "running"), [*CASES, REFRESH])
def test_whenever_it_dies_resume_finishes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: MoveOptions, running: bool
) -> None:
    """Killed at any moment, a resumed move ends with one instance, on the target, as it was."""
    state = "Running" if running else "Stopped"
    expected = {TARGET: state}
    if options.copy:
        expected = {SOURCE: state, TARGET: "Stopped"}
    elif options.keep_source:
        expected = {TARGET: state, SOURCE._replace(name="web1-moved"): "Stopped"}
    for at in range(_moments(tmp_path / "count", options, running=running)):
        scene = Scene(tmp_path / str(at), options, running=running)
        scene.die(monkeypatch, at)
        (records, errors) = unfinished(scene.folder)
        assert not errors
        if not records:  # it died before anything was begun, or after everything was done
            assert scene.where() in (expected, {SOURCE: state}), at
            assert all(MARK not in scene.config(ref) for ref in scene.where()), at
            continue
        resume(scene.folder, records[0].header.token, scene.backends(), lambda _: None, Flag())
        assert scene.where() == expected, at
        assert scene.config(TARGET) == CONFIG, at
        assert scene.at_work() == [], at
        assert unfinished(scene.folder) == ([], [])
        assert scene.fleet.daemons["b"].profiles.get("special") == (
            SPECIAL if options.copy_profiles else None
        )
        if options.keep_source:
            kept = scene.config(SOURCE._replace(name="web1-moved"))
            assert kept[MOVED] == TARGET.plain
            assert kept["boot.autostart"] == "false"
            assert MARK not in kept


@pytest.mark.parametrize(("options", "running"), [*CASES, REFRESH])
def test_whenever_it_dies_undo_puts_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: MoveOptions, running: bool
) -> None:
    """Killed at any moment, an undone move leaves the source as it was and nothing else.

    Once the target has taken over, undo refuses and changes nothing.
    """
    state = "Running" if running else "Stopped"
    undone = 0
    for at in range(_moments(tmp_path / "count", options, running=running)):
        scene = Scene(tmp_path / str(at), options, running=running)
        scene.die(monkeypatch, at)
        (records, _) = unfinished(scene.folder)
        if not records:
            continue
        token = records[0].header.token
        if ended(records[0]):
            before = scene.where()
            with pytest.raises(LxtuiError, match="has taken over"):
                undo(scene.folder, token, scene.backends(), lambda _: None, lose=True)
            assert scene.where() == before
            continue
        said = undo(scene.folder, token, scene.backends(), lambda _: None, lose=True)
        undone += 1
        if options.refresh:
            assert "may be half refreshed" in said
            assert scene.where() == {SOURCE: state, TARGET: "Stopped"}, at
            assert scene.config(TARGET) == CONFIG, at
        else:
            assert "where it was, nothing is left on b" in said
            assert scene.where() == {SOURCE: state}, at
        assert scene.config(SOURCE) == CONFIG, at
        assert "special" not in scene.fleet.daemons["b"].profiles, at
        assert scene.at_work() == [], at
        assert unfinished(scene.folder) == ([], [])
    assert undone > 10


@pytest.mark.parametrize(("options", "running"), CASES)
def test_a_move_that_dies_while_it_is_put_back_is_only_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: MoveOptions, running: bool
) -> None:
    """Killed at any moment of its roll-back, it cannot be resumed; undo leaves all as it was."""
    state = "Running" if running else "Stopped"
    monkeypatch.setattr(Looks, "at_both", _fail)
    for at in range(1000):
        scene = Scene(tmp_path / str(at), options, running=running)
        bomb = Bomb(at)
        a, b = scene.backends().values()

        def armed(*arguments: Any, bomb: Bomb = bomb, ends: tuple[Any, ...] = (a, b)) -> Any:
            for backend in ends:
                for name in CHANGING:
                    setattr(backend, name, bomb.around(getattr(backend, name)))
            return rollback.take_back(*arguments)

        with monkeypatch.context() as patch:
            patch.setattr(mover, "take_back", armed)
            plan = prepare(a, b, SOURCE, scene.options)
            with closing(begin(plan, scene.folder)) as journal:
                try:
                    Mover(plan, a, b, lambda _: None, Flag(), journal).run()
                except LxtuiError:
                    break
                except Killed:
                    pass
        with pytest.raises(LxtuiError, match="is being put back"):
            resume(scene.folder, plan.token, scene.backends(), lambda _: None, Flag())
        undo(scene.folder, plan.token, scene.backends(), lambda _: None, lose=True)
        assert scene.where() == {SOURCE: state}, at
        assert scene.config(SOURCE) == CONFIG, at
    assert at > 5


@pytest.mark.parametrize(("options", "running"), CASES)
def test_two_never_run_at_any_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: MoveOptions, running: bool
) -> None:
    """Killed at any moment, at most one of the two runs, and none starts beside it."""
    for at in range(_moments(tmp_path / "count", options, running=running)):
        scene = Scene(tmp_path / str(at), options, running=running)
        scene.die(monkeypatch, at)
        may_run = [
            ref
            for ref, status in scene.where().items()
            if status == "Running" or scene.config(ref).get("boot.autostart") == "true"
        ]
        assert len(may_run) <= (2 if options.copy else 1), at


def test_a_source_that_ran_meanwhile_is_not_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When somebody has started the source after the crash, resume deletes nothing."""
    scene = Scene(tmp_path, MoveOptions(), running=True)
    for at in range(1000):
        scene = Scene(tmp_path / str(at), MoveOptions(), running=True)
        scene.die(monkeypatch, at)
        (records, _) = unfinished(scene.folder)
        if records and ended(records[0]) and SOURCE in scene.where():
            break
    source = scene.backends()["a"]
    source.wait(source.change_state(SOURCE, StateAction.START))
    with pytest.raises(LxtuiError, match="decide which of the two to keep"):
        resume(scene.folder, records[0].header.token, scene.backends(), lambda _: None, Flag())
    assert scene.where()[SOURCE] == "Running"


def test_what_is_still_copied_into_is_not_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the target's copy does not end, undo keeps it and says so; a later undo removes it."""
    for at in range(1000):
        scene = Scene(tmp_path / str(at), MoveOptions(mode=Mode.NEAR_LIVE), running=True)
        scene.die(monkeypatch, at)
        (records, _) = unfinished(scene.folder)
        if records and StepKind.FINAL.value in records[0].begun:
            break
    token = records[0].header.token

    def busy(*_: object) -> None:
        raise OperationError("b: Creating instance does not end")

    with monkeypatch.context() as patch:
        patch.setattr(rollback, "quiesce", busy)
        with pytest.raises(LxtuiError, match=r"does not end\): mend this and undo again"):
            undo(scene.folder, token, scene.backends(), lambda _: None, lose=True)
    assert scene.where() == {SOURCE: "Running", TARGET: "Stopped"}
    undo(scene.folder, token, scene.backends(), lambda _: None, lose=True)
    assert scene.where() == {SOURCE: "Running"}


def test_a_move_at_work_is_left_alone(tmp_path: Path) -> None:
    """While one lxtui works on a move, no other resumes or undoes it."""
    scene = Scene(tmp_path, MoveOptions(), running=True)
    a, b = scene.backends().values()
    plan = prepare(a, b, SOURCE)
    with closing(begin(plan, scene.folder)):
        (records, _) = unfinished(scene.folder)
        assert records[0].busy
        with pytest.raises(ConflictError, match="another lxtui works on"):
            resume(scene.folder, plan.token, scene.backends(), lambda _: None, Flag())


def test_journals_begun_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    """Many moves may begin at the same moment, as in an evacuation: each has its journal."""
    scene = Scene(tmp_path, MoveOptions(), running=True)
    a, b = scene.backends().values()
    plan = prepare(a, b, SOURCE)

    def begin_one(number: int) -> None:
        with closing(begin(replace(plan, token=f"{number:016x}"), scene.folder)):
            pass

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(begin_one, range(96)))
    assert len(unfinished(scene.folder)[0]) == 96


def test_a_journal_that_never_began_is_swept(tmp_path: Path) -> None:
    """What a crash left before the first line goes when it is old, and not before."""
    scene = Scene(tmp_path, MoveOptions(), running=True)
    a, b = scene.backends().values()
    old, young = tmp_path / "old.new", tmp_path / "young.new"
    old.touch()
    young.touch()
    os.utime(old, (0, 0))
    begin(prepare(a, b, SOURCE), scene.folder).close()
    assert (old.exists(), young.exists()) == (False, True)


def test_a_journal_that_vanishes_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While another lxtui prunes ended moves the unfinished ones are still all listed."""
    scene = Scene(tmp_path, MoveOptions(), running=True)
    scene.die(monkeypatch, 10)
    token = unfinished(tmp_path)[0][0].header.token
    gone = tmp_path / "0000.jsonl"
    real = Path.stat

    def stat(path: Path, **how: Any) -> os.stat_result:
        if path == gone:
            raise FileNotFoundError(str(path))
        return real(path, **how)

    gone.touch()
    monkeypatch.setattr(Path, "stat", stat)
    assert [one.header.token for one in unfinished(tmp_path)[0]] == [token]
