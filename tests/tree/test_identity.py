"""Who a caller is, and that no recycled number makes it somebody else."""

import errno
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lxfs import identity as identity_module
from lxfs.identity import Identity, scope
from lxfs.model import Container, SourceError
from lxfs.sources.cgroups import Hierarchies
from tests.fixtures import (
    C1_NS,
    HOST_NS,
    HYBRID,
    INIT,
    MEMBER,
    STRANGER,
    V2,
    FixedHost,
    RecordedPin,
    fixture_host,
    set_namespace,
)


@pytest.fixture
def host(tmp_path: Path) -> FixedHost:
    """The synthesised v2 host."""
    return fixture_host(V2, tmp_path)


def _restart(root: Path, pid: int, starttime: int, namespace: int) -> None:
    """Make a new process of a pid that was used before."""
    shutil.rmtree(root / f"proc/{pid}", ignore_errors=True)
    set_namespace(root, pid, namespace)
    fields = " ".join(["0"] * 18)
    (root / f"proc/{pid}/stat").write_text(f"{pid} (new) S {fields} {starttime} 0\n")
    (root / f"proc/{pid}/status").write_text(f"State:\tS (sleeping)\nNSpid:\t{pid}\t1\n")
    (root / f"proc/{pid}/cgroup").write_text("0::/system.slice/other\n")


def test_members_of_a_namespace_are_its_inits_container(host: FixedHost) -> None:
    """Every process of the namespace leads to the same init and start time."""
    identity = Identity(host)
    expected = Container(host.pid_namespace(INIT), INIT, 400000)
    assert identity.container(MEMBER) == expected
    assert identity.container(INIT) == expected


def test_the_hosts_own_processes_have_no_container(host: FixedHost) -> None:
    """A caller in our own pid namespace is the host."""
    assert Identity(host).container(STRANGER) is None


def test_many_new_containers_are_a_crowd_until_reaped(
    host: FixedHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Finding as many as may be new asks for a look at which are gone; known ones do not."""
    monkeypatch.setattr(identity_module, "_MAX_NEW", 3)
    identity = Identity(host)
    for number in range(3):
        assert not identity.is_crowded
        _restart(tmp_path, 5000 + number, 900, 4026539000 + number)
        for _ in range(3):
            identity.container(5000 + number)
    assert identity.is_crowded
    identity.reap()
    assert not identity.is_crowded


@pytest.mark.parametrize("pid", [0, -1, 4711])
def test_a_caller_that_cannot_be_placed_is_an_error(host: FixedHost, pid: int) -> None:
    """An unknown or vanished caller is an error, never the host."""
    with pytest.raises(SourceError) as caught:
        Identity(host).container(pid)
    assert caught.value.errno in (errno.ESRCH, errno.ENOENT)


def test_a_recycled_init_pid_is_not_believed(host: FixedHost, tmp_path: Path) -> None:
    """When init's pid is given to another process, the namespace is looked up anew."""
    identity = Identity(host)
    old = identity.container(MEMBER)
    assert old is not None
    _restart(tmp_path, INIT, 450000, HOST_NS)
    assert not identity.alive(old)
    with pytest.raises(SourceError):
        identity.container(MEMBER)


def test_a_recycled_namespace_inode_is_not_believed(host: FixedHost, tmp_path: Path) -> None:
    """When a new container gets an old namespace's inode, it gets its own init and cgroup."""
    identity = Identity(host)
    assert identity.container(INIT) is not None
    shutil.rmtree(tmp_path / f"proc/{INIT}")
    shutil.rmtree(tmp_path / f"proc/{MEMBER}")
    _restart(tmp_path, 3000, 460000, C1_NS)
    found = identity.container(3000)
    assert found == Container(host.pid_namespace(3000), 3000, 460000)
    assert identity.cgroup_paths(found) == {"": "/system.slice/other"}


def test_the_leaf_of_systemd_is_stripped(host: FixedHost) -> None:
    """The container's cgroup is the one around init.scope."""
    identity = Identity(host)
    container = identity.container(MEMBER)
    assert container is not None
    assert identity.cgroup_paths(container) == {"": "/system.slice/lxc.payload.c1"}


def test_an_init_scope_at_the_top_leaves_the_root(host: FixedHost, tmp_path: Path) -> None:
    """/init.scope alone leads to the root and not to an empty path."""
    (tmp_path / f"proc/{INIT}/cgroup").write_text("0::/init.scope\n")
    identity = Identity(host)
    container = identity.container(MEMBER)
    assert container is not None
    assert identity.cgroup_paths(container) == {"": "/"}


def test_the_dead_are_reaped(host: FixedHost, tmp_path: Path) -> None:
    """A container whose init is gone is forgotten and returned once."""
    identity = Identity(host)
    container = identity.container(MEMBER)
    assert identity.reap() == []
    shutil.rmtree(tmp_path / f"proc/{INIT}")
    assert identity.reap() == [container]
    assert identity.reap() == []


def test_the_cgroup_of_a_recycled_init_is_nobodys(host: FixedHost, tmp_path: Path) -> None:
    """Once init's pid is another process's, its cgroup is not taken for the container's."""
    identity = Identity(host)
    container = identity.container(MEMBER)
    assert container is not None
    _restart(tmp_path, INIT, 450000, HOST_NS)
    with pytest.raises(SourceError) as caught:
        identity.cgroup_paths(container)
    assert caught.value.errno == errno.ESRCH


def test_an_ending_init_has_no_cgroup(host: FixedHost, tmp_path: Path) -> None:
    """A zombie init, which cgroup v1 shows in the host's root, is an error to old and new callers.

    Its pid and its start time are still the same.
    """
    identity = Identity(host)
    container = identity.container(MEMBER)
    assert container is not None
    stat = tmp_path / f"proc/{INIT}/stat"
    fields = stat.read_text().rpartition(")")[2].split()
    fields[6] = str(int(fields[6]) | 4)
    stat.write_text(f"{INIT} (init) {' '.join(fields)}\n")
    with pytest.raises(SourceError, match="gone"):
        identity.cgroup_paths(container)
    with pytest.raises(SourceError, match="gone"):
        identity.container(MEMBER)


def test_what_a_recycled_inode_replaces_is_forgotten(host: FixedHost, tmp_path: Path) -> None:
    """The container that had the inode before is given up, with all that is kept of it."""
    forgotten: list[Container] = []
    identity = Identity(host, forget=forgotten.append)
    old = identity.container(INIT)
    shutil.rmtree(tmp_path / f"proc/{INIT}")
    shutil.rmtree(tmp_path / f"proc/{MEMBER}")
    _restart(tmp_path, 3000, 460000, C1_NS)
    assert identity.container(3000) != old
    assert forgotten == [old]


def _exits(root: Path) -> None:
    """Let the init begin to end: its flag is set, and v1 says / for it everywhere."""
    stat = root / f"proc/{INIT}/stat"
    fields = stat.read_text().rpartition(")")[2].split()
    fields[6] = str(int(fields[6]) | 4)
    stat.write_text(f"{INIT} (init) {' '.join(fields)}\n")
    cgroup = root / f"proc/{INIT}/cgroup"
    lines = [line.split(":", 2) for line in cgroup.read_text().splitlines()]
    cgroup.write_text("".join(f"{n}:{c}:{path if not c else '/'}\n" for n, c, path in lines))


def _moves(root: Path) -> None:
    """Let the init be moved, in one hierarchy."""
    cgroup = root / f"proc/{INIT}/cgroup"
    first, *rest = cgroup.read_text().splitlines()
    cgroup.write_text("\n".join([f"{first.rpartition(':')[0]}:/elsewhere", *rest]) + "\n")


def _recycled(root: Path) -> None:
    """Let another process of the same cgroups get the init's pid."""
    text = (root / f"proc/{INIT}/cgroup").read_text()
    shutil.move(root / f"proc/{INIT}", root / "old")  # so that its inode is not given out at once
    _restart(root, INIT, 450000, C1_NS)
    (root / f"proc/{INIT}/cgroup").write_text(text)


@pytest.mark.parametrize("pins", [True, False])
@pytest.mark.parametrize("source", [HYBRID, V2], ids=["v1", "v2"])
@pytest.mark.parametrize(
    ("happens", "stays"),
    [(lambda _: None, True), (_exits, False), (_recycled, False)],
    ids=["nothing", "exits", "recycled"],
)
def test_who_is_gone_is_not_where_it_was(
    source: Path, happens: Callable[[Path], None], *, pins: bool, stays: bool, tmp_path: Path
) -> None:
    """What was read where a container was located is its own only if it still lives there.

    On v1 the cgroup file alone tells, on v2 the flag: both are looked at after the reading.
    """
    host = fixture_host(source, tmp_path)
    host.pins = pins
    identity = Identity(host)
    container = identity.container(INIT)
    assert container is not None
    address = identity.locate(container)
    assert (address.file is not None) == pins
    assert address.proves_life == (source == HYBRID)
    happens(tmp_path)
    assert identity.is_at(container, address) == stays


@pytest.mark.parametrize("source", [HYBRID, V2], ids=["v1", "v2"])
def test_who_was_moved_is_not_where_it_was(source: Path, tmp_path: Path) -> None:
    """A change in any hierarchy ends an address that is used again; it is located anew."""
    host = fixture_host(source, tmp_path)
    host.pins = True
    identity = Identity(host)
    container = identity.container(INIT)
    assert container is not None
    address = identity.locate(container)
    _moves(tmp_path)
    assert not identity.is_at(container, address)
    assert "/elsewhere" in identity.locate(container).paths.values()


def test_a_pinned_namespace_needs_no_look_at_its_init(host: FixedHost, tmp_path: Path) -> None:
    """While a namespace is held open no other gets its inode: the container found is the same.

    That its init lives is asked after each reading, not before.
    """
    host.pins = True
    identity = Identity(host)
    container = identity.container(MEMBER)
    _exits(tmp_path)
    assert identity.container(MEMBER) == container
    assert container is not None
    with pytest.raises(SourceError, match="gone"):
        identity.locate(container)
    assert identity.reap() == [container]
    with pytest.raises(SourceError, match="gone"):
        identity.container(MEMBER)


def test_a_namespace_is_pinned_by_its_own_init_alone(
    host: FixedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An init's pid that becomes another's while it is looked for pins nothing."""
    host.pins = True
    monkeypatch.setattr(RecordedPin, "inode", lambda _: HOST_NS)
    with pytest.raises(SourceError, match="gone"):
        Identity(host).container(MEMBER)


@pytest.mark.parametrize(
    ("init", "caller", "expected"),
    [
        # An ordinary container: what its init makes below itself is not another.
        ("/lxc/c1", "/lxc/c1", "/lxc/c1"),
        ("/lxc/c1", "/lxc/c1/system.slice/ssh.service", "/lxc/c1"),
        ("/", "/user.slice/session-1.scope", "/"),
        # Neighbours in one pid namespace, near and far.
        ("/pod/pause", "/pod/ctr/a/b", "/pod/ctr"),
        ("/pod/pause/init", "/pod/ctr", "/pod/ctr"),
        ("/bench/main", "/bench/run-1", "/bench/run-1"),
        ("/user.slice/x", "/machine.slice/y/z", "/machine.slice"),
        # Names that begin alike are not one inside the other.
        ("/lxc/c1", "/lxc/c10/a", "/lxc/c10"),
        ("/lxc/c10", "/lxc/c1", "/lxc/c1"),
        # Above the init is not the container's.
        ("/pod/pause", "/pod", "/pod/pause"),
        ("/pod/pause", "/", "/pod/pause"),
    ],
)
def test_the_rule_of_scopes(init: str, caller: str, expected: str) -> None:
    """Below init: init's; beside it: the child of what they share; above it: init's."""
    assert scope(init, caller) == expected


_paths = st.lists(st.sampled_from(["a", "b", "ab"]), max_size=5).map(lambda p: "/" + "/".join(p))


def _has(upper: str, lower: str) -> bool:
    return upper == lower or lower.startswith(upper.rstrip("/") + "/")


@given(_paths, _paths, _paths)
def test_scopes_divide_a_namespace(init: str, one: str, other: str) -> None:
    """A scope is init's or holds its caller, never init; two are the same or share nothing."""
    found, beside = scope(init, one), scope(init, other)
    if found == init:
        assert _has(init, one) or _has(one, init)
    else:
        assert _has(found, one)
        assert not _has(found, init)
    assert found == beside or not (_has(found, beside) or _has(beside, found))
    assert scope(init, found.rstrip("/") + "/x") == found


class Pod:
    """A pause container, and neighbours of it in its pid namespace, on the v2 host."""

    def __init__(self, host: FixedHost, root: Path) -> None:
        self.host, self.root = host, root
        self.forgotten: list[Container] = []
        self.identity = Identity(host, Hierarchies.find(host), self.forgotten.append)
        self.move(INIT, "/pod/pause")
        (root / f"proc/{MEMBER}/stat").write_bytes((root / f"proc/{INIT}/stat").read_bytes())

    def make(self, path: str) -> Path:
        """Make a cgroup."""
        directory = self.root / f"sys/fs/cgroup{path}"
        directory.mkdir(parents=True)
        return directory

    def move(self, pid: int, path: str) -> None:
        """Put a process into a cgroup."""
        (self.root / f"proc/{pid}/cgroup").write_text(f"0::{path}\n")

    def member(self, path: str) -> Container:
        """Return the container of the namespace's other process when it is in a cgroup."""
        self.move(MEMBER, path)
        found = self.identity.container(MEMBER)
        assert found is not None
        return found


@pytest.fixture
def pod(host: FixedHost, tmp_path: Path) -> Pod:
    """Such a pod."""
    return Pod(host, tmp_path)


def test_neighbours_in_a_namespace_are_told_apart(pod: Pod) -> None:
    """Each cgroup beside init's is a container, under a key of its own, with its own paths."""
    pod.make("/pod/a")
    pod.make("/pod/b")
    pause, a, b = (pod.member(f"/pod/{name}") for name in ("pause/x", "a/x", "b"))
    assert pause.own == ()
    assert pod.identity.container(INIT) == pause
    assert len({pause.key, a.key, b.key}) == 3
    assert pod.identity.cgroup_paths(a) == {"": "/pod/a"}
    assert pod.identity.cgroup_paths(b) == {"": "/pod/b"}
    assert pod.identity.cgroup_paths(pause) == {"": "/pod/pause"}
    assert pod.member("/pod/a/y") == a


def test_the_hosts_processes_are_the_host_in_any_cgroup(pod: Pod) -> None:
    """A caller in the host's own pid namespace sees the host, told apart by cgroup or not."""
    pod.make("/pod/a")
    pod.move(STRANGER, "/pod/a")
    assert pod.identity.container(STRANGER) is None


def test_each_hierarchy_is_judged_by_itself(tmp_path: Path) -> None:
    """On v1 a caller may be beside init for one controller and with it for the others."""
    host = fixture_host(HYBRID, tmp_path)
    identity = Identity(host, Hierarchies.find(host))
    (tmp_path / f"proc/{MEMBER}").mkdir(exist_ok=True)
    shutil.copy(tmp_path / f"proc/{INIT}/stat", tmp_path / f"proc/{MEMBER}/stat")
    (tmp_path / "sys/fs/cgroup/memory/beside").mkdir()
    theirs = (tmp_path / f"proc/{INIT}/cgroup").read_text()
    lines = [
        line.rpartition(":")[0] + ":/beside/x" if ":memory:" in line else line
        for line in theirs.splitlines()
    ]
    (tmp_path / f"proc/{MEMBER}/cgroup").write_text("\n".join(lines) + "\n")
    found = identity.container(MEMBER)
    assert found is not None
    assert [(own.hierarchy, own.path) for own in found.own] == [("memory", "/beside")]
    whole = identity.container(INIT)
    assert whole is not None
    expected = {**identity.cgroup_paths(whole), "memory": "/beside"}
    assert identity.cgroup_paths(found) == expected


def test_an_ending_caller_has_no_cgroup(pod: Pod) -> None:
    """A caller that is ending, which cgroup v1 shows in the host's root, is an error."""
    pod.make("/pod/a")
    fields = ["0"] * 20
    fields[5] = "4"
    (pod.root / f"proc/{MEMBER}/stat").write_text(f"{MEMBER} (x) S {' '.join(fields)}\n")
    with pytest.raises(SourceError, match="gone") as caught:
        pod.member("/")
    assert caught.value.errno == errno.ESRCH


def test_a_removed_cgroup_ends_its_container_alone(pod: Pod) -> None:
    """The pause container lives on; what was beside it is gone, reaped and forgotten once."""
    directory = pod.make("/pod/a")
    pause, a = pod.member("/pod/pause"), pod.member("/pod/a")
    assert pod.identity.reap() == []
    directory.rmdir()
    assert not pod.identity.alive(a)
    with pytest.raises(SourceError) as caught:
        pod.identity.cgroup_paths(a)
    assert caught.value.errno == errno.ESRCH
    assert pod.identity.reap() == [a] == pod.forgotten
    assert pod.identity.reap() == []
    assert pod.identity.cgroup_paths(pause) == {"": "/pod/pause"}


def test_a_cgroup_made_anew_is_another_container(pod: Pod) -> None:
    """A cgroup of the same path as one that was removed is not taken for it."""
    directory = pod.make("/pod/a")
    a = pod.member("/pod/a")
    directory.rename(directory.with_name("old"))  # so that its inode is not given out at once
    pod.make("/pod/a")
    assert not pod.identity.alive(a)
    assert pod.member("/pod/a") != a


def test_a_namespace_has_so_many_containers(pod: Pod) -> None:
    """One that keeps making cgroups has its earliest given up, and another's are left alone."""
    found = []
    for number in range(identity_module._MAX_SCOPES + 3):
        pod.make(f"/pod/{number}")
        found.append(pod.member(f"/pod/{number}"))
        pod.identity.cgroup_paths(found[0])  # in use: it stays
    assert pod.forgotten == found[1:4]
    # A descriptor of one that was given up still reads its own, and is remembered again.
    assert pod.identity.cgroup_paths(found[1]) == {"": "/pod/1"}
    assert pod.forgotten == [*found[1:4], found[4]]


def test_all_containers_of_a_dead_namespace_are_reaped(pod: Pod) -> None:
    """With the init all of its namespace is forgotten."""
    pod.make("/pod/a")
    pause, a = pod.member("/pod/pause"), pod.member("/pod/a")
    shutil.rmtree(pod.root / f"proc/{INIT}")
    assert pod.identity.reap() == [pause, a] == pod.forgotten
    assert pod.identity._scoped == {}
