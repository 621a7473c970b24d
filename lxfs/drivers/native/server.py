"""The process that answers.

Role: from its fork to its end: takes the part over from its predecessor, makes the tree with the
counters that are on file, and lets the workers begin.
Boundary: runs in a child of the spawner's and leaves by ``os._exit``.
Threading: the main thread waits; workers answer.
"""

import contextlib
import logging
import os
import threading

from lxfs import syscalls
from lxfs.drivers.native import locks
from lxfs.drivers.native.memory import SERVER_LOCK, SERVERS, Memory
from lxfs.drivers.native.session import answer
from lxfs.drivers.rules import Rules, make_tree

_log = logging.getLogger(__name__)

ENDED = 64
"""The exit status that means: the mount is gone, there is nothing left to serve."""


def run(device: int, memory: Memory, ledger: int, rules: Rules, report: int) -> None:
    """Serve until the mount is gone; say so on ``report`` when requests are answered."""
    syscalls.set_name("lxfs-server")
    locks.displace(memory.descriptor, SERVER_LOCK)
    tree = make_tree(rules, ledger)
    memory.words[SERVERS] += 1

    def end(error: OSError) -> None:
        _log.info("the mount ended: %s", error.strerror)
        logging.shutdown()
        os._exit(ENDED)

    answer(device, memory, tree, lambda: _report(report), end)
    threading.Event().wait()


def _report(descriptor: int) -> None:
    with contextlib.suppress(OSError):  # the holder may be gone
        os.write(descriptor, b"serving\n")
    os.close(descriptor)
