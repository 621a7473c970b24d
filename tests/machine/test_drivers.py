"""The mount tests of tests/drivers, as they are, on a kernel that has cgroup v2 alone."""

import xml.etree.ElementTree as ET  # what our own pytest writes
from pathlib import Path

import pytest

from .machine import Machine

DRIVERS = Path(__file__).parents[1] / "drivers"
FILES = sorted(path.name for path in DRIVERS.glob("test_*.py"))
SECONDS = 400


@pytest.mark.parametrize("name", FILES)
def test_the_mount_tests_pass_on_v2(machine: Machine, name: str) -> None:
    """Every test of the file passes in the machine, and none is skipped."""
    report = f"/tmp/{name}.xml"
    done = machine(
        # From the root cgroup, since those tests look for runs below their own: anywhere else v2
        # lets no cgroup that has processes hand down controllers. test_run.py runs in a service.
        *("sh", "-c", 'echo 0 > /sys/fs/cgroup/cgroup.procs; exec "$0" "$@"'),
        *("python3", "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider"),
        *(f"--junit-xml={report}", f"tests/drivers/{name}"),
        check=False,
        timeout=SECONDS,
    )
    assert done.status == 0, done.stdout + done.stderr
    cases = list(ET.fromstring(machine.reads(report)).iter("testcase"))  # noqa: S314 - our own
    assert cases
    assert [case.get("name") for case in cases if case.find("skipped") is not None] == []
