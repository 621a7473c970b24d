"""What can be done to an instance, by perform, on the demo fleet, on LXD and on Incus."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event as Flag

import pytest

from lxtui.api import Request
from lxtui.audit.entry import DONE, FAILED
from lxtui.audit.journal import Audit
from lxtui.calls.documents import PutDocument
from lxtui.calls.images import Publish
from lxtui.calls.instances import Rename
from lxtui.calls.snapshots import RenameSnapshot, SetExpiry, TakeSnapshot
from lxtui.commands import ChangeState, Command, RestoreSnapshot
from lxtui.editing.documents import (
    Editable,
    of_instance,
    of_profile,
    shown,
    understood,
    written,
)
from lxtui.editing.session import Session
from lxtui.errors import ConflictError, LxtuiError, NotFoundError
from lxtui.expiry import NEVER
from lxtui.limits_read import read_limits
from lxtui.model import Profile, StateAction
from lxtui.perform import perform
from lxtui.publishing import publishing
from lxtui.restoring_read import read_loss
from tests.backend.conftest import Side


def do(side: Side, command: Command, tmp_path: Path, audit: Audit | None = None) -> None:
    """Carry it out as the screen and the verbs do."""
    backends = {side.backend.remote.name: side.backend}
    perform(command, backends, lambda _: None, Flag(), tmp_path, audit or Audit())


def test_freeze_and_unfreeze(side: Side, tmp_path: Path) -> None:
    """A running instance stands still and goes on; a second time is refused."""
    ref = side.make(True)
    do(side, ChangeState(ref, StateAction.FREEZE), tmp_path)
    assert side.backend.instance(ref).frozen
    with pytest.raises(LxtuiError):
        do(side, ChangeState(ref, StateAction.FREEZE), tmp_path)
    do(side, ChangeState(ref, StateAction.UNFREEZE), tmp_path)
    assert side.backend.instance(ref).running


def test_rename(side: Side, tmp_path: Path) -> None:
    """A stopped one is found under its new name only; the journal has both ends of the story."""
    ref, audit = side.make(False), Audit(tmp_path / "audit.jsonl")
    renamed = ref._replace(name=f"{ref.name}-b")
    do(side, Rename(ref, renamed.name), tmp_path, audit)
    with pytest.raises(NotFoundError):
        side.backend.instance(ref)
    assert side.backend.instance(renamed).stopped
    with pytest.raises(LxtuiError):
        do(side, Rename(ref, "other"), tmp_path, audit)
    do(side, Rename(renamed, ref.name), tmp_path, audit)
    entries = audit.entries()
    assert [one.result for one in entries] == [DONE, FAILED, DONE]
    cli = {"lxd": "lxc", "incus": "incus"}[side.backend.remote.kind]
    assert entries[-1].command == f"{cli} rename {ref.host}:{ref.name} {renamed.name}"


def _edited(side: Side, what: Editable, **config: str) -> PutDocument:
    document = side.backend.read(what.path, what.parameters)
    before = shown(what, document.value)
    return PutDocument(what, document, {**before, "config": {**before["config"], **config}})


def test_an_edited_document_replaces_the_old_one(side: Side, tmp_path: Path) -> None:
    """All that can be edited is taken; what the daemon sets itself stays."""
    what = of_instance(side.make(False))
    document = side.backend.read(what.path, what.parameters)
    text = written({**shown(what, document.value), "description": "for the web", "config": {}})
    text = text.replace("config: {}", "config:\n  limits.memory: 32MiB\n  user.x: 0755")
    do(side, PutDocument(what, document, understood(what, text)), tmp_path)
    now = side.backend.instance(what.ref)
    assert now.description == "for the web"
    assert now.config["limits.memory"] == "32MiB"
    assert now.config["user.x"] == "0755"
    volatile = {key for key in document.value["config"] if key.startswith("volatile.")}
    assert volatile <= now.config.keys()


def test_what_somebody_else_has_written_is_not_overwritten(side: Side, tmp_path: Path) -> None:
    """The daemon refuses what was made of an older state; taken up again, both changes stay."""
    what = of_instance(side.make(False))
    mine, theirs = _edited(side, what, **{"user.a": "1"}), _edited(side, what, **{"user.b": "1"})
    do(side, theirs, tmp_path)
    with pytest.raises(ConflictError):
        do(side, mine, tmp_path)
    assert "user.a" not in side.backend.instance(what.ref).config
    session = Session(what, mine.before, tmp_path)
    session.file.write_text(written(mine.after))
    session.take_up(side.backend.read(what.path, what.parameters))
    again = session.command
    assert again is not None
    do(side, again, tmp_path)
    assert {"user.a", "user.b"} <= side.backend.instance(what.ref).config.keys()


def test_a_profile_is_edited_the_same_way(side: Side, tmp_path: Path) -> None:
    """By the same code; what was made of an older state is refused too."""
    host = side.backend.remote.name
    side.backend.connect()
    side.backend.create_profile("default", "acts", Profile())
    try:
        what = of_profile(host, "default", "acts")
        old = _edited(side, what, **{"user.b": "1"})
        do(side, _edited(side, what, **{"user.a": "1"}), tmp_path)
        with pytest.raises(ConflictError):
            do(side, old, tmp_path)
        document = side.backend.read(what.path, what.parameters)
        assert shown(what, document.value)["config"] == {"user.a": "1"}
    finally:
        side.backend.delete_profile("default", "acts")


def test_what_the_daemon_refuses_is_said(side: Side, tmp_path: Path) -> None:
    """A profile that is not there: the daemon's reason, and nothing has changed."""
    what = of_instance(side.make(False))
    document = side.backend.read(what.path, what.parameters)
    after = {**shown(what, document.value), "profiles": ["nosuchprofile"]}
    with pytest.raises(LxtuiError):
        do(side, PutDocument(what, document, after), tmp_path)
    assert "nosuchprofile" not in side.backend.instance(what.ref).profiles


def test_limits_are_set_by_a_form(side: Side, tmp_path: Path) -> None:
    """What was wished counts, of the root disk too; taken back, the profiles count again."""
    what = of_instance(side.make(False))
    limits, document = read_limits(what, side.backend.read)
    wishes = {"cpu": "1", "memory": "48MiB", "processes": "50", "disk": "200MiB"}
    do(side, PutDocument(what, document, limits.changed(wishes)), tmp_path)
    now, document = read_limits(what, side.backend.read)
    own = {one.field.id: one.own for one in now.settings if one.own}
    assert own == wishes
    assert next(one for one in now.settings if one.field.id == "disk").device == "root"
    do(side, PutDocument(what, document, now.changed(dict.fromkeys(wishes, ""))), tmp_path)
    assert not side.backend.instance(what.ref).devices
    assert "limits.memory" not in side.backend.instance(what.ref).config


def test_snapshots_with_an_expiry(side: Side, tmp_path: Path) -> None:
    """Taken with one, given another, none, another name; found again with that."""
    ref, now = side.make(False), datetime.now(UTC).replace(microsecond=0)
    week, month = now + timedelta(days=7), now + timedelta(days=30)

    def expires(name: str) -> datetime | None:
        found = {one.name: one for one in side.backend.instance(ref).snapshots}
        return found[name].expires_at

    do(side, TakeSnapshot(ref, "one", week), tmp_path)
    assert expires("one") == week
    do(side, SetExpiry(ref, "one", month), tmp_path)
    assert expires("one") == month
    do(side, RenameSnapshot(ref, "one", "two"), tmp_path)
    do(side, SetExpiry(ref, "two", NEVER), tmp_path)
    assert expires("two") is None
    assert [one.name for one in side.backend.instance(ref).snapshots] == ["two"]


def test_a_stateful_snapshot_is_taken_or_refused_with_the_hosts_reason(
    side: Side, tmp_path: Path
) -> None:
    """None of these hosts has CRIU: the reason is its own, and nothing is left."""
    ref = side.make(True)
    with pytest.raises(LxtuiError, match=r"[Ss]tateful"):
        do(side, TakeSnapshot(ref, "one", stateful=True), tmp_path)
    assert side.backend.instance(ref).snapshots == ()


def test_what_a_restore_loses_is_what_it_then_changes(side: Side, tmp_path: Path) -> None:
    """The keys that the preview names are those that have gone back afterwards."""
    ref = side.make(False)
    what = of_instance(ref)
    do(side, _edited(side, what, **{"user.a": "then"}), tmp_path)
    do(side, TakeSnapshot(ref, "first"), tmp_path)
    do(side, TakeSnapshot(ref, "second"), tmp_path)
    do(side, _edited(side, what, **{"user.a": "now", "user.b": "new"}), tmp_path)
    instance, now = side.backend.instance(ref), datetime.now(UTC)
    found = read_loss(instance, "second", side.backend.read, now)
    assert found.changed == ("config user.a", "config user.b")
    assert (found.later, found.blocker) == ((), "")
    assert read_loss(instance, "first", side.backend.read, now).later == ("second",)
    if side.backend.remote.address.startswith("demo"):
        return  # it restores nothing
    do(side, RestoreSnapshot(ref, "second"), tmp_path)
    config = side.backend.instance(ref).config
    assert config["user.a"] == "then"
    assert "user.b" not in config


def test_publish(side: Side, tmp_path: Path) -> None:
    """A stopped instance becomes an image with its alias, private; a running one is refused."""
    ref = side.make(False)
    alias = f"golden-{ref.name}"
    do(side, publishing(side.backend.instance(ref), alias=alias, compression="none"), tmp_path)
    images = side.backend.read(("images",), {"recursion": "1"}).value
    [made] = [one for one in images if alias in [a["name"] for a in one["aliases"]]]
    try:
        assert made["public"] is False
    finally:
        gone = Request("delete", ("images", made["fingerprint"]))
        side.backend.wait(side.backend.request(gone))
    running = side.make(True)
    with pytest.raises(LxtuiError):
        do(side, Publish(running), tmp_path)


def test_publish_a_snapshot_of_what_runs(side: Side, tmp_path: Path) -> None:
    """It goes on running."""
    ref = side.make(True)
    do(side, TakeSnapshot(ref, "one"), tmp_path)
    alias = f"snap-{ref.name}"
    do(side, publishing(side.backend.instance(ref), "one", alias), tmp_path)
    images = side.backend.read(("images",), {"recursion": "1"}).value
    [made] = [one for one in images if alias in [a["name"] for a in one["aliases"]]]
    side.backend.wait(side.backend.request(Request("delete", ("images", made["fingerprint"]))))
    assert side.backend.instance(ref).running
