"""A clean Debian of a suite as a directory, entered in namespaces of its own.

Role: debootstrap once per suite into the user's cache; an overlay over it that is gone with the
namespaces, however they end. Boundary: writes below the cache alone, and uses the mirror that
apt has here. Threading: one caller; sessions exclude each other by a lock on the cache.
"""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.machine.image import mirror

OTHERS = (
    *("/var/lib/dpkg", "/var/lib/apt", "/var/cache", "/var/log"),
    *("/proc", "/sys", "/dev", "/tmp", "/run"),
)
PLACE = "/mnt"  # of this computer, in the mount namespace of a root only
_SETUP = f"""
set -e
mount --make-rprivate /
mount -t tmpfs none {PLACE}
mkdir {PLACE}/upper {PLACE}/work {PLACE}/root
mount -t overlay none -o lowerdir="$1",upperdir={PLACE}/upper,workdir={PLACE}/work {PLACE}/root
mount -t proc proc {PLACE}/root/proc
mount --rbind /sys {PLACE}/root/sys
mount --rbind /dev {PLACE}/root/dev
echo ready
exec sleep infinity
"""


class RootUnavailable(Exception):  # noqa: N818  # a state of this computer, not a mistake
    """There can be no clean root here; the message says why."""


class Root:
    """A root that commands are run in, as root, in a pid namespace of its own."""

    def __init__(self, suite: str, init: int) -> None:
        self.suite = suite
        self._init = init

    def __call__(self, *argv: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, with the environment of a fresh login."""
        done = subprocess.run(
            [
                *("nsenter", f"--target={self._init}", "--mount", "--pid"),
                *("chroot", f"{PLACE}/root", "env", "-i", "DEBIAN_FRONTEND=noninteractive"),
                *("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", *argv),
            ],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0 or not check, f"{argv}: {done.stdout}{done.stderr}"
        return done

    def shell(self, script: str) -> str:
        """Run a script of bash and return what it prints."""
        return self("bash", "-ec", script).stdout

    def files(self) -> list[str]:
        """Return all files but those that apt, dpkg and the like keep for themselves."""
        prune = " -o ".join(f"-path {path}" for path in OTHERS)
        return self.shell(rf"find / \( {prune} \) -prune -o -print").splitlines()

    @contextmanager
    def package(self, deb: Path) -> Iterator[None]:
        """Have a package installed; purge it at the end, and see that nothing of it is left.

        What it needs is installed before that, and stays.
        """
        install = ("apt-get", "install", "--yes", "--no-install-recommends")
        inside, name = self.put(deb), deb.name.partition("_")[0]
        self("apt-get", "update")
        needs = self("dpkg-deb", "--field", inside, "Depends").stdout
        self(*install, *(one.split()[0].removesuffix(":any") for one in needs.split(", ")))
        before = self.files()
        self(*install, inside)
        yield
        self("apt-get", "remove", "--yes", name)
        self("dpkg", "--purge", name)
        assert self.files() == before
        assert self("dpkg-query", "-W", name, check=False).returncode == 1

    def put(self, file: Path) -> str:
        """Copy a file in; return its path there."""
        inside = f"/tmp/{file.name}"
        shutil.copy(file, f"/proc/{self._init}/root{PLACE}/root{inside}")
        return inside


@contextmanager
def running(suite: str) -> Iterator[Root]:
    """Enter a clean root; end everything in it at the end. Raises ``RootUnavailable``."""
    lower = made(suite)
    enter = [
        *("setpriv", "--pdeathsig", "KILL"),
        *("unshare", "--mount", "--pid", "--fork", "--kill-child"),
        *("sh", "-c", _SETUP, "sh", str(lower)),
    ]
    with subprocess.Popen(enter, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise RootUnavailable("its overlay cannot be mounted (above)")
            (init,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            yield Root(suite, int(init))
        finally:
            process.kill()


def made(suite: str, *packages: str) -> Path:
    """Return the cached root of a suite with packages, made if need be; nobody writes to it.

    Raises ``RootUnavailable``.
    """
    if os.geteuid() != 0:
        raise RootUnavailable("only root can make and enter a clean root")
    if shutil.which("debootstrap") is None:
        raise RootUnavailable("debootstrap is not installed (packaging/test-packages.sh)")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    cache = Path(base) / "lxtui" / "debian"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        root = cache / "+".join((suite, *packages))
        if not root.exists():
            half = root.with_name(f"{root.name}.half")
            shutil.rmtree(half, ignore_errors=True)
            include = [f"--include={','.join(packages)}"] if packages else []
            command = ["debootstrap", "--variant=minbase", *include, suite, str(half), mirror()]
            # A mount namespace: what debootstrap mounts is gone with it, however it ends.
            done = subprocess.run(
                ["unshare", "--mount", *command],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise RootUnavailable(f"debootstrap failed: {done.stdout.splitlines()[-1:]}")
            half.rename(root)
    return root
