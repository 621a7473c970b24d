"""Files pulled from and pushed into instances of the demo, of LXD and of Incus."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event as Flag
from typing import Any

import pytest

from lxtui import remotes
from lxtui.backend.base import Backend
from lxtui.backend.demo import DemoBackend, DemoFleet
from lxtui.backend.demo_files import Node
from lxtui.backend.lxd import LxdBackend
from lxtui.calls.files import MakeFolder, Pull, Push, RemoveFiles
from lxtui.errors import (
    ConflictError,
    InterruptedByUserError,
    NotFoundError,
    OperationError,
    ReadOnlyError,
)
from lxtui.files.folders import listed
from lxtui.files.paths import Kind as FileKind
from lxtui.files.tree import DEEPEST, Done
from lxtui.model import Instance, Kind, Progress, Ref
from lxtui.perform import perform
from tests.backend.conftest import Side
from tests.lab.lab import Lab

BIG = 24 * 1024 * 1024
HOSTILE = r"""
mkdir -p /tree/sub /tree/sub/deeper && cd /tree
echo one > plain && printf 'a\033[2Jb' > "$(printf 'e\033[31mvil\nname')"
ln -s /etc to-etc && ln -s ../../../../../../tmp/escaped up && ln -s to-etc/passwd through
mkfifo pipe && printf x > suid && chmod 4755 suid && : > empty
printf bad > "$(printf 'b\377d')" && echo two > sub/deeper/last && chown 33:44 sub/deeper/last
"""


@dataclass(frozen=True)
class Place:
    """A running instance with the tree of HOSTILE, which all tests of this module share."""

    backend: Backend
    ref: Ref


@pytest.fixture(scope="module", params=["demo", "lxd", "incus"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Each backend in turn."""
    if request.param == "demo":
        fleet = DemoFleet(tempo=0.0)
        fleet.add_host("here", Kind.LXD, "5.0.2")
        ref = Ref("here", "default", "one")
        fleet.add_instance(Instance(ref, "Running", created_at=fleet.clock()))
        yield _prepared(fleet.backend("here"), ref)
        return
    name = {"lxd": "lxd1", "incus": "incus1"}[request.param]
    lab: Lab = request.getfixturevalue("lab")
    host = lab.host(name)
    ref = Ref(name, "default", f"files-{os.getpid()}")
    backend = LxdBackend(remotes.load(lab.environment, Path("/nonexistent")).named(name))
    try:
        host.launch(ref.name, {"limits.memory": "64MiB"})
        yield _prepared(backend, ref)
    finally:
        host.delete(ref.name)
        backend.close()


def _do(
    side: Place | Side, command: Any, report: Callable[[Progress], None] = lambda _: None
) -> Done:
    outcome = perform(command, {side.backend.remote.name: side.backend}, report, Flag())
    assert outcome.transfer is not None
    return outcome.transfer


def _prepared(backend: Backend, ref: Ref) -> Place:
    _hostile(backend, ref, "tree")
    return Place(backend, ref)


def _hostile(backend: Backend, ref: Ref, name: str) -> None:
    if not isinstance(backend, DemoBackend):
        script = HOSTILE.replace("/tree", f"/{name}")
        assert backend.execute(ref, ["sh", "-c", script]) == 0
        return
    nodes = backend._fleet.disks.of(ref).nodes
    file, folder, link = stat.S_IFREG | 0o644, stat.S_IFDIR | 0o755, stat.S_IFLNK | 0o777
    nodes |= {
        b"/tree": Node(folder),
        b"/tree/sub": Node(folder),
        b"/tree/sub/deeper": Node(folder),
        b"/tree/plain": Node(file, b"one\n"),
        b"/tree/e\x1b[31mvil\nname": Node(file, b"a\x1b[2Jb"),
        b"/tree/to-etc": Node(link, b"/etc"),
        b"/tree/up": Node(link, b"../../../../../../tmp/escaped"),
        b"/tree/through": Node(link, b"to-etc/passwd"),
        b"/tree/pipe": Node(stat.S_IFIFO | 0o644),
        b"/tree/suid": Node(stat.S_IFREG | 0o4755, b"x"),
        b"/tree/empty": Node(file),
        b"/tree/b\xffd": Node(file, b"bad"),
        b"/tree/sub/deeper/last": Node(file, b"two\n", 33, 44),
    }
    for path in [path for path in nodes if path.startswith(b"/tree") and name != "tree"]:
        nodes[path.replace(b"/tree", b"/" + name.encode())] = nodes[path]


def _local(folder: Path) -> Mapping[bytes, tuple[int, bytes]]:
    """Everything below *folder*: mode, and content or target."""
    found = {}
    for where, folders, files in os.walk(os.fsencode(folder)):
        for name in (*folders, *files):
            path = where + b"/" + name
            mode = os.lstat(path).st_mode
            if stat.S_ISLNK(mode):
                content = os.readlink(path)  # noqa: PTH115 as bytes
            else:
                content = Path(os.fsdecode(path)).read_bytes() if stat.S_ISREG(mode) else b""
            found[os.path.relpath(path, os.fsencode(folder))] = (mode, content)
    return found


def test_a_hostile_tree_is_pulled_without_harm(place: Place, tmp_path: Path) -> None:
    """Names come as they are, links and pipes stay behind and are named, nothing is setuid."""
    ref = place.ref
    done = _do(place, Pull(ref, ((b"/tree", b"tree"),), tmp_path, recursive=True))
    file, folder = stat.S_IFREG | 0o600, stat.S_IFDIR | 0o700
    assert _local(tmp_path) == {
        b"tree": (folder, b""),
        b"tree/sub": (folder, b""),
        b"tree/sub/deeper": (folder, b""),
        b"tree/plain": (file, b"one\n"),
        b"tree/e\x1b[31mvil\nname": (file, b"a\x1b[2Jb"),
        b"tree/suid": (file, b"x"),
        b"tree/empty": (file, b""),
        b"tree/b\xffd": (file, b"bad"),
        b"tree/sub/deeper/last": (file, b"two\n"),
    }
    assert {one.path: one.why for one in done.skipped} == {
        b"/tree/to-etc": "it is a link to /etc",
        b"/tree/up": "it is a link to ../../../../../../tmp/escaped",
        b"/tree/through": "it is a link to to-etc/passwd",
        b"/tree/pipe": "it is a fifo",
    }
    assert (done.files, done.folders, done.failed) == (6, 3, ())


def test_links_are_pulled_as_links_when_told(place: Place, tmp_path: Path) -> None:
    """They say what they say inside; permissions are those inside, setuid never."""
    ref = place.ref
    _do(place, Pull(ref, ((b"/tree", b"t"),), tmp_path, recursive=True, links=True, keep_mode=True))
    found = _local(tmp_path)
    assert found[b"t/up"][1] == b"../../../../../../tmp/escaped"
    assert found[b"t/to-etc"][1] == b"/etc"
    assert stat.S_IMODE(found[b"t/suid"][0]) == 0o755
    assert not [path for path in found if path.startswith(b"t/to-etc/")]


def test_a_link_that_is_named_is_followed_inside(place: Place, tmp_path: Path) -> None:
    """What comes is the instance's file, not ours of that path."""
    ref = place.ref
    _do(place, Pull(ref, ((b"/tree/through", b"users"),), tmp_path))
    content = (tmp_path / "users").read_text("utf-8")
    assert content.startswith("root:x:0:0:")
    assert content != Path("/etc/passwd").read_text("utf-8")


def test_a_tree_goes_there_and_comes_back(place: Place, tmp_path: Path) -> None:
    """Contents, names, modes."""
    _round_trip(place, place.ref, tmp_path)


def test_a_stopped_instance_has_files_too(side: Side, tmp_path: Path) -> None:
    """It goes there, it comes back."""
    _round_trip(side, side.make(False), tmp_path)


def _round_trip(place: Place | Side, ref: Ref, tmp_path: Path) -> None:
    here = tmp_path / "tree"
    (here / "sub").mkdir(parents=True)
    for number in range(100):
        (here / f"small{number}").write_bytes(b"%d" % number)
    (here / "sub/odd").write_bytes(os.urandom(100_001))
    (here / os.fsdecode(b"n\xff\n")).write_bytes(b"name")
    (here / "run").write_bytes(b"#!/bin/sh\n")
    (here / "run").chmod(0o4711)
    (here / "away").symlink_to("/etc/shadow")
    done = _do(place, Push(ref, (here,), b"/srv/new/", recursive=True, parents=True))
    assert [(one.path, one.why) for one in done.skipped] == [
        (os.fsencode(here / "away"), "it is a link to /etc/shadow")
    ]
    assert (done.files, done.folders) == (103, 2)
    back = tmp_path / "back"
    back.mkdir()
    _do(place, Pull(ref, ((b"/srv/new/tree", b"tree"),), back, recursive=True, keep_mode=True))
    (here / "away").unlink()
    (here / "run").chmod(0o711)
    assert _local(back / "tree") == _local(here)


def test_owner_and_mode_are_what_was_asked_for(place: Place, tmp_path: Path) -> None:
    """A new file is root's; one that is replaced keeps its owner and mode, unless told."""
    ref = place.ref
    local = tmp_path / "f"
    local.write_bytes(b"1")
    local.chmod(0o640)

    def there(path: bytes) -> tuple[int, int, int]:
        with place.backend.files(ref) as files:
            found = files.look(path)
        assert found is not None
        return stat.S_IMODE(found.mode), found.uid, found.gid

    _do(place, Push(ref, (local,), b"/root/f"))
    assert there(b"/root/f") == (0o640, 0, 0)
    how = Push(ref, (local,), b"/root/g", uid=33, gid=44, file_mode=0o750)
    _do(place, how)
    assert there(b"/root/g") == (0o750, 33, 44)
    _do(place, Push(ref, (local,), b"/root/g", force=True))
    assert there(b"/root/g") == (0o750, 33, 44)
    _do(place, MakeFolder(ref, b"/root/a/b", parents=True, folder_mode=0o750, uid=5, gid=6))
    assert there(b"/root/a/b") == (0o750, 5, 6)


def test_nothing_is_replaced_unless_told(place: Place, tmp_path: Path) -> None:
    """Neither here nor there; with --force a link in the place is replaced, not followed."""
    ref = place.ref
    mine = tmp_path / "hosts"
    mine.write_bytes(b"mine")
    with pytest.raises(ConflictError, match="is there already"):
        _do(place, Pull(ref, ((b"/etc/group", b"hosts"),), tmp_path))
    with pytest.raises(ConflictError, match="is there already"):
        _do(place, Push(ref, (mine,), b"/tree/plain"))
    assert mine.read_bytes() == b"mine"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"elsewhere")
    (tmp_path / "link").symlink_to(elsewhere)
    _do(place, Pull(ref, ((b"/etc/passwd", b"link"),), tmp_path, force=True))
    assert elsewhere.read_bytes() == b"elsewhere"
    assert b"root" in (tmp_path / "link").read_bytes()
    with place.backend.files(ref) as files:
        files.make_link(b"/srv/there", b"/etc/passwd")
    _do(place, Push(ref, (mine,), b"/srv/there", force=True))
    with place.backend.files(ref) as files:
        assert files.heads([b"/srv/there"], 100) == [b"mine"]
        assert files.heads([b"/etc/passwd"], 4) == [b"root"]


def _stopping(at: int) -> tuple[Flag, Callable[[Progress], None]]:
    """A flag that is set once *at* bytes have passed."""
    stop = Flag()

    def report(now: Progress) -> None:
        if (now.processed or 0) >= at:
            stop.set()

    return stop, report


def test_a_pull_that_is_cancelled_leaves_nothing(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a half file under its name nor a temporary one."""
    monkeypatch.setattr("lxtui.files.meter._BETWEEN", 0.0)
    ref = place.ref
    big = tmp_path / "big"
    big.write_bytes(bytes(BIG))
    _do(place, Push(ref, (big,), b"/root/big"))
    stop, report = _stopping(BIG // 8)
    folder = tmp_path / "to"
    folder.mkdir()
    backends = {place.backend.remote.name: place.backend}
    with pytest.raises(InterruptedByUserError):
        perform(Pull(ref, ((b"/root/big", b"big"),), folder), backends, report, stop)
    assert list(folder.iterdir()) == []
    _do(place, Pull(ref, ((b"/root/big", b"big"),), folder))
    assert (folder / "big").stat().st_size == BIG


def test_a_push_that_is_cancelled_leaves_nothing(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The instance has neither the name nor a temporary one."""
    monkeypatch.setattr("lxtui.files.meter._BETWEEN", 0.0)
    ref = place.ref
    big = tmp_path / "big"
    big.write_bytes(bytes(BIG))
    stop, report = _stopping(BIG // 8)
    backends = {place.backend.remote.name: place.backend}
    with pytest.raises(InterruptedByUserError):
        perform(Push(ref, (big,), b"/srv/"), backends, report, stop)
    with place.backend.files(ref) as files:
        assert [one.name for one in files.entries(b"/srv") if b"lxtui" in one.name] == []
        assert files.look(b"/srv/big") is None


def test_removing_a_tree_goes_through_no_link(place: Place, tmp_path: Path) -> None:
    """What the links point to stays; a directory needs to be told, the root cannot be."""
    ref = place.ref
    _hostile(place.backend, ref, "other")
    with pytest.raises(OperationError, match="-r removes"):
        _do(place, RemoveFiles(ref, (b"/other",)))
    with pytest.raises(OperationError, match="root directory"):
        _do(place, RemoveFiles(ref, (b"/",), recursive=True))
    _do(place, RemoveFiles(ref, (b"/other",), recursive=True))
    with place.backend.files(ref) as files:
        assert files.look(b"/other") is None
        assert files.look(b"/etc/passwd") is not None
    with pytest.raises(OperationError, match="no such file"):
        _do(place, Pull(ref, ((b"/other", b"other"),), tmp_path))


def test_too_deep_and_too_many_are_said_before_anything_is_written(
    place: Place, tmp_path: Path
) -> None:
    """The bound, and what to do."""
    ref = place.ref
    if isinstance(place.backend, DemoBackend):
        nodes = place.backend._fleet.disks.of(ref).nodes
        for depth in range(1, DEEPEST + 5):
            nodes[b"/deep" + b"/d" * depth] = Node(stat.S_IFDIR | 0o755)
        nodes[b"/deep"] = Node(stat.S_IFDIR | 0o755)
    else:
        path = "/deep" + "/d" * (DEEPEST + 5)
        assert place.backend.execute(ref, ["mkdir", "-p", path]) == 0
    with pytest.raises(OperationError, match=f"more than {DEEPEST} folders in each other"):
        _do(place, Pull(ref, ((b"/deep", b"deep"),), tmp_path, recursive=True))
    with pytest.raises(OperationError, match="more than 3 files"):
        _do(place, Pull(ref, ((b"/etc", b"etc"),), tmp_path, recursive=True, most=3))
    assert list(tmp_path.iterdir()) == []


def test_what_is_listed(place: Place) -> None:
    """Type, mode, owner by the instance's own names, where links point; one file by itself."""
    ref = place.ref
    with place.backend.files(ref) as files:
        found = listed(files, b"/tree")
        one = listed(files, b"/tree/up")
        root = listed(files, b"/")
    lines = {line.entry.name: line for line in found.lines}
    assert lines[b"sub"].kind is FileKind.FOLDER
    assert lines[b"suid"].mode == "-rwsr-xr-x"
    assert lines[b"up"].target == b"../../../../../../tmp/escaped"
    assert lines[b"e\x1b[31mvil\nname"].name == r"e\x1b[31mvil\nname"
    assert found.owner(lines[b"plain"]) == "root"
    assert [line.entry.name for line in one.lines] == [b"up"]
    assert b"etc" in [line.entry.name for line in root.lines]


def test_a_read_only_host_lets_its_files_be_read_only(place: Place, tmp_path: Path) -> None:
    """Pulling is allowed; pushing, making and removing are not, by perform and by the client."""
    ref = place.ref
    backend = place.backend
    if isinstance(backend, DemoBackend):
        backend.read_only = True
    else:
        backend = LxdBackend(replace(backend.remote, read_only=True))
    backends = {ref.host: backend}
    (tmp_path / "f").write_bytes(b"1")
    perform(Pull(ref, ((b"/etc/hosts", b"h"),), tmp_path), backends, lambda _: None, Flag())
    for command in (
        Push(ref, (tmp_path / "f",), b"/root/f"),
        MakeFolder(ref, b"/root/d"),
        RemoveFiles(ref, (b"/etc/hosts",)),
    ):
        with pytest.raises(ReadOnlyError):
            perform(command, backends, lambda _: None, Flag())
    with backend.files(ref) as files:
        writes: list[Callable[[], None]] = [
            lambda: files.create(b"/root/f", [b"1"], 0o600, 0, 0),
            lambda: files.make_folder(b"/root/d", 0o700, 0, 0),
            lambda: files.make_link(b"/root/l", b"x"),
            lambda: files.rename(b"/etc/hosts", b"/etc/h", replace=True),
            lambda: files.remove(b"/etc/hosts"),
            lambda: files.remove_folder(b"/root"),
        ]
        for write in writes:
            with pytest.raises(ReadOnlyError):
                write()
    if isinstance(backend, DemoBackend):
        backend.read_only = False
    else:
        backend.close()


def test_an_instance_that_is_not_there(place: Place, tmp_path: Path) -> None:
    """Is said by its name."""
    ref = place.ref._replace(name="nobody")
    with pytest.raises(NotFoundError, match="there is no instance"):
        _do(place, Pull(ref, ((b"/etc/hosts", b"h"),), tmp_path))
