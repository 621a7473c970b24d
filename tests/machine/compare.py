"""The comparison with LXCFS on cgroup v2, in the machine: ``python -m tests.machine.compare``.

Role: boots the machine, runs benchmarks.compare_lxcfs in it beside Debian 13's LXCFS, and puts the
table into docs/lxfs.md. Boundary: not a test; writes that one file. Threading: none.
"""

import json
import sys

from benchmarks.compare_lxcfs import Difference, table, unexplained, write

from .errors import MachineUnavailable
from .machine import booted

KERNEL = "6.12"


def main() -> int:
    """Measure and write; 1 when a difference has no reason, or there is no machine."""
    try:
        with booted(KERNEL) as machine:
            done = machine(
                # From the root cgroup: anywhere else v2 lets no cgroup that has processes hand
                # down controllers.
                *("sh", "-c", 'echo 0 > /sys/fs/cgroup/cgroup.procs; exec "$0" "$@"'),
                *("python3", "-m", "benchmarks.compare_lxcfs", "--json"),
                check=False,
                timeout=500,
            )
    except MachineUnavailable as error:
        sys.exit(f"no machine: {error}")
    if not done.stdout:
        sys.exit(done.stderr)
    items, on = json.loads(done.stdout)
    differences = [Difference(**item) for item in items]
    write(table(differences, on), on)
    return 1 if unexplained(differences) else 0


if __name__ == "__main__":
    sys.exit(main())
