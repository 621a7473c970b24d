"""``lxfs install`` and ``uninstall`` below another root, and the files themselves."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from lxfs.errors import UserError
from lxfs.install import (
    HOOK,
    LXC_CONFIG,
    LXC_DIRECTORY,
    OCI_CONFIG,
    RECORD,
    UNIT,
    install,
    told,
    uninstall,
    wanted,
)
from lxfs.sources.host import Host


def _tree(root: Path) -> set[str]:
    return {f"/{path.relative_to(root)}" for path in root.rglob("*")}


def _install(root: Path, **options: object) -> list[str]:
    return list(install(str(root), **options))  # type: ignore[arg-type]


def _lxfs() -> str:
    return str(Path(sys.executable).parent / "lxfs")


def test_what_is_installed_is_removed(tmp_path: Path) -> None:
    """Unit, hooks and record are written, and uninstall leaves the root as it was."""
    (tmp_path / "etc").mkdir()
    said = _install(tmp_path)
    for name in (UNIT, HOOK, LXC_CONFIG, OCI_CONFIG, RECORD):
        assert (tmp_path / name[1:]).is_file()
    assert f"wrote {tmp_path}{UNIT}" in said
    assert len(list(uninstall(str(tmp_path)))) == 4
    assert _tree(tmp_path) == {"/etc"}


def test_modes(tmp_path: Path) -> None:
    """Others may read all of it, run the hook, and write nothing."""
    before = os.umask(0o077)
    try:
        _install(tmp_path)
    finally:
        os.umask(before)
    modes = {
        name: stat.S_IMODE((tmp_path / name[1:]).stat().st_mode)
        for name in (UNIT, HOOK, LXC_CONFIG, OCI_CONFIG, RECORD)
    }
    assert modes.pop(HOOK) == 0o755
    assert set(modes.values()) == {0o644}
    assert stat.S_IMODE((tmp_path / "usr/share/lxfs").stat().st_mode) == 0o755


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    """It says what would be written, or removed, and does not."""
    said = _install(tmp_path, dry=True)
    assert f"would write {tmp_path}{UNIT}" in said
    assert _tree(tmp_path) == set()
    _install(tmp_path)
    before = _tree(tmp_path)
    assert f"would remove {tmp_path}{UNIT}" in list(uninstall(str(tmp_path), dry=True))
    assert _tree(tmp_path) == before


def test_what_was_changed_is_kept(tmp_path: Path) -> None:
    """A file that the administrator changed is neither written over nor removed, and said."""
    _install(tmp_path)
    unit = tmp_path / UNIT[1:]
    unit.write_text("mine\n")
    assert f"{unit} is not as lxfs install wrote it, and is kept" in _install(tmp_path)
    assert unit.read_text() == "mine\n"
    assert f"{unit} was changed since, and is kept" in list(uninstall(str(tmp_path)))
    assert {path for path in _tree(tmp_path) if (tmp_path / path[1:]).is_file()} == {UNIT}


def test_what_was_there_is_kept(tmp_path: Path) -> None:
    """A file of that name from before, as a package's, is not ours, also at the end."""
    hook = tmp_path / OCI_CONFIG[1:]
    hook.parent.mkdir(parents=True)
    hook.write_text("theirs\n")
    assert f"{hook} is not as lxfs install wrote it, and is kept" in _install(tmp_path)
    assert not any(str(hook) in line for line in uninstall(str(tmp_path)))
    assert hook.read_text() == "theirs\n"


def test_a_packages_unit_is_not_doubled(tmp_path: Path) -> None:
    """Where a package has brought the unit, none is written that would override it."""
    unit = tmp_path / "usr/lib/systemd/system/lxfs.service"
    unit.parent.mkdir(parents=True)
    unit.write_text("theirs\n")
    assert f"{unit} is there already, from the package" in _install(tmp_path)
    assert not (tmp_path / UNIT[1:]).exists()


def test_an_older_install_is_renewed(tmp_path: Path) -> None:
    """What an earlier install wrote, and nobody changed, becomes the present one."""
    _install(tmp_path, view="/srv/view")
    _install(tmp_path)
    assert "view=/var/lib/lxfs\n" in (tmp_path / HOOK[1:]).read_text()
    list(uninstall(str(tmp_path)))
    assert _tree(tmp_path) == set()


def test_twice_is_once(tmp_path: Path) -> None:
    """A second install finds everything there, and uninstall still removes it."""
    _install(tmp_path)
    before = {path: (tmp_path / path[1:]).stat().st_mtime_ns for path in (UNIT, HOOK)}
    assert f"{tmp_path}{UNIT} is there already" in _install(tmp_path)
    assert {p: (tmp_path / p[1:]).stat().st_mtime_ns for p in (UNIT, HOOK)} == before
    list(uninstall(str(tmp_path)))
    assert _tree(tmp_path) == set()


def test_parts_can_be_left_out(tmp_path: Path) -> None:
    """Without its part a hook is not written."""
    _install(tmp_path, without=["lxc", "oci"])
    files = {path for path in _tree(tmp_path) if (tmp_path / path[1:]).is_file()}
    assert files == {UNIT, RECORD}
    assert (tmp_path / "var/lib/lxfs").is_dir()


def test_lxcfs_beside_us_is_said_and_kept(tmp_path: Path) -> None:
    """LXCFS's hook is named, with what wins, and is the same file after both."""
    theirs = tmp_path / LXC_DIRECTORY[1:] / "00-lxcfs.conf"
    theirs.parent.mkdir(parents=True)
    text = "lxc.hook.mount = /usr/share/lxcfs/lxc.mount.hook\n"
    theirs.write_text(text)
    said = [line for line in _install(tmp_path) if "LXCFS's hook" in line]
    assert len(said) == 1
    assert str(theirs) in said[0]
    assert "get lxfs while it is mounted" in said[0]
    assert theirs.name < Path(LXC_CONFIG).name  # LXC reads them in this order
    list(uninstall(str(tmp_path)))
    assert theirs.read_text() == text


def test_an_incus_with_its_own_lxc(tmp_path: Path) -> None:
    """The LXC in /opt/incus has its own directory: where that is, it gets the configuration too."""
    directory = tmp_path / "opt/incus/share/lxc/config/common.conf.d"
    directory.mkdir(parents=True)
    _install(tmp_path)
    assert (directory / "99-lxfs.conf").read_text() == (tmp_path / LXC_CONFIG[1:]).read_text()
    list(uninstall(str(tmp_path)))
    assert list(directory.iterdir()) == []


def test_where_daemons_are_told_to_look(tmp_path: Path) -> None:
    """A running daemon's environment says where it reads LXC's configuration, others' do not."""
    if os.geteuid() != 0:
        pytest.skip("needs root, whose the daemons are")
    config = "INCUS_LXC_TEMPLATE_CONFIG=/srv/lxc/config/"
    for pid, comm, namespace, environ in (
        ("self", "pytest", 1, ""),
        ("7", "incusd", 1, f"A=b\0{config}\0"),
        ("8", "lxd", 1, "LXD_DIR=/x\0"),
        ("9", "bash", 1, "LXD_LXC_TEMPLATE_CONFIG=/other\0"),
        ("10", "lxd", 1, "LXD_LXC_TEMPLATE_CONFIG=relative\0"),
        ("11", "lxd", 2, "LXD_LXC_TEMPLATE_CONFIG=/of-a-container\0"),
        ("12", "lxd", 1, "LXD_LXC_TEMPLATE_CONFIG=/of-a-user\0"),
    ):
        there = tmp_path / "proc" / pid
        (there / "ns").mkdir(parents=True)
        (there / "ns/pid").symlink_to(f"pid:[{namespace}]")
        (there / "comm").write_text(f"{comm}\n")
        (there / "environ").write_text(environ)
    os.chown(tmp_path / "proc/12", 1000, 1000)
    assert told(Host(str(tmp_path))) == {"/srv/lxc/config/common.conf.d": "incusd (pid 7)"}


def test_nothing_to_uninstall(tmp_path: Path) -> None:
    """Without a record there is nothing that could be known as ours."""
    with pytest.raises(UserError, match="nothing was installed"):
        list(uninstall(str(tmp_path)))


def test_a_damaged_record_removes_nothing(tmp_path: Path) -> None:
    """A record that is no record is an error that names it."""
    _install(tmp_path)
    record = tmp_path / RECORD[1:]
    record.write_text("[")
    with pytest.raises(UserError, match=r"installed\.json is damaged"):
        list(uninstall(str(tmp_path)))
    assert (tmp_path / UNIT[1:]).exists()


def test_the_program_and_the_view_are_those_asked_for(tmp_path: Path) -> None:
    """Each file speaks of the lxfs that was installed from, and of one directory."""
    _install(tmp_path, view="/srv/view")
    unit = (tmp_path / UNIT[1:]).read_text()
    assert f"ExecStart={_lxfs()} mount -f --state /run/lxfs/state /srv/view\n" in unit
    assert "view=/srv/view\n" in (tmp_path / HOOK[1:]).read_text()
    hook = json.loads((tmp_path / OCI_CONFIG[1:]).read_text())
    assert hook["hook"]["path"] == _lxfs()
    assert hook["hook"]["args"] == ["lxfs", "oci-hook", "--from", "/srv/view"]
    for name in (UNIT, HOOK, LXC_CONFIG, OCI_CONFIG):
        text = (tmp_path / name[1:]).read_text()
        assert "/var/lib/lxfs" not in text.replace("var/lib/lxfs var/lib/lxcfs", "")


@pytest.mark.parametrize("view", ["relative", "/with space", "/quo'te", "/new\nline", "/per%cent"])
def test_paths_that_would_break_a_unit_are_refused(view: str) -> None:
    """What a unit or a shell would read as more than a path is not written into them."""
    with pytest.raises(UserError, match="plain absolute path"):
        wanted("/usr/bin/lxfs", view)


def test_the_hooks_have_the_shape_that_was_asked_for(tmp_path: Path) -> None:
    """With a shape both hooks put cgroups into containers, without one they do not."""
    for shape, said, words in ((None, "cgroupfs=\n", []), ("v2", "cgroupfs=v2\n", ["v2"])):
        _install(tmp_path, cgroupfs=shape)
        assert f"\n{said}" in (tmp_path / HOOK[1:]).read_text()
        arguments = json.loads((tmp_path / OCI_CONFIG[1:]).read_text())["hook"]["args"]
        assert arguments[1:] == ["oci-hook", *["--cgroupfs"] * len(words), *words, *arguments[-2:]]
        assert arguments[-2:] == ["--from", "/var/lib/lxfs"]
    _install(tmp_path)
    assert "\ncgroupfs=\n" in (tmp_path / HOOK[1:]).read_text()


HOOKED = """
set -e
mkdir -p /tmp/hooked && mount -t tmpfs t /tmp/hooked
root=/tmp/hooked/root view=/var/lib/lxfs
mkdir -p $root/sys $root/proc /tmp/hooked/view
mount --rbind /sys $root/sys
mkdir -p /tmp/hooked/view/proc /tmp/hooked/view/cgroup/unified
echo meminfo > /tmp/hooked/view/proc/meminfo
echo 1000 > /tmp/hooked/view/cgroup/unified/memory.max
sed "s#^view=.*#view=/tmp/hooked/view#" "$1" > /tmp/hooked/hook
LXC_ROOTFS_MOUNT=$root sh /tmp/hooked/hook
cat $root/sys/fs/cgroup/$2
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_the_mount_hook_puts_cgroups_there(tmp_path: Path) -> None:
    """With a shape LXC's hook binds that part of the view over the new container's cgroups."""
    _install(tmp_path, cgroupfs="v2")
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", HOOKED, "-", str(tmp_path / HOOK[1:]), "memory.max"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "1000\n"), done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_the_mount_hook_says_that_there_are_none(tmp_path: Path) -> None:
    """With a shape that lxfs does not serve the hook says so, with the option that would."""
    _install(tmp_path, cgroupfs="v1")
    script = HOOKED.replace("view/cgroup/unified", "view/other")
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "-", str(tmp_path / HOOK[1:]), "release_agent"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "starts without its cgroups on /sys/fs/cgroup" in done.stderr
    assert "mount it with --cgroupfs ro" in done.stderr


def test_the_packages_files_are_the_sources() -> None:
    """The unit under packaging is the one that is installed, and names what the package has."""
    root = Path(__file__).parents[2]
    text = (root / "packaging/lxfs.service").read_text()
    assert wanted("/usr/bin/lxfs", "/var/lib/lxfs")[UNIT].content.decode() == text


def test_the_hook_is_a_shell_script(tmp_path: Path) -> None:
    """The hook parses, and without a container it lets LXC go on."""
    _install(tmp_path, view=str(tmp_path / "view"))
    (tmp_path / "view/proc").mkdir(parents=True)
    (tmp_path / "view/proc/meminfo").touch()
    hook = tmp_path / HOOK[1:]
    for shell in ("dash", "bash"):
        done = subprocess.run([shell, "-n", hook], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
    for root in ({}, {"LXC_ROOTFS_MOUNT": "/"}, {"LXC_ROOTFS_MOUNT": str(tmp_path)}):
        assert _hooked(hook, root) == (0, "")


def _hooked(hook: Path, variables: dict[str, str]) -> tuple[int, str]:
    """Return status and errors of the hook, with a log of its own instead of the host's."""
    log = hook.with_name("logger")
    log.write_text("#!/bin/sh\nexit 1\n")
    log.chmod(0o755)
    path = f"{log.parent}:{os.environ['PATH']}"
    done = subprocess.run(
        [hook],
        env=os.environ | {"PATH": path} | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


def test_the_hook_says_what_a_container_starts_without(tmp_path: Path) -> None:
    """Without a view that answers it names container and view; without a log it goes on."""
    _install(tmp_path, view=str(tmp_path / "view"))
    status, said = _hooked(tmp_path / HOOK[1:], {"LXC_NAME": "web1"})
    assert (status, said.count("\n")) == (0, 1)
    assert f"web1 starts without lxfs: {tmp_path}/view does not answer" in said
