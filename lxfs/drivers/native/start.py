"""A session's beginning: the mount, what its processes share, and the holder.

Role: from a directory to a holder that holds its mount; from descriptors of a session that has
lost its holder to another one.
Boundary: the process that calls this becomes the holder, or raises ``UserError``.
Threading: none may be running.
"""

import contextlib
import json
import os
import select
import signal
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn

import lxfs
from lxfs import syscalls
from lxfs.drivers.native import systemd
from lxfs.drivers.native.memory import DEVICE, LAYOUT, LEDGER, LOST, MINOR, Memory, create
from lxfs.drivers.native.session import attach, open_mounted
from lxfs.drivers.rules import Rules
from lxfs.errors import UserError
from lxfs.sources.host import Host


@dataclass(frozen=True, slots=True)
class Session:
    """The descriptors that are a session: whoever has them can hold it."""

    device: int
    memory: int
    ledger: int


def mounted(directory: str, ledger: int | None, *, writable: bool = False) -> Session:
    """Mount a new session on a directory. Raises ``UserError``."""
    descriptor = create()
    memory = Memory(descriptor)
    memory.begin(time.time_ns())
    if ledger is None:
        ledger = _new_ledger()
    device = open_mounted(directory, writable=writable)
    memory.put_text("device", _device(directory))
    return Session(device, descriptor, ledger)


def stored(directory: str, *, writable: bool = False) -> Session | None:
    """Return the session that the service manager has kept for us, mounted, if it is alive."""
    kept = systemd.stored()
    if "device" not in kept:
        return None
    device = kept["device"]
    poll = select.poll()
    poll.register(device, 0)
    if poll.poll(0):  # POLLERR: nothing of it is mounted anywhere any more
        os.close(device)
        return None
    descriptor = kept.get("memory", -1)
    memory = Memory(descriptor) if descriptor >= 0 else None
    if memory is None or memory.layout != LAYOUT:
        descriptor = create()
        memory = Memory(descriptor)
        memory.begin(time.time_ns())
        memory.words[MINOR] = memory.words[LOST] = 1
    ledger = kept["ledger"] if "ledger" in kept else _new_ledger()
    if not _device(directory):
        attach(device, directory, writable=writable)
    memory.put_text("device", _device(directory))
    return Session(device, descriptor, ledger)


def _new_ledger() -> int:
    return os.memfd_create("lxfs-ledger", os.MFD_CLOEXEC)


def _device(directory: str) -> str:
    """Return the device number of what is mounted on a directory, if anything is."""
    return next((m.device for m in reversed(Host().mounts()) if m.point == directory), "")


def hold(
    session: Session, directory: str, rules: Rules, *, pidfile: Path | None, daemon: bool
) -> NoReturn:
    """Become the holder of a session. Raises ``UserError``."""
    try:
        if pidfile is not None:
            pidfile.write_text(f"{os.getpid()}\n", encoding="ascii")
    except OSError as error:
        with contextlib.suppress(OSError):
            syscalls.umount(directory, syscalls.MNT_DETACH)
        raise UserError(f"the pid file {pidfile} cannot be written: {error.strerror}") from error
    memory = Memory(session.memory)
    memory.words[DEVICE], memory.words[LEDGER] = session.device, session.ledger
    memory.put_text("rules", said := json.dumps(asdict(rules)))
    memory.put_text("pidfile", str(pidfile or ""))
    options = {
        **asdict(session),
        "directory": directory,
        "rules": said,
        "mode": "daemon" if daemon else "foreground",
        **({"pidfile": str(pidfile)} if pidfile is not None else {}),
    }
    for descriptor in asdict(session).values():
        os.set_inheritable(descriptor, True)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # until the holder knows what to do about them
    words = [f"{name}={value}" for name, value in options.items()]
    module = "lxfs.drivers.native.holder"
    # By path, as the daemon has left the directory that a checkout may be run from.
    where = [str(Path(lxfs.__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
    environment = {name: value for name, value in os.environ.items() if "LISTEN_" not in name}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, where))
    os.execve(sys.executable, [sys.executable, "-P", "-m", module, *words], environment)  # noqa: S606
