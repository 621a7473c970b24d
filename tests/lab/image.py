"""The lab's image, built on the spot from programs of this machine.

Role: one unified tarball of a few megabytes: busybox for the everyday commands, and the real
procps, htop, sysstat, nproc and getconf, because busybox's own free and uptime ask sysinfo(2),
not /proc. The shells are dash and bash: busybox's would run its own applets whatever PATH says.
Boundary: reads programs and libraries, writes one file. Threading: one caller.
"""

import io
import platform
import re
import tarfile
from pathlib import Path

from .errors import LabUnavailable
from .tools import run, which

TOOLS = (
    *("free", "top", "ps", "uptime", "vmstat", "nproc", "getconf", "htop", "dash", "bash"),
    *("mpstat", "iostat", "lscpu", "script"),
)
TERMINALS = (
    "dumb",
    "ansi",
    "xterm",
    "xterm-256color",
    "linux",
    "screen",
    "screen-256color",
    "tmux",
    "vt100",
)
CREATED = 1_700_000_000

# The shell is the container's init: it reaps what is orphaned, and ends at once on the signals by
# which LXD and Incus ask for a graceful stop.
INIT = """#!/bin/sh
trap 'exit 0' PWR TERM INT
mkdir -p /dev/shm && mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs /dev/shm
ip link set lo up
if [ -e /sys/class/net/eth0 ]; then
    udhcpc -q -b -t 10 -T 1 -i eth0 -s /etc/udhcpc.sh >/dev/null 2>&1 &
fi
while :; do
    sleep 86400 &
    wait $!
done
"""
UDHCPC = """#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr add "$ip/$mask" dev "$interface"
[ -z "$router" ] || ip route add default via "${router%% *}"
"""
METADATA = """architecture: {machine}
creation_date: {created}
properties:
  os: Lab
  release: tiny
  description: busybox and procps, made for the lab
"""
FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\n",
    "etc/group": "root:x:0:\n",
    "etc/profile": "export PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=${TERM:-xterm}\n",
    "etc/hosts": "127.0.0.1 localhost\n",
}
LINKS = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"}
FOLDERS = ("usr", "usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "etc", "proc", "sys", "dev")
MORE_FOLDERS = ("run", "root", "tmp", "var", "var/log", "srv")


def libraries(program: str) -> dict[str, Path]:
    """The shared objects PROGRAM needs: where it looks for them, and the files they are."""
    found = {}
    for line in run(["ldd", program]).stdout.splitlines():
        if "not found" in line:
            raise LabUnavailable(f"{program} does not run here: {line.strip()}")
        if match := re.search(r"(/\S+)(?= \(0x)", line):
            found[match[1]] = Path(match[1]).resolve()
    return found


class _Builder:
    """A tar archive in which each path is written once, owned by root, of one date."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive
        self._written: set[str] = set()

    def _add(self, info: tarfile.TarInfo, content: bytes | None = None) -> None:
        if info.name in self._written:
            return
        self._written.add(info.name)
        info.mtime = CREATED
        self._archive.addfile(info, None if content is None else io.BytesIO(content))

    def folder(self, name: str, mode: int = 0o755) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.mode = tarfile.DIRTYPE, mode
        self._add(info)

    def link(self, name: str, target: str) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = tarfile.SYMTYPE, target
        self._add(info)

    def file(self, name: str, content: bytes, mode: int = 0o644) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(content), mode
        self._add(info, content)


def _usr(path: str) -> str:
    """Where PATH lies in the image, whose /bin, /sbin and /lib* are links into /usr."""
    relative = path.lstrip("/")
    return relative if relative.startswith("usr/") else f"usr/{relative}"


def build(target: Path) -> None:
    """Write the image to TARGET; raise LabUnavailable if a program is missing."""
    busybox = which("busybox")
    tools = {name: which(name) for name in TOOLS}
    if lacking := [name for name, path in {**tools, "busybox": busybox}.items() if not path]:
        raise LabUnavailable(f"not found: {', '.join(lacking)} (packaging/test-packages.sh)")
    assert busybox
    with tarfile.open(target, "w") as archive:
        builder = _Builder(archive)
        metadata = METADATA.format(machine=platform.machine(), created=CREATED)
        builder.file("metadata.yaml", metadata.encode())
        builder.folder("rootfs")
        for folder in (*FOLDERS, *MORE_FOLDERS):
            builder.folder(f"rootfs/{folder}", 0o1777 if folder == "tmp" else 0o755)
        for name, points_to in LINKS.items():
            builder.link(f"rootfs/{name}", points_to)
        for name, text in FILES.items():
            builder.file(f"rootfs/{name}", text.encode())
        builder.file("rootfs/etc/udhcpc.sh", UDHCPC.encode(), 0o755)
        builder.file("rootfs/usr/sbin/init", INIT.encode(), 0o755)
        builder.file("rootfs/usr/bin/busybox", Path(busybox).read_bytes(), 0o755)
        for name, path in tools.items():
            assert path
            builder.file(f"rootfs/usr/bin/{name}", Path(path).read_bytes(), 0o755)
            for place, library in libraries(path).items():
                folder = f"rootfs/{_usr(str(Path(place).parent))}"
                builder.folder(folder)
                builder.file(f"rootfs/{_usr(place)}", library.read_bytes(), 0o755)
        builder.link("rootfs/usr/bin/sh", "dash")
        for applet in run([busybox, "--list"]).stdout.split():
            if applet not in {"busybox", "init"}:
                builder.link(f"rootfs/usr/bin/{applet}", "busybox")
        for terminal in TERMINALS:
            for place in ("/etc/terminfo", "/lib/terminfo", "/usr/share/terminfo"):
                entry = Path(place, terminal[0], terminal)
                if entry.is_file():
                    where = f"rootfs/usr/share/terminfo/{terminal[0]}/{terminal}"
                    builder.file(where, entry.read_bytes())
                    break
