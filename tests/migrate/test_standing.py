"""What an unfinished move says of its two ends, and what it refuses for their sake.

The demo fleet: a move is killed at a moment, then somebody uses what it has left.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Event as Flag

import pytest

from lxtui import move_verbs
from lxtui.backend.demo import DemoBackend, DemoFleet
from lxtui.cli import main
from lxtui.commands import ChangeState
from lxtui.errors import ConflictError, LxtuiError
from lxtui.migrate import MARK, ends, mover
from lxtui.migrate.journal import Journal, Record
from lxtui.migrate.options import MoveOptions
from lxtui.migrate.plan import StepKind
from lxtui.migrate.prepare import begin, prepare
from lxtui.migrate.recovery import resume, undo
from lxtui.migrate.standing import Seen, advice, at_stake, look
from lxtui.model import Instance, Kind, Ref, StateAction
from lxtui.perform import perform

SOURCE = Ref("a", "default", "web1")
TARGET = SOURCE._replace(host="b")


class _Killed(BaseException):
    pass


class _Stage:
    """Two hosts; a running instance whose move ends when a step has begun, or is done."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("PATIENCE", "LINGER", "_PAUSE", "_RUNS_SECONDS"):
            monkeypatch.setattr(ends, name, 0.0)
        self.folder = folder
        self.fleet = DemoFleet(tempo=0.0)
        self.fleet.add_host("a", Kind.LXD, "5.0.2")
        self.fleet.add_host("b", Kind.INCUS, "6.0.4")
        self.fleet.add_instance(
            Instance(
                SOURCE,
                "Running",
                architecture="x86_64",
                created_at=self.fleet.clock(),
                profiles=("default",),
            )
        )
        self.backends = {name: DemoBackend(self.fleet, name) for name in ("a", "b")}
        self.said: list[str] = []

    def kill_after(self, step: StepKind) -> str:
        """Move, and die when *step* is done; the move's token."""
        a, b = self.backends.values()
        plan = prepare(a, b, SOURCE, MoveOptions())
        with closing(begin(plan, self.folder)) as journal:
            end = journal.end

            def dying(name: str, notes: Mapping[str, str] | None = None) -> None:
                end(name, notes)
                if name == step:
                    raise _Killed

            def die(*_: object) -> tuple[str, ...]:
                raise _Killed

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(journal, "end", dying)
                patch.setattr(mover, "take_back", die)
                with pytest.raises(_Killed):
                    mover.Mover(plan, a, b, lambda _: None, Flag(), journal).run()
        return plan.token

    def record(self, token: str) -> Record:
        """Its journal."""
        return Journal.peek(self.folder, token)

    def seen(self, token: str) -> Seen:
        """Both ends now."""
        return look(self.record(token), self.backends["a"], self.backends["b"])

    def advice(self, token: str) -> str:
        """What is said of it."""
        return advice(self.record(token), self.seen(token), self.fleet.clock())

    def resume(self, token: str) -> None:
        """Go on with it."""
        resume(self.folder, token, self.backends, lambda now: self.said.append(now.text), Flag())

    def do(self, ref: Ref, action: StateAction, *, force: bool = False) -> None:
        """What somebody else does."""
        backend = self.backends[ref.host]
        backend.wait(backend.change_state(ref, action, force=force))

    def states(self) -> dict[str, str]:
        """Where it is, and how."""
        found = [one for backend in self.backends.values() for one in backend.instances()]
        return {str(one.ref): one.status for one in found}


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Stage:
    """A stage of its own."""
    return _Stage(tmp_path / "moves", monkeypatch)


def test_a_copy_that_runs_is_not_undone_without_being_told(stage: _Stage) -> None:
    """Undo says since when the copy runs and what goes with it, recommends resume, changes
    nothing; told to, it puts back.
    """
    token = stage.kill_after(StepKind.START)
    before = stage.states()
    assert before == {"a:web1": "Stopped", "b:web1": "Running"}
    copy = stage.seen(token).copy
    assert isinstance(copy, Instance)
    assert copy.last_used_at is not None
    with pytest.raises(ConflictError) as refused:
        undo(stage.folder, token, stage.backends, lambda _: None)
    said = str(refused.value)
    assert f"b:web1 runs since {copy.last_used_at.astimezone():%Y-%m-%d %H:%M %Z}" in said
    assert "has written since would be lost" in said
    assert f"'lxtui resume {token}' finishes the move and keeps it" in said
    assert f"'lxtui undo {token} --yes'" in said
    assert stage.states() == before
    undo(stage.folder, token, stage.backends, lambda _: None, lose=True)
    assert stage.states() == {"a:web1": "Running"}


def test_a_copy_that_has_run_is_not_undone_either(stage: _Stage) -> None:
    """Somebody has used and stopped it: it may hold what is nowhere else."""
    token = stage.kill_after(StepKind.START)
    stage.do(TARGET, StateAction.STOP, force=True)
    with pytest.raises(ConflictError, match=r"b:web1 was started at .*, and is stopped again"):
        undo(stage.folder, token, stage.backends, lambda _: None)
    assert "b:web1" in stage.states()


def test_what_nobody_has_used_is_undone_at_once(stage: _Stage) -> None:
    """Before its copy is started an undo loses nothing, and does not ask."""
    token = stage.kill_after(StepKind.VERIFY)
    undo(stage.folder, token, stage.backends, lambda _: None)
    assert stage.states() == {"a:web1": "Running"}


def test_where_the_target_does_not_answer_it_may_run(stage: _Stage) -> None:
    """By the journal: since the step that starts it was begun."""
    token = stage.kill_after(StepKind.START)
    stage.fleet.daemons["b"].alive = False
    stake = at_stake(stage.record(token), stage.seen(token), stage.fleet.clock())
    assert stake.startswith("b:web1 may run since 2")
    with pytest.raises(ConflictError, match="b:web1 may run since"):
        undo(stage.folder, token, stage.backends, lambda _: None)
    token_before = stage.record(token)
    assert "being undone" not in token_before.notes


def test_the_list_says_that_both_ways_are_not_alike(stage: _Stage) -> None:
    """Of a copy that runs: since when, and what an undo would lose."""
    token = stage.kill_after(StepKind.START)
    assert stage.advice(token).startswith("b:web1 runs since ")
    assert "resume finishes; undo would lose what it has written since" in stage.advice(token)


def test_a_source_that_runs_again_is_seen_before_anything_is_copied(stage: _Stage) -> None:
    """Resume says so and what to do, and copies nothing; undo leaves it running."""
    token = stage.kill_after(StepKind.STOP)
    stage.do(SOURCE, StateAction.START)
    assert "a:web1 runs again" in stage.advice(token)
    with pytest.raises(ConflictError, match=r"a:web1 runs again: .*'lxtui undo .* leaves it"):
        stage.resume(token)
    assert stage.said == []
    assert stage.states() == {"a:web1": "Running"}
    undo(stage.folder, token, stage.backends, lambda _: None)
    assert stage.states() == {"a:web1": "Running"}


def test_a_source_that_has_run_meanwhile_is_seen_too(stage: _Stage) -> None:
    """Started and stopped again by somebody: what was copied is not what it is now."""
    token = stage.kill_after(StepKind.COPY)
    ref = SOURCE
    daemon = stage.fleet.daemons["a"]
    daemon.instances[ref] = replace(daemon.instances[ref], last_used_at=stage.fleet.clock())
    with pytest.raises(ConflictError, match="a:web1 has run since it lay still"):
        stage.resume(token)


def test_where_both_have_run_a_person_decides(stage: _Stage) -> None:
    """Neither resume nor a plain undo deletes one of the two; the way to keep the copy works."""
    token = stage.kill_after(StepKind.START)
    stage.do(SOURCE, StateAction.START)
    with pytest.raises(ConflictError, match="both may hold what is nowhere else"):
        stage.resume(token)
    with pytest.raises(ConflictError):
        undo(stage.folder, token, stage.backends, lambda _: None)
    assert stage.states() == {"a:web1": "Running", "b:web1": "Running"}
    stage.do(SOURCE, StateAction.STOP, force=True)
    stage.backends["a"].wait(stage.backends["a"].delete_instance(SOURCE))
    with pytest.raises(LxtuiError, match="is left as it is"):
        undo(stage.folder, token, stage.backends, lambda _: None, lose=True)
    assert stage.states() == {"b:web1": "Running"}


def test_a_copy_that_somebody_has_stopped_is_started_and_kept(stage: _Stage) -> None:
    """Resumed a weekend later, the move ends with the copy that was in use."""
    token = stage.kill_after(StepKind.START)
    stage.do(TARGET, StateAction.STOP, force=True)
    stage.resume(token)
    assert stage.states() == {"b:web1": "Running"}


def test_a_resumed_move_that_fails_keeps_a_copy_that_was_in_use(
    stage: _Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fails after the copy has run before is said, and nothing is taken back."""
    token = stage.kill_after(StepKind.START)

    def fail(*_: object) -> None:
        raise LxtuiError("not this time")

    with monkeypatch.context() as patch:
        patch.setattr("lxtui.migrate.looks.Looks.at_both", fail)
        with pytest.raises(LxtuiError, match="not this time; both are left as they are"):
            stage.resume(token)
    assert stage.states() == {"a:web1": "Stopped", "b:web1": "Running"}
    stage.resume(token)
    assert stage.states() == {"b:web1": "Running"}


def test_half_put_back_is_not_at_work(stage: _Stage) -> None:
    """A roll-back that a dead host has stopped says so, and how it goes on."""
    token = stage.kill_after(StepKind.COPY)
    stage.fleet.daemons["b"].alive = False
    with pytest.raises(LxtuiError):
        undo(stage.folder, token, stage.backends, lambda _: None)
    assert stage.advice(token) == (
        "a:web1 was only half put back, and nothing is at work on it; when both hosts answer: "
        f"'lxtui undo {token}' (resume is refused)"
    )


def test_what_an_unfinished_move_holds_is_not_started(stage: _Stage) -> None:
    """Its other copy may run: start says so, and how to go on."""
    stage.kill_after(StepKind.START)
    with pytest.raises(ConflictError, match="a:web1 is held by an unfinished move"):
        perform(ChangeState(SOURCE, StateAction.START), stage.backends, lambda _: None, Flag())
    assert stage.states()["a:web1"] == "Stopped"


@pytest.fixture
def at_the_command_line(
    stage: _Stage, monkeypatch: pytest.MonkeyPatch
) -> tuple[_Stage, str, pytest.MonkeyPatch]:
    """The same fleet and journal below ``lxtui``'s verbs."""
    token = stage.kill_after(StepKind.START)
    known = [backend.remote for backend in stage.backends.values()]
    monkeypatch.setattr("lxtui.cli._backends", lambda *_: (stage.backends, known))
    monkeypatch.setenv("XDG_STATE_HOME", str(stage.folder.parent))
    monkeypatch.setattr(move_verbs, "default_folder", lambda *_: stage.folder)
    return stage, token, monkeypatch


def test_without_a_terminal_undo_takes_a_yes(
    at_the_command_line: tuple[_Stage, str, pytest.MonkeyPatch],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It fails and says why, for people and for programs; with --yes it puts back."""
    stage, token, patch = at_the_command_line
    assert main(["moves", "--json"]) == 0
    (listed,) = json.loads(capsys.readouterr().out)
    assert listed["at_stake"].startswith("b:web1 runs since ")
    patch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    assert main(["undo", token[:4], "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["result"] == "failed"
    assert "b:web1 runs since" in answer["error"]
    assert stage.states()["b:web1"] == "Running"
    assert main(["undo", token[:4], "--yes"]) == 0
    assert stage.states() == {"a:web1": "Running"}


@pytest.mark.parametrize(("answer", "left"), [("n\n", "b:web1"), ("y\n", "a:web1")])
def test_on_a_terminal_undo_asks(
    at_the_command_line: tuple[_Stage, str, pytest.MonkeyPatch],
    capsys: pytest.CaptureFixture[str],
    answer: str,
    left: str,
) -> None:
    """The question says what is lost and what to do instead; no is no."""
    stage, token, patch = at_the_command_line

    class Terminal:
        def isatty(self) -> bool:
            return True

        def readline(self) -> str:
            return answer

    patch.setattr("sys.stdin", Terminal())
    assert main(["undo", token[:4]]) == (0 if left == "a:web1" else 1)
    said = capsys.readouterr().err
    assert "b:web1 runs since" in said
    assert f"'lxtui resume {token}' finishes the move and keeps it" in said
    assert "put a:web1 back all the same, and delete b:web1? [y/N]" in said
    assert stage.states()[left] == "Running"


def test_who_comes_second_says_nothing_about_the_mark(stage: _Stage) -> None:
    """It neither says that it has marked the source nor that it takes the mark off."""
    a, b = stage.backends.values()
    plan = prepare(a, b, SOURCE, MoveOptions())
    a.set_config(SOURCE, {MARK: "another's"})
    said: list[str] = []
    with (
        closing(begin(plan, stage.folder)) as journal,
        pytest.raises(LxtuiError, match="nothing was changed"),
    ):
        mover.Mover(plan, a, b, lambda now: said.append(now.text), Flag(), journal).run()
    assert said == []
    assert a.instance(SOURCE).config[MARK] == "another's"
