"""What can befall a daemon of a lab while somebody looks at it.

Role: one context for each trouble, out of which the host comes well again. Boundary: the lab's own
daemons and links. Threading: one caller for each host.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from .lab import Host


@contextmanager
def frozen(host: Host) -> Iterator[None]:
    """The daemon stopped where it stands: it takes connections and answers nothing."""
    pid = host.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def killed(host: Host) -> Iterator[None]:
    """The daemon gone, and started again."""
    host.stop(signal.SIGKILL)
    try:
        yield
    finally:
        host.start()
        host.wait_ready()


TROUBLES: dict[str, Callable[[Host], AbstractContextManager[None]]] = {
    "frozen": frozen,
    "killed": killed,
    "cut off": lambda host: host.link_cut(),
}
