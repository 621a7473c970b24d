"""The tree of cgroups where v2 alone is mounted: v1's shape is made of v2's."""

import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest

from lxfs.cgroupfs.layout import DIRECTORIES
from tests.drivers.inmates import FIRST_ID

ALONE = 'umount -R -l /sys/fs/cgroup && mount -t cgroup2 c /sys/fs/cgroup && exec "$0" "$@"'


@pytest.mark.usefixtures("driver")
def test_v1_directories_on_v2_alone(driver: str) -> None:
    """Containers list, make, fill, freeze and are refused to remove cgroups in both shapes.

    The top of all is v2's as well: where a container's own cgroup is there, with v1's directories.
    """
    command = [sys.executable, "-m", "tests.drivers.v2_alone", driver]
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", ALONE, *command],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # Without a cgroup namespace its own cgroup is further down, where v1's directories are not.
    v1 = sorted(DIRECTORIES)
    kinds: list[tuple[int, list[str]]] = [(0, v1), (0, []), (FIRST_ID, v1)]
    for seen, (owner, more) in zip(json.loads(done.stdout), kinds, strict=True):
        assert seen.pop("frozen") == "1\n"
        assert seen.pop("listed") == more
        expected = ["1\n", errno.ENOENT, None, True, True, owner, errno.EBUSY]
        assert seen == dict.fromkeys(("systemd", "freezer", "unified", ""), expected)
