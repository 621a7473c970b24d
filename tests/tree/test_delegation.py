"""What a user who is not root is told: reasons that name the setting to be changed."""

import errno
import os
from pathlib import Path

import pytest

from lxfs import delegation, userns
from lxfs.sources.cgroups import Hierarchies
from lxfs.sources.host import Host
from lxfs.sources.place import Place

_CLONE = "kernel/unprivileged_userns_clone"
_APPARMOR = "kernel/apparmor_restrict_unprivileged_userns"
_MOST = "user/max_user_namespaces"


@pytest.mark.parametrize(
    ("number", "settings", "proc", "says"),
    [
        (errno.EPERM, {_CLONE: "0"}, False, "kernel.unprivileged_userns_clone=1"),
        (errno.ENOSPC, {_MOST: "3"}, False, "user.max_user_namespaces is 3"),
        (errno.EPERM, {_MOST: "0"}, False, "user.max_user_namespaces=15000"),
        (
            errno.EACCES,
            {_APPARMOR: "1", _MOST: "9"},
            False,
            "apparmor_restrict_unprivileged_userns=0",
        ),
        (errno.EPERM, {_APPARMOR: "0"}, False, "seccomp"),
        (errno.EINVAL, {}, False, "CONFIG_USER_NS"),
        (0, {}, False, "the trial was killed"),
        (errno.EPERM, {_MOST: "9"}, True, "a fresh /proc cannot be mounted"),
    ],
)
def test_why_there_are_no_namespaces(
    number: int, settings: dict[str, str], proc: bool, says: str
) -> None:
    """The reason names the switch that is off, and nothing that is on."""
    said = userns.reason(number, settings, proc=proc)
    assert says in said
    assert "\n" not in said


class _OneCgroup(Host):
    """A host on which every process is in the cgroup /own."""

    def cgroup_paths(self, pid: int, *, keep: bool = True) -> dict[str, str]:  # noqa: ARG002
        """Return the one."""
        return {"": "/own"}


def _hierarchies(top: Path, procs: str, controllers: str = "cpu memory pids") -> Hierarchies:
    own = top / "own"
    own.mkdir()
    (own / "cgroup.procs").write_text(procs)
    (own / "cgroup.controllers").write_text(controllers)
    (own / "cgroup.subtree_control").write_text("")
    return Hierarchies({}, Place(str(top)), frozenset({"cpu", "cpuset", "memory", "pids"}))


def test_a_cgroup_of_ones_own(tmp_path: Path) -> None:
    """Writable, with the controllers, and with this process alone in it: it can be divided."""
    found = delegation.look(
        {"cpu", "memory"}, _OneCgroup(), _hierarchies(tmp_path, f"{os.getpid()}")
    )
    assert (found.obstacle, found.is_marked) == (None, False)
    assert found.place is not None
    assert found.place.path == "/own"


@pytest.mark.parametrize(
    ("procs", "needed", "says"),
    [
        ("1\n2\n", {"memory"}, "other processes are in /own"),
        (str(os.getpid()), {"cpuset", "memory"}, "without cpuset"),
        (str(os.getpid()), {"io", "memory"}, "has no io in cgroup v2"),
    ],
)
def test_why_a_cgroup_is_not_delegated(
    tmp_path: Path, procs: str, needed: set[str], says: str
) -> None:
    """Others in it, a controller that stops above it, one that there is not: each is said."""
    found = delegation.look(needed, _OneCgroup(), _hierarchies(tmp_path, procs))
    assert found.obstacle is not None
    assert says in found.obstacle


def test_v1_is_not_delegated() -> None:
    """Where cgroup v1 has a controller, that one is named, and the boot option."""
    place = Place("/sys/fs/cgroup/memory")
    hybrid = Hierarchies({"memory": place, "cpu": place}, Place("/sys/fs/cgroup/unified"))
    found = delegation.look({"memory"}, _OneCgroup(), hybrid)
    assert found.obstacle is not None
    assert found.obstacle.startswith("cgroup v1 has memory on this machine")
    assert "systemd.unified_cgroup_hierarchy=1" in found.obstacle


def test_systemd_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in a scope of systemd's does not ask for another one, nor does a run in a run."""
    begun: list[list[str]] = []
    monkeypatch.setattr(os, "execve", lambda _program, argv, _environment: begun.append(argv))
    monkeypatch.setattr(delegation, "_of_the_bus", dict)
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}")
    for path in ("/session-1.scope", "/lxfs-run-7.scope", "/lxfs-run-7.scope/lxfs-run-1-2-3"):
        own = delegation.Own(Place(str(tmp_path), "/", path), "not ours", may_ask=True)
        delegation.ask_systemd(own, ["lxfs", "run", "true"])
    (argv,) = begun
    assert argv[:3] == ["/bin/systemd-run", "--user", "--scope"]
    assert argv[-4:] == ["--", "lxfs", "run", "true"]
