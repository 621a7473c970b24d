"""Files of instances without a screen: the verbs, what is written here, how far it is."""

from __future__ import annotations

import errno
import io
import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event as Flag
from typing import Any

import pytest

from lxtui.backend.demo import DemoFleet
from lxtui.backend.demo_files import DemoFiles, Disk, Node
from lxtui.calls.files import MakeFolder, Pull, Push, RemoveFiles
from lxtui.cli import main
from lxtui.errors import (
    ConflictError,
    HostUnreachableError,
    InterruptedByUserError,
    OperationError,
    UsageError,
)
from lxtui.files import paths
from lxtui.files.here import BadNameError, Here
from lxtui.files.meter import Meter
from lxtui.files.pull import pull
from lxtui.files.tree import IncompleteError
from lxtui.model import FileEntry, Instance, Kind, Progress, Ref

REF = Ref("oslo", "default", "web1")


class Told:
    """The output of one call."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *words: str) -> None:
        self.status = main(["--demo", "files", *words])
        self.out, self.err = capsys.readouterr()


def test_a_directory_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """As a table with owners by name and where links point to; as JSON with documented keys."""
    told = Told(capsys, "ls", "oslo:web1/etc")
    assert told.status == 0
    rows = {row.split()[-1]: row for row in told.out.splitlines()}
    assert rows["nginx"].startswith("drwxr-xr-x")
    assert "localtime -> /usr/share/zoneinfo/Etc/UTC" in told.out
    told = Told(capsys, "ls", "oslo:web1/usr/bin/su", "--json")
    assert json.loads(told.out) == [
        {
            "name": "su",
            "type": "file",
            "mode": "4755",
            "uid": 0,
            "gid": 0,
            "owner": "root",
            "size_bytes": 60_004,
            "modified_at": "2026-05-28T20:26:40Z",
            "target": None,
        }
    ]


def test_a_file_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """Its bytes; with --json in a document; what is no file is refused."""
    assert Told(capsys, "cat", "oslo:web1/etc/hostname").out == "web\n"
    assert json.loads(Told(capsys, "cat", "oslo:web1/etc/hostname", "--json").out)["content"] == (
        "web\n"
    )
    told = Told(capsys, "cat", "oslo:web1/etc", "--json")
    assert told.status == 1
    assert json.loads(told.out)["error"] == "oslo:web1/etc is a directory"
    assert "there is no such file" in Told(capsys, "cat", "oslo:web1/etc/nothing").err


def test_a_terminal_is_not_driven_by_a_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not printable is shown as a question mark, lines and tabs stay."""
    evil = b"a\x1b[2Jb\x07\tc\n\xc3"
    node = Node(stat.S_IFREG | 0o644, evil)
    monkeypatch.setitem(DemoFleet().disks.of(REF).nodes, b"/none", node)  # a disk of its own
    monkeypatch.setattr("lxtui.backend.demo_files._FIRST", {b"/": _FOLDER, b"/evil": node})
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert Told(capsys, "cat", "oslo:web1/evil").out == "a?[2Jb?\tc\n"


def test_pull_and_push(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Into a directory or under a name; the report has what was left out."""
    assert Told(capsys, "pull", "oslo:web1/etc/hosts", str(tmp_path)).status == 0
    assert (tmp_path / "hosts").read_text("utf-8").startswith("127.0.0.1")
    assert Told(capsys, "pull", "oslo:web1/etc/hosts", str(tmp_path / "h2")).status == 0
    assert (tmp_path / "h2").exists()
    told = Told(capsys, "pull", "-r", "oslo:web1/etc", f"{tmp_path}/", "--json")
    document = json.loads(told.out)
    assert (document["command"], document["result"]) == ("files pull", "done")
    assert (document["files"], document["directories"]) == (5, 2)
    assert {"path": "/etc/os-release", "reason": "it is a link to ../usr/lib/os-release"} in (
        document["skipped"]
    )
    told = Told(capsys, "pull", "oslo:web1/etc/hosts", str(tmp_path), "--json")
    assert told.status == 1
    assert "is there already" in json.loads(told.out)["error"]
    told = Told(capsys, "push", str(tmp_path / "h2"), "oslo:web1/srv/www/", "--json")
    assert (told.status, json.loads(told.out)["files"]) == (0, 1)
    assert "/srv/none is not there: -p makes it" in (
        Told(capsys, "push", str(tmp_path / "h2"), "oslo:web1/srv/none/").err
    )
    assert "two of them have one name" in (
        Told(capsys, "push", str(tmp_path / "h2"), str(tmp_path / "h2"), "oslo:web1/srv/").err
    )


def test_standard_input_is_pushed() -> None:
    """Through a pipe, whatever is in it."""
    words = ["--demo", "files", "push", "-", "oslo:web1/root/x", "--json"]
    script = f"from lxtui.cli import main; raise SystemExit(main({words}))"
    piped = 'printf "a\\0b" | "$0" -c "$1"'
    done = subprocess.run(
        ["sh", "-c", piped, sys.executable, script], capture_output=True, check=True
    )
    assert json.loads(done.stdout)["bytes"] == 3


@pytest.mark.parametrize(
    "words",
    [
        ("pull", "oslo:web1/etc/hosts"),
        ("pull", "oslo:web1/etc/hosts", "oslo:web2/etc/hosts", "."),
        ("push", "README.md"),
        ("push", "README.md", "oslo:web1/x", "--mode", "rw"),
        ("push", "README.md", "oslo:web1/x", "--mode", "4755"),
        ("ls", "/etc"),
        ("ls", "oslo:web1:/etc"),
        ("rm", "oslo:web1/a", "oslo:web2/b"),
    ],
)
def test_what_cannot_be_meant(capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    """Is bad usage: status 2, and nothing is done."""
    told = Told(capsys, *words)
    assert told.status == 2
    assert told.err


def test_removing_asks(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """At a terminal; directories need -r."""
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdin", io.StringIO("n\n"))
        patch.setattr(sys.stdin, "isatty", lambda: True)
        told = Told(capsys, "rm", "oslo:web1/etc/hosts")
    assert told.status == 1
    assert "nothing was removed" in told.err
    assert Told(capsys, "rm", "oslo:web1/etc/hosts", "--yes").status == 0
    assert "-r removes it" in Told(capsys, "rm", "oslo:web1/etc", "--yes").err
    told = Told(capsys, "rm", "-r", "oslo:web1/etc", "--yes", "--json")
    assert json.loads(told.out)["directories"] == 2


def test_a_read_only_host(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Is listed, read and pulled from; nothing is pushed, made or removed."""
    safe = ["--read-only"]
    (tmp_path / "f").touch()
    for words in (
        ["ls", "oslo:web1/"],
        ["cat", "oslo:web1/etc/hosts"],
        ["pull", "oslo:web1/etc/hosts", str(tmp_path)],
    ):
        assert main(["--demo", *safe, "files", *words]) == 0
        assert main(["files", *words, "--force" if words[0] == "pull" else "--json", "--demo"]) == 0
    for words in (
        ["push", str(tmp_path / "f"), "oslo:web1/root/"],
        ["mkdir", "oslo:web1/root/d"],
        ["rm", "--yes", "oslo:web1/etc/hosts"],
    ):
        assert main(["--demo", *safe, "files", *words]) == 1
        assert "read-only" in capsys.readouterr().err
        assert main(["files", *words, "--demo", *safe]) == 1


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("h:n", ("h:n", b"/")),
        ("h:n/", ("h:n", b"/")),
        ("h:n/etc/../var//log/", ("h:n", b"/var/log/")),
        ("n/../..", ("n", b"/")),
        ("h:n/a\udcffb", ("h:n", b"/a\xffb")),
    ],
)
def test_paths_as_they_are_written(written: str, meant: tuple[str, bytes]) -> None:
    """The instance, and a path without dots; bytes that are no text stay."""
    assert paths.split(written) == meant


def test_a_path_without_an_instance() -> None:
    """Is refused."""
    with pytest.raises(UsageError):
        paths.split("/etc")


def test_the_same_with_the_hosts_own_command_line() -> None:
    """Quoted for a shell, with what we do said: the owner, the mode, the project."""
    pulled = Pull(REF, ((b"/etc/a b", b"c"),), Path("/to"), recursive=True)
    assert pulled.equivalent(Kind.LXD) == "lxc file pull -r 'oslo:web1/etc/a b' /to/c"
    odd = Pull(REF._replace(project="p"), ((b"/\xffa\n'", b"x"),), Path("/to"))
    assert odd.equivalent(Kind.INCUS) == (
        r"incus file pull $'oslo:web1/\xffa\x0a\x27' /to/x --project p"
    )
    pushed = Push(REF, (Path("/x"),), b"/etc/x", parents=True, file_mode=0o600, uid=33)
    assert pushed.equivalent(Kind.LXD) == (
        "lxc file push --uid 33 --gid 0 --mode 0600 -p /x oslo:web1/etc/x"
    )
    made = MakeFolder(REF, b"/a/b", parents=True)
    assert made.equivalent(Kind.LXD) == "lxc exec oslo:web1 -- mkdir -p -m 0755 /a/b"
    assert "incus file create --type directory" in made.equivalent(Kind.INCUS)
    assert RemoveFiles(REF, (b"/a", b"/b")).equivalent(Kind.LXD) == (
        "lxc file delete oslo:web1/a oslo:web1/b"
    )


_FOLDER = Node(stat.S_IFDIR | 0o755)


def test_here_goes_through_no_link_and_over_nothing(tmp_path: Path) -> None:
    """Whatever is there already: links to elsewhere, files, folders."""
    elsewhere, root = tmp_path / "elsewhere", tmp_path / "root"
    elsewhere.mkdir()
    root.mkdir()
    (elsewhere / "f").write_bytes(b"theirs")
    (root / "folder").symlink_to(elsewhere)
    (root / "file").symlink_to(elsewhere / "f")
    for replace in (False, True):
        with Here(root, replace=replace) as here:
            with pytest.raises((OperationError, ConflictError)):
                here.make_folder((b"folder",))
            with pytest.raises(OperationError):
                here.write((b"folder", b"f"), [b"ours"])
            with pytest.raises(OperationError):
                here.link((b"folder", b"l"), b"x")
    with Here(root) as here, pytest.raises(ConflictError):
        here.write((b"file",), [b"ours"])
    with Here(root, replace=True) as here:
        here.write((b"file",), [b"ours"])
    assert (root / "file").read_bytes() == b"ours"
    assert not (root / "file").is_symlink()
    assert sorted(elsewhere.iterdir()) == [elsewhere / "f"]
    assert (elsewhere / "f").read_bytes() == b"theirs"
    assert sorted(one.name for one in root.iterdir()) == ["file", "folder"]


@pytest.mark.parametrize("name", [b"..", b".", b"a/b", b"a\0b", b"n" * 256])
def test_here_takes_no_name_that_is_none(tmp_path: Path, name: bytes) -> None:
    """Each is refused for itself; nothing is written."""
    with Here(tmp_path) as here:
        for route in ((name,), (b"x", name)):
            with pytest.raises(BadNameError):
                here.write(route, [b"data"])
            with pytest.raises(BadNameError):
                here.make_folder(route)
            with pytest.raises(BadNameError):
                here.link(route, b"target")
        with pytest.raises(OperationError):
            here.need(name)
    assert list(tmp_path.iterdir()) == []


def test_here_never_makes_what_is_setuid(tmp_path: Path) -> None:
    """Permissions alone are taken over, and only when told; others get nothing by default."""
    with Here(tmp_path) as here:
        here.write((b"f",), [b"1"], 0o6755)
        here.make_folder((b"d",), 0o7577)
        here.write((b"d", b"g"), [b"1"])
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "d").stat().st_mode) == 0o777
    assert stat.S_IMODE((tmp_path / "d/g").stat().st_mode) == 0o600


def test_here_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that has none still gets whole files, and none is overwritten."""

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with Here(tmp_path) as here:
        here.write((b"f",), [b"one"])
        with pytest.raises(ConflictError):
            here.write((b"f",), [b"two"])
    assert [one.read_bytes() for one in tmp_path.iterdir()] == [b"one"]


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a disk of one MiB: needs root")
def test_a_full_disk(tmp_path: Path) -> None:
    """Is said, and leaves nothing half."""
    script = (
        "import sys; from pathlib import Path; from lxtui.files.here import Here\n"
        "from lxtui.errors import OperationError\n"
        "folder = Path(sys.argv[1])\n"
        "with Here(folder) as here:\n"
        "    for act in (lambda: here.room(2**21),\n"
        "                lambda: here.write((b'f',), [bytes(2**16)] * 32)):\n"
        "        try: act()\n"
        "        except OperationError as error: print(error)\n"
        "print(list(folder.iterdir()))\n"
    )
    mounted = 'mount -t tmpfs -o size=1m none "$1" && exec "$2" -c "$3" "$1"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", mounted, "sh", tmp_path, sys.executable, script],
        capture_output=True,
        text=True,
        check=True,
    )
    room, full, left = done.stdout.splitlines()
    assert "2 MiB do not fit" in room
    assert full.endswith("/f: the disk is full: make room, then again")
    assert left == "[]"


class Broken(DemoFiles):
    """A file server that does at some moment what it should not."""

    def __init__(self, how: str) -> None:
        disk = Disk()
        disk.nodes = {
            b"/": _FOLDER,
            b"/d": _FOLDER,
            b"/d/a": Node(stat.S_IFREG | 0o644, b"a" * 50_000),
            b"/d/b": Node(stat.S_IFREG | 0o644, b"b" * 50_000),
            b"/d/c": Node(stat.S_IFREG | 0o644, b"c"),
        }
        super().__init__("oslo", disk, None)
        self.how = how

    def entries(self, folder: bytes, most: int = 0) -> list[FileEntry]:
        """With names that no kernel has."""
        found = super().entries(folder, most)
        if self.how == "names":
            odd = (b"", b"x\0y", b"n" * 300)
            found += [FileEntry(name, stat.S_IFREG | 0o644, size=1) for name in odd]
        return found

    @contextmanager
    def opened(self, path: bytes) -> Iterator[tuple[FileEntry, Iterator[bytes]]]:
        """Broken for one of them."""
        with super().opened(path) as (entry, pieces):
            if path != b"/d/b" or self.how == "names":
                yield entry, pieces
            elif self.how == "gone":
                del self._disk.nodes[path]
                self._node(path)
            elif self.how == "grows":
                yield entry, iter([b"b" * 40_000] * 1000)
            elif self.how == "device":
                yield FileEntry(b"b", stat.S_IFCHR | 0o666), iter([b"x"] * 1000)
            elif self.how == "shrinks":
                yield entry, iter([b"b"])
            else:
                yield entry, self._dying()

    def _dying(self) -> Iterator[bytes]:
        yield b"b" * 32_768
        raise HostUnreachableError("oslo: its files can be read no more (timed out)")


class Stand:
    """A backend with nothing but those files."""

    def __init__(self, how: str) -> None:
        fleet = DemoFleet(tempo=0.0)
        fleet.add_host("oslo", Kind.LXD, "5.0.2")
        fleet.add_instance(Instance(REF, "Running", created_at=fleet.clock()))
        self.backend = fleet.backend("oslo")
        self.files = Broken(how)

    @contextmanager
    def opened(self, _ref: Ref) -> Iterator[Broken]:
        """As Backend.files."""
        yield self.files


def _pull(how: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    stand = Stand(how)
    monkeypatch.setattr(stand.backend, "files", stand.opened)
    command = Pull(REF, ((b"/d", b"d"),), folder, recursive=True)
    return pull(command, stand.backend, lambda _: None, Flag())


def _content(folder: Path) -> dict[str, int]:
    return {one.name: one.stat().st_size for one in (folder / "d").iterdir()}


def test_a_dead_host_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was whole before stays, and is counted."""
    with pytest.raises(HostUnreachableError, match="1 of 3 files are in"):
        _pull("dies", tmp_path, monkeypatch)
    assert _content(tmp_path) == {"a": 50_000}


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("gone", "file does not exist"),
        ("device", "it is a character device by now"),
        ("shrinks", "it became shorter"),
    ],
)
def test_one_that_cannot_be_had_is_named(
    how: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others come, and the pull counts as incomplete."""
    done = _pull(how, tmp_path, monkeypatch)
    assert [one.path for one in done.failed] == [b"/d/b"]
    assert why in done.failed[0].why
    assert _content(tmp_path) == {"a": 50_000, "c": 1}


def test_a_file_that_grows_ends_where_it_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many bytes as it had when it was opened."""
    assert _pull("grows", tmp_path, monkeypatch).failed == ()
    assert _content(tmp_path)["b"] == 50_000


def test_names_that_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Are left out and named."""
    done = _pull("names", tmp_path, monkeypatch)
    assert [one.why for one in done.skipped] == [
        "that is no name of a file",
        "its name is longer than 255 bytes",
        "that is no name of a file",
    ]
    assert sorted(_content(tmp_path)) == ["a", "b", "c"]


def test_how_far_it_is() -> None:
    """Bytes of all, files of all, the rate of late and the time that is left; stop is noticed."""
    now, told, stop = [0.0], list[Progress](), Flag()
    meter = Meter("pulling", told.append, stop, lambda: now[0])
    meter.begin(1000 * 1024, 2)
    for _ in range(10):
        now[0] += 0.5
        meter.passed(50 * 1024)
    meter.finished()
    now[0] += 0.5
    meter.passed(0)
    last = told[-1]
    assert last.text == "pulling: 1 of 2 files, 500 KiB of 1000 KiB, 90 KiB/s, 5.6s left"
    assert (last.processed, last.percent) == (500 * 1024, 50)
    stop.set()
    with pytest.raises(InterruptedByUserError):
        meter.passed(1)


def test_an_incomplete_pull_fails(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Status 1; the document names what came, and what did not."""

    def refuse(_self: DemoFiles, paths: list[bytes]) -> list[OperationError]:
        return [OperationError("permission denied") for _ in paths]

    monkeypatch.setattr(DemoFiles, "small", refuse)
    told = Told(capsys, "pull", "-r", "oslo:web1/usr/lib", str(tmp_path), "--json")
    document = json.loads(told.out)
    assert (told.status, document["result"]) == (1, "failed")
    assert document["failed"] == [{"path": "/usr/lib/os-release", "reason": "permission denied"}]
    assert issubclass(IncompleteError, OperationError)
