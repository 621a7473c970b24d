"""What an open control file says.

Role: the text of a file of a cgroup that was found for a caller; lists of ids in its own numbers.
Boundary: reads what the ``Group`` is asked for; raises ``OSError`` as reading the file does.
Threading: belongs to one request.
"""

import errno
import os

from lxfs import parse
from lxfs.cgroupfs.files import Group, Lists
from lxfs.cgroupfs.layout import V2
from lxfs.cgroupfs.looking import Found, no_such
from lxfs.cgroupfs.numbers import Numbers
from lxfs.model import SourceError
from lxfs.sources.host import Host

_TOLD = frozenset({errno.ENODEV, errno.EOPNOTSUPP, errno.ESRCH, errno.EINVAL})
"""What the kernel answers to readers: of a cgroup that is gone, a threaded one, who writes only."""


def render(found: Found, host: Host, group: Group | None = None) -> bytes:
    """Return the text of the control file that was found; ``group`` stands for its cgroup.

    Raises ENODEV where the cgroup is gone, EIO for kernel files of a shape that is not known.
    """
    control = found.control
    if control is None:
        raise no_such(found.path)
    asked = found.group() if group is None else group
    if isinstance(control.view, Lists):
        return _list(found, host, asked, control.view)
    try:
        text = control.view(asked)
    except SourceError as error:
        if error.errno in _TOLD:
            raise
        raise OSError(errno.EIO, f"{error.strerror}: {error.filename}") from error
    if text is None:
        raise _refused(errno.ENODEV, found)
    return text


def _list(found: Found, host: Host, group: Group, kind: Lists) -> bytes:
    """Return a list of a cgroup in the caller's own numbers, as long as it is."""
    each = "cgroup.threads" if found.group().primary == V2 else "tasks"
    text = group.text("", each if kind is Lists.THREADS else "cgroup.procs")
    if text is None:
        raise _refused(errno.ENODEV, found)
    ids = [parse.integer(line) for line in text.split()]
    try:
        numbers = Numbers(host, found.caller.container).inward(ids)
    except SourceError as error:
        raise _refused(errno.ESRCH, found) from error
    if found.branch.shape == 1:
        numbers.sort()
    return b"".join(b"%d\n" % number for number in numbers)


def _refused(number: int, found: Found) -> OSError:
    return OSError(number, os.strerror(number), found.path)
