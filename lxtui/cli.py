"""lxtui's command line: the TUI's entry and the headless verbs.

Role: arguments → backends and commands; exit status 0 done, 1 failed, 2 bad usage. Boundary: the
verbs that change something come from the table of actions; Textual is imported only when a screen
is opened. Threading: the main thread.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from lxtui import (
    __version__,
    config,
    headless,
    headless_list,
    read_only,
    remotes,
)
from lxtui.arranging import View
from lxtui.audit.journal import Audit
from lxtui.audit.journal import default_path as default_audit
from lxtui.backend.base import Backend
from lxtui.config_reading import load
from lxtui.demo_arguments import add_demo, simulated
from lxtui.errors import LxtuiError, NotStartedError, UsageError
from lxtui.headless_audit import add_audit, print_audit
from lxtui.headless_config import add_config, run_config
from lxtui.headless_edit import add_edit, add_set, run_edit, run_set
from lxtui.headless_terminal import split
from lxtui.host_arguments import add_hosts
from lxtui.instance_arguments import add_verbs
from lxtui.instance_verbs import json_of_failure, ref_of, run_command
from lxtui.list_arguments import PLAIN, add_list, view_of
from lxtui.more_verbs import MORE, At, add_more, run_more
from lxtui.move_arguments import add_evacuate, add_moves
from lxtui.move_verbs import DONE, FAILED, agrees, evacuate, journals, moves, take_up

if TYPE_CHECKING:
    from lxtui.fleet import Fleet
    from lxtui.screens.add_host import Look
    from lxtui.screens.server_images import ServerLists
from lxtui.headless_tables import carry_out, print_table
from lxtui.resources.catalog import named
from lxtui.saved_theme import SavedTheme
from lxtui.saved_theme import default_path as default_theme
from lxtui.saved_views import SavedViews
from lxtui.saved_views import default_path as default_views
from lxtui.table_arguments import LISTED, SINGULAR, add_tables, deed_of

BAD_USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run lxtui; returns the exit status."""
    try:
        words, program = split(sys.argv[1:] if arguments is None else arguments)
        options = _parser().parse_args(words)
    except UsageError as error:
        print(f"lxtui: {error}", file=sys.stderr)
        return BAD_USAGE
    except SystemExit as leave:  # argparse has said why
        return int(leave.code or 0)
    options.argv = program
    listing = options.verb in {
        None,
        "hosts",
        "list",
        "snapshots",
        "audit",
        "config",
        "doctor",
        *LISTED,
    }
    try:
        status = _run(options)
        sys.stdout.flush()
    except UsageError as error:
        print(f"lxtui: {error}", file=sys.stderr)
        return BAD_USAGE
    except LxtuiError as error:
        print(f"lxtui: {error}", file=sys.stderr)
        return error.status if isinstance(error, NotStartedError) else FAILED
    except BrokenPipeError:
        # The reader has seen enough; Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE if listing else FAILED
    except KeyboardInterrupt:
        return FAILED
    return status


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as all of lxtui's errors are."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} ('{self.prog} --help' says more)")


def _common(*, demo: bool) -> argparse.ArgumentParser:
    """What stands before a verb or after it; *demo*: the help tells of the simulated fleet too."""
    common = argparse.ArgumentParser(add_help=False)
    add_demo(common, told=demo)
    common.add_argument(
        "--read-only",
        action="store_true",
        default=argparse.SUPPRESS,
        help="change nothing on any host",
    )
    return common


def _parser() -> argparse.ArgumentParser:
    common = _common(demo=True)
    verbs = argparse.ArgumentParser(add_help=False, parents=[_common(demo=False)])
    verbs.add_argument("--json", action="store_true", help="print JSON; its keys do not change")

    parser: argparse.ArgumentParser = _Parser(
        prog="lxtui",
        parents=[common],
        description="A terminal UI over many LXD and Incus hosts. Without a verb it opens the "
        "screen, or prints the fleet when there is no terminal.",
        epilog="Hosts are those of 'lxc remote list' and 'incus remote list', and local sockets.",
    )
    parser.add_argument("--version", action="version", version=f"lxtui {__version__}")
    subs = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs")
    told = "List the hosts and whether they answer; add, remove one"
    listed = subs.add_parser("hosts", parents=[verbs], help=told, description=told)
    add_hosts(listed, verbs)
    told = "List instances of all hosts, or of some"
    listing = subs.add_parser("list", parents=[verbs], help=told, description=told)
    add_list(listing)
    told = "List snapshots of all instances, or of one"
    snapshots = subs.add_parser("snapshots", parents=[verbs], help=told, description=told)
    snapshots.add_argument("instance", nargs="?", metavar="HOST:NAME", help="of this instance only")
    snapshots.add_argument("--project", default="", help="its project (default: the host's)")
    add_verbs(subs, verbs)
    add_tables(subs, verbs)
    away = subs.add_parser(
        "evacuate",
        parents=[verbs],
        help="Move all instances of a host to others",
        description="Move all instances of a host to one or several others, by what fits memory "
        "and disk. Nothing is begun when one does not fit, nothing more after a failure, unless "
        "--keep-going is given.",
    )
    add_evacuate(away)
    moves = subs.add_parser(
        "moves",
        parents=[verbs],
        help="List moves that were left unfinished, and sources that were kept",
        description="List moves that were left unfinished, and sources that were kept. With --json "
        "the unfinished moves, or with --kept the sources.",
    )
    moves.set_defaults(instance="")
    add_moves(moves)
    for verb, told in (
        ("resume", "Finish a move that was left unfinished"),
        ("undo", "Put back a move that was left unfinished"),
    ):
        sub = subs.add_parser(verb, parents=[verbs], help=told, description=told)
        sub.add_argument("move", metavar="MOVE", help="as 'lxtui moves' calls it")
        if verb == "undo":
            lost = "also where the copy runs, or has run, and what it wrote since is lost"
            sub.add_argument("--yes", action="store_true", help=lost)
    told = "Edit an instance or a profile as YAML in $VISUAL or $EDITOR, or take it from stdin"
    add_edit(subs.add_parser("edit", parents=[verbs], help=told, description=told))
    told = "Set and remove keys of the configuration of an instance or a profile"
    add_set(subs.add_parser("set", parents=[verbs], help=told, description=told))
    told = "List what was done with lxtui from this account: who, when, where, what, the result"
    add_audit(subs.add_parser("audit", parents=[verbs], help=told, description=told))
    told = "Say where the settings are, whether they are right, and what is in effect"
    add_config(subs.add_parser("config", help=told, description=told))
    told = "Look at everything that lxtui rests on: settings, keys, state, terminal, each host"
    doctor = subs.add_parser("doctor", parents=[verbs], help=told, description=told)
    doctor.add_argument("host", nargs="*", metavar="HOST", help="only these hosts")
    add_more(subs, verbs)
    return parser


def _run(options: argparse.Namespace) -> int:
    if options.verb == "config":
        return run_config(options.deed, os.environ, Path.home(), as_machine=options.json)
    doctor = options.verb == "doctor"  # which says itself what is wrong in the settings
    settings = load(os.environ, Path.home(), tolerant=doctor)
    audit = _audit(options)
    if options.verb == "audit":
        print_audit(options, audit)
        return DONE
    backends, known = _backends(options, settings)
    if options.verb is None:
        if all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
            os.environ.setdefault("TEXTUAL_FPS", "120")  # a key waits for the next frame
            from lxtui.app import LxtuiApp  # noqa: PLC0415 Textual costs every verb 0.14 s
            from lxtui.fleet import Fleet  # noqa: PLC0415 the same

            with journals(options) as folder:
                fleet = Fleet(
                    backends.values(), poll_seconds=settings.poll_seconds, moves=folder, audit=audit
                )
                look = _look(options, fleet, settings)
                app = LxtuiApp(
                    fleet,
                    settings,
                    look_at_host=look,
                    views=_views(options),
                    saved_theme=_theme(options),
                    server_lists=_server_lists(options),
                )
                try:
                    app.run()
                finally:
                    audit.complain = _complain
                    failed = headless.finish_jobs(fleet.jobs)
                    fleet.close()
            return FAILED if failed else app.return_code or DONE
        return _list(options, backends, known, tolerant=True)
    try:
        if doctor:
            from lxtui.headless_doctor import run_doctor  # noqa: PLC0415 cryptography's time

            return run_doctor(options, backends, known, os.environ, Path.home())
        if options.verb == "hosts":
            if options.deed:
                from lxtui.headless_hosts import run_deed  # noqa: PLC0415 cryptography's time

                run_deed(options, known, audit)
                return DONE
            return _hosts(options, backends)
        if options.verb == "list":
            return _list(options, backends, known)
        if options.verb == "snapshots":
            return _snapshots(options, backends, known)
        if options.verb in LISTED:
            return print_table(named(options.verb), options, backends, known, _views(options))
        if options.verb in SINGULAR:
            table = SINGULAR[options.verb]
            deed = deed_of(table, options.deed)
            return carry_out(deed, named(table), options, backends, known, agrees, audit)
        if options.verb == "moves":
            return moves(options, backends, audit)
        if options.verb == "evacuate":
            return evacuate(options, backends, known, audit)
        if options.verb in {"edit", "set"}:
            ref = ref_of(options.instance, options.project, known)
            run = run_edit if options.verb == "edit" else run_set
            with json_of_failure(options, ref):
                return DONE if run(options, ref, backends, audit) else FAILED
        if options.verb in MORE:
            return run_more(At(options, backends, settings, audit, partial(ref_of, known=known)))
        if options.verb in {"resume", "undo"}:
            return take_up(options, backends, audit)
        return run_command(options, backends, known, audit)
    finally:
        for backend in backends.values():
            backend.close()


def _look(options: argparse.Namespace, fleet: Fleet, settings: config.Settings) -> Look | None:
    """How the screen looks at a host that is to be added, where one can be."""
    if getattr(options, "demo", False) or getattr(options, "read_only", False):
        return None
    from lxtui.backend.lxd import LxdBackend  # noqa: PLC0415 as below
    from lxtui.newcomers import Newcomers  # noqa: PLC0415 as below

    return Newcomers(fleet, LxdBackend, settings.read_only).look


def _server_lists(options: argparse.Namespace) -> ServerLists | None:
    """How the screen asks an image server what it has; the demo asks nobody."""
    if getattr(options, "demo", False):
        return None
    from lxtui.backend.streams import lists  # noqa: PLC0415 as below

    return lists


def _backends(
    options: argparse.Namespace, settings: config.Settings
) -> tuple[dict[str, Backend], remotes.Remotes]:
    every = getattr(options, "read_only", False)
    if fleet := simulated(options):
        known = remotes.Remotes(tuple(backend.remote for backend in fleet))
        known = read_only.marked(known, settings.read_only, every=every)
        for backend in fleet:
            backend.read_only = known.named(backend.remote.name).read_only
        return {backend.remote.name: backend for backend in fleet}, known
    from lxtui.backend.lxd import LxdBackend  # noqa: PLC0415 pylxd costs --help and --demo 0.12 s

    known = remotes.load(os.environ, Path.home())
    known = read_only.marked(known, settings.read_only, every=every)
    for problem in () if options.verb == "doctor" else known.problems:
        print(f"lxtui: {problem}", file=sys.stderr)
    return {remote.name: LxdBackend(remote) for remote in known.remotes}, known


def _audit(options: argparse.Namespace) -> Audit:
    """The user's journal; the demo keeps none. Said on standard error if it cannot be written."""
    demo = getattr(options, "demo", False)
    audit = Audit(None if demo else default_audit(os.environ, Path.home()))
    audit.complain = _complain
    return audit


def _complain(line: str) -> None:
    print(f"lxtui: {line}", file=sys.stderr)


def _views(options: argparse.Namespace) -> SavedViews:
    """The user's; the demo's are forgotten with it."""
    demo = getattr(options, "demo", False)
    return SavedViews(None if demo else default_views(os.environ, Path.home()))


def _theme(options: argparse.Namespace) -> SavedTheme:
    """The user's; the demo's is forgotten with it."""
    demo = getattr(options, "demo", False)
    return SavedTheme(None if demo else default_theme(os.environ, Path.home()))


def _hosts(options: argparse.Namespace, backends: dict[str, Backend]) -> int:
    found = headless.hosts(backends)
    if options.json:
        headless.print_json([headless.host_json(host) for host in found])
    else:
        headless.print_hosts(found)
        _say_when_empty(backends)
    return DONE


def _list(
    options: argparse.Namespace,
    backends: dict[str, Backend],
    known: remotes.Remotes,
    *,
    tolerant: bool = False,
) -> int:
    if getattr(options, "columns", "") == "help":
        headless_list.print_columns()
        return DONE
    names = [known.named(name.rstrip(":")).name for name in getattr(options, "host", [])]
    asked = {name: backends[name] for name in names} if names else backends
    view = view_of(options, View(columns=PLAIN), _views(options))
    errors = headless_list.print_list(
        asked,
        view,
        as_json=getattr(options, "json", False),
        with_columns=view.columns != PLAIN,
    )
    if not getattr(options, "json", False):
        _say_when_empty(backends)
    for error in errors:
        print(f"lxtui: {error}", file=sys.stderr)
    return FAILED if errors and not tolerant else DONE


def _snapshots(
    options: argparse.Namespace, backends: dict[str, Backend], known: remotes.Remotes
) -> int:
    errors: list[LxtuiError] = []
    if options.instance:
        ref = ref_of(options.instance, options.project, known)
        found = [backends[ref.host].instance(ref)]
    else:
        found, errors = headless.instances(backends)
    if options.json:
        headless.print_json([row for one in found for row in headless.snapshots_json(one)])
    else:
        headless.print_snapshots(found)
    for error in errors:
        print(f"lxtui: {error}", file=sys.stderr)
    return FAILED if errors else DONE


def _say_when_empty(backends: Mapping[str, Backend]) -> None:
    if not backends:
        print(
            "lxtui: no hosts: add one with 'lxtui hosts add NAME ADDRESS', "
            "or look at 'lxtui --demo'",
            file=sys.stderr,
        )


if __name__ == "__main__":
    sys.exit(main())
