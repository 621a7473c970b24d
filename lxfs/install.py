"""``lxfs install`` and ``lxfs uninstall``: the unit and the hooks on a host.

Role: which files, what is in them, and a record of what was written, by which all of it can go
again.
Boundary: never touches a file that it did not write, or that was changed since, and nothing of
LXCFS's. Returns lines; prints nothing; raises ``UserError``.
Threading: none.
"""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files as package_files
from pathlib import Path

from lxfs.attach import USUAL, views
from lxfs.errors import UserError
from lxfs.model import SourceError
from lxfs.sources.host import Host

VIEW = USUAL[0]
PROGRAM = "/usr/bin/lxfs"
HOOK = "/usr/share/lxfs/lxfs-hook"
LXC_DIRECTORY = "/usr/share/lxc/config/common.conf.d"
_BUNDLED = "/opt/incus/share/lxc/config/common.conf.d"
"""That of the LXC that comes with Incus in the packages of its authors."""
LXC_NAME = "99-lxfs.conf"
LXC_CONFIG = f"{LXC_DIRECTORY}/{LXC_NAME}"
OCI_CONFIG = "/usr/share/containers/oci/hooks.d/lxfs.json"
UNIT = "/etc/systemd/system/lxfs.service"
_PACKAGED = "/usr/lib/systemd/system/lxfs.service"
UNITS = (UNIT, _PACKAGED, "/lib/systemd/system/lxfs.service")
RECORD = "/usr/share/lxfs/installed.json"
PARTS: Mapping[str, Mapping[str, tuple[str, int]]] = {
    "systemd": {UNIT: ("lxfs.service", 0o644)},
    "lxc": {HOOK: ("lxfs-hook", 0o755), LXC_CONFIG: ("99-lxfs.conf", 0o644)},
    "oci": {OCI_CONFIG: ("lxfs.json", 0o644)},
}
_SHAPED = {"\ncgroupfs=\n": "\ncgroupfs={}\n", '"oci-hook", ': '"oci-hook", "--cgroupfs", "{}", '}
"""What the hooks have in them without a shape of cgroups, and with one."""
_SNAP = "/var/snap/lxd"
_DAEMONS = {"lxd": b"LXD_LXC_TEMPLATE_CONFIG=", "incusd": b"INCUS_LXC_TEMPLATE_CONFIG="}


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    mode: int

    @property
    def digest(self) -> str:
        return _digest(self.content)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def program() -> str:
    """Return the absolute path of the lxfs that runs."""
    beside = Path(sys.executable).parent / "lxfs"
    called = Path(sys.argv[0])
    for found in (called if called.name == "lxfs" else beside, beside):
        if os.access(found, os.X_OK):
            return str(found.absolute())
    raise UserError(f"there is no program lxfs beside {sys.executable}: install with pip first")


def told(host: Host) -> dict[str, str]:
    """Return which running daemons are told to read LXC's configuration elsewhere, by directory.

    It is in their environment; without it they read ``LXC_DIRECTORY``.
    """
    found = {}
    with suppress(SourceError):  # no /proc below that root
        own = host.pid_namespace("self")
        for pid in filter(str.isdecimal, host.names("proc")):
            with suppress(OSError):
                comm = host.read(f"proc/{pid}/comm").decode(errors="replace").strip()
                variable = _DAEMONS.get(comm)
                # Anybody may be called so, also in a container.
                if not variable or host.pid_namespace(pid) != own or not _is_roots(host, pid):
                    continue
                for word in host.read(f"proc/{pid}/environ").split(b"\0"):
                    if word.startswith(variable + b"/"):
                        directory = os.fsdecode(word[len(variable) :]).rstrip("/")
                        found[f"{directory}/common.conf.d"] = f"{comm} (pid {pid})"
    return found


def _is_roots(host: Host, pid: str) -> bool:
    return Path(host.path(f"proc/{pid}")).stat().st_uid == 0


def wanted(
    command: str,
    view: str,
    without: Collection[str] = (),
    more: Collection[str] = (),
    cgroupfs: str | None = None,
) -> dict[str, _File]:
    """Return what is to be installed: for an lxfs and where it mounts its view.

    ``more`` are other directories of LXC's configuration; ``cgroupfs`` is the shape of the cgroups
    that the hooks put into containers, which they leave alone without.
    """
    for path in (command, view):
        if not path.startswith("/") or any(
            not char.isprintable() or char in " \\\"'%$`" for char in path
        ):
            raise UserError(f"{path!r} cannot be used in a unit: give a plain absolute path")
    found = {}
    for part, files in PARTS.items():
        for path, (source, mode) in files.items():
            if part not in without:
                text = (package_files("lxfs") / "share" / source).read_text(encoding="utf-8")
                text = text.replace(PROGRAM, command).replace(VIEW, view)
                if cgroupfs is not None:
                    for without_shape, with_shape in _SHAPED.items():
                        text = text.replace(without_shape, with_shape.format(cgroupfs))
                found[path] = _File(text.encode(), mode)
                if path == LXC_CONFIG:
                    found |= {f"{directory}/{LXC_NAME}": found[path] for directory in more}
    return found


class _Root:
    """A tree in which files are written and removed; a dry run only says so."""

    def __init__(self, root: str, *, dry: bool) -> None:
        self._root = Path(root)
        self._dry = dry
        try:
            record = json.loads(self.read(RECORD) or b"{}")
            self.written: dict[str, str] = dict(record.get("files", {}))
            self.made: list[str] = list(record.get("directories", []))
        except (ValueError, TypeError, AttributeError) as error:
            raise UserError(f"{self.path(RECORD)} is damaged: {error}") from error

    def path(self, name: str) -> Path:
        return self._root / name.lstrip("/")

    def read(self, name: str) -> bytes | None:
        try:
            return self.path(name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UserError(f"{self.path(name)} cannot be read: {error.strerror}") from error

    def write(self, name: str, file: _File) -> None:
        self.written[name] = file.digest
        if self._dry:
            return
        path = self.path(name)
        if not path.parent.exists():
            self._mkdirs(path.parent)
        temporary = path.with_name(f".{path.name}.new")
        temporary.write_bytes(file.content)
        temporary.chmod(file.mode)
        temporary.replace(path)

    def make(self, name: str) -> bool:
        """Make a directory where there is none; return whether there was none."""
        path = self.path(name)
        # By its name: a look at itself would be answered by what is mounted on it, if at all.
        with suppress(FileNotFoundError):
            if path.name in os.listdir(path.parent):  # noqa: PTH208
                return False
        if not self._dry:
            self._mkdirs(path)
        return True

    def _mkdirs(self, path: Path) -> None:
        for directory in (*reversed(path.parents), path):
            if directory == path or not directory.exists():
                directory.mkdir()
                directory.chmod(0o755)  # whatever the umask is
                self.made.append("/" + str(directory.relative_to(self._root)))

    def remove(self, name: str) -> None:
        if not self._dry:
            self.path(name).unlink(missing_ok=True)

    def remember(self) -> None:
        text = json.dumps({"files": self.written, "directories": self.made}, indent=1)
        if not self._dry:
            self.write(RECORD, _File(f"{text}\n".encode(), 0o644))

    def forget(self) -> None:
        self.remove(RECORD)
        for name in reversed(self.made):
            if not self._dry:
                with suppress(OSError):  # somebody else keeps something in it
                    self.path(name).rmdir()


def install(
    root: str = "/",
    *,
    view: str = VIEW,
    without: Collection[str] = (),
    cgroupfs: str | None = None,
    dry: bool = False,
) -> Iterator[str]:
    """Write the unit and the hooks; yield a line about each, and what to do next.

    Raises ``UserError`` before anything is written, or where writing fails.
    """
    _check_root(root)
    there = _Root(root, dry=dry)
    elsewhere = told(Host()) if Path(root).resolve() == Path("/") else {}
    more = {name for name in (*elsewhere, _BUNDLED) if os.access(there.path(name), os.W_OK)}
    files = wanted(program(), view, without, sorted(more - {LXC_DIRECTORY}), cgroupfs)
    would = "would write" if dry else "wrote"
    try:
        for name, file in files.items():
            if name == UNIT and there.path(_PACKAGED).exists():
                yield f"{there.path(_PACKAGED)} is there already, from the package"
                continue
            old = there.read(name)
            if old == file.content:
                yield f"{there.path(name)} is there already"
                continue
            if old is not None and _digest(old) != there.written.get(name):
                yield f"{there.path(name)} is not as lxfs install wrote it, and is kept"
                continue
            there.write(name, file)
            yield f"{would} {there.path(name)}"
        if "systemd" not in without and there.make(view):
            yield f"{'would make' if dry else 'made'} {there.path(view)}"
        there.remember()
    except OSError as error:
        raise UserError(f"writing failed: {error}; 'lxfs uninstall' removes the rest") from error
    if "lxc" not in without:
        for name, daemon in elsewhere.items():
            if name not in more:
                yield (
                    f"{daemon} reads {name}, which cannot be written to: 'lxfs attach' serves its"
                    " containers once they run"
                )
        yield from _advice(there, [LXC_DIRECTORY, *more])
    if "oci" not in without:
        yield (
            "podman and CRI-O read the OCI hook by themselves; for plain runc and docker see"
            " docs/lxfs.md"
        )
    if "systemd" in without:
        yield f"start it by hand: lxfs mount {view}"
    elif _has_systemd(root, dry=dry):
        _systemctl("daemon-reload")
        yield "start it: systemctl enable --now lxfs"
    else:
        yield f"no systemd runs here: 'lxfs mount {view}' starts it by hand"


def _advice(there: _Root, directories: Iterable[str]) -> Iterator[str]:
    """Yield what an administrator should know of what else is there."""
    for directory in directories:
        for theirs in others(there.path(directory)):
            yield (
                f"LXCFS's hook ({theirs}) stays and runs before ours: containers that start get"
                " lxfs while it is mounted, else LXCFS; 'lxfs uninstall' and then 'lxfs install"
                " --without lxc' leave them to LXCFS"
            )
    if there.path(_SNAP).is_dir():
        yield (
            "LXD is a snap, which reads its own LXC configuration: 'lxfs attach' serves its"
            " containers once they run"
        )


def others(directory: Path) -> list[Path]:
    """Return the configurations in LXC's directory that call LXCFS's hook."""
    found = []
    with suppress(OSError):
        for path in sorted(directory.glob("*.conf")):
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
            if any(line.strip().startswith("lxc.hook.mount") and "lxcfs" in line for line in lines):
                found.append(path)
    return found


def uninstall(root: str = "/", *, dry: bool = False) -> Iterator[str]:
    """Remove what ``install`` wrote; yield a line about each file.

    Raises ``UserError`` where nothing was installed, or a file cannot be removed.
    """
    _check_root(root)
    there = _Root(root, dry=dry)
    if not there.written:
        raise UserError(f"nothing was installed: there is no {there.path(RECORD)}")
    systemd = UNIT in there.written and _has_systemd(root, dry=dry)
    if systemd:
        _systemctl("disable", "lxfs")
    try:
        for name, digest in there.written.items():
            if name == RECORD:
                continue
            now = there.read(name)
            if now is None:
                yield f"{there.path(name)} is gone already"
            elif _digest(now) != digest:
                yield f"{there.path(name)} was changed since, and is kept"
            else:
                there.remove(name)
                yield f"{'would remove' if dry else 'removed'} {there.path(name)}"
        there.forget()
    except OSError as error:
        raise UserError(f"removing failed: {error}") from error
    if systemd:
        _systemctl("daemon-reload")
    if Path(root).resolve() == Path("/"):
        for mount in views(Host()):
            yield (
                f"lxfs on {mount.point} serves on: 'lxfs detach --all' takes it out of containers,"
                f" 'lxfs umount {mount.point}' ends it"
            )


def _check_root(root: str) -> None:
    if os.geteuid() != 0 and Path(root).resolve() == Path("/"):
        raise UserError("lxfs must be root to install on this host; try sudo, or --root DIR")


def _has_systemd(root: str, *, dry: bool) -> bool:
    return not dry and Path(root).resolve() == Path("/") and Path("/run/systemd/system").is_dir()


def _systemctl(*words: str) -> None:
    done = subprocess.run(
        ["systemctl", "--quiet", *words], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise UserError(f"systemctl {' '.join(words)} failed: {done.stderr.strip()}")
