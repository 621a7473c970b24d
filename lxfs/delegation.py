"""A cgroup that has been handed to a user who is not root: whether ours is one.

Role: says what keeps the user from making cgroups in it; asks the user's systemd for another
(systemd's CGROUP_DELEGATION.md).
Boundary: reads cgroups, writes none. cgroup v2 alone: v1 cannot be delegated safely, and systemd
does not.
Threading: none.
"""

import contextlib
import os
import shutil
import socket
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from lxfs.sources.cgroups import Hierarchies
from lxfs.sources.host import Host
from lxfs.sources.place import Place

_MARK = "user.delegate"
"""The extended attribute that systemd puts on what it has delegated."""
_WRITTEN = ("", "cgroup.procs", "cgroup.subtree_control")
_SCOPE = "lxfs-run-"
_HINT = "systemd-run --user --scope -p Delegate=yes"


@dataclass(frozen=True, slots=True)
class Own:
    """Our own cgroup, as far as its use by its user goes.

    ``obstacle`` says why it is not delegated to us; ``is_marked`` that systemd has said it is;
    ``may_ask`` that another one could be had from systemd.
    """

    place: Place | None
    obstacle: str | None
    is_marked: bool = False
    may_ask: bool = False


def look(needed: Collection[str], host: Host, hierarchies: Hierarchies) -> Own:
    """Return what keeps this process's user from making cgroups with these controllers here."""
    in_v1 = sorted(name for name in needed if name in hierarchies.v1)
    if in_v1 or hierarchies.v2 is None:
        return Own(
            None,
            f"cgroup v1 has {_and(in_v1) if in_v1 else 'every controller'} on this machine, and"
            " hands nothing to users: boot with systemd.unified_cgroup_hierarchy=1, or be root",
        )
    if absent := sorted(set(needed) - hierarchies.v2_controllers):
        return Own(None, f"this kernel, or this container, has no {_and(absent)} in cgroup v2")
    place = hierarchies.unified(host.cgroup_paths(os.getpid()))
    if place is None:
        return Own(None, "this process has no cgroup in the v2 tree that is mounted")
    directory = f"{place.point}{place.path}"
    name = place.path or "/"
    if not all(os.access(f"{directory}/{file}", os.W_OK) for file in _WRITTEN):
        return Own(
            place,
            f"the cgroup that lxfs is in, {name}, is not this user's: begin the command with"
            f" '{_HINT}'",
            may_ask=True,
        )
    missing = sorted(set(needed) - _names(place, "cgroup.controllers"))
    if missing:
        return Own(
            place,
            f"the cgroup that lxfs is in, {name}, is this user's without {_and(missing)}:"
            " 'systemctl edit user@.service' as root, with 'Delegate=cpu cpuset io memory pids'"
            " below [Service], delegates these to users from the next boot on",
            may_ask=True,
        )
    if _names(place, "cgroup.procs") != {str(os.getpid())}:
        return Own(
            place,
            f"other processes are in {name}, the cgroup that lxfs is in, so that it can hand no"
            f" controllers down: begin the command with '{_HINT}'",
            may_ask=True,
        )
    return Own(place, None, is_marked=_is_marked(directory), may_ask=True)


def _and(names: Sequence[str]) -> str:
    return " and ".join(names)


def _names(place: Place, file: str) -> set[str]:
    return place.read(file, lambda text: set(text.decode().split()))


def _is_marked(directory: str) -> bool:
    with contextlib.suppress(OSError):
        return os.getxattr(directory, _MARK) == b"1"
    return False


def ask_systemd(own: Own, argv: Sequence[str]) -> None:
    """Begin anew in a scope that the user's systemd has delegated; return where there is none.

    The process stays the same one, so terminal, signals and exit status do too.
    """
    program = shutil.which("systemd-run")
    if program is None or not own.may_ask or own.place is None:
        return
    if any(name.startswith(_SCOPE) for name in own.place.path.split("/")):
        return  # we have come from there; or are in a run, whose limits another scope would evade
    environment = _of_the_bus(os.environ)
    if environment is None:
        return
    scope = f"{_SCOPE}{os.getpid()}.scope"
    asked = [program, "--user", "--scope", "--quiet", "--collect", f"--unit={scope}"]
    sys.stdout.flush()
    os.execve(program, [*asked, "-p", "Delegate=yes", "--", *argv], environment)  # noqa: S606


def _of_the_bus(environment: Mapping[str, str]) -> Mapping[str, str] | None:
    """Return the environment in which the user's systemd is found, if its bus answers."""
    directory = environment.get("XDG_RUNTIME_DIR", f"/run/user/{os.geteuid()}")
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.connect(f"{directory}/bus")
        return {**environment, "XDG_RUNTIME_DIR": directory}
    return None
