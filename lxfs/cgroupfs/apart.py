"""Work that is done by a thread which has become another, and ends with it.

Role: what the kernel asks of whoever does something is to be true of the caller, not of us.
Boundary: knows ids and capabilities, and nothing of cgroups.
Threading: a thread for each piece of work: what one has become it would be for the next request.
"""

import threading
from collections.abc import Callable
from functools import partial

from lxfs import syscalls
from lxfs.cgroupfs.rights import CAP_SYS_ADMIN, Rights


def as_caller(rights: Rights, work: Callable[[], object]) -> None:
    """Do something with a caller's ids, for what is made to be the caller's.

    It keeps root's capabilities: what the caller may do has been looked at. Raises what it does.
    """
    _apart(partial(syscalls.take_ids, rights.uid, rights.gid), work)


def without_admin(work: Callable[[], object]) -> None:
    """Do something without CAP_SYS_ADMIN. Raises what it does."""
    _apart(partial(syscalls.give_up, CAP_SYS_ADMIN), work)


def _apart(become: Callable[[], None], work: Callable[[], object]) -> None:
    failed: list[BaseException] = []

    def run() -> None:
        try:
            become()
            work()
        except BaseException as error:  # noqa: BLE001 - raised by who waits
            failed.append(error)

    thread = threading.Thread(target=run, name="lxfs-cgroup")
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
