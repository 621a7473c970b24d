"""Cgroups in both shapes on a host that has v2 alone: the mount tests about them, as they are."""

from .machine import Machine
from .test_drivers import passes

CHOSEN = (
    "where_the_caller",
    "is_bare",
    "callers_own",
    "has_limits",
    "is_its_makers",
    "others_to_set",
    "outlives",
    "from_outside",
    "read_only",
    "the_host_sees",
)


def test_cgroups_of_both_shapes_on_v2(machine: Machine) -> None:
    """Containers find and change their cgroups in v1's shape and in v2's on a host without v1."""
    expression = f"not fusepy and ({' or '.join(CHOSEN)})"
    passes(machine, expression, "tests/drivers/test_cgroupfs.py", len(CHOSEN))
