"""One move between real daemons, broken at one moment, and what became of everything.

Role: takes a cell of the fault matrix from its container to the checks: what must be true after
resume or undo. Boundary: the lab, and lxtui as a program, which holds itself still at the moment.
Threading: a cell's own; a thread looks for two running copies all the while.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from tests.lab.errors import ApiError
from tests.lab.lab import Host, Lab
from tests.lab.rest import instance
from tests.lab.tools import wait_until
from tests.migrate.faults import FAULTS, kill_lxtui
from tests.migrate.scene import END, OTHER_POOL, PROFILE, PROGRAM, Cell, Fault, Scene

_FILES = ("/root/one", "/root/two", "/etc/three")


def run_cell(lab: Lab, cell: Cell, folder: Path) -> str:
    """Break one move; returns what came of it. AssertionError says what is wrong afterwards."""
    scene = Scene(lab, cell, f"m{os.getpid()}-{_next()}", folder)
    fault = FAULTS[cell.fault]
    try:
        fault.prepare(scene)
        if cell.mode == OTHER_POOL:
            scene.source.make_pool(OTHER_POOL, lab.plan.driver)
        _make(scene)
        with never_two(scene.name):
            said = _break(scene, fault)
            _recover(scene)
            what = _check(scene, fault)
    except (AssertionError, subprocess.TimeoutExpired) as error:
        raise AssertionError(f"{error}\n{_story(scene)}") from error
    else:
        return f"{what} ({said})" if said else what
    finally:
        _end(scene)
        fault.mend(scene)
        for host in lab.hosts:
            _up_again(scene, host)
            wait_until(partial(_deleted, host, scene.name), 30, 1)
        fault.clean(scene)
        if cell.mode == OTHER_POOL:
            scene.source.drop_pool(OTHER_POOL)


def _story(scene: Scene) -> str:
    """What lxtui said and wrote down, for whoever has to find out."""
    journal = scene.journal
    return "\n".join([*scene.said, journal.read_text() if journal else "no journal"])


def _deleted(host: Host, name: str) -> bool:
    try:
        for one in host.instances():
            if one == name or one.startswith(f"{name}-"):
                host.delete(one)
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
    scene.mac = host.api.get(instance(name))["config"]["volatile.eth0.hwaddr"]


def _break(scene: Scene, fault: Fault) -> str:
    """Move, and break it at the moment; returns how lxtui took it."""
    cell = scene.cell
    arguments = ["move", f"{cell.source}:{scene.name}", cell.target]
    arguments += ["--pool" if cell.mode == OTHER_POOL else "--mode", cell.mode]
    scene.move = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments, *scene.arguments],
        env={**scene.environment, "LXTUI_MOMENT": cell.moment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if not wait_until(lambda: _stopped_or_over(scene), 60, 0.01):
        raise AssertionError(f"{cell.moment} was not reached: {_end(scene)}")
    killed = fault.apply is kill_lxtui
    fault.apply(scene)
    if not killed:
        scene.move.send_signal(signal.SIGCONT)
    fault.after(scene)
    try:
        scene.move.wait(END)
    except subprocess.TimeoutExpired:
        raise AssertionError(f"lxtui does not end: {_end(scene)}") from None
    said = _end(scene)
    fault.mend(scene)
    if killed:
        return ""
    return "rode it out" if scene.move.returncode == 0 else said.strip().splitlines()[-1]


def _stopped_or_over(scene: Scene) -> bool:
    """Whether lxtui holds itself still, or has ended before the moment."""
    if scene.move is None or scene.move.poll() is not None:
        return True
    status = Path(f"/proc/{scene.move.pid}/stat").read_text()
    return status.rpartition(")")[2].split()[0] == "T"


def _end(scene: Scene) -> str:
    """See to it that lxtui has ended; what it said."""
    if scene.move is None or scene.move.stdout is None or scene.move.stdout.closed:
        return ""
    if scene.move.poll() is None:
        scene.move.kill()
    said, _ = scene.move.communicate()
    scene.said.append(f"move: {said.strip()}")
    return said


def _up_again(scene: Scene, host: Host) -> None:
    """Start a daemon that has ended by itself, and say its last words.

    LXD 5.0.2 was seen to, once in some 2000 broken moves: see ``Rest.cancel``.
    """
    if said := host.revive():
        scene.said.append(said)
        print(said)


def _recover(scene: Scene) -> None:
    """Resume or undo what is left; where that is refused with a reason, the other."""
    journal = scene.journal
    assert journal is not None, "no journal"
    if _outcome(journal):
        return
    for host in scene.lab.hosts:
        _up_again(scene, host)
    other = "undo" if scene.cell.recovery == "resume" else "resume"
    for verb in (scene.cell.recovery, other):
        # Nobody sits there to be asked: what its copy has written is known to be nothing.
        scene.lxtui(verb, journal.stem, *(["--yes"] if verb == "undo" else []))
        if _outcome(journal):
            return
    raise AssertionError("neither resume nor undo ends it")


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
        if cell.mode == OTHER_POOL:
            _check_alone(scene)
        elif end is not host and cell.fault != "name-taken":
            left = list(end.pools.glob(f"*/containers*/{name}"))
            assert not left, f"left on the disk: {left}"
    if cell.mode == OTHER_POOL:
        pool = host.api.get(instance(name))["expanded_devices"]["root"]["pool"]
        return "moved" if pool == OTHER_POOL else "back"
    return "moved" if host is scene.target else "back"


def _check_alone(scene: Scene) -> None:
    """Of an exchange of names nothing is left, and the MAC address is what it was."""
    host, name = scene.source, scene.name
    others = [one for one in host.instances() if one.startswith(f"{name}-")]
    assert not others, f"left: {others}"
    left = list(host.pools.glob(f"*/containers*/{name}*"))
    assert len(left) == 1, f"on the disk: {left}"
    assert host.api.get(instance(name))["config"]["volatile.eth0.hwaddr"] == scene.mac


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
def never_two(name: str) -> Iterator[None]:
    """Fail when both copies have run at one moment: looked at without the daemons."""
    over = threading.Event()
    twice: list[str] = []
    # What is there now starts no container of ours any more: reading it all again would cost more
    # of the machine than the daemons do.
    settled = {pid for pid in _pids() if not _monitored(pid)}

    def look() -> None:
        while not over.wait(0.05):
            pids = _pids()
            settled.intersection_update(pids)
            found = filter(None, map(_monitored, pids - settled))
            running = {one for one in found if one[1] == name or one[1].startswith(f"{name}-")}
            if len(running) > 1:
                twice.append(", ".join(map(" ".join, sorted(running))))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    assert not twice, f"two ran at once: {twice[0]}"


def _pids() -> set[str]:
    with os.scandir("/proc") as entries:
        return {entry.name for entry in entries if entry.name.isdigit()}


def _monitored(pid: str) -> tuple[str, str] | tuple[()]:
    """The daemon's folder and the container whose monitor process it is, if it is one."""
    with suppress(OSError):
        line = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0 ")
        if line.startswith(b"[lxc monitor] "):
            words = line.decode(errors="replace").split()
            return words[2], words[-1].rpartition("_")[2]
    return ()


_numbers = iter(range(1, 10**6))


def _next() -> int:
    return next(_numbers)
