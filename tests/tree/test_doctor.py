"""What ``lxfs doctor`` finds on recorded hosts."""

import json
from pathlib import Path

import pytest

from lxfs import beside, doctor, doctor_cgroups
from lxfs.containers import Running
from lxfs.findings import Finding, Level, as_json, as_text, ok, problem, warning
from lxfs.install import HOOK, LXC_CONFIG, LXC_DIRECTORY, OCI_CONFIG, UNIT, install
from lxfs.overmounts import Answer
from lxfs.sources.host import Host
from lxfs.status import Shown, Status


def _levels(findings: list[Finding]) -> dict[str, Level]:
    """Return the worst level of each check."""
    order = list(Level)
    worst: dict[str, Level] = {}
    for one in findings:
        worst[one.check] = max(worst.get(one.check, Level.OK), one.level, key=order.index)
    return worst


def _installed(root: Path) -> list[Finding]:
    return list(beside.hooks(root))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A host with lxfs installed, its programs there, and mounted."""
    list(install(str(tmp_path), view="/srv/view"))
    program = json.loads((tmp_path / OCI_CONFIG[1:]).read_text())["hook"]["path"]
    file = tmp_path / program[1:]
    file.parent.mkdir(parents=True)
    file.touch(mode=0o755)
    mounts = tmp_path / "proc/self/mountinfo"
    mounts.parent.mkdir(parents=True)
    mounts.write_text("20 10 0:50 / /srv/view ro - fuse.lxfs lxfs ro\n")
    return tmp_path


def test_a_host_as_it_should_be(root: Path) -> None:
    """What install has written is found, and leads to something."""
    findings = _installed(root)
    assert _levels(findings) == dict.fromkeys(("unit", "lxc hook", "oci hook"), Level.OK)


def test_nothing_installed(tmp_path: Path) -> None:
    """Without unit and hooks each is named, where there is something to have it."""
    assert _levels(_installed(tmp_path)) == {"unit": Level.WARNING, "lxc hook": Level.OK}
    (tmp_path / LXC_DIRECTORY[1:]).mkdir(parents=True)
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/podman").touch()
    assert _levels(_installed(tmp_path)) == dict.fromkeys(
        ("unit", "lxc hook", "oci hook"), Level.WARNING
    )


def test_hooks_that_lead_nowhere(root: Path) -> None:
    """A hook whose program is gone is a problem: podman would not start a container."""
    (root / HOOK[1:]).unlink()
    (root / OCI_CONFIG[1:]).write_text('{"hook": {"path": "/usr/bin/gone"}}')
    levels = _levels(_installed(root))
    assert levels["lxc hook"] is Level.PROBLEM
    assert levels["oci hook"] is Level.PROBLEM
    (root / OCI_CONFIG[1:]).write_text("{")
    assert _levels(_installed(root))["oci hook"] is Level.PROBLEM


def test_a_hook_without_a_mount(root: Path) -> None:
    """A hook that takes the view from where nothing is mounted says how to mount it."""
    (root / "proc/self/mountinfo").write_text("20 10 0:50 / / ro - ext4 a ro\n")
    found = [one for one in _installed(root) if one.level is Level.PROBLEM]
    assert [one.advice for one in found] == ["'systemctl start lxfs', or 'lxfs mount /srv/view'"]


@pytest.mark.parametrize(
    ("name", "level"), [("00-lxcfs.conf", Level.OK), ("zz-lxcfs.conf", Level.WARNING)]
)
def test_which_of_two_hooks_wins(root: Path, name: str, level: Level) -> None:
    """LXCFS's hook before ours is as it should be; after ours it covers lxfs."""
    theirs = root / LXC_DIRECTORY[1:] / name
    theirs.write_text("lxc.hook.mount = /usr/share/lxcfs/lxc.mount.hook\n")
    assert _levels(_installed(root))["lxc hook"] is level


def test_lxcfs_alone(tmp_path: Path) -> None:
    """With LXCFS's hook and none of ours new containers have LXCFS, and that is said."""
    theirs = tmp_path / LXC_DIRECTORY[1:] / "00-lxcfs.conf"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("lxc.hook.mount = /usr/share/lxcfs/lxc.mount.hook\n")
    found = next(one for one in _installed(tmp_path) if one.check == "lxc hook")
    assert "get LXCFS" in found.text


@pytest.mark.parametrize("name", [UNIT, HOOK, LXC_CONFIG, OCI_CONFIG])
def test_what_others_may_write(root: Path, name: str) -> None:
    """A hook, or a directory above it, that somebody else may write is named."""
    if (root / name[1:]).stat().st_uid != 0:
        pytest.skip("needs root, who owns what is installed")
    assert _levels(list(beside.permissions(root))) == {"permissions": Level.OK}
    (root / name[1:]).chmod(0o757)
    found = next(iter(beside.permissions(root)))
    assert found.level is Level.WARNING
    assert name in found.text
    (root / name[1:]).chmod(0o755)
    (root / name[1:]).parent.chmod(0o777)
    assert name.rpartition("/")[0] in next(iter(beside.permissions(root))).text


def test_lxcfs_beside(tmp_path: Path) -> None:
    """A running LXCFS is found by its name, and is nothing bad."""
    for pid, comm in (("7", "init"), ("8", "lxcfs")):
        (tmp_path / "proc" / pid).mkdir(parents=True)
        (tmp_path / "proc" / pid / "comm").write_text(f"{comm}\n")
    (found,) = beside.lxcfs(Host(str(tmp_path)))
    assert found.level is Level.OK
    assert "pid 8" in found.text


def test_pid_files(tmp_path: Path) -> None:
    """A pid file of a running lxfs is ok, of anything else to be removed, and none is nothing."""
    host = Host(str(tmp_path))
    assert list(doctor.pidfiles(host, ["/run/lxfs.pid"])) == []
    (tmp_path / "proc/8").mkdir(parents=True)
    (tmp_path / "proc/8/comm").write_text("lxfs\n")
    (tmp_path / "run").mkdir()
    for text, level in (("8\n", Level.OK), ("9\n", Level.WARNING), ("x\n", Level.WARNING)):
        (tmp_path / "run/lxfs.pid").write_text(text)
        assert [one.level for one in doctor.pidfiles(host, ["/run/lxfs.pid"])] == [level]


@pytest.mark.parametrize(
    ("text", "numbers"), [("6.18.44-fc", (6, 18)), ("6.1.0-31-amd64", (6, 1)), ("odd", (0, 0))]
)
def test_kernel_releases(text: str, numbers: tuple[int, int]) -> None:
    """The first two numbers of a release count."""
    assert doctor.release(text) == numbers


def test_what_is_printed() -> None:
    """A line each, advice below it, and nothing that a terminal would act on."""
    findings = [ok("a", "fine"), warning("b", "odd\x1b[2J", "look"), problem("c", "bad", "mend")]
    assert as_text(findings) == (
        "ok       a: fine\nwarning  b: odd\\x1b[2J\n         -> look\nproblem  c: bad\n"
        "         -> mend\n"
    )
    assert json.loads(as_json(findings))[1]["level"] == "warning"


def test_hooks_with_cgroups_are_found(tmp_path: Path) -> None:
    """What install was asked to put over /sys/fs/cgroup is what doctor finds in the hooks."""
    list(install(str(tmp_path), view="/srv/view", cgroupfs="v1"))
    found = doctor_cgroups.hooks(tmp_path)
    assert [(one.shape, one.view) for one in found] == [("v1", "/srv/view")] * 2
    list(install(str(tmp_path), view="/srv/view"))
    assert doctor_cgroups.hooks(tmp_path) == []
    hook = tmp_path / HOOK[1:]
    hook.write_text(hook.read_text().replace("cgroupfs=\n", "cgroupfs=v3\n"))
    (finding,) = doctor_cgroups.examine([], doctor_cgroups.hooks(tmp_path), [])
    assert (finding.level, "'v3'" in finding.text) == (Level.PROBLEM, True)


def _status(name: str, shape: str, kind: str = "lxd") -> Status:
    files = {"proc/meminfo": Shown("lxfs", "/srv/view", Answer.ANSWERS)}
    return Status(Running(7, kind, name), files, "", shape)


def test_containers_with_other_cgroups_than_the_hooks(tmp_path: Path) -> None:
    """Who has another shape than the hook of its kind, or none, is named with what mends it."""
    list(install(str(tmp_path), view="/srv/view", cgroupfs="v2", without=["oci"]))
    hooks = doctor_cgroups.hooks(tmp_path)
    found = [_status("a", "v2"), _status("b", "v1"), _status("c", ""), _status("d", "", "podman")]
    (hook, others) = doctor_cgroups.examine([], hooks, found)
    assert hook.level is Level.OK
    assert others.level is Level.WARNING
    assert others.text.endswith("than the v2 of LXC's hook: lxd:b (v1), lxd:c (none)")
    assert others.advice.startswith("'lxfs attach NAME --cgroupfs v2'")
    assert len(list(doctor_cgroups.examine([], hooks, found[:1]))) == 1
