"""Kernels for the machine: Debian's packages unpacked, and a small initrd for each.

Role: one root filesystem holds the modules of several kernels and boots with any of them. The
initrd does nothing but load what the root disk needs and hand over: a whole initramfs-tools takes
seconds of emulation. Boundary: runs apt (with lists of its own, this computer's stay as they are)
and dpkg-deb, writes below the directories it is given. Threading: one caller.
"""

import lzma
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from .errors import MachineUnavailable

Run = Callable[..., str]

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# What the root disk needs, and randomness early: without it the first programs wait for some.
MODULES = ("virtio_pci", "virtio_blk", "virtio_rng", "ext4")
INIT = """#!/busybox sh
/busybox mount -t devtmpfs dev /dev
for module in /modules/*; do /busybox insmod $module; done
until [ -b /dev/vda ]; do /busybox usleep 10000; done
/busybox mount -t ext4 -o noatime /dev/vda /root
exec /busybox switch_root /root /sbin/init
"""


def fetch(suite: str, mirror: str, packages: Path, work: Path, run: Run) -> Path:
    """Return the package of the suite's cloud kernel, downloaded into PACKAGES if need be.

    Raises ``MachineUnavailable`` when the mirror has none.
    """
    signed = f"[signed-by={KEYRING}] " if KEYRING.exists() else ""
    (work / "lists/partial").mkdir(parents=True)
    (work / "none").mkdir()
    sources = work / "sources.list"
    sources.write_text(f"deb {signed}{mirror} {suite} main\n")
    options = {
        "Dir::Etc::SourceList": sources,
        "Dir::Etc::SourceParts": work / "none",
        "Dir::Etc::Preferences": work / "none/preferences",
        "Dir::Etc::PreferencesParts": work / "none",
        "Dir::State::lists": work / "lists",
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
        "APT::Architecture": "amd64",
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
    }
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    run(["apt-get", *words, "update", "-qq"])
    depends = run(["apt-cache", *words, "depends", "linux-image-cloud-amd64"])
    found = re.search(r"Depends: (linux-image-\d\S+)", depends)
    if found is None:
        raise MachineUnavailable(f"{suite} has no kernel for it on {mirror}")
    uri = run(["apt-get", *words, "--print-uris", "download", found[1]])
    name = re.search(r"'\S+' (\S+\.deb) ", uri)
    if name is None:
        raise MachineUnavailable(f"apt does not say where {found[1]} is: {uri.strip()}")
    if not (packages / name[1]).exists():
        run(["apt-get", *words, "download", "-qq", found[1]], cwd=work)
        shutil.move(work / name[1], packages / name[1])
    return packages / name[1]


def install(package: Path, root: Path, work: Path, run: Run) -> tuple[str, Path]:
    """Put a kernel's modules into ROOT; return its release and where its image lies.

    Unpacked aside: over a root whose /lib is a link, dpkg-deb would put a directory there.
    """
    run(["dpkg-deb", "-x", str(package), str(work)])
    (image,) = work.glob("boot/vmlinuz-*")
    release = image.name.removeprefix("vmlinuz-")
    modules = next(
        path for path in (work / "lib/modules", work / "usr/lib/modules") if path.is_dir()
    )
    shutil.move(modules / release, root / "usr/lib/modules" / release)
    run(["chroot", str(root), "depmod", release])
    return release, image


def initrd(root: Path, release: str) -> bytes:
    """Return an initrd, not compressed, for one of the kernels whose modules are in ROOT."""
    modules = root / "usr/lib/modules" / release
    archive = Cpio()
    for name in ("dev", "root", "modules"):
        archive.folder(name)
    archive.file("busybox", (root / "usr/bin/busybox").read_bytes())
    archive.file("init", INIT.encode())
    order = load_order((modules / "modules.dep").read_text(), MODULES)
    for number, path in enumerate(order):
        content = (modules / path).read_bytes()
        if path.endswith(".xz"):
            content = lzma.decompress(content)
        archive.file(f"modules/{number:02}-{Path(path).name.removesuffix('.xz')}", content)
    return archive.end()


def load_order(dependencies: str, names: Sequence[str]) -> list[str]:
    """Return the files to load for NAMES, needed ones first; what is built in is left out.

    DEPENDENCIES is modules.dep: `a.ko: b.ko c.ko` where a needs b, and b may need c (depmod(8)).
    """
    needs: dict[str, list[str]] = {}
    for line in dependencies.splitlines():
        path, _, others = line.partition(":")
        needs[path] = others.split()
    by_name = {Path(path).name.partition(".")[0].replace("-", "_"): path for path in needs}
    order: dict[str, None] = {}
    for path in (by_name[name] for name in names if name in by_name):
        order.update(dict.fromkeys([*reversed(needs[path]), path]))
    return list(order)


class Cpio:
    """An archive in the format "newc" of Documentation/driver-api/early-userspace."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def folder(self, name: str) -> None:
        """Add a directory."""
        self._add(name, 0o040755, b"")

    def file(self, name: str, content: bytes) -> None:
        """Add a file that may be executed."""
        self._add(name, 0o100755, content)

    def end(self) -> bytes:
        """Return the whole archive."""
        self._add("TRAILER!!!", 0, b"")
        return b"".join(self._parts)

    def _add(self, name: str, mode: int, content: bytes) -> None:
        path = name.encode() + b"\0"
        # inode, mode, uid, gid, links, mtime, size, device twice two, length of the name, checksum
        fields = (len(self._parts), mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(path), 0)
        header = b"070701" + b"".join(b"%08x" % field for field in fields)
        for part in (header + path, content):
            self._parts.append(part + bytes(-len(part) % 4))


def is_release_of(release: str, version: str) -> bool:
    """Return whether a release such as 6.1.0-50-cloud-amd64 is of the version 6.1."""
    return release == version or release.startswith(f"{version}.")
