"""Where a caller's cgroups are below ``cgroup/``, from paths alone."""

import pytest

from lxfs.cgroupfs.layout import DIRECTORIES, Branch, Seat
from lxfs.cgroupfs.spaces import root
from lxfs.sources.cgroups import Hierarchies
from lxfs.sources.place import Place

V1 = Hierarchies({"memory": Place("/m"), "cpu": Place("/c"), "name=systemd": Place("/s")})
HYBRID = Hierarchies(V1.v1, Place("/u"), frozenset())
V2 = Hierarchies({}, Place("/u"), frozenset({"memory", "cpu", "io", "pids"}))
OWN = {"memory": "/lxc/c1", "cpu": "/lxc/c1", "name=systemd": "/", "": "/lxc/c1"}


def _branch(name: str, mounted: Hierarchies, seat: Seat) -> Branch:
    branch = Branch.of(name, mounted, seat)
    assert branch is not None
    return branch


@pytest.mark.parametrize("mounted", [V1, HYBRID, V2], ids=["v1", "hybrid", "v2"])
@pytest.mark.parametrize("name", DIRECTORIES)
def test_each_directory_is_of_some_hierarchy(name: str, mounted: Hierarchies) -> None:
    """On every host each name has cgroups to show, the container's own or none."""
    own = {path: OWN[path] for path in (*mounted.v1, *([""] if mounted.v2 else []))}
    branch = _branch(name, mounted, Seat.of(mounted, own, {}))
    assert branch.shared == (OWN[branch.primary] == "/")
    assert branch.used[0] == branch.primary


def test_names_lead_to_the_own_cgroup_from_the_namespaces_root() -> None:
    """What the caller reads in /proc/self/cgroup is what leads to its cgroup."""
    branch = _branch("memory", V2, Seat.of(V2, {"": "/lxc/c1"}, {}))
    assert branch.above == ("lxc", "c1")
    seat = Seat.of(V2, {"": "/lxc/c1"}, {"": "/lxc"})
    assert (_branch("memory", V2, seat).above, seat.tops) == (("c1",), {"": "/lxc/c1"})
    seat = Seat.of(V2, {"": "/lxc/c1"}, {"": "/lxc/c1"})
    assert (_branch("memory", V2, seat).above, seat.tops) == ((), {"": "/lxc/c1"})


def test_a_namespace_within_a_container_begins_there() -> None:
    """Who has a namespace that begins below the container's cgroup sees no more than that."""
    seat = Seat.of(V2, {"": "/lxc/c1"}, {"": "/lxc/c1/inner"})
    assert seat.tops == {"": "/lxc/c1/inner"}


@pytest.mark.parametrize("strange", ["/lxc/c2", "/lxc/c", "/elsewhere"])
def test_a_namespace_elsewhere_shows_nothing_else(strange: str) -> None:
    """Where the namespace's root and the container's cgroup are apart, the own cgroup is shown."""
    seat = Seat.of(V2, {"": "/lxc/c1"}, {"": strange})
    assert (seat.tops, seat.above) == ({"": "/lxc/c1"}, {"": ()})


def test_a_hierarchy_without_a_part_for_the_container_is_shared() -> None:
    """A container in the root of a hierarchy has nothing below it, and v2's shape is made of v1."""
    seat = Seat.of(HYBRID, {**OWN, "": "/"}, {})
    assert seat.shared == {"", "name=systemd"}
    unified = _branch("unified", HYBRID, seat)
    assert (unified.primary, unified.above, unified.shared) == ("memory", (), False)
    assert _branch("systemd", HYBRID, seat).shared


def test_the_host_sees_all() -> None:
    """A process of the host begins at the root, or where its namespace does."""
    seat = Seat.of(HYBRID, None, {})
    assert set(seat.tops.values()) == {"/"}
    assert seat.shared == frozenset()
    assert Seat.of(HYBRID, None, {"memory": "/docker/x"}).tops["memory"] == "/docker/x"


@pytest.mark.parametrize(
    ("seen", "inside", "expected"),
    [
        ("/lxc/c1", "/", "/lxc/c1"),
        ("/lxc/c1/a/b", "/a/b", "/lxc/c1"),
        ("/a", "/a", "/"),
        ("/user.slice", "/../../user.slice", None),
        ("/lxc/c1", "/other", None),
    ],
)
def test_the_root_of_a_namespace(seen: str, inside: str, expected: str | None) -> None:
    """The root is what is left of a path outside when the path inside is taken from its end."""
    assert root(seen, inside) == expected
