"""``lxtui export`` and ``lxtui import``.

Role: their arguments; arguments → a command. Boundary: gets backends, writes text. Threading: the
main thread.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Collection, Mapping, Sequence

from lxtui import headless
from lxtui.audit.journal import Audit
from lxtui.backend.base import Backend
from lxtui.backups.places import export_file, known_compression
from lxtui.backups.reading import name_inside
from lxtui.calls.backups import COMPRESSIONS, Export, Import
from lxtui.clock import utc_now
from lxtui.errors import LxtuiError, UsageError
from lxtui.exporting_many import Wishes, plan
from lxtui.files.places import local_path
from lxtui.headless_many import Found, add_many, find, settle
from lxtui.model import Host, Instance, Ref
from lxtui.names import instance_name_trouble

_ONE = 2
"""Words that are for one instance: itself, and its file."""

EXPORT = "Write instances with their snapshots into files of this machine"
IMPORT = "Make an instance of a file that export has written, of lxtui, lxc or incus"


def add_export(sub: argparse.ArgumentParser) -> None:
    """What, where to, how."""
    sub.add_argument(
        "words",
        nargs="*",
        metavar="HOST:NAME",
        help="the instance, as lxc writes it, then a FILE or a directory (default: ./NAME.tar.gz); "
        "or several, then the directory; with --filter the directory alone",
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
    add_many(sub, "with --filter or several: only say what it means")


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
    options: argparse.Namespace,
    backends: Mapping[str, Backend],
    named: Callable[[str, str], Ref],
    audit: Audit,
) -> int:
    """Write the file, or one for each; returns the exit status.

    One that is left out is a failure: nobody shall believe that there is a backup of it.
    """
    compression = known_compression(options.compression)
    words = [*options.words]
    if options.filter:
        if len(words) > 1 or _names_instance(words, backends):
            raise UsageError("name instances, or give --filter and a directory, not both")
        found = find(options, backends)
    elif len(words) <= _ONE:
        return _export_one(options, compression, backends, named, audit)
    else:
        refs = [named(one, options.project) for one in words[:-1]]
        found = _named(dict.fromkeys(refs), backends)
        options.yes = True  # who names them has said which
    folder = local_path(words[-1] if words else ".")
    wishes = Wishes(folder, options.instance_only, options.optimized, compression, options.force)
    bulk = plan(wishes, found.matching, found.hosts.get)
    if not bulk.command.commands:
        options.yes = True  # there is nothing to ask
    well = settle(options, bulk, found, backends, audit, whole=True)
    return 0 if well else 1


def _export_one(
    options: argparse.Namespace,
    compression: str,
    backends: Mapping[str, Backend],
    named: Callable[[str, str], Ref],
    audit: Audit,
) -> int:
    if not options.words:
        raise UsageError("HOST:NAME is required, or --filter")
    if options.dry_run:
        raise UsageError("export: --dry-run is for --filter, and for several")
    if _names_instance(options.words[1:], backends):
        raise UsageError(
            f"{options.words[1]!r} would be the file's name: for several instances write the "
            f"directory last; for such a file ./{options.words[1]}"
        )
    ref = named(options.words[0], options.project)
    written = options.words[1] if len(options.words) == _ONE else ""
    command = Export(
        ref,
        export_file(ref, written, compression),
        options.instance_only,
        options.optimized,
        compression,
        options.force,
    )
    return headless.carry_out("export", command, backends, as_json=options.json, audit=audit)


def _names_instance(words: Sequence[str], backends: Mapping[str, Backend]) -> bool:
    """Whether the first of them looks like an instance of ours, and is no path."""
    host, colon, name = words[0].partition(":") if words else ("", "", "")
    return bool(colon) and host in backends and "/" not in name


def _named(refs: Collection[Ref], backends: Mapping[str, Backend]) -> Found:
    """These instances; what cannot be had is said, and holds up none of the others."""
    asked = {ref.host: backends[ref.host] for ref in refs}

    def look(backend: Backend) -> tuple[Host, list[Instance | LxtuiError]]:
        host = backend.connect()
        return host, [_instance(backend, ref) for ref in refs if ref.host == host.name]

    answers = headless.ask_all(asked, look)
    hosts = [one[0] for one in answers.values() if not isinstance(one, LxtuiError)]
    every: list[Instance | LxtuiError] = []
    for answer in answers.values():
        every += [answer] if isinstance(answer, LxtuiError) else answer[1]
    errors = tuple(one for one in every if isinstance(one, LxtuiError))
    for error in errors:
        print(f"lxtui: {error}", file=sys.stderr)
    found = tuple(one for one in every if not isinstance(one, LxtuiError))
    return Found(found, found, {one.name: one for one in hosts}, errors, utc_now())


def _instance(backend: Backend, ref: Ref) -> Instance | LxtuiError:
    try:
        return backend.instance(ref)
    except LxtuiError as error:
        return error


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
