"""What of lxfs and LXCFS is installed on a host: hooks, unit, servers, who may change them.

Role: findings for ``lxfs doctor``.
Boundary: reads; starts nothing but ``lxcfs --version``.
Threading: none.
"""

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from lxfs.errors import UserError
from lxfs.findings import Finding, ok, problem, warning
from lxfs.install import (
    HOOK,
    LXC_CONFIG,
    LXC_DIRECTORY,
    LXC_NAME,
    OCI_CONFIG,
    UNITS,
    others,
    program,
    told,
)
from lxfs.model import SourceError
from lxfs.sources.host import Host

_VIEW = re.compile(r"^view=(/\S+)$", re.MULTILINE)
_START = re.compile(r"^ExecStart=(/\S+)", re.MULTILINE)
_HOOKED = re.compile(r"^\s*lxc\.hook\.mount\s*=\s*(/\S+)", re.MULTILINE)


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def lxcfs(host: Host) -> Iterator[Finding]:
    """Say whether LXCFS runs here, and which."""
    pids = []
    for name in host.names("proc"):
        if name.isdecimal():
            with suppress(SourceError):
                if host.read(f"proc/{name}/comm").strip() == b"lxcfs":
                    pids.append(name)
    if not pids:
        yield ok("lxcfs", "does not run")
        return
    version = ""
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(
            ["lxcfs", "--version"], capture_output=True, text=True, timeout=5, check=False
        )
        version = f", {done.stdout.strip() or done.stderr.strip()} is installed"
    yield ok("lxcfs", f"runs beside lxfs (pid {', '.join(pids)}{version})")


def hooks(root: Path) -> Iterator[Finding]:
    """Judge unit and hooks: that they are there, and lead to something."""
    units = [root / path.lstrip("/") for path in UNITS]
    unit = next((path for path in units if path.is_file()), None)
    if unit is None:
        yield warning("unit", "there is none: nothing starts lxfs at boot", "'lxfs install'")
    else:
        found = _START.search(_text(unit) or "")
        yield from _leads("unit", unit, root, [found[1]] if found else [])
    yield from _lxc(root)
    yield from _oci(root)


def _leads(check: str, file: Path, root: Path, programs: Iterable[str]) -> Iterator[Finding]:
    missing = [name for name in programs if not os.access(root / name.lstrip("/"), os.X_OK)]
    if missing:
        text = f"{file} calls {', '.join(missing)}, which cannot be run"
        yield problem(check, text, "'lxfs install' with the lxfs that is to serve, or remove it")
    else:
        yield ok(check, f"{file}")


def _lxc(root: Path) -> Iterator[Finding]:
    """Judge each directory of LXC's configuration that somebody reads."""
    readers = {LXC_DIRECTORY: "LXC, LXD and Incus", **told(Host(str(root)))}
    for name, reader in readers.items():
        directory = root / name.lstrip("/")
        theirs = others(directory)
        config = directory / LXC_NAME
        text = _text(config)
        if text is not None:
            yield from _leads("lxc hook", config, root, _HOOKED.findall(text))
            yield from _order(config, theirs)
        elif theirs:
            text = f"new containers of {reader} get LXCFS ({theirs[0]}), not lxfs"
            yield warning("lxc hook", text, "'lxfs install' lets lxfs win")
        elif directory.is_dir():
            text = f"{directory} has none: new containers of {reader} are shown the host"
            yield warning("lxc hook", text, "'lxfs install'")
        elif len(readers) == 1:
            yield ok("lxc hook", "none, and no LXC, LXD or Incus to have it")
    view = hook_view(_text(root / HOOK.lstrip("/")) or "")
    mounts = _text(root / "proc/self/mountinfo")
    if view is not None and mounts is not None and f" {view} " not in mounts:
        text = f"it takes the view from {view}, where nothing is mounted"
        yield problem("lxc hook", text, f"'systemctl start lxfs', or 'lxfs mount {view}'")


def hook_view(text: str) -> str | None:
    """Return where LXC's hook takes the view from, by its text."""
    found = _VIEW.search(text)
    return found[1] if found else None


def _order(config: Path, theirs: Iterable[Path]) -> Iterator[Finding]:
    for other in theirs:
        if other.name > config.name:
            yield warning(
                "lxc hook",
                f"LXCFS's {other} runs after ours, and covers lxfs in new containers",
                f"give it a name that sorts before {config.name}, as 00-lxcfs.conf",
            )
        else:
            yield ok("lxc hook", f"LXCFS's {other} runs before; lxfs wins while it is mounted")


def _oci(root: Path) -> Iterator[Finding]:
    config = root / OCI_CONFIG.lstrip("/")
    text = _text(config)
    if text is None:
        if any((root / "usr/bin" / name).exists() for name in ("podman", "crio")):
            text = "there is none: new containers of podman and CRI-O are shown the host"
            yield warning("oci hook", text, "'lxfs install'")
        return
    try:
        yield from _leads("oci hook", config, root, [str(json.loads(text)["hook"]["path"])])
    except (ValueError, KeyError, TypeError) as error:
        yield problem("oci hook", f"{config} cannot be read by podman: {error}", "'lxfs install'")


def permissions(root: Path) -> Iterator[Finding]:
    """Judge who may write what root runs: the hooks, the unit and this lxfs."""
    programs = [path for path in (HOOK, LXC_CONFIG, OCI_CONFIG, *UNITS) if _is_there(root, path)]
    loose = {}
    here = [sys.executable, str(Path(__file__).parent)]
    with suppress(UserError):
        here.append(program())
    for name in (*programs, *(here if root == Path("/") else ())):
        # Where a link leads counts: to a file, and from each directory on the way to it.
        path = (root / name.lstrip("/")).resolve()
        for step in (path, *path.parents):
            with suppress(OSError):
                found = step.stat()
                sticky = stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX
                if found.st_uid != 0 or (found.st_mode & 0o022 and not sticky):
                    loose[str(step)] = f"{stat.filemode(found.st_mode)} of user {found.st_uid}"
            if step == root:
                break
    if loose:
        text = "; ".join(f"{path} ({what})" for path, what in loose.items())
        yield warning(
            "permissions",
            f"others than root may write what root runs: {text}",
            "install lxfs where only root writes, as /opt/lxfs: python3 -m venv /opt/lxfs",
        )
    else:
        yield ok("permissions", "only root may write lxfs and its hooks")


def _is_there(root: Path, name: str) -> bool:
    return (root / name.lstrip("/")).exists()
