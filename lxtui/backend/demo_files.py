"""The disks of the simulated instances.

Role: a small tree that can be read and written as a daemon's file server lets it be, with the
processes of a running one. Boundary: memory only. Threading: one lock for each disk.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import RLock

from lxtui import format as text
from lxtui.backend import demo_proc
from lxtui.errors import NoSuchFileError, OperationError, ReadOnlyError
from lxtui.model import FileEntry, Ref

_PIECE = 32 * 1024
_LINKS = 40
"""Links that may be followed for one path, as in the kernel."""
_ROOM = 20 * 2**30
_BORN = 1_780_000_000
"""When the first files were written; the fleet's clock may stand still."""
_SYSLOG = "".join(
    f"2026-06-{day:02} 06:25:0{second} web cron[{400 + day}]: (root) CMD (run-parts daily)\n"
    for day in range(1, 29)
    for second in range(4)
)


@dataclass(frozen=True, slots=True)
class Node:
    """A file, folder or link."""

    mode: int
    content: bytes = b""
    """Of a link, where it points to."""
    uid: int = 0
    gid: int = 0
    modified: int = _BORN

    def entry(self, name: bytes) -> FileEntry:
        """As a listing has it."""
        size = 4096 if stat.S_ISDIR(self.mode) else len(self.content)
        return FileEntry(name, self.mode, self.uid, self.gid, size, self.modified)


def _folder(mode: int = 0o755, uid: int = 0) -> Node:
    return Node(stat.S_IFDIR | mode, uid=uid, gid=uid)


def _file(content: str | bytes, mode: int = 0o644, uid: int = 0) -> Node:
    data = content.encode() if isinstance(content, str) else content
    return Node(stat.S_IFREG | mode, data, uid, uid)


def _link(target: bytes) -> Node:
    return Node(stat.S_IFLNK | 0o777, target)


_FIRST: dict[bytes, Node] = {
    b"/": _folder(),
    b"/bin": _link(b"usr/bin"),
    b"/dev": _folder(),
    b"/dev/null": Node(stat.S_IFCHR | 0o666),
    b"/etc": _folder(),
    b"/etc/hostname": _file("web\n"),
    b"/etc/hosts": _file("127.0.0.1 localhost\n::1 localhost\n"),
    b"/etc/localtime": _link(b"/usr/share/zoneinfo/Etc/UTC"),
    b"/etc/nginx": _folder(),
    b"/etc/nginx/nginx.conf": _file(
        "user www-data;\nworker_processes auto;\nevents { worker_connections 768; }\n"
        "http {\n    include mime.types;\n    server { listen 80; root /srv/www; }\n}\n"
    ),
    b"/etc/os-release": _link(b"../usr/lib/os-release"),
    b"/etc/passwd": _file(demo_proc.PASSWD),
    b"/etc/shadow": _file("root:*:20000:0:99999:7:::\n", 0o640),
    b"/proc": _folder(0o555),
    b"/root": _folder(0o700),
    b"/root/.profile": _file("export LANG=C.UTF-8\n"),
    b"/run": _folder(),
    b"/run/cron.sock": Node(stat.S_IFSOCK | 0o666),
    b"/srv": _folder(),
    b"/srv/www": _folder(uid=33),
    b"/srv/www/index.html": _file("<h1>It works</h1>\n", uid=33),
    b"/srv/www/logo.png": _file(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 80, uid=33),
    b"/tmp": _folder(0o1777),
    b"/usr": _folder(),
    b"/usr/bin": _folder(),
    b"/usr/bin/su": _file(b"\x7fELF" + bytes(60_000), 0o4755),
    b"/usr/lib": _folder(),
    b"/usr/lib/os-release": _file('PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nID=debian\n'),
    b"/var": _folder(),
    b"/var/log": _folder(),
    b"/var/log/syslog": _file(_SYSLOG, 0o640),
}


class Disk:
    """The files of one instance."""

    def __init__(self) -> None:
        self.nodes = dict(_FIRST)
        self.lock = RLock()


class Disks:
    """Those of a fleet; one that nobody has looked at takes no room."""

    def __init__(self) -> None:
        self._disks: dict[Ref, Disk] = {}

    def of(self, ref: Ref) -> Disk:
        """The disk of an instance."""
        return self._disks.setdefault(ref, Disk())

    def copy(self, source: Ref, target: Ref) -> None:
        """Let *target* have what *source* has."""
        if source in self._disks:
            disk = Disk()
            disk.nodes = dict(self._disks[source].nodes)
            self._disks[target] = disk

    def forget(self, ref: Ref) -> None:
        """It is gone."""
        self._disks.pop(ref, None)


class DemoFiles:
    """What a daemon's file server would say of a disk."""

    def __init__(
        self, host: str, disk: Disk, seconds: float | None, *, read_only: bool = False
    ) -> None:
        """*seconds* of CPU time of all processes; None: it does not run."""
        self._host = host
        self._disk = disk
        self._seconds = seconds
        self._read_only = read_only

    def entries(self, folder: bytes, most: int = 0) -> list[FileEntry]:
        """Everything in *folder*, in no order."""
        with self._disk.lock:
            where = self._resolved(folder)
            if not stat.S_ISDIR(self._node(where).mode):
                raise self._refused(folder, "not a directory")
            above = where.rstrip(b"/") + b"/"
            found = [
                node.entry(path[len(above) :])
                for path, node in self._disk.nodes.items()
                if path.startswith(above) and path != above and b"/" not in path[len(above) :]
            ]
        if self._seconds is not None:
            found += demo_proc.entries(where)
        return found[: most + 1] if most else found

    def links(self, paths: Sequence[bytes]) -> list[bytes]:
        """Where each points to."""
        with self._disk.lock:
            return [self._node(self._named(path)).content for path in paths]

    def set_times(self, paths: Sequence[bytes], seconds: int) -> None:
        """When they were written."""
        with self._writing():
            for path in paths:
                name = self._resolved(path)
                self._disk.nodes[name] = replace(self._node(name), modified=seconds)

    def digests(self, files: Sequence[tuple[bytes, int]]) -> list[bytes]:
        """SHA-256 of each."""
        with self._disk.lock:
            return [
                hashlib.sha256(self._node(self._resolved(path)).content[:size]).digest()
                for path, size in files
            ]

    def heads(self, paths: Sequence[bytes], most: int) -> list[bytes]:
        """The beginning of each; of processes too."""
        found = [one[:most] for one in demo_proc.heads(paths, self._seconds or 0.0)]
        for at, (path, seen) in enumerate(zip(paths, found, strict=True)):
            if not seen:
                first = self.small([path])[0]
                found[at] = b"" if isinstance(first, OperationError) else first[1][:most]
        return found

    def small(self, paths: Sequence[bytes]) -> list[tuple[FileEntry, bytes] | OperationError]:
        """What each is, and its beginning."""
        found: list[tuple[FileEntry, bytes] | OperationError] = []
        for path in paths:
            try:
                with self.opened(path) as (entry, pieces):
                    found.append((entry, next(pieces, b"")))
            except OperationError as error:
                found.append(error)
        return found

    def look(self, path: bytes, *, follow: bool = False) -> FileEntry | None:
        """What it is."""
        try:
            with self._disk.lock:
                name = self._resolved(path) if follow else self._named(path)
                return self._node(name).entry(path.rpartition(b"/")[2])
        except NoSuchFileError:
            return None

    @contextmanager
    def opened(self, path: bytes) -> Iterator[tuple[FileEntry, Iterator[bytes]]]:
        """A file and its bytes."""
        with self._disk.lock:
            node = self._node(self._resolved(path))
        if not stat.S_ISREG(node.mode):
            raise self._refused(path, "not a regular file")
        data = node.content
        pieces = (data[at : at + _PIECE] for at in range(0, len(data), _PIECE))
        yield node.entry(path.rpartition(b"/")[2]), pieces

    def create(self, path: bytes, data: Iterable[bytes], mode: int, uid: int, gid: int) -> None:
        """Write a new file."""
        self._make(path, Node(stat.S_IFREG | 0o600))
        content = b"".join(data)  # what goes to the demo is small
        with self._writing():
            self._disk.nodes[self._named(path)] = Node(stat.S_IFREG | mode, content, uid, gid)

    def make_folder(self, path: bytes, mode: int, uid: int, gid: int) -> None:
        """Make a folder."""
        self._make(path, Node(stat.S_IFDIR | mode, uid=uid, gid=gid))

    def make_link(self, path: bytes, target: bytes) -> None:
        """Make a symbolic link."""
        self._make(path, _link(target))

    def rename(self, old: bytes, new: bytes, *, replace: bool) -> None:
        """Give it another name."""
        with self._writing():
            source, target = self._named(old), self._named(new)
            there = self._disk.nodes.get(target)
            if there is not None and (not replace or stat.S_ISDIR(there.mode)):
                raise self._refused(new, "file exists")
            self._node(source)
            self._disk.nodes[target] = self._disk.nodes.pop(source)

    def remove(self, path: bytes) -> None:
        """Remove a file."""
        with self._writing():
            name = self._named(path)
            if stat.S_ISDIR(self._node(name).mode):
                raise self._refused(path, "is a directory")
            del self._disk.nodes[name]

    def remove_folder(self, path: bytes) -> None:
        """Remove an empty folder."""
        with self._writing():
            name = self._named(path)
            self._node(name)
            if self.entries(name):
                raise self._refused(path, "directory not empty")
            del self._disk.nodes[name]

    def room(self, path: bytes) -> int | None:
        """Much."""
        return _ROOM if path else None

    def _make(self, path: bytes, node: Node) -> None:
        with self._writing():
            name = self._named(path)
            if name in self._disk.nodes:
                raise self._refused(path, "file exists")
            self._disk.nodes[name] = node

    @contextmanager
    def _writing(self) -> Iterator[None]:
        if self._read_only:
            raise ReadOnlyError(self._host)
        with self._disk.lock:
            yield

    def _node(self, name: bytes) -> Node:
        if name not in self._disk.nodes:
            raise NoSuchFileError(f"{self._host}: {text.path(name)}: file does not exist")
        return self._disk.nodes[name]

    def _refused(self, path: bytes, why: str) -> OperationError:
        return OperationError(f"{self._host}: {text.path(path)}: {why}")

    def _named(self, path: bytes) -> bytes:
        """The path with the links in its folders followed, not the last one."""
        above, _, last = path.rstrip(b"/").rpartition(b"/")
        if not last:
            return b"/"
        return self._resolved(above or b"/").rstrip(b"/") + b"/" + last

    def _resolved(self, path: bytes) -> bytes:
        done, left = b"/", [one for one in path.split(b"/") if one]
        for _ in range(_LINKS * 10):
            if not left:
                return done
            part = left.pop(0)
            if part in {b".", b".."}:
                done = done.rpartition(b"/")[0] or b"/" if part == b".." else done
                continue
            here = done.rstrip(b"/") + b"/" + part
            node = self._node(here) if left else self._disk.nodes.get(here)
            if node is not None and stat.S_ISLNK(node.mode):
                done = b"/" if node.content.startswith(b"/") else done
                left = [*filter(None, node.content.split(b"/")), *left]
            else:
                done = here
        raise self._refused(path, "too many levels of symbolic links")
