"""What is in the Debian package, without installing it."""

import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def _listing(deb: Path) -> dict[str, str]:
    """Return the files of a package by path, each with its owner and permissions."""
    said = subprocess.run(
        ["dpkg-deb", "--contents", deb], capture_output=True, text=True, check=True
    ).stdout
    fields = [line.split(None, 5) for line in said.splitlines()]
    return {path.removeprefix("."): f"{mode} {owner}" for mode, owner, _, _, _, path in fields}


def test_the_package_has_all_of_lxfs_and_nothing_else(deb: Path) -> None:
    """Every file of lxfs is in it, with its documents, and nothing that others may write."""
    files = {path: mode for path, mode in _listing(deb).items() if not path.endswith("/")}
    modules = {
        f"/usr/lib/python3/dist-packages/{path.relative_to(REPOSITORY)}"
        for path in (REPOSITORY / "lxfs").rglob("*")
        if path.is_file() and path.parent.name != "__pycache__"
    }
    assert {path for path in files if "/dist-packages/" in path} == modules
    share = {path for path in files if path.startswith("/usr/share/")}
    assert share == {
        *(f"/usr/share/doc/lxfs/{name}" for name in ("copyright", "lxfs.md.gz")),
        *(f"/usr/share/doc/lxfs/{name}" for name in ("changelog.gz", "changelog.Debian.gz")),
        "/usr/share/man/man1/lxfs.1.gz",
        "/usr/share/bash-completion/completions/lxfs",
        "/usr/share/zsh/vendor-completions/_lxfs",
    }
    assert set(files) - modules - share == {"/usr/bin/lxfs"}
    assert files.pop("/usr/bin/lxfs") == "-rwxr-xr-x root/root"
    assert set(files.values()) == {"-rw-r--r-- root/root"}
