"""The package of lxfs on a clean Debian 12 and 13, from the first installation to the purge."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import lxfs
from lxfs import install

from .roots import Root


@pytest.fixture(scope="module")
def installed(root: Root, deb: Path) -> Iterator[Root]:
    """A root with the package, which is purged at the end; then nothing of it may be left."""
    with root.package(deb):
        yield root


def test_it_needs_nothing_but_python(installed: Root) -> None:
    """What is installed with it comes from Debian alone: python3, and nothing else."""
    depends = installed("dpkg-query", "-W", "-f", "${Depends}", "lxfs").stdout
    assert {one.split()[0].removesuffix(":any") for one in depends.split(", ")} <= {
        "python3",
        "init-system-helpers",
    }
    assert installed("lxfs", "--version").stdout == f"lxfs {lxfs.__version__}\n"


def test_the_unit_is_enabled(installed: Root) -> None:
    """With the next boot the view is there; what is installed needs no `lxfs install`."""
    wants = "/etc/systemd/system/multi-user.target.wants/lxfs.service"
    assert installed("readlink", "-f", wants).stdout.strip() == install.UNITS[1]
    said = installed("lxfs", "install", "--dry-run").stdout
    assert "from the package" in said
    assert "would write" not in said


def test_doctor_finds_the_package_whole(installed: Root) -> None:
    """`lxfs doctor` misses nothing that the package should have brought."""
    said = installed("lxfs", "doctor", check=False)
    assert said.returncode in (0, 1), said.stderr
    assert "lxfs install" not in said.stdout


def test_the_directory_of_the_view_is_not_dpkgs(installed: Root) -> None:
    """It is there to be mounted on, and dpkg will never look at a mount on it that hangs."""
    installed("test", "-d", install.VIEW)
    listed = installed("dpkg-query", "--listfiles", "lxfs").stdout.splitlines()
    assert install.VIEW not in listed


def test_the_completions_load(installed: Root) -> None:
    """Bash completes a verb, and an option of that verb."""
    load = "set +e; source /usr/share/bash-completion/completions/lxfs"
    ask = "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _shtab_lxfs; echo ${COMPREPLY[*]}"
    assert installed.shell(f"{load}; COMP_WORDS=(lxfs um); {ask}").split() == ["umount"]
    said = installed.shell(f"{load}; COMP_WORDS=(lxfs mount --pid); {ask}").split()
    assert said == ["--pidfile"]


def test_a_mount_is_read_and_unmounted(installed: Root) -> None:
    """`lxfs mount` serves, `lxfs run` shows limits, `lxfs umount` ends it: without libfuse."""
    installed("mkdir", "-p", "/srv/view")
    installed("lxfs", "mount", "/srv/view")
    try:
        assert "MemTotal:" in installed("cat", "/srv/view/proc/meminfo").stdout
    finally:
        installed("lxfs", "umount", "/srv/view")
    assert "lxfs" not in installed("cat", "/proc/mounts").stdout
    limited = installed(
        "lxfs", "run", "--memory", "256M", "--", "grep", "MemTotal", "/proc/meminfo"
    )
    assert limited.stdout.split() == ["MemTotal:", "262144", "kB"]
    installed("rmdir", "/srv/view")


def test_installed_again_under_a_mount(installed: Root, deb: Path) -> None:
    """A mount that is in use is there, and answers, before and after the package's upgrade."""
    installed("mkdir", "-p", "/srv/view")
    installed("lxfs", "mount", "/srv/view")
    try:
        script = "exec 3</srv/view/proc/stat; dpkg -i {} >&2; cat <&3 | grep -c ^cpu"
        assert int(installed.shell(script.format(installed.put(deb)))) > 1
        assert "MemTotal:" in installed("cat", "/srv/view/proc/meminfo").stdout
    finally:
        installed("lxfs", "umount", "/srv/view")
        installed("rmdir", "/srv/view")
