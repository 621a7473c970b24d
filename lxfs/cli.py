"""The command line of lxfs: arguments to calls, failures to one line and an exit status.

Role: nothing else; what the verbs do is in mounting and run.
Boundary: the only module that prints.
Threading: none.
"""

import argparse
import sys
from collections.abc import Sequence

from lxfs.errors import UserError


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``lxfs`` and return its exit status: 0 done, 1 failed, 2 bad usage."""
    arguments = _parser().parse_args(argv)
    try:
        status: int = arguments.call(arguments)
    except UserError as error:
        print(f"lxfs {arguments.verb}: {error}", file=sys.stderr)
        return error.status
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lxfs", description="/proc and /sys as each container should see them."
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    mount = verbs.add_parser("mount", help="serve the view on a directory")
    mount.add_argument("directory", metavar="DIR")
    mount.add_argument("-f", "--foreground", action="store_true", help="do not become a daemon")
    mount.add_argument("--pidfile", metavar="FILE", help="where to write the pid of the server")
    mount.add_argument(
        "--cpus",
        choices=("quota", "cpuset"),
        default="quota",
        help="CPUs a container sees: its cpuset cut to its quota (default), or its cpuset",
    )
    mount.set_defaults(call=_mount)

    umount = verbs.add_parser("umount", help="take the view off a directory")
    umount.add_argument("directory", metavar="DIR")
    umount.set_defaults(call=_umount)
    return parser


def _mount(arguments: argparse.Namespace) -> int:
    from lxfs import mounting  # noqa: PLC0415 - --help needs none of it

    mounting.mount(
        arguments.directory,
        foreground=arguments.foreground,
        pidfile=arguments.pidfile,
        cpus_by_quota=arguments.cpus == "quota",
    )
    return 0


def _umount(arguments: argparse.Namespace) -> int:
    from lxfs import mounting  # noqa: PLC0415 - --help needs none of it

    mounting.umount(arguments.directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
