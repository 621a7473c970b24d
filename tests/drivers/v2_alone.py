"""A program that looks at cgroups through a mount where v2 alone is mounted, and says what it saw.

Role: run in a mount namespace without any v1 hierarchy; prints one JSON object. Boundary: what it
makes it removes. Threading: none.
"""

import json
import sys
from pathlib import Path

from tests.drivers import conftest
from tests.drivers.conftest import Mount
from tests.drivers.inmates import inmate_in, public_mount

CELL = Path("/sys/fs/cgroup/lxfs-v2-alone")


def look(mount: Mount, *, user: bool, cgroup: bool) -> dict[str, object]:
    """Return what a container of a kind sees and does in directories of both shapes."""
    seen: dict[str, object] = {}
    with inmate_in([CELL], user=user, cgroup=cgroup) as one:
        inside = one("read('/proc/self/cgroup')").split("0::")[1].strip().rstrip("/")
        for name, tasks in (
            ("systemd", "tasks"),
            ("freezer", "tasks"),
            ("unified", "cgroup.procs"),
            ("", "cgroup.procs"),  # the top is v2's, too
        ):
            top = f"{mount.directory}/cgroup/{name}".rstrip("/")
            made = f"{top}{inside}/x"
            one(f"os.mkdir('{made}')")
            one("p = subprocess.Popen(['sleep', '100'])")
            moved = one.errno(f"write('{made}/{tasks}', '%d' % p.pid)")
            seen[name] = [
                one(f"read('{top}{inside}/cgroup.procs')"),
                one.errno(f"os.stat('{top}/init.scope')"),
                moved,
                one(f"read('{made}/{tasks}') == '%d\\n' % p.pid"),
                one("read('/proc/%d/cgroup' % p.pid)").endswith(f"{inside}/x\n"),
                (CELL / "x").stat().st_uid,
                one.errno(f"os.rmdir('{made}')"),
            ]
            if name == "freezer":
                one(f"write('{made}/freezer.state', 'FROZEN')")
                seen["frozen"] = (CELL / "x/cgroup.freeze").read_text()
                one(f"write('{made}/freezer.state', 'THAWED')")
            one("p.kill() or p.wait()")
            one(f"os.rmdir('{made}')")
        both = [
            f"os.listdir('{mount.directory}/cgroup{name}{inside}')" for name in ("", "/unified")
        ]
        seen["listed"] = sorted(set(one(both[0])) - set(one(both[1])))
    return seen


def main() -> None:
    """Look through the driver that is named."""
    conftest._driver = sys.argv[1]
    CELL.mkdir()
    try:
        with public_mount("--cgroupfs", "rw") as mount:
            kinds = ((False, True), (False, False), (True, True))
            print(json.dumps([look(mount, user=user, cgroup=cgroup) for user, cgroup in kinds]))
    finally:
        CELL.rmdir()


if __name__ == "__main__":
    main()
