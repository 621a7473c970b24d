"""The package on a clean Debian 12 and 13, from the first installation to the purge."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import lxfs

from .roots import Root

# What apt, dpkg and the linker keep for themselves.
OTHERS = "/var/lib/dpkg /var/lib/apt /var/cache /var/log /proc /sys /dev /tmp /run"
NO_RECOMMENDS = ("--yes", "--no-install-recommends")


def _files(root: Root) -> list[str]:
    prune = " -o ".join(f"-path {path}" for path in OTHERS.split())
    return root.shell(rf"find / \( {prune} \) -prune -o -print").splitlines()


@pytest.fixture(scope="module")
def installed(root: Root, deb: Path) -> Iterator[Root]:
    """A root with the package, which is purged at the end; then nothing of it may be left."""
    root("apt-get", "update")
    root("apt-get", "install", *NO_RECOMMENDS, "python3")
    before = _files(root)
    root("apt-get", "install", *NO_RECOMMENDS, root.put(deb))
    yield root
    root("apt-get", "remove", "--yes", "lxfs")
    assert "lxfs" not in root("dpkg", "--verify").stdout
    root("dpkg", "--purge", "lxfs")
    assert _files(root) == before
    assert root("dpkg-query", "-W", "lxfs", check=False).returncode == 1


def test_it_needs_nothing_but_python(installed: Root) -> None:
    """What is installed with it comes from Debian alone: python3, and nothing else."""
    depends = installed("dpkg-query", "-W", "-f", "${Depends}", "lxfs").stdout
    assert {one.split()[0].removesuffix(":any") for one in depends.split(", ")} <= {
        "python3",
        "init-system-helpers",
    }
    assert installed("lxfs", "--version").stdout == f"lxfs {lxfs.__version__}\n"


def test_the_completions_load(installed: Root) -> None:
    """Bash completes a verb, and an option of that verb."""
    load = "set +e; source /usr/share/bash-completion/completions/lxfs"
    ask = "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _shtab_lxfs; echo ${COMPREPLY[*]}"
    assert installed.shell(f"{load}; COMP_WORDS=(lxfs um); {ask}").split() == ["umount"]
    said = installed.shell(f"{load}; COMP_WORDS=(lxfs mount --pid); {ask}").split()
    assert said == ["--pidfile"]
