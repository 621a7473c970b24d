"""Instances exported into files and imported again, on the demo, LXD and Incus."""

from __future__ import annotations

import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Event as Flag
from typing import Any

import pytest

from lxtui.backups.reading import name_inside
from lxtui.calls.backups import Export, Import
from lxtui.commands import Each, Many
from lxtui.errors import (
    ConflictError,
    InterruptedByUserError,
    LxtuiError,
    NotFoundError,
    OperationError,
)
from lxtui.files.tree import Done
from lxtui.model import Progress, Ref
from lxtui.perform import perform
from lxtui.perform_many import perform_many
from tests.backend.conftest import Side


def _do(
    side: Side,
    command: Any,
    report: Callable[[Progress], None] = lambda _: None,
    stop: Flag | None = None,
) -> Done:
    backends = {side.backend.remote.name: side.backend}
    outcome = perform(command, backends, report, stop or Flag())
    assert outcome.transfer is not None
    return outcome.transfer


def _delete(side: Side, ref: Ref) -> None:
    with suppress(NotFoundError):
        side.backend.wait(side.backend.delete_instance(ref))


def _backups(side: Side, ref: Ref) -> tuple[str, ...]:
    return side.backend.instance(ref).backups


def test_there_and_back(side: Side, tmp_path: Path) -> None:
    """The file is ours alone, the instance of it has the files and the configuration; the host's
    backup is gone, and nothing is overwritten at either end.
    """
    ref = side.make(False)
    with side.backend.files(ref) as files:
        files.create(b"/root/mine", [b"content"], 0o600, 0, 0)
    file, told = tmp_path / "x.tar.gz", list[Progress]()
    done = _do(side, Export(ref, file), told.append)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert (done.size, [file]) == (file.stat().st_size, list(tmp_path.iterdir()))
    assert told[-1].text == f"removing the backup from {ref.host}"
    assert _backups(side, ref) == ()
    assert name_inside(file) == ref.name
    with pytest.raises(ConflictError, match="is there already"):
        _do(side, Export(ref, file))
    with pytest.raises(ConflictError, match=r"exists already.*nothing was sent"):
        _do(side, Import(ref, file))
    copy = ref._replace(name=f"{ref.name}-b")
    with pytest.raises(NotFoundError, match="no storage pool 'none'"):
        _do(side, Import(copy, file, "none"))
    try:
        assert _do(side, Import(copy, file, "default")).size == done.size
        made = side.backend.instance(copy)
        assert made.stopped
        assert made.config.get("limits.memory") == side.backend.instance(ref).config.get(
            "limits.memory"
        )
        if side.backend.remote.address.startswith("demo"):
            return
        with side.backend.files(copy) as files:
            assert files.heads([b"/root/mine"], 100) == [b"content"]
    finally:
        _delete(side, copy)


def test_what_is_no_backup_makes_no_instance(side: Side, tmp_path: Path) -> None:
    """The host's own words; nothing is left."""
    ref = side.make(False)._replace(name="bad-file")
    file = tmp_path / "x.tar"
    file.write_bytes(b"this is no tar" * 1000)
    with pytest.raises(LxtuiError):
        _do(side, Import(ref, file))
    with pytest.raises(NotFoundError):
        side.backend.instance(ref)
    with pytest.raises(OperationError, match="No such file"):
        _do(side, Import(ref, tmp_path / "none"))
    with pytest.raises(OperationError, match="is no file"):
        _do(side, Import(ref, tmp_path))


def test_cancelled_at_each_stage(
    side: Side, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the host writes, while we fetch, while we send: no file, no backup, no instance."""
    monkeypatch.setattr("lxtui.files.meter._BETWEEN", 0.0)
    ref = side.make(False)
    file = tmp_path / "x.tar"
    for word in ("writes a backup", "exporting"):
        stop = Flag()

        def report(now: Progress, word: str = word, stop: Flag = stop) -> None:
            if word in now.text and (word != "exporting" or now.processed):
                stop.set()

        with pytest.raises(InterruptedByUserError):
            _do(side, Export(ref, file, compression="none"), report, stop)
        assert list(tmp_path.iterdir()) == []
        assert _backups(side, ref) == ()
    _do(side, Export(ref, file, compression="none"))
    stop = Flag()

    def sending(now: Progress) -> None:
        if now.processed:
            stop.set()

    copy = ref._replace(name=f"{ref.name}-c")
    try:
        with pytest.raises(InterruptedByUserError, match="stopped on request"):
            _do(side, Import(copy, file), sending, stop)
        with pytest.raises(NotFoundError):
            side.backend.instance(copy)
    finally:
        _delete(side, copy)


def test_a_full_disk_here_removes_the_backup_there(
    side: Side, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Said before anything is fetched; nothing is left at either end."""
    ref = side.make(False)

    def full(_self: object, size: int) -> None:
        raise OperationError(f"{size} do not fit")

    monkeypatch.setattr("lxtui.files.here.Here.room", full)
    with pytest.raises(OperationError, match="do not fit"):
        _do(side, Export(ref, tmp_path / "x.tar"))
    assert list(tmp_path.iterdir()) == []
    assert _backups(side, ref) == ()


def test_several_and_one_that_fails(
    side: Side, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has its own file and its own line; the one that is gone stops none. When it is cancelled
    the one at work leaves nothing, and no more are begun.
    """
    for module in ("files.meter", "perform_many"):
        monkeypatch.setattr(f"lxtui.{module}._BETWEEN", 0.0)
    backends = {side.backend.remote.name: side.backend}
    ref = side.make(False)
    gone, copy = ref._replace(name="long-gone"), ref._replace(name=f"{ref.name}-b")
    _do(side, Export(ref, tmp_path / "first.tar", compression="none"))
    try:
        _do(side, Import(copy, tmp_path / "first.tar"))
        every = [
            Export(one, tmp_path / f"{one.name}.tar", compression="none")
            for one in (ref, gone, copy)
        ]
        fates: dict[Ref, tuple[str, str]] = {}

        def ended(one: Each, fate: str, why: str) -> None:
            fates[one.ref] = fate, why

        told: list[Progress] = []
        with pytest.raises(OperationError, match="2 done, 1 failed"):
            perform_many(Many(tuple(every), "all"), backends, told.append, Flag(), ended=ended)
        assert {one: fate for one, (fate, _) in fates.items()} == {
            ref: "done",
            gone: "failed",
            copy: "done",
        }
        assert len(told[-1].details) == len(every)
        assert [name_inside(one.file) for one in every[::2]] == [ref.name, copy.name]
        stop, fates = Flag(), {}

        def report(now: Progress) -> None:
            if any("writes a backup" in line for line in now.details):
                stop.set()

        again = [replace(one, file=tmp_path / f"again-{one.file.name}") for one in every]
        with pytest.raises(OperationError, match="1 failed, 2 not begun"):
            perform_many(Many(tuple(again), "all"), backends, report, stop, ended=ended)
        assert not list(tmp_path.glob("again-*"))
        assert (_backups(side, ref), _backups(side, copy)) == ((), ())
    finally:
        _delete(side, copy)
