"""``lxtui files ls|cat|pull|push|mkdir|rm``.

Role: their arguments; arguments → a listing, a stream, a command. Boundary: gets backends, writes
text; what a container wrote reaches a terminal only as printable text. Threading: the main thread.
"""

from __future__ import annotations

import argparse
import sys
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from lxtui import format as text
from lxtui import headless
from lxtui.audit.journal import Audit
from lxtui.backend.base import Backend
from lxtui.calls.base import Work
from lxtui.calls.files import MakeFolder, Pull, Push, RemoveFiles
from lxtui.demo_arguments import add_demo
from lxtui.errors import LxtuiError, OperationError, UsageError
from lxtui.files import paths
from lxtui.files.folders import listed
from lxtui.files.listing import Line, Listing
from lxtui.files.places import pull_names
from lxtui.files.tree import MOST_FILES
from lxtui.headless import Json
from lxtui.model import Ref
from lxtui.move_verbs import agrees

FILES = "List, read, pull, push and remove files of an instance, running or not"
_MOST_BYTES = 16 * 1024 * 1024
"""Of a file that goes into a JSON document."""
_ALL_BITS = 0o7777
Named = Callable[[str, str], Ref]
"""``HOST:NAME`` and a project as a reference."""


def add_files(sub: argparse.ArgumentParser) -> None:
    """One verb for each thing to do."""
    common = argparse.ArgumentParser(add_help=False)
    add_demo(common)
    common.add_argument(
        "--read-only",
        action="store_true",
        default=argparse.SUPPRESS,
        help="change nothing on any host",
    )
    common.add_argument("--project", default="", help="its project (default: the host's)")
    common.add_argument(
        "--json",
        action="store_true",
        default=argparse.SUPPRESS,
        help="print JSON; its keys do not change",
    )
    deeds = sub.add_subparsers(dest="deed", metavar="DEED", title="what to do", required=True)

    def deed(name: str, told: str) -> argparse.ArgumentParser:
        return deeds.add_parser(name, parents=[common], help=told, description=told)

    one = "a path inside the instance"
    ls = deed("ls", "List a directory of an instance")
    ls.add_argument("path", metavar="HOST:NAME[/PATH]", help=one)
    cat = deed("cat", "Print a file of an instance")
    cat.add_argument("path", metavar="HOST:NAME/PATH", help=one)
    pull = deed("pull", "Copy files and directories of an instance to this machine")
    pull.add_argument("paths", nargs="+", metavar="HOST:NAME/PATH", help=f"{one}; last: where to")
    _add_tree(pull)
    pull.add_argument(
        "--keep-mode", action="store_true", help="permissions as inside, not 0600 and 0700"
    )
    push = deed("push", "Copy files and directories of this machine into an instance")
    push.add_argument(
        "paths", nargs="+", metavar="LOCAL", help="what; -: standard input; last: HOST:NAME/PATH"
    )
    _add_tree(push)
    push.add_argument("-p", "--create-dirs", action="store_true", help="make missing directories")
    _add_owner(push, "of a file: 0644")
    make = deed("mkdir", "Make a directory in an instance")
    make.add_argument("path", metavar="HOST:NAME/PATH", help=one)
    make.add_argument("-p", "--create-dirs", action="store_true", help="those on the way too")
    _add_owner(make, "0755")
    remove = deed("rm", "Remove files of an instance")
    remove.add_argument("paths", nargs="+", metavar="HOST:NAME/PATH", help=one)
    remove.add_argument("-r", "--recursive", action="store_true", help="directories with all in it")
    remove.add_argument("--yes", action="store_true", help="do not ask on a terminal")
    _add_most(remove)


def _add_tree(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("-r", "--recursive", action="store_true", help="directories, with all in them")
    sub.add_argument("--links", action="store_true", help="symbolic links, as links")
    sub.add_argument("-f", "--force", action="store_true", help="replace what is there")
    _add_most(sub)


def _add_most(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--most",
        type=int,
        default=MOST_FILES,
        metavar="N",
        help=f"give up at more files than that ({MOST_FILES})",
    )


def _add_owner(sub: argparse.ArgumentParser, mode: str) -> None:
    sub.add_argument("--uid", metavar="UID", help="whose, inside (default: root's)")
    sub.add_argument("--gid", metavar="GID", help="its group, inside")
    sub.add_argument("--mode", metavar="MODE", help=f"permissions, octal ({mode})")


def run_files(
    options: argparse.Namespace, backends: Mapping[str, Backend], named: Named, audit: Audit
) -> int:
    """Do it; returns the exit status."""
    match options.deed:
        case "ls":
            ref, path = _one(options.path, options.project, named)
            return _told(options, ref, lambda: _ls(options, ref, path, backends[ref.host]))
        case "cat":
            ref, path = _one(options.path, options.project, named)
            return _told(options, ref, lambda: _cat(options, ref, path, backends[ref.host]))
        case _:
            command = _command(options, named)
    if isinstance(command, RemoveFiles) and not options.yes:
        shown = ", ".join(map(text.path, command.paths))
        if not agrees(f"remove {shown} of {command.ref}"):
            print("lxtui: nothing was removed", file=sys.stderr)
            return 1
    return headless.carry_out(
        f"files {options.deed}",
        command,
        backends,
        as_json=getattr(options, "json", False),
        audit=audit,
    )


def _command(options: argparse.Namespace, named: Named) -> Work:
    match options.deed:
        case "pull":
            return _pull(options, named)
        case "push":
            return _push(options, named)
        case "mkdir":
            ref, path = _one(options.path, options.project, named)
            mode = 0o755 if options.mode is None else paths.permissions(options.mode, "--mode")
            uid, gid = _owner(options)
            return MakeFolder(ref, path, options.create_dirs, mode, uid or 0, gid or 0)
        case _:
            ref, found = _several(options.paths, options.project, named)
            return RemoveFiles(ref, found, options.recursive, options.most)


def _pull(options: argparse.Namespace, named: Named) -> Pull:
    *inside, local = options.paths
    if not inside:
        raise UsageError("pull: write HOST:NAME/PATH … and then where to")
    ref, found = _several(inside, options.project, named)
    folder, sources = pull_names(ref, found, local)
    return Pull(
        ref,
        sources,
        folder,
        options.recursive,
        options.links,
        options.force,
        options.keep_mode,
        options.most,
    )


def _push(options: argparse.Namespace, named: Named) -> Push:
    *local, inside = options.paths
    if not local:
        raise UsageError("push: write what, and then HOST:NAME/PATH")
    ref, to = _one(inside, options.project, named)
    return Push(
        ref,
        tuple(Path("/dev/stdin" if one == "-" else one) for one in local),
        to,
        options.recursive,
        options.create_dirs,
        *_owner(options),
        None if options.mode is None else paths.permissions(options.mode, "--mode"),
        options.links,
        options.force,
        options.most,
    )


def _owner(options: argparse.Namespace) -> tuple[int | None, int | None]:
    uid, gid = options.uid, options.gid
    return (
        None if uid is None else paths.number(uid, "--uid"),
        None if gid is None else paths.number(gid, "--gid"),
    )


def _one(written: str, project: str, named: Named) -> tuple[Ref, bytes]:
    instance, path = paths.split(written)
    return named(instance, project), path


def _several(written: list[str], project: str, named: Named) -> tuple[Ref, tuple[bytes, ...]]:
    found = [_one(one, project, named) for one in written]
    refs = {ref for ref, _ in found}
    if len(refs) > 1:
        raise UsageError("all paths have to be of one instance")
    return found[0][0], tuple(path for _, path in found)


def _told(options: argparse.Namespace, ref: Ref, work: Callable[[], None]) -> int:
    """A program gets its object for every failure."""
    try:
        work()
    except LxtuiError as error:
        if getattr(options, "json", False):
            headless.print_json(headless.outcome_json(f"files {options.deed}", ref, error))
        raise
    return 0


def _ls(options: argparse.Namespace, ref: Ref, path: bytes, backend: Backend) -> None:
    backend.instance(ref)
    with backend.files(ref) as files:
        found = listed(files, path)
    if getattr(options, "json", False):
        headless.print_json([_json(found, one) for one in found.lines])
    else:
        for row in _rows(found):
            print(row)
    if found.cut:
        print(f"lxtui: only the first {len(found.lines)} names are shown", file=sys.stderr)


def _rows(found: Listing) -> list[str]:
    cells = [
        (
            one.mode,
            found.owner(one),
            str(one.entry.size) if one.kind is paths.Kind.FILE else "-",
            f"{one.modified:%Y-%m-%d %H:%M}" if one.modified is not None else "-",
            one.name + (f" -> {text.path(one.target)}" if one.target else ""),
        )
        for one in found.lines
    ]
    return text.table(("MODE", "OWNER", "SIZE", "MODIFIED", "NAME"), cells).splitlines()


def _json(found: Listing, one: Line) -> Json:
    return {
        "name": one.entry.name.decode(errors="backslashreplace"),
        "type": one.kind.value,
        "mode": f"{one.entry.mode & _ALL_BITS:04o}",
        "uid": one.entry.uid,
        "gid": one.entry.gid,
        "owner": found.users.get(one.entry.uid),
        "size_bytes": one.entry.size,
        "modified_at": headless.iso(one.modified),
        "target": one.target.decode(errors="backslashreplace") or None,
    }


def _cat(options: argparse.Namespace, ref: Ref, path: bytes, backend: Backend) -> None:
    backend.instance(ref)
    with backend.files(ref) as files:
        found = files.look(path, follow=True)
        if found is None:
            raise OperationError(f"{ref}{text.path(path)}: there is no such file")
        if paths.kind_of(found.mode) is not paths.Kind.FILE:
            raise OperationError(f"{ref}{text.path(path)} is a {paths.kind_of(found.mode)}")
        with files.opened(path) as (_, pieces):
            if getattr(options, "json", False):
                kept = bytearray()
                for piece in pieces:
                    kept += piece
                    if len(kept) > _MOST_BYTES:
                        raise OperationError(
                            f"more than the {_MOST_BYTES} bytes that fit into --json"
                        )
                content = kept.decode(errors="replace")
                answer = {**headless.outcome_json("files cat", ref, LxtuiError("")), "error": None}
                headless.print_json({**answer, "result": "done", "content": content})
            elif sys.stdout.isatty():
                _print_safely(pieces)
            else:
                sys.stdout.flush()
                for piece in pieces:
                    sys.stdout.buffer.write(piece)
                sys.stdout.buffer.flush()


def _print_safely(pieces: Iterator[bytes]) -> None:
    """For a terminal: what would drive it is left out."""
    decoder = getincrementaldecoder("utf-8")("replace")
    for piece in pieces:
        shown = decoder.decode(piece)
        print("".join(one if one in "\n\t" else text.plain(one) for one in shown), end="")
