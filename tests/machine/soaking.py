"""The soak in the machine, on each of its kernels: ``python -m tests.machine.soaking``.

Run by ``make soak-machine``; what it does not know it hands to tests.drivers.soaking inside.

Role: boots, lets the soak run, prints what it says. Boundary: not a test; writes nothing here.
Threading: none.
"""

import argparse
import sys
from collections.abc import Sequence

from .errors import MachineUnavailable
from .machine import BOOT_SECONDS, booted
from .recipe import Recipe

KERNELS = tuple(version for version, _ in Recipe().kernels)
# Emulation makes reads slow: while servers are killed there are more than enough of them. And ten
# kills a second would be more than a server can answer between.
PACE = ("--reads", "50", "--pause", "0.5")
# For the mount, the readers' first and last files, and what is taken away.
MARGIN = 900


def soak(version: str, seconds: int, more: Sequence[str]) -> int:
    """Soak on the kernel of a version for some seconds at most; return the status inside."""
    timeout = seconds + MARGIN
    with booted(version, life=BOOT_SECONDS + 2 * timeout) as machine:
        done = machine(
            # From the root cgroup: anywhere else v2 lets no cgroup that has processes hand down
            # controllers.
            *("sh", "-c", 'uname -r; echo 0 > /sys/fs/cgroup/cgroup.procs; exec "$0" "$@"'),
            *("python3", "-m", "tests.drivers.soaking"),
            *(*PACE, "--seconds", str(seconds), *more),
            check=False,
            timeout=timeout,
        )
    print(done.stdout + done.stderr, end="", flush=True)
    return done.status


def main() -> int:
    """Soak on one kernel after the other; 1 when one of them is no success."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kernel", choices=KERNELS, action="append", help="this one alone")
    parser.add_argument("--seconds", type=int, default=1500, help="on each kernel (1500)")
    arguments, more = parser.parse_known_args()
    try:
        ends = [soak(one, arguments.seconds, more) for one in arguments.kernel or KERNELS]
    except MachineUnavailable as error:
        sys.exit(f"no machine: {error}")
    return int(any(ends))


if __name__ == "__main__":
    sys.exit(main())
