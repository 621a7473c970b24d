"""The command line of lxfs: arguments to calls, failures to one line and an exit status.

Role: nothing else; what the verbs do is in mounting and run.
Boundary: the only module that prints.
Threading: none.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NoReturn, TypeVar

from lxfs import __version__, limits
from lxfs.errors import UsageError, UserError
from lxfs.text import plain

_T = TypeVar("_T")


class _Parser(argparse.ArgumentParser):
    """argparse whose complaints are one line."""

    def error(self, message: str) -> NoReturn:
        """Print the line and leave with status 2."""
        self.exit(2, f"{self.prog}: {message}; see '{self.prog} --help'\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``lxfs`` and return its exit status: 0 done, 1 failed, 2 bad usage."""
    arguments = _parser().parse_args(argv)
    try:
        status: int = arguments.call(arguments)
    except UserError as error:
        print(plain(f"lxfs {arguments.verb}: {error}"), file=sys.stderr)
        return error.status
    return status


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="lxfs", description="/proc and /sys as each container should see them.")
    parser.add_argument("--version", action="version", version=f"lxfs {__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    _add_mounting(verbs.add_parser)

    explain = verbs.add_parser("explain", help="say where each line of a container's file is from")
    explain.add_argument("pid", metavar="PID", type=_checked(_pid), help="any of its processes")
    explain.add_argument("file", metavar="FILE", nargs="?", default="/proc/meminfo")
    _add_rules(explain)
    explain.add_argument("--json", action="store_true", help="the same for machines")
    explain.set_defaults(call=_explain)

    attach = verbs.add_parser("attach", help="put the view into containers that run")
    _add_containers(attach, "heal those whose view has died; with names: shell patterns")
    attach.add_argument(
        "--replace", action="store_true", help="take off LXCFS or another lxfs that answers"
    )
    _add_shape(attach, "put the container's cgroups over its /sys/fs/cgroup, in this shape")
    attach.set_defaults(call=_attach)

    detach = verbs.add_parser("detach", help="take the view out of containers that run")
    _add_containers(detach, "all that have it; with names: shell patterns")
    detach.set_defaults(call=_detach)

    status = verbs.add_parser("status", help="list the containers and what each has mounted")
    status.add_argument("--json", action="store_true", help="the same for machines")
    status.set_defaults(call=_status)

    doctor = verbs.add_parser("doctor", help="say what is wrong on this host, and what to do")
    doctor.add_argument("--json", action="store_true", help="the same for machines")
    doctor.set_defaults(call=_doctor)

    install = verbs.add_parser("install", help="set up the systemd unit and the hooks")
    _add_root(install)
    install.add_argument("--view", metavar="DIR", help="where to mount, as /var/lib/lxfs")
    install.add_argument(
        "--without",
        action="append",
        default=[],
        choices=("systemd", "lxc", "oci"),
        help="leave a part out",
    )
    _add_shape(install, "have the hooks put cgroups over /sys/fs/cgroup, in this shape")
    install.set_defaults(call=_install)

    uninstall = verbs.add_parser("uninstall", help="remove what install has set up")
    _add_root(uninstall)
    uninstall.set_defaults(call=_uninstall)

    hook = verbs.add_parser(
        "oci-hook", help="for runc, crun and podman: attach as a container starts"
    )
    hook.add_argument("--from", dest="directory", metavar="DIR", help="the lxfs mount")
    _add_shape(hook, "put the container's cgroups over its /sys/fs/cgroup, in this shape")
    hook.set_defaults(call=_oci_hook)

    run = verbs.add_parser(
        "run",
        help="run a command under limits, with the view of them",
        usage="lxfs run [--memory SIZE] [--swap SIZE] [--cpus N] [--cpuset LIST] [--pids N]"
        " [--] COMMAND [ARGUMENT...]",
    )
    for option, shape, example in (
        ("--memory", limits.memory_size, "memory, as 256M or 1.5G"),
        ("--swap", limits.size, "swap beyond the memory, as 0 or 512M"),
        ("--cpus", limits.cpu_count, "CPU time, as 1.5 CPUs"),
        ("--cpuset", limits.cpu_set, "the CPUs to run on, as 0 or 0-2"),
        ("--pids", limits.task_count, "processes, the init among them"),
    ):
        run.add_argument(option, type=_checked(shape), help=example)
    run.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND")
    run.set_defaults(call=_run)
    return parser


def _add_mounting(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    mount = add_parser("mount", help="serve the view on a directory")
    mount.add_argument("directory", metavar="DIR")
    mount.add_argument("-f", "--foreground", action="store_true", help="do not become a daemon")
    mount.add_argument("--pidfile", metavar="FILE", help="where to write the pid of the server")
    _add_rules(mount)
    mount.add_argument(
        "--state",
        metavar="FILE",
        help="where counters and load averages outlive the server, as /run/lxfs.state",
    )
    mount.add_argument(
        "--cgroupfs",
        choices=("off", "ro", "rw"),
        default="ro",
        help="serve cgroup/, in which containers find their cgroups in both shapes (default: ro)",
    )
    mount.add_argument(
        "--driver",
        choices=("native", "fusepy"),
        default="native",
        help="our own session, which outlives its server (default), or libfuse 3",
    )
    mount.set_defaults(call=_mount)

    upgrade = add_parser("upgrade", help="serve a mount by this version's code, while it is in use")
    upgrade.add_argument("directory", metavar="DIR")
    upgrade.set_defaults(call=_upgrade)

    umount = add_parser("umount", help="take the view off a directory")
    umount.add_argument("directory", metavar="DIR")
    umount.set_defaults(call=_umount)


def _add_rules(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--cpus",
        choices=("quota", "cpuset"),
        default="quota",
        help="CPUs a container sees: its cpuset cut to its quota (default), or its cpuset",
    )
    parser.add_argument(
        "--identity",
        choices=("pidns", "cgroup"),
        default="pidns",
        help="what makes a container: its pid namespace (default), or in it a cgroup of its own",
    )


def _add_root(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--root", default="/", metavar="DIR", help="below DIR, as for a package")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")


def _add_containers(parser: argparse.ArgumentParser, everyone: str) -> None:
    parser.add_argument(
        "containers", metavar="PID|CONTAINER", nargs="*", help="as web1 or incus:web1 (lxfs status)"
    )
    parser.add_argument("--all", action="store_true", help=everyone)
    parser.add_argument(
        "--from", dest="directory", metavar="DIR", help="the lxfs mount, if there are several"
    )


def _add_shape(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--cgroupfs", choices=("v1", "v2"), help=what)


def _pid(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise ValueError(f"{text!r} is not a pid: write the number of a process")
    return int(text)


def _checked(shape: Callable[[str], _T]) -> Callable[[str], _T]:
    """Keep the words of a ``ValueError``, which argparse would replace by its own."""

    def convert(text: str) -> _T:
        try:
            return shape(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return convert


def _mount(arguments: argparse.Namespace) -> int:
    from lxfs import mounting  # noqa: PLC0415 - --help needs none of it
    from lxfs.drivers.rules import Rules  # noqa: PLC0415

    rules = Rules(
        cpus_by_quota=arguments.cpus == "quota",
        by_cgroup=arguments.identity == "cgroup",
        cgroupfs=arguments.cgroupfs,
    )
    state = Path(arguments.state).absolute() if arguments.state is not None else None
    mounting.mount(
        arguments.directory,
        foreground=arguments.foreground,
        pidfile=arguments.pidfile,
        options=mounting.Options(arguments.driver, rules, state),
    )
    return 0


def _upgrade(arguments: argparse.Namespace) -> int:
    from lxfs.upgrading import upgrade  # noqa: PLC0415 - --help needs none of it

    before, now = upgrade(arguments.directory)
    print(f"version {before} served; version {now} serves now")
    return 0


def _umount(arguments: argparse.Namespace) -> int:
    from lxfs import mounting  # noqa: PLC0415 - --help needs none of it

    mounting.umount(arguments.directory)
    return 0


def _explain(arguments: argparse.Namespace) -> int:
    from lxfs.explain import run  # noqa: PLC0415 - --help needs none of it

    said = run(
        arguments.pid,
        arguments.file,
        by_cgroup=arguments.identity == "cgroup",
        cpus_by_quota=arguments.cpus == "quota",
        as_json=arguments.json,
    )
    print(said, end="")
    return 0


def _attach(arguments: argparse.Namespace) -> int:
    from lxfs.attach import attach  # noqa: PLC0415 - --help needs none of it

    return _said(
        attach(
            arguments.containers,
            everyone=arguments.all,
            replace=arguments.replace,
            directory=arguments.directory,
            cgroupfs=arguments.cgroupfs,
        )
    )


def _detach(arguments: argparse.Namespace) -> int:
    from lxfs.attach import detach  # noqa: PLC0415 - --help needs none of it

    return _said(
        detach(arguments.containers, everyone=arguments.all, directory=arguments.directory)
    )


def _status(arguments: argparse.Namespace) -> int:
    from lxfs.status import run  # noqa: PLC0415 - --help needs none of it

    print(run(as_json=arguments.json), end="")
    return 0


def _doctor(arguments: argparse.Namespace) -> int:
    from lxfs.doctor import run  # noqa: PLC0415 - --help needs none of it

    text, status = run(as_machine=arguments.json)
    print(text, end="")
    return status


def _install(arguments: argparse.Namespace) -> int:
    from lxfs.install import VIEW, install  # noqa: PLC0415 - --help needs none of it

    return _told(
        install(
            arguments.root,
            view=arguments.view or VIEW,
            without=arguments.without,
            cgroupfs=arguments.cgroupfs,
            dry=arguments.dry_run,
        )
    )


def _uninstall(arguments: argparse.Namespace) -> int:
    from lxfs.install import uninstall  # noqa: PLC0415 - --help needs none of it

    return _told(uninstall(arguments.root, dry=arguments.dry_run))


def _oci_hook(arguments: argparse.Namespace) -> int:
    from lxfs.oci import run  # noqa: PLC0415 - --help needs none of it

    for line in run(sys.stdin.read(), arguments.directory, arguments.cgroupfs):
        print(plain(line), file=sys.stderr)  # where runtimes look for what a hook says
    return 0


def _told(lines: Iterable[str]) -> int:
    """Print lines as they come."""
    return _said((line, True) for line in lines)


def _said(lines: Iterable[tuple[str, bool]]) -> int:
    """Print lines as they come; return 1 if one of them is about a failure."""
    status = 0
    for line, well in lines:
        print(plain(line), file=sys.stdout if well else sys.stderr, flush=True)
        status = status if well else 1
    return status


def _run(arguments: argparse.Namespace) -> int:
    from lxfs.run import run  # noqa: PLC0415 - --help needs none of it

    command = arguments.command
    if command[:1] == ["--"]:
        command = command[1:]
    if not command:
        raise UsageError("give a command to run: lxfs run --memory 256M -- free -m")
    asked = limits.Limits(
        memory=arguments.memory,
        swap=arguments.swap,
        cpus=arguments.cpus,
        cpuset=arguments.cpuset,
        pids=arguments.pids,
    )
    return run(command, asked)


if __name__ == "__main__":
    sys.exit(main())
