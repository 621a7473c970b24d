"""``lxfs mount`` and ``lxfs umount``: checks, the daemon, the pid file.

Role: everything around the driver's loop. What is wrong is found before anything is done.
Boundary: raises ``UserError``; prints nothing.
Threading: forks, so it runs before any thread is started.
"""

import atexit
import contextlib
import errno
import fcntl
import logging
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lxfs import logs, parse, syscalls
from lxfs.drivers import rules
from lxfs.drivers.native import finding, holder, start, systemd
from lxfs.drivers.rules import Rules
from lxfs.errors import UserError
from lxfs.ledger import open_file
from lxfs.sources.host import Host
from lxfs.tree import Tree

FSTYPE = "fuse.lxfs"
_DEVICE = Path("/dev/fuse")
NATIVE, FUSEPY = DRIVERS = ("native", "fusepy")
READY = holder.READY
"""What a serving child writes to its report pipe when its mount answers."""


def mounted_on(directory: str, host: Host) -> parse.Mount | None:
    """Return the uppermost mount on a directory."""
    mounts = [mount for mount in host.mounts() if mount.point == directory]
    return mounts[-1] if mounts else None


def check_can_serve(driver: str = NATIVE) -> None:
    """Raise ``UserError`` where no FUSE mount can be made at all."""
    if os.geteuid() != 0:
        raise UserError("lxfs must be root: it serves other users' processes; try sudo")
    if obstacle := device_obstacle():
        raise UserError(obstacle)
    if driver == FUSEPY:
        # Its import finds libfuse, or says what to install.
        import lxfs.drivers.fusepy  # noqa: F401, PLC0415


def device_obstacle() -> str | None:
    """Return why this user cannot open the device of FUSE, and what to do; ``None`` if he can."""
    try:
        os.close(os.open(_DEVICE, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        remedy = "load the module with 'modprobe fuse', or give this container the device"
        if error.errno == errno.EACCES:
            mode = stat.filemode(_DEVICE.stat().st_mode)
            remedy = f"its mode is {mode}; 'chmod 666 {_DEVICE}' as root is what udev has it do"
        return f"{_DEVICE} cannot be opened ({error.strerror}): {remedy}"
    return None


def real_path(directory: str, host: Host) -> str:
    """Return the path of a directory without links in it.

    Where lxfs is mounted, the mount itself is not looked at: its answer may be what is waited for.
    """
    above, name = os.path.split(os.path.abspath(directory))  # noqa: PTH100 - links are kept
    real = os.path.join(os.path.realpath(above), name)  # noqa: PTH118 - strings as mountinfo has
    there = mounted_on(real, host)
    return real if there is not None and there.fstype == FSTYPE else os.path.realpath(real)


def check_mountpoint(directory: str, host: Host) -> str:
    """Return the real path of a directory that can be mounted on. Raises ``UserError``."""
    real = real_path(directory, host)
    there = mounted_on(real, host)
    if there is not None and there.fstype == FSTYPE:
        raise UserError(f"lxfs is already mounted on {real}: 'lxfs umount {real}' ends it")
    if there is not None:
        raise UserError(f"{real} is busy: {there.source} ({there.fstype}) is mounted on it")
    try:
        mode = Path(real).stat().st_mode
        if not stat.S_ISDIR(mode):
            raise UserError(f"{real} is not a directory: give one to mount on")
        if any(Path(real).iterdir()):
            raise UserError(f"{real} is not empty and would be hidden: give an empty directory")
    except OSError as error:
        if error.errno == errno.ENOENT:
            raise UserError(f"{real} does not exist: make it with 'mkdir -p {real}'") from error
        raise UserError(f"{real} cannot be used: {error.strerror}") from error
    return real


@dataclass(frozen=True, slots=True)
class Options:
    """How a view is served: through which driver, by which rules, with which state file."""

    driver: str = NATIVE
    rules: Rules = field(default_factory=Rules)
    state: Path | None = None


def make_tree(options: Options = Options()) -> Tree:
    """Return the tree over this host, whose counters go on from those in a state file.

    Raises ``UserError`` where there is nothing to read, or for a file that is not ours to use.
    """
    try:
        ledger = None if options.state is None else open_file(str(options.state))
        return rules.make_tree(options.rules, ledger)
    except OSError as error:
        raise UserError(f"the kernel's files cannot be read: {error}") from error


def mount(
    directory: str,
    *,
    foreground: bool,
    pidfile: str | None,
    options: Options,
) -> None:
    """Serve the view on a directory; unless ``foreground``, return when the mount answers.

    Raises ``UserError`` with nothing left behind.
    """
    check_can_serve(options.driver)
    real = _real_mountpoint(directory, options.driver)
    with _alone(real) as release:
        # Again: another may have mounted there before we were alone.
        _real_mountpoint(directory, options.driver)
        _mount(
            real,
            foreground=foreground,
            pidfile=pidfile,
            options=options,
            release=release,
        )


def _real_mountpoint(directory: str, driver: str) -> str:
    """Return where to mount: on what is free, or where a session waits for a holder."""
    host = Host()
    real = real_path(directory, host)
    if driver == NATIVE and (there := mounted_on(real, host)) is not None:
        found = finding.find(there.device) if there.fstype == FSTYPE else None
        if systemd.stored() or (found is not None and found.holder is None):
            return real
    return check_mountpoint(directory, host)


@contextlib.contextmanager
def _alone(directory: str) -> Iterator[Callable[[], None]]:
    """Keep others from mounting on a directory at the same time; yield what ends that earlier."""
    there = mounted_on(directory, Host())
    if there is not None and there.fstype == FSTYPE:
        # A session that waits for its holder: opening its directory would wait for us.
        yield lambda: None
        return
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise UserError(f"{directory} cannot be used: {error.strerror}") from error
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(f"{directory} is busy: something is being mounted on it") from error
        yield stack.close


def _mount(
    real: str,
    *,
    foreground: bool,
    pidfile: str | None,
    options: Options,
    release: Callable[[], None],
) -> None:
    pid_path = Path(pidfile).absolute() if pidfile is not None else None
    if pid_path is not None and not pid_path.parent.is_dir():
        raise UserError(f"{pid_path.parent} does not exist: the pid file needs a directory")
    if foreground:
        logs.to_stderr()
        _serve(real, pid_path, options=options, daemon=False, ready=release)
        return
    reports = _fork_daemon()
    if reports is not None:
        _await_daemon(reports, real)
        return

    def ready() -> None:
        os.write(2, READY)
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 2)
        os.close(null)

    status = 1
    try:
        logs.to_syslog()
        _serve(real, pid_path, options=options, daemon=True, ready=ready)
        status = 0
    except UserError as error:
        os.write(2, f"{error}\n".encode())
    except BaseException as error:
        logging.getLogger(__name__).exception("the daemon failed")
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
    finally:
        logging.shutdown()
        # The forked copy must not go back into its caller's code.
        os._exit(status)


def _serve(
    directory: str,
    pidfile: Path | None,
    *,
    options: Options,
    daemon: bool,
    ready: Callable[[], None],
) -> None:
    if options.driver == NATIVE:
        session = start.stored(directory, writable=options.rules.writable) or _orphan(directory)
        if session is None:
            # The file of one that the service manager keeps is locked by that.
            ledger = systemd.stored().get("ledger")
            if ledger is None and options.state is not None:
                ledger = open_file(str(options.state))
            session = start.mounted(directory, ledger, writable=options.rules.writable)
        start.hold(session, directory, options.rules, pidfile=pidfile, daemon=daemon)
    from lxfs.drivers.fusepy import serve  # noqa: PLC0415 - needs libfuse, found missing earlier

    syscalls.set_name("lxfs")
    tree = make_tree(options)
    if pidfile is None:
        serve(tree, directory, ready, cgroupfs=options.rules.cgroupfs)
        return
    said = f"{os.getpid()}\n"
    try:
        pidfile.write_text(said, encoding="ascii")
    except OSError as error:
        raise UserError(f"the pid file {pidfile} cannot be written: {error.strerror}") from error
    try:
        serve(tree, directory, ready, cgroupfs=options.rules.cgroupfs)
    finally:
        # By now it may be our successor's: lxfs umount does not wait for us.
        with contextlib.suppress(OSError):
            if pidfile.read_text(encoding="ascii") == said:
                pidfile.unlink()


def _orphan(directory: str) -> start.Session | None:
    """Return the session on a directory whose holder died, if there is one."""
    there = mounted_on(directory, Host())
    found = finding.find(there.device) if there is not None else None
    return found.descriptors() if found is not None and found.holder is None else None


def _fork_daemon() -> int | None:
    """Fork twice; return the report pipe in the parent and ``None`` in the daemon.

    The daemon's stderr is the pipe until its mount answers, so that libfuse's own complaints
    reach the user; everything else inherited is closed.
    """
    reading, writing = os.pipe()
    if (child := os.fork()) > 0:
        os.close(writing)
        os.waitpid(child, 0)
        return reading
    os.setsid()
    if os.fork() > 0:
        os._exit(0)
    os.chdir("/")
    os.umask(0o022)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(null, descriptor)
    os.dup2(writing, 2)
    highest = os.sysconf("SC_OPEN_MAX")
    os.closerange(3, highest)
    atexit.unregister(logging.shutdown)
    return None


def _await_daemon(reports: int, directory: str) -> None:
    text = b""
    with open(reports, "rb", buffering=0) as pipe:
        while not text.endswith(READY) and (chunk := pipe.read(4096)):
            text += chunk
    if not text.endswith(READY):
        said = text.decode(errors="replace").strip().splitlines()
        raise UserError("; ".join(said) or f"the daemon for {directory} ended without a word")
    # Answered means answered: the first request goes through the whole driver.
    try:
        Path(directory, "proc").stat()
    except OSError as error:
        raise UserError(f"the mount on {directory} does not answer: {error.strerror}") from error


def umount(directory: str) -> None:
    """Take a view off a directory; its process ends by itself. Raises ``UserError``."""
    if os.geteuid() != 0:
        raise UserError("lxfs must be root to unmount; try sudo")
    # Not resolve(strict): a mount whose process was killed answers no stat.
    real = os.path.realpath(directory)
    there = mounted_on(real, Host())
    if there is None:
        raise UserError(f"nothing is mounted on {real}")
    if there.fstype != FSTYPE:
        raise UserError(f"{real} is not an lxfs mount but {there.source} ({there.fstype})")
    try:
        syscalls.umount(real)
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise UserError(
                f"{real} is busy: a process has a file open in it or works in it; see 'fuser -m"
                f" {real}'"
            ) from error
        raise UserError(f"unmounting {real} failed: {error.strerror}") from error
