"""``lxfs run`` for a user who is not root: everything that this takes, looked at before anything.

Role: the conditions, all in one answer, so that an administrator is not told of one after the
other.
Boundary: decides; namespaces are made by run through userns, cgroups by limits.
Threading: forks, so it runs before any thread is started.
"""

import sys

from lxfs import delegation, mounting, userns
from lxfs.errors import UserError
from lxfs.limits import Limits
from lxfs.model import SourceError
from lxfs.sources.cgroups import Hierarchies
from lxfs.sources.host import Host
from lxfs.sources.place import Place


def cgroup(limits: Limits, host: Host) -> Place:
    """Return the cgroup that is this user's to divide, the one that this process is in.

    Where it is not, but the user's systemd has one to give, the program is begun anew in that one
    and this does not return. Raises ``UserError`` that names every condition that is not met.
    """
    missing = [text for text in (mounting.device_obstacle(), userns.obstacle()) if text]
    try:
        own = delegation.look(limits.counted, host, Hierarchies.find(host))
    except SourceError as error:
        own = delegation.Own(None, str(error))
    if not missing and (own.obstacle or not own.is_marked):
        delegation.ask_systemd(own, [sys.executable, *sys.orig_argv[1:]])
    if own.obstacle:
        missing.append(own.obstacle)
    if missing or own.place is None:
        raise UserError(f"be root, or see to this: {'; '.join(missing)}")
    return own.place
