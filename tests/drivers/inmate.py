"""A process with namespaces of its own that does what it is told: a container's init, for tests.

Role: run as a program; reads Python, one JSON string a line, and answers each with what the
expression comes to or the errno that it fails with. Boundary: imports the standard library alone.
Threading: none.
"""

import base64
import contextlib
import ctypes
import errno
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

NEWNS, NEWCGROUP, NEWUSER, NEWPID = 0x00020000, 0x02000000, 0x10000000, 0x20000000
MS_REC, MS_PRIVATE = 16384, 1 << 18

libc = ctypes.CDLL(None, use_errno=True)


def unshare(flags: int) -> None:
    """Leave namespaces."""
    if libc.unshare(flags):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def mount(source: str, target: str, kind: str, flags: int = 0) -> None:
    """Mount."""
    if libc.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), None):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), target)


def read(path: str) -> str:
    """Return a file's text."""
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123
        return b"".join(iter(lambda: file.read(1 << 16), b"")).decode(errors="surrogateescape")


def write(path: str, text: str) -> int:
    """Write to a file at once, as a shell's echo does."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        return os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def said(descriptor: int) -> "str | int":
    """Return the text of an open file from its beginning, or the errno of reading it."""
    chunks = [b""]
    try:
        while chunk := os.pread(descriptor, 1 << 16, sum(map(len, chunks))):
            chunks.append(chunk)
    except OSError as error:
        return error.errno or 0
    return b"".join(chunks).decode(errors="surrogateescape")


def beside(kernels: str, served: str) -> "list[list[str | int]]":
    """Return of each file in two directories what the kernel's says, the served one, and it again.

    Before that come its name, which both have, and mode, owner and group on either side; the first
    are the directories themselves.
    """
    found: list[list[str | int]] = []
    files = [{e.name for e in os.scandir(path) if e.is_file()} for path in (kernels, served)]
    for name in [".", *sorted(files[0] & files[1])]:
        paths = f"{kernels}/{name}", f"{served}/{name}"
        status = [f"{s.st_mode:o} {s.st_uid} {s.st_gid}" for s in map(os.stat, paths)]
        # Both are open all the time: a reader's cgroup is charged for the kernel's buffers.
        own, theirs = (_opened(path) for path in paths)
        texts = [said(number) if number >= 0 else number for number in (own, theirs, own)]
        _close(own, theirs)
        found.append([name, *status, *texts])
    return found


def _opened(path: str) -> int:
    """Return a descriptor for reading, or what its errno is below 0."""
    try:
        return os.open(path, os.O_RDONLY)
    except OSError as error:
        return -(error.errno or 0)


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        if descriptor >= 0:
            os.close(descriptor)


def history(
    directory: str, kernels: str, names: list[str], texts: list[str]
) -> "list[tuple[str, str, int | None, str | int]]":
    """Write each text to each file of a fresh directory; return what came of it, one by one.

    That is the file, the text, the errno, and what the kernel's file then says.
    """
    found: list[tuple[str, str, int | None, str | int]] = []
    os.mkdir(directory)  # noqa: PTH102
    try:
        for name in names:
            descriptors = os.open(f"{directory}/{name}", os.O_WRONLY), _opened(f"{kernels}/{name}")
            for text in texts:
                number = None
                try:
                    os.write(descriptors[0], text.encode("latin-1"))
                except OSError as error:
                    number = error.errno
                found.append((name, text, number, said(descriptors[1])))
            _close(*descriptors)
    finally:
        os.rmdir(directory)  # noqa: PTH106
    return found


NAMES = [
    *("a", "b", "c", ".", "..", "../..", "a\nb", "\udcff", "x" * 255, "x" * 256, " ", "%s", "-"),
    *("cgroup.procs", "tasks", "memory.max", "memory.limit_in_bytes", "cgroup.subtree_control"),
    *("pids.max", "cpu.max", "cgroup.freeze", "freezer.state", "cgroup.type", "notify_on_release"),
    *("etc", "proc", "cgroup", "memory", "unified", "pids", "cpu,cpuacct", "1", "0", "self"),
]
TEXTS = [
    *(b"", b"0", b"1", b"-1", b"max", b"\n", b"4096", b"67108864", b"+memory", b"-memory +pids"),
    *(b"\0" * 10, b"\xff" * 100, b"9" * 4095, b"8:0 1048576", b"8:0 rbps=1", b"FROZEN", b"0-1"),
    *(b"domain", b"threaded", b"1 2 3 4", b"1" * 5000, b"100000 100000", b"0x10", b"99999999999"),
]


def confined(directory: str, work: Callable[[], object]) -> object:
    """Return what something comes to in a child that has nothing but a directory."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.chroot(directory)
            os.chdir("/")
            said = json.dumps(work(), default=str)
        except BaseException as error:  # noqa: BLE001 - the test is told
            said = json.dumps({"failed": repr(error)})
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:  # noqa: PTH123
        said_there = pipe.read()
    os.waitpid(child, 0)
    return json.loads(said_there)


def abuse(top: str, others: list[str], seed: int, count: int) -> dict[str, object]:
    """Do ``count`` random things below a directory, and return how often what came of them.

    With them what was seen that is not the container's: a name of ``others``, or a number of a
    process that it has not.
    """
    chance = random.Random(seed)  # noqa: S311
    kept: list[int] = []
    came: dict[str, int] = {}
    leaks: list[str] = []

    def path() -> str:
        depth = chance.choice((0, 1, 1, 2, 2, 3, 5, 40))
        return "/".join([top, *(chance.choice(NAMES + others) for _ in range(depth))])

    def look(path: str) -> None:
        names = os.listdir(path)  # noqa: PTH208
        leaks.extend(f"{path}: {name}" for name in names if name in others)
        for name in names[:3]:
            os.lstat(f"{path}/{name}")

    def read(path: str) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        keep(descriptor)
        text = os.read(descriptor, chance.choice((1, 100, 1 << 16)))
        if path.endswith(("procs", "tasks", "threads")) and len(text) > 100:
            leaks.append(f"{path}: {text[:20]!r}")

    def keep(descriptor: int) -> None:
        kept.append(descriptor)
        if len(kept) > 64:
            os.close(kept.pop(chance.randrange(len(kept))))

    def again() -> None:
        if kept:
            descriptor = chance.choice(kept)
            chance.choice(
                (
                    lambda: os.pread(descriptor, 100, chance.choice((0, 50, 1 << 40))),
                    lambda: os.pwrite(descriptor, chance.choice(TEXTS), 0),
                    lambda: os.fstat(descriptor),
                    lambda: os.fchmod(descriptor, 0o777),
                    lambda: os.open(chance.choice(NAMES), os.O_PATH, dir_fd=descriptor),
                    lambda: os.listdir(descriptor),  # noqa: PTH208
                )
            )()

    def make(path: str) -> None:
        # One of its own by that name would look like another's.
        os.mkdir(f"{path}-own" if path.rpartition("/")[2] in others else path)  # noqa: PTH102

    def put(path: str) -> None:
        descriptor = os.open(
            path, chance.choice((os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_TRUNC))
        )
        keep(descriptor)
        os.write(descriptor, chance.choice(TEXTS))

    actions: list[Callable[[str], object]] = [
        *(look, read, read, put, put, put, make, make, make, os.rmdir, os.stat),
        *(os.unlink, os.readlink, os.listxattr, os.statvfs, os.chdir),
        lambda path: keep(os.open(path, os.O_PATH)),
        lambda path: keep(os.open(path, os.O_RDONLY | os.O_DIRECTORY)),
        lambda path: keep(os.open(path, os.O_RDWR | os.O_CREAT)),
        lambda path: os.chown(path, chance.choice((0, 1, 65535)), 0),
        lambda path: os.chmod(path, chance.choice((0, 0o755, 0o777))),  # noqa: PTH101
        lambda one: os.rename(one, path()),  # noqa: PTH104
        lambda one: os.link(one, path()),
        lambda one: os.symlink("/etc", one),  # noqa: PTH211
        os.mkfifo,
        lambda path: os.truncate(path, chance.choice((0, 1, 1 << 40))),
        lambda path: os.access(path, chance.choice((0, 2, 4, 7))),
        lambda path: os.setxattr(path, "user.x", b"x"),
        os.utime,
        lambda _: again(),
        lambda _: again(),
    ]
    for _ in range(count):
        try:
            chance.choice(actions)(path())
            what = "done"
        except (OSError, ValueError) as error:
            what = errno.errorcode.get(getattr(error, "errno", 0), repr(error))
        came[what] = came.get(what, 0) + 1
    for descriptor in kept:
        os.close(descriptor)
    os.chdir("/")
    for directory, below, _ in os.walk(top, topdown=False):
        for name in below:
            with contextlib.suppress(OSError):
                os.rmdir(f"{directory}/{name}")  # noqa: PTH106
    return {"came": came, "leaks": leaks}


def serve() -> None:
    """Do what is read until there is no more."""
    names: dict[str, object] = dict(globals()) | {"os": os, "errno": errno, "Path": Path}
    names |= {"subprocess": subprocess, "base64": base64}
    for line in sys.stdin:
        try:
            text = json.loads(line)
            try:
                answer = eval(text, names)  # noqa: S307 - a test's own words
            except SyntaxError:
                exec(text, names)  # noqa: S102
                answer = None
            said = {"answer": answer}
        except OSError as error:
            said = {"errno": error.errno, "what": str(error)}
        except Exception as error:  # noqa: BLE001 - the test is told
            said = {"error": repr(error)}
        print(json.dumps(said, default=str), flush=True)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def main(flags: list[str]) -> None:
    """Become an inmate: ``user``, ``cgroup`` for such namespaces too; the rest are cgroups."""
    kinds = {flag for flag in flags if not flag.startswith("/")}
    for directory in (flag for flag in flags if flag.startswith("/")):
        Path(directory, "cgroup.procs").write_text("0", encoding="ascii")
    unshare(NEWNS)
    mount("none", "/", "", MS_REC | MS_PRIVATE)
    if "user" in kinds:
        unshare(NEWUSER)
        print("map", flush=True)
        sys.stdin.readline()
        os.setgroups([])
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
        unshare(NEWNS)
    unshare(NEWPID | (NEWCGROUP if "cgroup" in kinds else 0))
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    libc.prctl(1, 9)
    mount("proc", "/proc", "proc")
    print("ready", flush=True)
    serve()


if __name__ == "__main__":
    main(sys.argv[1:])
