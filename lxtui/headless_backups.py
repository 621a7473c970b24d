"""``lxtui export`` and ``lxtui import``.

Role: their arguments; arguments → a command. Boundary: gets backends, writes text. Threading: the
main thread.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping

from lxtui import headless
from lxtui.audit.journal import Audit
from lxtui.backend.base import Backend
from lxtui.backups.places import export_file
from lxtui.backups.reading import name_inside
from lxtui.calls.backups import COMPRESSIONS, Export, Import
from lxtui.errors import UsageError
from lxtui.files.places import local_path
from lxtui.model import Ref
from lxtui.names import instance_name_trouble

EXPORT = "Write an instance with its snapshots into a file of this machine"
IMPORT = "Make an instance of a file that export has written, of lxtui, lxc or incus"


def add_export(sub: argparse.ArgumentParser) -> None:
    """What, where to, how."""
    sub.add_argument("instance", metavar="HOST:NAME", help="the instance, as lxc writes it")
    sub.add_argument(
        "file",
        nargs="?",
        default="",
        metavar="FILE",
        help="or a directory (default: ./NAME.tar.gz)",
    )
    sub.add_argument("--project", default="", help="its project (default: the host's)")
    sub.add_argument("--instance-only", action="store_true", help="without its snapshots")
    sub.add_argument(
        "--optimized",
        action="store_true",
        help="in the form of its storage driver: only a pool of the same driver takes it",
    )
    known = ", ".join(filter(None, COMPRESSIONS))
    sub.add_argument(
        "--compression", default="", metavar="HOW", help=f"{known} (default: as the host is set)"
    )
    sub.add_argument("-f", "--force", action="store_true", help="replace a file that is there")


def add_import(sub: argparse.ArgumentParser) -> None:
    """What, as what."""
    sub.add_argument("file", metavar="FILE", help="that export has written")
    sub.add_argument(
        "instance", metavar="HOST:[NAME]", help="where; without NAME as it was called before"
    )
    sub.add_argument("--project", default="", help="its project (default: the host's)")
    sub.add_argument(
        "--pool", default="", metavar="NAME", help="of its disk (default: of the same name)"
    )


def run_export(
    options: argparse.Namespace, ref: Ref, backends: Mapping[str, Backend], audit: Audit
) -> int:
    """Write the file; returns the exit status."""
    if options.compression.split(" ")[0] not in COMPRESSIONS:
        known = ", ".join(filter(None, COMPRESSIONS))
        raise UsageError(f"--compression {options.compression!r}: say one of {known}")
    command = Export(
        ref,
        export_file(ref, options.file, options.compression),
        options.instance_only,
        options.optimized,
        options.compression,
        options.force,
    )
    return headless.carry_out("export", command, backends, as_json=options.json, audit=audit)


def run_import(
    options: argparse.Namespace,
    backends: Mapping[str, Backend],
    named: Callable[[str, str], Ref],
    audit: Audit,
) -> int:
    """Make the instance; returns the exit status."""
    host, colon, name = options.instance.partition(":")
    if not colon:
        raise UsageError(f"{options.instance!r}: write HOST:NAME, or HOST: to keep its name")
    file = local_path(options.file)
    name = name or name_inside(file)
    if not name:
        raise UsageError(f"{file} does not say what the instance was called: write {host}:NAME")
    if trouble := instance_name_trouble(name):
        raise UsageError(f"{name!r}: {trouble}")
    command = Import(named(f"{host}:{name}", options.project), file, options.pool)
    return headless.carry_out("import", command, backends, as_json=options.json, audit=audit)
