"""The terminal handed over to a shell or a console of an instance.

Role: takes the screen away, runs what was asked for, gives the screen back, says what came of it.
Boundary: the app's ``suspend`` and a session of terminal/; no widget. Threading: the
screen's, which stands still meanwhile; the fleet's workers go on.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from textual.app import App, SuspendNotSupported

from lxtui.errors import LxtuiError, ReadOnlyError
from lxtui.fleet import Fleet
from lxtui.format import plain
from lxtui.terminal.asked import Asked, Console, Exec
from lxtui.terminal.interactive import StoppedError, run_interactive
from lxtui.terminal.local import write_all

_CLEAR = "\x1b[2J\x1b[H"


def attach(app: App[None], fleet: Fleet, shell: tuple[str, ...], asked: Asked) -> tuple[str, bool]:
    """Have the user in *shell* or at a console; what came of it, and whether that is bad."""
    if isinstance(asked, Exec) and not asked.argv:
        asked = replace(asked, argv=shell)
    try:
        with app.suspend(), _interrupts():
            return _attached(fleet, asked)
    except SuspendNotSupported:
        verb = "console" if isinstance(asked, Console) else "shell"
        return f"this terminal cannot be handed over: use 'lxtui {verb}' in a shell", True
    except KeyboardInterrupt:
        return f"{asked.title}: given up", True
    except StoppedError as stopped:  # the app hears the same signal and leaves
        return f"{asked.title}: {stopped}", True
    except LxtuiError as error:
        return str(error), True


def _attached(fleet: Fleet, asked: Asked) -> tuple[str, bool]:
    backend = fleet.backends[asked.ref.host]
    if backend.remote.read_only:
        raise ReadOnlyError(asked.ref.host)
    command = asked.equivalent(backend.remote.kind)
    leave = "Ctrl-a q" if isinstance(asked, Console) else "exit or Ctrl-d"
    write_all(1, f"{_CLEAR}{plain(command)}\n{leave} leads back to lxtui\n".encode())
    with fleet.audit.of(asked.ref, asked.title, asked.audited(backend.remote.kind)):
        status = run_interactive(asked, backend, term=os.environ.get("TERM", ""))
    if isinstance(asked, Console):
        return ("" if status is None else f"{asked.title}: it has ended"), False
    return (f"{asked.title} ended with status {status}" if status else ""), False


@contextmanager
def _interrupts() -> Iterator[None]:
    """Ctrl-C ends the waiting for a host, and not the app, as asyncio would have it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
