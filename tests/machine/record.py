"""Record the machine's kernels as fixtures: ``python -m tests.machine.record`` (make fixtures).

Role: runs the recorders of tests/fixtures inside, on each kernel, and brings the files out.
Boundary: replaces tests/fixtures/linux-VERSION-v2, but for the expected renderings in it.
Threading: one.
"""

import base64
import io
import shutil
import sys
import tarfile
from pathlib import Path

from tests.fixtures import HERE
from tests.fixtures.expected import EXPECTED

from .machine import Machine, booted
from .recipe import Recipe

SCRIPT = """
set -e
# In the root cgroup: anywhere else v2 lets no cgroup that has processes hand down controllers.
echo 0 > /sys/fs/cgroup/cgroup.procs
mkdir -p /root/recorded /run/hugetlb
# Of huge pages both shapes: v1 can have the controller as long as v2 hands it to nobody.
python3 -m tests.fixtures.huge /root/recorded/huge-v2.json
mount -t cgroup -o hugetlb none /run/hugetlb
python3 -m tests.fixtures.huge /root/recorded/huge-v1.json
umount /run/hugetlb
until grep -qw hugetlb /sys/fs/cgroup/cgroup.controllers; do sleep 0.1; done
for controller in $(cat /sys/fs/cgroup/cgroup.controllers); do
    echo +$controller > /sys/fs/cgroup/cgroup.subtree_control
done
python3 -m tests.fixtures.record /root/recorded
python3 -m tests.fixtures.record_cgroups /root/recorded/cgroups.json
python3 -m tests.fixtures.writes /root/recorded/writes.json
tar -C /root/recorded -cf - . | base64 -w0
"""


def fetch(machine: Machine, target: Path) -> None:
    """Record the machine's kernel into a directory that does not exist yet."""
    archive = base64.b64decode(machine.shell(SCRIPT))
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(target, filter="data")


def replace(target: Path, fresh: Path) -> None:
    """Put a fresh record in the place of an old one, whose expected renderings stay."""
    target.mkdir(exist_ok=True)
    for old in target.iterdir():
        if old.name == EXPECTED:
            continue
        if old.is_dir():
            shutil.rmtree(old)
        else:
            old.unlink()
    for new in fresh.iterdir():
        shutil.move(new, target)
    fresh.rmdir()


def main() -> None:
    """Record every kernel."""
    for version, _ in Recipe().kernels:
        target = HERE / f"linux-{version}-v2"
        fresh = target.with_suffix(".fresh")
        with booted(version) as machine:
            fetch(machine, fresh)
        replace(target, fresh)
        print(f"recorded {target}", file=sys.stderr)


if __name__ == "__main__":
    main()
