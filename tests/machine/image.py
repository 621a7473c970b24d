"""The machine's disks: its root, cached, and the checkout, made at each boot.

Role: debootstrap, wheels and mke2fs, put together by the recipe; a finished image appears in the
cache by one rename. Boundary: runs programs, writes below the cache directory and a directory of
the caller. Threading: one caller; sessions exclude each other by a lock on the cache.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import kernels
from .errors import MachineUnavailable
from .recipe import Recipe

REPOSITORY = Path(__file__).resolve().parents[2]
# Of the checkout: what lxfs and the tests that run inside consist of.
TRAVELLERS = (
    "pyproject.toml",
    "benchmarks",
    "lxfs",
    "tests/__init__.py",
    "tests/conftest.py",
    "tests/drivers",
    "tests/fixtures",
    "tests/lab",
    "tests/machine",
)
KEPT = 2
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64", "any")


@dataclass(frozen=True, slots=True)
class Image:
    """The files that QEMU boots: one root, and by version the kernels that boot it."""

    folder: Path

    @property
    def root(self) -> Path:
        """The root filesystem."""
        return self.folder / "root.ext4"

    def kernel(self, version: str) -> Path:
        """Return the kernel of a version such as 6.1."""
        return self.folder / f"vmlinuz-{version}"

    def initrd(self, version: str) -> Path:
        """Return the initrd of that kernel."""
        return self.folder / f"initrd-{version}"


def cache_directory() -> Path:
    """Return where images are kept: XDG's cache directory of this user."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "lxtui" / "machine"


def find(recipe: Recipe) -> Image | None:
    """Return the cached image of a recipe, if it has been made."""
    image = Image(cache_directory() / recipe.key)
    return image if image.root.exists() else None


def ensure(recipe: Recipe) -> Image:
    """Return the image of a recipe, made if need be. Raises ``MachineUnavailable``.

    Of other recipes' images the last used stay, for other checkouts; what was downloaded for them
    is used again.
    """
    if image := find(recipe):
        if os.access(image.root.parent, os.W_OK):
            os.utime(image.root.parent)
        return image
    if os.geteuid() != 0:
        raise MachineUnavailable("its image is not made yet, and only root can run debootstrap")
    for program in ("debootstrap", "mke2fs", "apt-get", "unshare", "setpriv"):
        if shutil.which(program) is None:
            raise MachineUnavailable(f"{program} is not installed (packaging/test-packages.sh)")
    cache = cache_directory()
    cache.mkdir(parents=True, exist_ok=True)
    with _locked(cache / "lock"):
        if image := find(recipe):  # by another session, while we waited
            return image
        _prune(cache)
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="making-", dir=cache) as work:
            _make(recipe, Path(work))
            Path(work, "root").rename(Path(work, "done", "root"))
            shutil.rmtree(Path(work, "done", "root"))
            Path(work, "done").rename(cache / recipe.key)
        print(f"machine: made its image in {time.monotonic() - began:.0f} s", file=sys.stderr)
    made = find(recipe)
    assert made is not None
    return made


def _prune(cache: Path) -> None:
    """Remove what a killed session left half made, and all but the last used images."""
    folders = [path for path in cache.iterdir() if path.is_dir() and path.name != "packages"]
    halves = [path for path in folders if path.name.startswith("making-")]
    whole = sorted(set(folders) - set(halves), key=lambda path: path.stat().st_mtime)
    for old in (*halves, *whole[:-KEPT]):
        shutil.rmtree(old)


def _make(recipe: Recipe, work: Path) -> None:
    root, done = work / "root", work / "done"
    packages = cache_directory() / "packages"
    packages.mkdir(exist_ok=True)
    done.mkdir()
    # A mount namespace: what debootstrap mounts in there is gone with it, however it ends.
    _run(
        ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "debootstrap"],
        [f"--cache-dir={packages}", "--variant=minbase"],
        [f"--include={','.join(recipe.packages)}", recipe.suite, str(root), mirror()],
    )
    for name, text in recipe.files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for name, target in recipe.links.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.symlink_to(target)
    (root / "checkout").mkdir()
    modules = root / f"usr/local/lib/python{recipe.python}/dist-packages"
    _run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(modules)],
        ["--python-version", recipe.python, "--only-binary=:all:", "--no-compile"],
        [word for name in PLATFORMS for word in ("--platform", name)],
        recipe.wheels,
    )
    # Compiling is slow in there, and what is imported for the first time is compiled.
    _run(
        ["chroot", str(root), "python3", "-m", "compileall", "-q"],
        [f"/{modules.relative_to(root)}"],
    )
    shutil.rmtree(root / "var/cache/apt", ignore_errors=True)
    shutil.rmtree(root / "var/lib/apt/lists", ignore_errors=True)
    image = Image(done)
    for version, suite in recipe.kernels:
        with tempfile.TemporaryDirectory(prefix="kernel-", dir=work) as aside:
            package = kernels.fetch(suite, mirror(), packages, Path(aside), _run)
            release, kernel = kernels.install(package, root, Path(aside, "unpacked"), _run)
            if not kernels.is_release_of(release, version):
                raise MachineUnavailable(f"the kernel of {suite} is {release}, not {version}")
            shutil.copy(kernel, image.kernel(version))
        image.initrd(version).write_bytes(kernels.initrd(root, release))
    filesystem(root, image.root, recipe.megabytes)


def filesystem(folder: Path, target: Path, megabytes: int) -> None:
    """Write an ext4 filesystem with what is in a folder; no journal: it is thrown away."""
    options = ["-q", "-F", "-t", "ext4", "-O", "^has_journal", "-E", "lazy_itable_init=1"]
    _run(["mke2fs", *options, "-d", str(folder), str(target), f"{megabytes}M"])


def checkout(target: Path) -> None:
    """Write the disk with the checkout as it is now, uncommitted changes included."""
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc")
    with tempfile.TemporaryDirectory(prefix="checkout-", dir=target.parent) as work:
        for name in TRAVELLERS:
            source, copy = REPOSITORY / name, Path(work, name)
            copy.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, copy, ignore=ignore)
            else:
                shutil.copy(source, copy)
        filesystem(Path(work), target, 256)


def mirror() -> str:
    """Return the Debian mirror that this computer installs from."""
    shape = "$(ORIGIN) $(LABEL) $(SITE)"
    for line in _run(["apt-get", "indextargets", "--format", shape]).splitlines():
        origin, label, site = line.split(" ", 2)
        if (origin, label) == ("Debian", "Debian"):
            return site
    raise MachineUnavailable("apt has no Debian mirror here to make the machine's image from")


def _run(*parts: Sequence[str], cwd: Path | None = None) -> str:
    argv = [word for part in parts for word in part]
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        said = (done.stderr + done.stdout).strip().splitlines()[-3:]
        raise MachineUnavailable(
            f"making its image failed: {' '.join(argv[:6])}…: {' | '.join(said)}"
        )
    return done.stdout


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
