"""``lxtui shell`` and ``lxtui console``.

Role: their arguments; a session at the caller's terminal or between its pipes; exit statuses.
Boundary: gets backends, writes text. Threading: the main thread.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence

from lxtui import headless
from lxtui.audit.journal import Audit
from lxtui.backend.base import Backend
from lxtui.errors import LxtuiError, NotStartedError, OperationError, ReadOnlyError, UsageError
from lxtui.model import Kind, Ref
from lxtui.terminal.asked import Asked, Console, Exec
from lxtui.terminal.interactive import StoppedError, run_interactive
from lxtui.terminal.streams import run_streams, to

_MOST_BYTES = 16 * 1024 * 1024
"""Of output that goes into a JSON document."""
_SIGNALLED = 128
"""A shell's: the exit status of what a signal has ended, with its number added."""
SHELL = "Open a shell in a running instance, or run a program in it; its exit status is ours"
CONSOLE = "Attach to the console of a running instance; Ctrl-a q leaves it"


def add_shell(sub: argparse.ArgumentParser) -> None:
    """Where, and what."""
    _add_instance(sub)
    sub.usage = "lxtui shell [OPTIONS] HOST:NAME [-- COMMAND ...]"
    sub.epilog = (
        "COMMAND is a program with its arguments; without one it is what 'shell' of config.yml "
        "says, else a login shell of root."
    )
    sub.add_argument(
        "--env", metavar="KEY=VALUE", action="append", default=[], help="for its environment"
    )
    sub.add_argument("--cwd", default="", metavar="PATH", help="where it begins")
    sub.add_argument("--user", type=int, metavar="UID", help="whose it is (default: root's)")
    sub.add_argument("--group", type=int, metavar="GID", help="its group")
    sub.add_argument(
        "--interactive",
        action=argparse.BooleanOptionalAction,
        help="give it a terminal or not (default: if standard input and output are one)",
    )


def add_console(sub: argparse.ArgumentParser) -> None:
    """Where."""
    _add_instance(sub)
    sub.add_argument(
        "--force", action="store_true", help="take it from whoever has it (Incus only)"
    )


def _add_instance(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("instance", metavar="HOST:NAME", help="the instance, as lxc writes it")
    sub.add_argument("--project", default="", help="its project (default: the host's)")


def run_shell(
    options: argparse.Namespace,
    ref: Ref,
    backends: Mapping[str, Backend],
    audit: Audit,
    shell: Sequence[str],
) -> int:
    """The program's exit status."""
    if bad := [one for one in options.env if not one.partition("=")[0] or "=" not in one]:
        raise UsageError(f"{bad[0]}: write it as KEY=VALUE")
    environment = dict(one.split("=", 1) for one in options.env)
    argv = tuple(options.argv) or tuple(shell)
    asked = Exec(ref, argv, environment, options.cwd, options.user, options.group)
    if options.json:
        return _print_json(asked, backends, audit)
    interactive = options.interactive
    if interactive is None:
        interactive = sys.stdin.isatty() and sys.stdout.isatty()
    if interactive:
        return run_asked(asked, backends, audit)
    sys.stdout.flush()
    with audit.of(ref, asked.title, asked.audited(_ready(asked, backends))):
        try:
            return run_streams(asked, backends[ref.host], to(1), to(2))
        except BrokenPipeError as error:
            raise LxtuiError("nobody reads the output any more") from error


def split(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Our own words, and the program's after ``--``: argparse would look for options in them."""
    ours, dashes, theirs = [], False, []
    for word in words:
        if dashes:
            theirs.append(word)
        elif word == "--" and "shell" in ours:
            dashes = True
        else:
            ours.append(word)
    if dashes and not theirs:
        raise UsageError("-- stands before a program: lxtui shell HOST:NAME -- COMMAND")
    return ours, theirs


def run_console(
    options: argparse.Namespace, ref: Ref, backends: Mapping[str, Backend], audit: Audit
) -> int:
    """0 when it was left, or has ended."""
    if options.json:
        raise UsageError("a console is for people: there is no JSON of it")
    if options.force and backends[ref.host].remote.kind is Kind.LXD:
        raise UsageError(f"{ref.host}: LXD lets nobody take a console from somebody else")
    print("Ctrl-a q leaves the console", file=sys.stderr)
    return run_asked(Console(ref, options.force), backends, audit)


def run_asked(asked: Asked, backends: Mapping[str, Backend], audit: Audit) -> int:
    """At the caller's own terminal."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("this needs a terminal: standard input and output are none")
    kind = _ready(asked, backends)
    term = os.environ.get("TERM", "")
    try:
        with audit.of(asked.ref, asked.title, asked.audited(kind)):
            status = run_interactive(asked, backends[asked.ref.host], term=term)
    except StoppedError as stopped:
        print(f"lxtui: {stopped}", file=sys.stderr)
        return _SIGNALLED + stopped.number
    if status is None:
        print("detached", file=sys.stderr)
    return status or 0


def _ready(asked: Asked, backends: Mapping[str, Backend]) -> Kind:
    """The kind of its host, which may be written to and has the instance running."""
    backend = backends[asked.ref.host]
    if backend.remote.read_only:
        raise ReadOnlyError(asked.ref.host)
    if not backend.instance(asked.ref).running:  # said better here than by the daemon
        raise OperationError(f"{asked.ref} does not run: start it first")
    return backend.remote.kind


def _print_json(asked: Exec, backends: Mapping[str, Backend], audit: Audit) -> int:
    """The output in one document: text, with what is none replaced."""
    stdout, stderr = bytearray(), bytearray()

    def keep(data: bytes, into: bytearray) -> None:
        if len(into) + len(data) > _MOST_BYTES:
            raise LxtuiError(f"more output than the {_MOST_BYTES} bytes that fit into --json")
        into += data

    answer = headless.outcome_json("shell", asked.ref, LxtuiError(""))
    try:
        with audit.of(asked.ref, asked.title, asked.audited(_ready(asked, backends))):
            backend = backends[asked.ref.host]
            status = run_streams(
                asked, backend, lambda data: keep(data, stdout), lambda data: keep(data, stderr)
            )
    except LxtuiError as error:
        code = error.status if isinstance(error, NotStartedError) else None
        headless.print_json({**answer, "error": str(error), "status": code})
        raise
    texts = {"stdout": stdout.decode(errors="replace"), "stderr": stderr.decode(errors="replace")}
    headless.print_json({**answer, "result": "done", "error": None, "status": status, **texts})
    return status
