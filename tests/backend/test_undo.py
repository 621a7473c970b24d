"""Taking back what was done, on each kind of host: what comes back, and what is left alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Event as Flag
from typing import Any

import pytest

from lxtui.api import Document, Path
from lxtui.calls.documents import PutDocument
from lxtui.calls.instances import Rename
from lxtui.calls.snapshots import RenameSnapshot, SetExpiry, TakeSnapshot
from lxtui.commands import (
    ChangeState,
    Command,
    CreateSnapshot,
    DeleteInstance,
    DeleteSnapshot,
    RestoreSnapshot,
)
from lxtui.editing.documents import of_instance, of_profile, shown
from lxtui.errors import ConflictError, LxtuiError
from lxtui.expiry import NEVER
from lxtui.model import Ref, StateAction
from lxtui.perform import perform
from lxtui.undoing import Done, Trace, irreversible, plan, taken_back
from tests.backend.conftest import Side


class Desk:
    """Does things on one host and takes them back."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self.backend = side.backend
        self.backend.connect()

    def do(self, command: Command) -> Trace:
        """Carry it out."""
        found: list[Trace] = []
        backends = {self.backend.remote.name: self.backend}
        perform(command, backends, lambda _: None, Flag(), remember=found.append)
        return found[0]

    def back(self, trace: Trace) -> None:
        """Take it back."""
        self.do(taken_back(trace, self.read).command)

    def read(self, _: str, path: Path, parameters: Mapping[str, str]) -> Document:
        """What the host answers."""
        return self.backend.read(path, parameters)

    def edit(self, ref: Ref, **config: str) -> PutDocument:
        """Set keys of the configuration; an empty value takes one out."""
        what = of_instance(ref)
        document = self.backend.read(what.path, what.parameters)
        after = shown(what, document.value)
        merged = {**after["config"], **{f"user.{key}": one for key, one in config.items()}}
        after["config"] = {key: one for key, one in merged.items() if one}
        return PutDocument(what, document, after)


@pytest.fixture
def desk(side: Side) -> Desk:
    """On each kind of host in turn."""
    return Desk(side)


def _forced(ref: Ref, action: StateAction) -> ChangeState:
    return ChangeState(ref, action, force=action is StateAction.STOP)


def test_states_are_put_back(desk: Desk) -> None:
    """Stop by start, freeze by unfreeze, and the other way round."""
    ref = desk.side.make(True)
    frozen = desk.do(_forced(ref, StateAction.FREEZE))
    desk.back(frozen)
    assert desk.backend.instance(ref).running
    stopped = desk.do(_forced(ref, StateAction.STOP))
    assert taken_back(stopped, desk.read).lines == ("Its processes begin anew.",)
    desk.back(stopped)
    assert desk.backend.instance(ref).running


def test_a_state_that_has_changed_since_is_left_alone(desk: Desk) -> None:
    """Somebody else has started it again."""
    ref = desk.side.make(True)
    stopped = desk.do(_forced(ref, StateAction.STOP))
    desk.do(_forced(ref, StateAction.START))
    with pytest.raises(ConflictError, match=r"is Running now, and was Stopped"):
        taken_back(stopped, desk.read)


def test_a_name_is_given_back(desk: Desk) -> None:
    """Unless it runs."""
    ref = desk.side.make(False)
    other = ref._replace(name=f"{ref.name}-b")
    renamed = desk.do(Rename(ref, other.name))
    desk.do(_forced(other, StateAction.START))
    with pytest.raises(LxtuiError, match="stop it before it gets its name back"):
        taken_back(renamed, desk.read)
    desk.do(_forced(other, StateAction.STOP))
    desk.back(renamed)
    assert desk.backend.instance(ref).stopped


def test_snapshots_are_taken_back_if_they_are_the_ones(desk: Desk) -> None:
    """One that was taken goes, a name and an expiry come back; another of that name stays."""
    ref = desk.side.make(False)
    later = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)
    taken = desk.do(TakeSnapshot(ref, "one", later))
    expiry = desk.do(SetExpiry(ref, "one", NEVER))
    renamed = desk.do(RenameSnapshot(ref, "one", "two"))
    with pytest.raises(LxtuiError):  # it is called two now
        taken_back(expiry, desk.read)
    desk.back(renamed)
    desk.back(expiry)
    (now,) = desk.backend.instance(ref).snapshots
    assert (now.name, now.expires_at) == ("one", later)
    desk.back(taken)
    assert desk.backend.instance(ref).snapshots == ()
    first = desk.do(CreateSnapshot(ref, "same"))
    desk.do(DeleteSnapshot(ref, "same"))
    desk.do(CreateSnapshot(ref, "same"))
    known = dict(first.after or {}) | {"created_at": "2026-01-01T00:00:00Z"}
    with pytest.raises(ConflictError, match="another snapshot now"):
        taken_back(replace(first, after=known), desk.read)


def test_an_edit_is_put_back_and_others_edits_stay(desk: Desk) -> None:
    """Key by key; what somebody else has changed of the same key since is not overwritten."""
    ref = desk.side.make(False)
    desk.do(desk.edit(ref, role="db", keep="yes"))
    mine = desk.do(desk.edit(ref, role="web", fresh="1"))
    desk.backend.set_config(ref, {"user.theirs": "x", "user.keep": None})
    way = taken_back(mine, desk.read)
    assert way.lines == (
        "Changed by others since, and left alone: config user.keep, config user.theirs.",
    )
    desk.do(way.command)
    config = desk.backend.instance(ref).config
    assert (config["user.role"], config["user.theirs"]) == ("db", "x")
    assert not {"user.fresh", "user.keep"} & config.keys()
    with pytest.raises(ConflictError, match="as it was before already"):
        taken_back(mine, desk.read)
    desk.backend.set_config(ref, {"user.role": "other"})
    with pytest.raises(ConflictError, match=r"config user\.role of .* has been changed since"):
        taken_back(mine, desk.read)


def test_an_edit_between_the_look_and_the_undo_refuses_it(desk: Desk) -> None:
    """The undo bears the ETag of what was looked at."""
    ref = desk.side.make(False)
    mine = desk.do(desk.edit(ref, role="web"))
    way = taken_back(mine, desk.read)
    desk.backend.set_config(ref, {"user.theirs": "x"})
    with pytest.raises(ConflictError):
        desk.do(way.command)
    assert desk.backend.instance(ref).config["user.role"] == "web"


def test_a_profile_is_put_back(desk: Desk) -> None:
    """As an instance is."""
    host = desk.backend.remote.name
    what = of_profile(host, "default", "default")
    before = desk.backend.read(what.path, what.parameters)
    after = shown(what, before.value) | {"description": "changed by a test"}
    desk.back(desk.do(PutDocument(what, before, after)))
    now = desk.backend.read(what.path, what.parameters)
    assert shown(what, now.value) == shown(what, before.value)


def test_many_are_taken_back_in_the_opposite_order(desk: Desk) -> None:
    """Those that cannot be are named, with the reason; the others are done."""
    ref = desk.side.make(True)
    traces = (
        desk.do(CreateSnapshot(ref, "one")),
        desk.do(_forced(ref, StateAction.STOP)),
        desk.do(RestoreSnapshot(ref, "one")),
    )
    found = plan(Done(1, "three things", traces, datetime.now(UTC)), desk.read, _kind(desk))
    titles = [one.title for one in found.command.commands]  # type: ignore[union-attr]
    assert titles == [f"start {ref}", f"delete {ref.plain}/one"]
    assert (
        found.lines[-1] == f"stays: restore {ref.plain}/one: what came after the snapshot is gone"
    )


def _kind(desk: Desk) -> Callable[[str], Any]:
    return lambda _: desk.backend.remote.kind


def test_what_is_gone_says_so() -> None:
    """Deletions, restores and restarts have no way back, whatever is asked."""
    ref = Ref("a", "default", "one")
    for command, why in (
        (DeleteInstance(ref), "deleted is gone"),
        (DeleteSnapshot(ref, "s"), "deleted is gone"),
        (RestoreSnapshot(ref, "s"), "came after the snapshot is gone"),
        (ChangeState(ref, StateAction.RESTART), "has ended"),
    ):
        assert why in irreversible(Trace(command, {}, {}))
    ephemeral = Trace(ChangeState(ref, StateAction.STOP), {"ephemeral": True})
    assert "deleted when it stops" in irreversible(ephemeral)
    assert "could not be looked at" in irreversible(Trace(ChangeState(ref, StateAction.STOP)))


def test_a_failed_command_leaves_no_trace(desk: Desk) -> None:
    """There is nothing to take back."""
    ref = desk.side.make(True)
    found: list[Trace] = []
    backends = {desk.backend.remote.name: desk.backend}
    with pytest.raises(LxtuiError):
        perform(DeleteInstance(ref), backends, lambda _: None, Flag(), remember=found.append)
    assert found == []
