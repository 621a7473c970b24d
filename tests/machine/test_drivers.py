"""The mount tests of tests/drivers, as they are, on a kernel that has cgroup v2 alone.

By default those in which the version of cgroups or the kernel's FUSE matters, through the default
driver; with LXTUI_MACHINE=full also all of them through both, which takes half an hour.
"""

import xml.etree.ElementTree as ET
from collections.abc import Collection
from pathlib import Path

import pytest

from .machine import Machine

SECONDS = 800
# What the names of the tests have in them whose subject is limits and the cgroups they are in, and
# what outlives a server. They
# take ten times what they take outside: of several that would fail for one reason, one is here.
MATTER = (
    "sees_its_limits",
    "cpuset",
    "every_counter",
    "add_up_to_meminfo",
    "dead_container",
    "made_anew",
    "changed_limit",
    "mount_hook",
    "run_in_a_run",
    "limits_are_enforced",
    "in_its_cgroups",
    "kill_leaves",
    "full_use",
    "idle_neighbour",
    "threaded_and_deep",
    "free_",
    "slabinfo",
    "neighbours",
    "recycled_init",
    "do_not_notice",
    "text_goes_on",
)
# Left out in there, with the reason.
APART = {
    "thousands_of_reads": "its minute is too short for 6000 reads under emulation",
    "is_the_one_that_is_busy": "cgroup v2 does not say on which CPU time was used",
    "lost_record": "Linux 6.1 has no way to ask again",
    "cgroups_made_inside": "it makes one cgroup per controller, which in v2 are the same one",
}
EVERYWHERE = " and ".join(f"not {name}" for name in APART)
# Why some are skipped in there as anywhere.
NOT_THERE = {
    "v2 counts memory here itself",
    "of libfuse's loop nothing goes on after a kill",
    "libfuse's loop has its own bounds",
}
OPERATIONS = 2000
"""Of a hostile container: each takes some milliseconds of an emulated CPU, and a limit is 300 s."""
FOLDER = Path(__file__).parents[1] / "drivers"


def passes(
    machine: Machine, expression: str, folder: str, least: int, may_skip: Collection[str] = ()
) -> None:
    """Assert that the tests chosen pass in the machine, at least so many, and none is skipped."""
    report = "/tmp/drivers.xml"
    done = machine(
        # From the root cgroup, since those tests look for runs below their own: anywhere else v2
        # lets no cgroup that has processes hand down controllers. test_run.py runs in a service.
        *("sh", "-c", 'echo 0 > /sys/fs/cgroup/cgroup.procs; exec "$0" "$@"'),
        *("env", f"LXTUI_OPERATIONS={OPERATIONS}"),
        *("python3", "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider"),
        *(f"--junit-xml={report}", "-k", expression, folder),
        check=False,
        timeout=SECONDS,
    )
    assert done.status == 0, done.stdout + done.stderr
    cases = list(ET.fromstring(machine.reads(report)).iter("testcase"))  # noqa: S314 - our own
    assert len(cases) >= least
    skipped = [skip.get("message") for case in cases for skip in case.iter("skipped")]
    assert [why for why in skipped if why not in may_skip] == []


def test_the_mount_tests_pass_on_v2(machine: Machine) -> None:
    """Those that matter pass in the machine, and none is skipped."""
    expression = f"({' or '.join(MATTER)}) and not fusepy and {EVERYWHERE}"
    passes(machine, expression, "tests/drivers", len(MATTER))


@pytest.mark.full
@pytest.mark.parametrize("file", sorted(path.name for path in FOLDER.glob("test_*.py")))
def test_all_mount_tests_pass_on_v2(machine: Machine, file: str) -> None:
    """All of them, through both drivers."""
    passes(machine, EVERYWHERE, f"tests/drivers/{file}", 1, NOT_THERE)


@pytest.mark.long
@pytest.mark.newest_kernel
def test_writes_to_control_files_on_v2(machine: Machine) -> None:
    """What is written to v1's files comes to v2's, and is refused as v2's own files refuse it."""
    passes(machine, "test_", "tests/drivers/test_control_files.py", 4)


@pytest.mark.long
@pytest.mark.newest_kernel
def test_containers_of_crun(machine: Machine) -> None:
    """The hook and attach do for crun's containers what they do for runc's outside."""
    passes(machine, "test_oci", "tests/drivers/test_oci.py", 8)
