"""One move between real daemons, broken at one moment, and what became of everything.

Role: the fault matrix's cells: what is broken, when, how lxtui goes on afterwards, and what must be
true then. Boundary: the lab, and lxtui as a program; the moment is read from its journal.
Threading: a cell's own; a thread looks for two running copies all the while.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.lab import net
from tests.lab.errors import ApiError
from tests.lab.lab import Host, Lab
from tests.lab.rest import instance
from tests.lab.tools import run, wait_until

ROUTES = (("lxd1", "lxd2"), ("lxd1", "incus1"), ("incus1", "lxd2"))
MOMENTS = {
    "cold": ("claim", "stop", "copy", "copy+", "verify", "start", "delete", "finish"),
    "near-live": (
        *("claim", "copy", "copy+", "refresh", "refresh+", "stop", "final", "final+"),
        *("verify", "start", "delete", "finish"),
    ),
}
"""Steps as the journal calls them, at their begin; with ``+`` when a copy of theirs is at work."""
TAKEN_OVER = frozenset({"delete", "finish"})
PROGRAM = """
import sys
from lxtui import cli
from lxtui.backend import lxd
from lxtui.migrate import copying, ends
ends.PATIENCE, ends.LINGER, lxd._LOST_AFTER, copying.STALLED = 8.0, 3.0, 8.0, 20.0
sys.exit(cli.main())
"""
"""lxtui with less patience: the time it gives to a dead host is not what is tested."""
PROFILE = "matrix"
_END = 180.0
_FILES = ("/root/one", "/root/two", "/etc/three")


@dataclass(frozen=True)
class Cell:
    """One field of the table."""

    fault: str
    moment: str
    source: str
    target: str
    mode: str
    recovery: str = "resume"
    """What is tried first, where a move is left unfinished: ``resume`` or ``undo``."""

    @property
    def row(self) -> tuple[str, str]:
        """Its row of the table."""
        return self.fault, self.moment

    @property
    def column(self) -> tuple[str, str]:
        """Its column of the table."""
        return f"{self.source}→{self.target}", self.mode

    def __str__(self) -> str:
        return f"{self.fault}-{self.moment}-{self.source}-{self.target}-{self.mode}-{self.recovery}"


@dataclass
class Scene:
    """A move under way."""

    lab: Lab
    cell: Cell
    name: str
    folder: Path
    move: subprocess.Popen[str] | None = None
    sums: dict[str, str] = field(default_factory=dict)
    arguments: list[str] = field(default_factory=list)

    @property
    def source(self) -> Host:
        """Where it was."""
        return self.lab.host(self.cell.source)

    @property
    def target(self) -> Host:
        """Where it goes."""
        return self.lab.host(self.cell.target)

    @property
    def journal(self) -> Path | None:
        """The move's journal, once there is one."""
        return next((self.folder / "lxtui" / "moves").glob("*.jsonl"), None)

    @property
    def environment(self) -> Mapping[str, str]:
        """What lxtui is started with."""
        return {**os.environ, **self.lab.environment, "XDG_STATE_HOME": str(self.folder)}

    def lxtui(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run lxtui to its end."""
        return subprocess.run(
            [sys.executable, "-c", PROGRAM, *arguments],
            env=dict(self.environment),
            capture_output=True,
            text=True,
            timeout=_END,
            check=False,
        )


@dataclass(frozen=True)
class Fault:
    """What is broken, and how it is mended."""

    apply: Callable[[Scene], None]
    """At the moment, while lxtui is held still."""
    after: Callable[[Scene], None] = lambda _: None
    """Right after lxtui goes on."""
    mend: Callable[[Scene], None] = lambda _: None
    """When it has ended, before it is resumed or undone."""
    prepare: Callable[[Scene], None] = lambda _: None
    clean: Callable[[Scene], None] = lambda _: None
    moments: frozenset[str] | None = None
    """At which it can be; None: at all."""
    may_rest: bool = False
    """Whether the instance may be left stopped: somebody else has taken part of it away."""


def run_cell(lab: Lab, cell: Cell, folder: Path) -> str:
    """Break one move; returns what came of it. AssertionError says what is wrong afterwards."""
    scene = Scene(lab, cell, f"m{os.getpid()}-{_next()}", folder)
    fault = FAULTS[cell.fault]
    try:
        fault.prepare(scene)
        _make(scene)
        with _never_two(scene):
            said = _break(scene, fault)
            _recover(scene)
            what = _check(scene, fault)
        return f"{what} ({said})" if said else what
    finally:
        _end(scene)
        fault.mend(scene)
        for host in lab.hosts:
            wait_until(partial(_deleted, host, scene.name), 30, 1)
        fault.clean(scene)


def _deleted(host: Host, name: str) -> bool:
    try:
        host.delete(name)
    except ApiError:  # it is busy for as long as a copy of it has not ended
        return False
    return True


def _make(scene: Scene) -> None:
    host, name = scene.source, scene.name
    host.launch(name, {"boot.autostart": "true", "user.note": "kept"}, start=False)
    if PROFILE in scene.arguments:
        scene.arguments.remove(PROFILE)
        body = {"profiles": ["default", PROFILE]}
        host.api.call("PATCH", instance(name), body)
    for path, size in zip(_FILES, (20_000_000, 10, 5_000), strict=True):
        content = os.urandom(size)
        host.write_file(name, path, content)
        scene.sums[path] = hashlib.sha256(content).hexdigest()
    host.set_state(name, "start")


def _break(scene: Scene, fault: Fault) -> str:
    """Move, and break it at the moment; returns how lxtui took it."""
    cell = scene.cell
    arguments = ["move", f"{cell.source}:{scene.name}", cell.target, "--mode", cell.mode]
    scene.move = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments, *scene.arguments],
        env=dict(scene.environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if not wait_until(lambda: _reached(scene), 60, 0.002):
        raise AssertionError(f"{cell.moment} was not reached: {_end(scene)}")
    killed = fault.apply is _kill_lxtui
    if not killed:
        scene.move.send_signal(signal.SIGSTOP)
    fault.apply(scene)
    if not killed:
        scene.move.send_signal(signal.SIGCONT)
    fault.after(scene)
    try:
        scene.move.wait(_END)
    except subprocess.TimeoutExpired:
        raise AssertionError(f"lxtui does not end: {_end(scene)}") from None
    said = _end(scene)
    fault.mend(scene)
    if killed:
        return ""
    return "rode it out" if scene.move.returncode == 0 else said.strip().splitlines()[-1]


def _reached(scene: Scene) -> bool:
    if scene.move is not None and scene.move.poll() is not None:
        return True
    journal = scene.journal
    if journal is None:
        return False
    step, at_work, _ = scene.cell.moment.partition("+")
    lines = journal.read_text().splitlines()
    begins = [i for i, line in enumerate(lines) if f'"begin": "{step}"' in line]
    if not begins or not at_work:
        return bool(begins)
    return any('"target operation"' in line for line in lines[begins[-1] :])


def _end(scene: Scene) -> str:
    """See to it that lxtui has ended; what it said."""
    if scene.move is None or scene.move.stdout is None or scene.move.stdout.closed:
        return ""
    if scene.move.poll() is None:
        scene.move.kill()
    said, _ = scene.move.communicate()
    return said


def _recover(scene: Scene) -> None:
    """Resume or undo what is left; where that is refused with a reason, the other."""
    journal = scene.journal
    assert journal is not None, "no journal"
    if _outcome(journal):
        return
    said = []
    other = "undo" if scene.cell.recovery == "resume" else "resume"
    for verb in (scene.cell.recovery, other):
        done = scene.lxtui(verb, journal.stem)
        said.append(f"{verb}: {done.stdout}{done.stderr}".strip())
        if _outcome(journal):
            return
    raise AssertionError("; ".join(said))


def _outcome(journal: Path) -> str:
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    return str(lines[-1].get("outcome", ""))


def _check(scene: Scene, fault: Fault) -> str:
    name, cell = scene.name, scene.cell
    places = {host.name: host.status(name) for host in (scene.source, scene.target)}
    if cell.fault == "name-taken":
        assert places[cell.target] == "Stopped", "somebody else's instance was touched"
        assert _config(scene.target, name) == {"user.theirs": "yes"}
        del places[cell.target]
    there = [host for host, status in places.items() if status]
    assert len(there) == 1, f"it is on {there or 'no host'}"
    host = scene.lab.host(there[0])
    assert places[host.name] == "Running" or fault.may_rest, f"{host.name}: {places[host.name]}"
    sums = {path: host.checksum(name, path) for path in scene.sums}
    assert sums == scene.sums, "its files have changed"
    config = _config(host, name)
    theirs = config.pop("user.mine", "")
    assert theirs == ("set" if cell.fault == "source-changed" else ""), "a change was lost"
    assert config == {"boot.autostart": "true", "user.note": "kept"}, f"left as {config}"
    for end in (scene.source, scene.target):
        busy = _operations(end, name)
        assert not busy, f"{end.name}: {busy}"
        if end is not host and cell.fault != "name-taken":
            left = list(end.plan.directory.glob(f"storage-pools/*/containers*/{name}"))
            assert not left, f"left on the disk: {left}"
    return "moved" if host is scene.target else "back"


def _config(host: Host, name: str) -> dict[str, str]:
    config: dict[str, str] = host.api.get(instance(name))["config"]
    return {
        key: value
        for key, value in config.items()
        if not key.startswith(("volatile.", "image.")) and key != "limits.memory"
    }


def _operations(host: Host, name: str) -> list[str]:
    grouped = host.api.get("/1.0/operations?recursion=1") or {}
    return [
        str(one["description"])
        for group in grouped.values()
        for one in group
        if name in json.dumps(one.get("resources")) and one["status"] in {"Running", "Pending"}
    ]


@contextmanager
def _never_two(scene: Scene) -> Iterator[None]:
    """Fail when both copies have run at one moment: looked at without the daemons."""
    over = threading.Event()
    twice: list[str] = []

    def look() -> None:
        while not over.wait(0.05):
            running = _monitors(scene.name)
            if len(running) > 1:
                twice.append(", ".join(sorted(running)))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    assert not twice, f"two ran at once: {twice[0]}"


def _monitors(name: str) -> set[str]:
    """Folders of the daemons under which a container of that name runs, by its monitor process."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = path.read_bytes().rstrip(b"\0 ").decode(errors="replace").split()
            if words[:2] == ["[lxc", "monitor]"] and words[-1].rpartition("_")[2] == name:
                found.add(words[2])
    return found


_numbers = iter(range(1, 10**6))


def _next() -> int:
    return next(_numbers)


def _kill_lxtui(scene: Scene) -> None:
    if scene.move is not None:
        scene.move.kill()


def _crash(host: Host) -> None:
    host.stop(signal.SIGKILL)
    time.sleep(1)
    host.start()
    host.wait_ready()


def _cut(host: Host) -> None:
    net.set_link(host.plan, up=False)


def _join(host: Host) -> None:
    net.set_link(host.plan, up=True)


def _later(action: Callable[[Host], None], host: Host, seconds: float) -> None:
    time.sleep(seconds)
    action(host)


def _slow(scene: Scene) -> None:
    for host in (scene.source, scene.target):
        shape = ["tbf", "rate", "40mbit", "burst", "64kb", "latency", "400ms"]
        run(["tc", "qdisc", "add", "dev", host.plan.veth, "root", *shape])


def _fast(scene: Scene) -> None:
    for host in (scene.source, scene.target):
        run(["tc", "qdisc", "del", "dev", host.plan.veth, "root"], check=False)


def _small(scene: Scene) -> Path:
    """Where the small filesystem is, in the target daemon's own mount namespace."""
    return scene.lab.plan.root / f"small-{scene.cell.target}"


def _seen_from_here(scene: Scene) -> Path:
    return Path(f"/proc/{scene.target.pid}/root{_small(scene)}")


def _on_target(scene: Scene, *argv: str, check: bool = True) -> None:
    run(["nsenter", "--target", str(scene.target.pid), "--mount", "--", *argv], check=check)


def _small_pool(scene: Scene) -> None:
    """A pool of its own on the target, on a filesystem that somebody can fill."""
    where = _small(scene)
    where.mkdir()
    image = where.with_suffix(".img")
    with image.open("wb") as file:
        file.truncate(120_000_000)
    run(["mkfs.ext4", "-q", "-m", "0", str(image)])
    _on_target(scene, "mount", "-o", "loop", str(image), str(where))
    (_seen_from_here(scene) / "pool").mkdir()
    body = {"name": "small", "driver": "dir", "config": {"source": str(where / "pool")}}
    scene.target.api.call("POST", "/1.0/storage-pools", body)
    scene.arguments += ["--pool", "small"]


def _no_small_pool(scene: Scene) -> None:
    where = _small(scene)
    with suppress(ApiError):
        scene.target.api.call("DELETE", "/1.0/storage-pools/small")
    _on_target(scene, "umount", "-l", str(where), check=False)
    where.with_suffix(".img").unlink(missing_ok=True)
    with suppress(OSError):
        where.rmdir()


def _fill(scene: Scene) -> None:
    filler = _seen_from_here(scene) / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(bytes(1_000_000)):
            pass


def _drain(scene: Scene) -> None:
    (_seen_from_here(scene) / "filler").unlink(missing_ok=True)


def _take_the_name(scene: Scene) -> None:
    scene.target.create(scene.name, {"user.theirs": "yes"})


def _profiles(scene: Scene) -> None:
    for host in (scene.source, scene.target):
        host.api.call("POST", "/1.0/profiles", {"name": PROFILE, "config": {}, "devices": {}})
    scene.arguments.append(PROFILE)


def _no_profile(scene: Scene) -> None:
    with suppress(ApiError):  # it is in use already: then it cannot vanish
        scene.target.api.call("DELETE", f"/1.0/profiles/{PROFILE}")


def _no_profiles(scene: Scene) -> None:
    for host in (scene.source, scene.target):
        with suppress(ApiError):
            host.api.call("DELETE", f"/1.0/profiles/{PROFILE}")


def _certificate(scene: Scene) -> bytes:
    return ssl.PEM_cert_to_DER_cert(scene.lab.certificate.read_text())


def _revoke(scene: Scene) -> None:
    print_ = hashlib.sha256(_certificate(scene)).hexdigest()
    scene.target.api.call("DELETE", f"/1.0/certificates/{print_}")


def _trust(scene: Scene) -> None:
    der = base64.b64encode(_certificate(scene)).decode()
    body = {"type": "client", "name": "lab", "certificate": der}
    with suppress(ApiError):  # it is trusted already
        scene.target.api.call("POST", "/1.0/certificates", body)


def _start_source(scene: Scene) -> None:
    with suppress(ApiError):  # Incus does not start what it copies
        scene.source.set_state(scene.name, "start")


def _delete_source(scene: Scene) -> None:
    with suppress(ApiError):  # lxtui is at it
        scene.source.delete(scene.name)


def _change_source(scene: Scene) -> None:
    body = {"config": {"user.mine": "set"}}
    scene.source.api.call("PATCH", instance(scene.name), body)


_FOR_GOOD = frozenset({"copy+", "final+", "start", "delete"})
_BEFORE = frozenset({"claim", "copy"})
FAULTS = {
    "lxtui-killed": Fault(_kill_lxtui),
    "source-killed": Fault(lambda scene: _crash(scene.source)),
    "target-killed": Fault(lambda scene: _crash(scene.target)),
    "link-cut-3s": Fault(
        lambda scene: _cut(scene.target),
        after=lambda scene: _later(_join, scene.target, 3),
        mend=lambda scene: _join(scene.target),
    ),
    "link-cut": Fault(
        lambda scene: _cut(scene.target),
        mend=lambda scene: _join(scene.target),
        moments=_FOR_GOOD,
    ),
    "source-cut": Fault(
        lambda scene: _cut(scene.source),
        mend=lambda scene: _join(scene.source),
        moments=_FOR_GOOD,
    ),
    "link-slow": Fault(_slow, mend=_fast, moments=frozenset({"claim"})),
    "pool-full": Fault(
        _fill,
        mend=_drain,
        prepare=_small_pool,
        clean=_no_small_pool,
        moments=frozenset({"copy", "copy+"}),
    ),
    "name-taken": Fault(_take_the_name, moments=_BEFORE),
    "profile-gone": Fault(_no_profile, prepare=_profiles, clean=_no_profiles, moments=_BEFORE),
    "untrusted": Fault(_revoke, mend=_trust),
    "source-started": Fault(
        _start_source, moments=frozenset({"copy", "copy+", "final", "verify", "start"})
    ),
    "source-deleted": Fault(
        _delete_source, moments=frozenset({"verify", "start", "delete"}), may_rest=True
    ),
    "source-changed": Fault(_change_source, moments=frozenset({"copy", "verify", "start"})),
}


def possible(cell: Cell) -> bool:
    """Whether the fault can be at that moment of that mode."""
    if cell.moment not in MOMENTS[cell.mode]:
        return False
    moments = FAULTS[cell.fault].moments
    if moments is not None and cell.moment not in moments:
        return False
    # A source that still runs cannot be started.
    running = cell.mode == "near-live" and cell.moment in {"copy", "copy+"}
    return not (cell.fault == "source-started" and running)


def cells() -> list[Cell]:
    """The whole matrix; the two ways to recover take turns."""
    found: list[Cell] = []
    for source, target in ROUTES:
        for mode, moments in MOMENTS.items():
            for fault in FAULTS:
                for moment in moments:
                    both = ("resume", "undo") if fault == "lxtui-killed" else ("resume",)
                    if (len(found) + len(moment)) % 2 and len(both) == 1:
                        both = ("undo",)
                    found += [Cell(fault, moment, source, target, mode, one) for one in both]
    return [cell for cell in found if possible(cell)]


def table(results: Mapping[Cell, str]) -> str:
    """Rows of fault and moment, columns of route and mode; each field says what came of it."""
    columns = [(f"{source}→{target}", mode) for source, target in ROUTES for mode in MOMENTS]
    lines = [
        "| fault | at | " + " | ".join(f"{route} {mode}" for route, mode in columns) + " |",
        "|" + "---|" * (len(columns) + 2),
    ]
    order = [*MOMENTS["near-live"]]
    rows = sorted(
        {cell.row for cell in results},
        key=lambda row: (list(FAULTS).index(row[0]), order.index(row[1])),
    )
    for row in rows:
        fields = []
        for column in columns:
            found = [
                results[cell].partition(" (")[0]
                for cell in results
                if cell.row == row and cell.column == column
            ]
            fields.append(", ".join(dict.fromkeys(found)))
        lines.append("| " + " | ".join((*row, *fields)) + " |")
    return "\n".join(lines)
