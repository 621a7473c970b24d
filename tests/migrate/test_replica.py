"""Copies that are brought up to date, on the demo fleet."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lxtui.errors import InterruptedByUserError, LxtuiError, OperationError
from lxtui.migrate import COPIED_AT, COPY_OF, MARK
from lxtui.migrate.options import MoveOptions
from lxtui.migrate.prepare import prepare
from lxtui.migrate.recovery import unfinished
from lxtui.model import Snapshot
from tests.migrate.test_mover import SOURCE, TARGET, Stage, Trapped, little_patience

__all__ = ["little_patience"]

COPY = MoveOptions(copy=True)
REFRESH = MoveOptions(copy=True, refresh=True)


def _copied() -> Stage:
    stage = Stage()
    stage.move(COPY)
    stage.calls.clear()
    return stage


def test_a_copy_says_of_what_it_is_one() -> None:
    """A copy knows its original and when it was made; the original knows nothing of it."""
    stage = _copied()
    config = stage.b.instance(TARGET).config
    assert config[COPY_OF] == "a:web1"
    assert COPIED_AT in config
    assert dict(stage.a.instance(SOURCE).config) == {"user.mine": "kept"}


def test_a_refresh_brings_configuration_and_snapshots_up_to_date() -> None:
    """After a refresh the copy has what the source has now, and lies still without a mark."""
    stage = _copied()
    before = stage.b.instance(TARGET).config[COPIED_AT]
    source = stage.a.instance(SOURCE)
    stage.fleet.daemons["a"].instances[SOURCE] = replace(
        source, snapshots=(*source.snapshots, Snapshot("later"))
    )
    stage.a.set_config(SOURCE, {"user.mine": None, "user.new": "1"})
    stage.move(REFRESH)
    copy = stage.b.instance(TARGET)
    assert {key: one for key, one in copy.config.items() if "lxtui" not in key} == {"user.new": "1"}
    assert [one.name for one in copy.snapshots] == ["daily", "later"]
    assert copy.config[COPIED_AT] > before
    assert MARK not in copy.config
    assert copy.stopped
    assert stage.where() == {"a": "Running", "b": "Stopped"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({COPY_OF: None}, "b:web1 was not made by 'lxtui move --copy'"),
        ({COPY_OF: "c:web1"}, "b:web1 is a copy of c:web1, not of a:web1"),
        ({MARK: "another"}, "is being worked on"),
    ],
)
def test_what_is_no_copy_of_ours_is_refused(changes: dict[str, str | None], words: str) -> None:
    """A refresh never touches an instance that is not an earlier copy of this source."""
    stage = _copied()
    stage.b.set_config(TARGET, changes)
    before = stage.b.instance(TARGET)
    with pytest.raises(LxtuiError, match=words):
        stage.move(REFRESH)
    assert stage.b.instance(TARGET) == before


def test_a_copy_that_becomes_a_strangers_in_between_is_not_touched() -> None:
    """The key is looked at again in the moment before the copy is marked."""
    stage = _copied()

    def steal(call: str, _ref: object) -> None:
        if call == "b:instance":
            config = {**stage.fleet.daemons["b"].instances[TARGET].config}
            config.pop(COPY_OF, None)
            now = stage.fleet.daemons["b"].instances[TARGET]
            stage.fleet.daemons["b"].instances[TARGET] = replace(now, config=config)

    plan = prepare(stage.a, stage.b, SOURCE, REFRESH)
    with pytest.raises(LxtuiError, match="was not made by"):
        stage.run(plan, stage.a, Trapped(stage.fleet, "b", steal), stage.progress.append)
    assert MARK not in stage.b.instance(TARGET).config
    assert stage.where() == {"a": "Running", "b": "Stopped"}


def test_a_missing_or_running_copy_is_refused() -> None:
    """There must be a copy, and it must lie still."""
    stage = Stage()
    with pytest.raises(LxtuiError, match="there is no b:web1 to refresh"):
        stage.move(REFRESH)
    stage = _copied()
    now = stage.b.instance(TARGET)
    stage.fleet.daemons["b"].instances[TARGET] = replace(now, status="Running")
    with pytest.raises(LxtuiError, match="stop it first: 'lxc stop b:web1'"):
        stage.move(REFRESH)


def test_an_existing_copy_is_not_made_anew_but_the_way_is_said() -> None:
    """Without --refresh the taken name is a blocker that names the option."""
    stage = _copied()
    with pytest.raises(LxtuiError, match="an earlier copy of it: --refresh"):
        stage.move(COPY)


@pytest.mark.parametrize("error", [OperationError("b: disk full"), InterruptedByUserError("stop")])
def test_a_failed_refresh_leaves_the_copy_there(error: BaseException) -> None:
    """The copy is never removed; it says that it is not complete, and a second try mends it."""
    stage = _copied()
    stage.traps = {"b:accept": error}
    with pytest.raises(LxtuiError, match="may be half refreshed: refresh it again"):
        stage.move(REFRESH)
    assert stage.where() == {"a": "Running", "b": "Stopped"}
    config = stage.b.instance(TARGET).config
    assert MARK not in config
    assert COPIED_AT not in config
    assert unfinished(stage.folder)[0] == []
    stage.move(REFRESH)
    assert COPIED_AT in stage.b.instance(TARGET).config
