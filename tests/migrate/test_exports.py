"""Backups of both ends compared: pure on tars in memory, then with real daemons."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path
from threading import Event as Flag

import pytest

from lxtui.backend.base import Backend
from lxtui.commands import Move
from lxtui.errors import LxtuiError, OperationError
from lxtui.migrate import backups, mover, recovery
from lxtui.migrate.exports import differences, plain_attribute
from lxtui.migrate.journal import records
from lxtui.migrate.options import MoveOptions, Verify
from lxtui.model import Progress, Ref
from lxtui.perform import perform
from tests.lab.fixtures import MakeInstance
from tests.lab.lab import Host, Lab
from tests.migrate.test_mover import SOURCE, TARGET, Stage

EXPORT = MoveOptions(verify=Verify.EXPORT)
Wanted = Mapping[str, Mapping[str, object]]
BASE: Wanted = {
    "backup/index.yaml": {"content": b"anything"},
    "backup/snapshots/s1/rootfs": {"type": tarfile.DIRTYPE},
    "backup/snapshots/s1/rootfs/f": {"content": b"then"},
    "backup/container/backup.yaml": {"content": b"of a host"},
    "backup/container/rootfs": {"type": tarfile.DIRTYPE},
    "backup/container/rootfs/a": {"type": tarfile.DIRTYPE},
    "backup/container/rootfs/a/f": {"content": b"now", "xattr": {"user.note": "one"}},
    "backup/container/rootfs/a-b": {"type": tarfile.SYMTYPE, "linkname": "f"},
    "backup/container/rootfs/z": {"type": tarfile.LNKTYPE, "linkname": "backup/container/a/f"},
}


def _tar(files: Wanted) -> io.BytesIO:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, about in files.items():
            member = tarfile.TarInfo(name)
            content = about.get("content", b"")
            assert isinstance(content, bytes)
            member.size = len(content)
            for key, value in about.items():
                if key == "xattr":
                    assert isinstance(value, dict)
                    member.pax_headers = {f"SCHILY.xattr.{one}": it for one, it in value.items()}
                elif key != "content":
                    setattr(member, key, value)
            archive.addfile(member, io.BytesIO(content))
    return io.BytesIO(out.getvalue())


def _differences(one: Wanted, other: Wanted) -> tuple[str, ...]:
    return differences(_tar(one), _tar(other), lambda: None, lambda _: None)


def test_equal_backups_have_no_difference() -> None:
    """The same files are equal, whatever the daemons write about themselves."""
    told = {"backup/index.yaml": {"content": b"x"}, "backup/container/backup.yaml": {}}
    assert _differences(BASE, {**BASE, **told}) == ()


@pytest.mark.parametrize(
    ("name", "about", "said"),
    [
        ("container/rootfs/a/f", {"content": b"new"}, "/a/f has another content"),
        ("container/rootfs/a/f", {"content": b"longer"}, "/a/f has another size"),
        ("container/rootfs/a/f", {"mode": 0o4755}, "/a/f has other permissions"),
        ("container/rootfs/a/f", {"uid": 5}, "/a/f has another owner"),
        ("container/rootfs/a/f", {"xattr": {"user.note": "two"}}, "/a/f has another user.note"),
        ("container/rootfs/a/f", {"xattr": {}}, "/a/f has another user.note"),
        ("container/rootfs/a-b", {"linkname": "g"}, "/a-b points elsewhere"),
        ("container/rootfs/a-b", {"type": tarfile.FIFOTYPE}, "/a-b is of another type"),
        ("snapshots/s1/rootfs/f", {"content": b"thus"}, "/f of snapshot s1 has another content"),
        ("container/rootfs/zz", {}, "/zz is only on the target"),
    ],
)
def test_each_difference_is_named(name: str, about: dict[str, object], said: str) -> None:
    """Whatever differs is said with its path, and the snapshot that it is in."""
    key = f"backup/{name}"
    changed = {**BASE, key: {**BASE.get(key, {}), **about}}
    assert _differences(BASE, changed) == (said,)


def test_a_file_that_is_missing_hides_no_other() -> None:
    """After a file that only one side has the two are still compared in step."""
    without = {key: one for key, one in BASE.items() if not key.endswith("/a-b")}
    changed = {**BASE, "backup/container/rootfs/z": {"content": b"x"}}
    assert _differences(changed, without) == (
        "/a-b is only on the source",
        "/z is of another type",
    )


def test_what_cannot_be_compared_is_an_error() -> None:
    """A tar that breaks off, lacks a snapshot or has no order is not taken for an equal one."""
    whole = _tar(BASE).getvalue()
    cut = whole[:1600]
    with pytest.raises(OperationError, match="more in it than the other"):
        differences(io.BytesIO(cut), io.BytesIO(whole), lambda: None, lambda _: None)
    with pytest.raises(OperationError, match="break off"):
        differences(io.BytesIO(cut), io.BytesIO(cut), lambda: None, lambda _: None)
    with pytest.raises(OperationError, match="is no tar"):
        differences(io.BytesIO(b"x" * 999), io.BytesIO(whole), lambda: None, lambda _: None)
    fewer = {key: one for key, one in BASE.items() if "snapshots" not in key}
    with pytest.raises(OperationError, match="not in one order"):
        _differences(BASE, fewer)
    mixed = {key: BASE[key] for key in reversed(list(BASE))}
    with pytest.raises(OperationError, match="order"):
        _differences(mixed, mixed)


def test_what_belongs_to_the_host_is_left_out() -> None:
    """The host's number of the instance's root, and the ids in an ACL, are no difference."""
    sets = bytes(range(16))
    second = b"\1\0\0\2" + sets
    third = b"\1\0\0\3" + sets + b"\x40\x42\x0f\0"
    assert plain_attribute("security.capability", second) == b"\1" + sets
    assert plain_attribute("security.capability", third) == b"\1" + sets
    assert plain_attribute("security.capability", b"\0" + third[1:]) != b"\1" + sets
    head, entry = b"\2\0\0\0", b"\2\0\6\0"
    one, other = head + entry + b"\1\0\0\0", head + entry + b"\2\0\0\0"
    name = "system.posix_acl_access"
    assert plain_attribute(name, one) == plain_attribute(name, other) == entry
    assert plain_attribute("user.x", second) == second


def test_no_backup_is_left_behind() -> None:
    """After a move that went well, and after one that failed, there is none on either side."""
    stage = Stage()
    stage.move(EXPORT)
    assert stage.b.instance(TARGET).backups == ()
    stage = Stage()
    stage.traps["b:start"] = OperationError("it broke")
    with pytest.raises(LxtuiError, match="runs where it was"):
        stage.move(EXPORT)
    assert stage.a.instance(SOURCE).backups == ()


def test_a_backup_that_cannot_be_made_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk ends the move with the host, what it needs and what to choose instead."""
    stage = Stage()

    def full(*_: object) -> None:
        raise OperationError("b: no space left on device")

    monkeypatch.setattr(stage.b, "create_backup", full)
    with pytest.raises(LxtuiError, match=r"no backup of b:web1.*room on b.*--verify=checksum"):
        stage.move(EXPORT)
    assert stage.where() == {"a": "Running"}
    assert stage.a.instance(SOURCE).backups == ()


def test_a_killed_move_leaves_no_backup_after_undo(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a killed lxtui had made is known from the journal, and removed by undo."""
    stage = Stage()

    def die(*_: object) -> tuple[str, ...]:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(backups, "drop", lambda *_: None)
        patched.setattr(backups, "differences", die)
        patched.setattr(mover, "take_back", die)
        with pytest.raises(SystemExit):
            stage.move(EXPORT)
    assert stage.a.instance(SOURCE).backups
    (record,) = records(stage.folder)
    assert not isinstance(record, LxtuiError)
    token = record.header.token
    recovery.undo(stage.folder, token, {"a": stage.a, "b": stage.b}, lambda _: None)
    assert stage.where() == {"a": "Running"}
    assert stage.a.instance(SOURCE).backups == ()


def _root(host: Host, name: str, snapshot: str = "") -> Path:
    pool = host.pools / "default"
    parts = ("containers-snapshots", name, snapshot) if snapshot else ("containers", name)
    return pool.joinpath(*parts) / "rootfs"


@pytest.mark.parametrize("what", ["nothing", "snapshot", "user.note", "security.capability"])
def test_a_difference_that_sftp_does_not_show_is_found(
    lab: Lab,
    backends: dict[str, Backend],
    make_instance: MakeInstance,
    tmp_path: Path,
    what: str,
) -> None:
    """LXD to Incus: a file in a snapshot, an attribute, a capability; equal ones go through."""
    host, target = lab.host("lxd1"), lab.host("incus1")
    name = make_instance(host, start=False)
    ref = Ref("lxd1", "default", name)
    host.write_file(name, "/root/file", b"older")
    file = _root(host, name) / "root/file"
    os.setxattr(file, "user.note", b"one")
    os.setxattr(file, "security.capability", b"\1\0\0\2\0\x20" + bytes(14))
    for snapshot in ("zulu", "alpha"):  # made in another order than that of their names
        backends["lxd1"].wait(backends["lxd1"].create_snapshot(ref, snapshot))

    def spoil(progress: Progress) -> None:
        if "are compared" not in progress.text:
            return
        copy = _root(target, name) / "root/file"
        if what == "snapshot":
            other = _root(target, name, "zulu") / "root/file"
            times = other.stat()
            other.write_bytes(b"newer")
            os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
        elif what == "user.note":
            os.setxattr(copy, what, b"two")
        elif what == "security.capability":
            os.removexattr(copy, what)

    command = Move(ref, "incus1", EXPORT)
    if what == "nothing":
        perform(command, backends, spoil, Flag(), tmp_path)
        assert host.status(name) is None
        assert backends["incus1"].instance(ref._replace(host="incus1")).backups == ()
        return
    said = "/root/file of snapshot zulu has another content" if what == "snapshot" else what
    with pytest.raises(LxtuiError, match=said):
        perform(command, backends, spoil, Flag(), tmp_path)
    assert target.status(name) is None
    assert backends["lxd1"].instance(ref).backups == ()
