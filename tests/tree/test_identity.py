"""Who a caller is, and that no recycled number makes it somebody else."""

import errno
import shutil
from pathlib import Path

import pytest

from lxfs.identity import Identity
from lxfs.model import Container, SourceError
from tests.fixtures import (
    C1_NS,
    HOST_NS,
    INIT,
    MEMBER,
    STRANGER,
    V2,
    FixedHost,
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
