"""What can be done to an instance, by perform, on the demo fleet, on LXD and on Incus."""

from __future__ import annotations

from pathlib import Path
from threading import Event as Flag

import pytest

from lxtui.audit.entry import DONE, FAILED
from lxtui.audit.journal import Audit
from lxtui.calls.instances import Rename
from lxtui.commands import ChangeState, Command
from lxtui.errors import LxtuiError, NotFoundError
from lxtui.model import StateAction
from lxtui.perform import perform
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
