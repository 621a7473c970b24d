"""What is in the Debian package of lxfs, without installing it."""

import subprocess
from pathlib import Path

from lxfs import install

REPOSITORY = Path(__file__).resolve().parents[2]
PLAIN, PROGRAM = "-rw-r--r-- root/root", "-rwxr-xr-x root/root"
DOCUMENTS = (
    *(f"/usr/share/doc/lxfs/{name}" for name in ("copyright", "lxfs.md.gz")),
    *(f"/usr/share/doc/lxfs/{name}" for name in ("changelog.gz", "changelog.Debian.gz")),
    "/usr/share/man/man1/lxfs.1.gz",
    "/usr/share/bash-completion/completions/lxfs",
    "/usr/share/zsh/vendor-completions/_lxfs",
    "/usr/share/fish/vendor_completions.d/lxfs.fish",
)


def _listing(deb: Path) -> dict[str, str]:
    """Return the files of a package by path, each with its permissions and owner."""
    said = subprocess.run(
        ["dpkg-deb", "--contents", deb], capture_output=True, text=True, check=True
    ).stdout
    fields = [line.split(None, 5) for line in said.splitlines()]
    return {
        path.removeprefix("."): f"{mode} {owner}"
        for mode, owner, _, _, _, path in fields
        if not path.endswith("/")
    }


def test_the_package_has_all_of_lxfs_and_nothing_else(deb: Path) -> None:
    """Every file of lxfs is in it, with its documents, and nothing that others may write."""
    files = _listing(deb)
    modules = {
        f"/usr/lib/python3/dist-packages/{path.relative_to(REPOSITORY)}"
        for path in (REPOSITORY / "lxfs").rglob("*")
        if path.is_file() and path.parent.name != "__pycache__"
    }
    set_up = {path: mode for part in install.PARTS.values() for path, (_, mode) in part.items()}
    set_up[install.UNITS[1]] = set_up.pop(install.UNIT)
    assert set(files) == {"/usr/bin/lxfs", *modules, *set_up, *DOCUMENTS}
    programs = {path for path, mode in set_up.items() if mode == 0o755}
    hooks = {path for path in modules if path.endswith("-hook")}
    assert {path for path, mode in files.items() if mode == PROGRAM} == {
        "/usr/bin/lxfs",
        *programs,
        *hooks,
    }
    assert set(files.values()) == {PLAIN, PROGRAM}


def test_it_sets_up_what_install_would(deb: Path, tmp_path: Path) -> None:
    """The unit and the hooks are those that `lxfs install` writes, byte for byte."""
    subprocess.run(["dpkg-deb", "--extract", deb, tmp_path], check=True)
    for path, file in install.wanted(install.PROGRAM, install.VIEW).items():
        packaged = install.UNITS[1] if path == install.UNIT else path
        assert (tmp_path / packaged[1:]).read_bytes() == file.content
