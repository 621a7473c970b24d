"""A container whose running state can be seen: a process in it counts.

Role: how it is made so that CRIU can save it, how far it is, whether it is still the same process.
Boundary: one instance of a host. Threading: one caller.
"""

from __future__ import annotations

from pathlib import Path

from . import procs
from .lab import Host
from .tools import wait_until

NO_CONSOLE = "lxc.console.path=none"
_APPARMOR = Path("/sys/kernel/security/apparmor")
_COUNT = """
secret=$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \\n')
exec </dev/null >/dev/null 2>&1
setsid sh -c 'i=0; while :; do i=$((i+1)); echo "$0 $$ $i" >>/root/count; sleep 0.1; done' $secret &
"""


def launch(host: Host, name: str) -> None:
    """Start NAME on HOST; a process counts in it, and knows a number that only it knows.

    Its standard files are no terminal and none of the caller's: CRIU could not save it. Nor could
    it a console, nor an AppArmor profile where the kernel knows none.
    """
    raw = NO_CONSOLE if _APPARMOR.exists() else f"{NO_CONSOLE}\nlxc.apparmor.profile="
    config = {"migration.stateful": "true", "security.privileged": "true", "raw.lxc": raw}
    host.launch(name, config)
    host.wait_address(name)
    host.exec(name, ["sh", "-c", _COUNT])


def clear(name: str) -> None:
    """Remove what is left of NAME when no host has it any more.

    CRIU makes the cgroups of a hierarchy that liblxc has left out, and nobody removes them.
    """
    procs.remove_cgroups({*Path("/sys/fs/cgroup").glob(f"*/lxc.payload.{name}*")})


def counted(host: Host, name: str) -> tuple[str, int]:
    """The process (its number, and what it alone knows), and how far it has counted."""
    line = host.exec(name, ["tail", "-n", "1", "/root/count"]).stdout
    process, _, count = line.strip().rpartition(" ")
    return process, int(count)


def goes_on(host: Host, name: str, process: str, count: int) -> None:
    """The very same process counts on from where it was, and an address is there as before."""
    assert wait_until(lambda: counted(host, name)[1] > count + 5, 20)
    assert counted(host, name)[0] == process
    assert host.wait_address(name)
