"""``lxtui edit`` and ``lxtui set``: configuration without a screen.

Role: their arguments; the user's editor, the difference, agreement, what the daemon says. Boundary:
runs the editor, gets backends, writes text. Threading: the main thread.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Event as Flag

from lxtui import format as text
from lxtui import headless
from lxtui.audit.journal import Audit
from lxtui.backend.base import Backend
from lxtui.calls.documents import PutDocument
from lxtui.editing.documents import (
    OTHERS,
    Editable,
    difference,
    of_instance,
    of_other,
    of_profile,
    shown,
    understood,
)
from lxtui.editing.editor import run_editor
from lxtui.editing.session import Session, default_folder
from lxtui.errors import ConflictError, LxtuiError, UsageError
from lxtui.model import Ref
from lxtui.perform import Outcome, perform

_TRIES = 5
"""How often single keys are set anew after somebody else has changed others."""


def add_edit(sub: argparse.ArgumentParser) -> None:
    """What is edited."""
    _add_object(sub)
    sub.add_argument("--yes", action="store_true", help="send it without showing it first")


def add_set(sub: argparse.ArgumentParser) -> None:
    """Which keys become what."""
    _add_object(sub)
    sub.add_argument("keys", metavar="KEY=VALUE", nargs="*", help="keys of the configuration")
    sub.add_argument(
        "--unset", metavar="KEY", action="append", default=[], help="remove this; may be repeated"
    )


def _add_object(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("instance", metavar="HOST:NAME", help="the instance, as lxc writes it")
    sub.add_argument("--project", default="", help="its project (default: the host's)")
    kind = sub.add_mutually_exclusive_group()
    kind.add_argument("--profile", action="store_true", help="NAME is a profile")
    for noun in OTHERS:
        what = "a storage pool" if noun == "storage" else f"a {noun}"
        told = f"NAME is {what}"
        name = "of-project" if noun == "project" else noun
        kind.add_argument(f"--{name}", dest="other", action="store_const", const=noun, help=told)


def run_edit(
    options: argparse.Namespace, ref: Ref, backends: Mapping[str, Backend], audit: Audit
) -> bool:
    """Edit, or take what comes from standard input; whether it is as was wanted now."""
    what, backend = _object(options, ref), backends[ref.host]
    document = backend.read(what.path, what.parameters)
    if not sys.stdin.isatty():
        after = understood(what, sys.stdin.read())
        return _tell(options, ref, _send(PutDocument(what, document, after), backends, audit))
    if backend.remote.read_only:
        raise LxtuiError(f"{ref.host} is read-only: there is nothing to edit")
    session = Session(what, document, default_folder(os.environ, Path.home()))
    outcome = _edit(session, options, backends, audit)
    if outcome is None:
        session.over()
        print("lxtui: nothing was changed", file=sys.stderr)
        return True
    if isinstance(outcome, Outcome):
        session.over()
    else:
        print(f"lxtui: your text is kept: {session.file}", file=sys.stderr)
    return _tell(options, ref, outcome)


def _edit(
    session: Session,
    options: argparse.Namespace,
    backends: Mapping[str, Backend],
    audit: Audit,
) -> Outcome | LxtuiError | None:
    """Until it is sent, given up or left as it is."""
    what = session.what
    while True:
        run_editor(session.file)
        try:
            command = session.command
        except UsageError as error:
            if not session.touched or not _again(f"{error}"):
                return error
            session.note(str(error))
            continue
        if command is None:
            return None
        kind = backends[what.ref.host].remote.kind
        for line in difference(shown(what, command.before.value), command.after):
            print(line, file=sys.stderr)
        print(text.plain(f"as: {command.equivalent(kind)}"), file=sys.stderr)
        if not options.yes and not _asked("Send it? [y/N] "):
            return LxtuiError(f"{what.title} was left as it is")
        outcome = _send(command, backends, audit)
        if isinstance(outcome, ConflictError):
            session.take_up(backends[what.ref.host].read(what.path, what.parameters))
            if _again(
                "somebody else has changed it meanwhile; your changes are put on top of that"
            ):
                continue
        elif isinstance(outcome, LxtuiError) and _again(str(outcome)):
            session.note(str(outcome))
            continue
        return outcome


def run_set(
    options: argparse.Namespace, ref: Ref, backends: Mapping[str, Backend], audit: Audit
) -> bool:
    """Set and remove keys; whether that is done. Others' changes of other keys stay."""
    fresh = dict(one.split("=", 1) for one in options.keys if "=" in one)
    if bad := [one for one in options.keys if "=" not in one or one.startswith("=")]:
        raise UsageError(f"{bad[0]}: write it as KEY=VALUE")
    if own := [key for key in (*fresh, *options.unset) if key.startswith("volatile.")]:
        raise UsageError(f"{own[0]} is the daemon's own")
    if not fresh and not options.unset:
        raise UsageError("nothing to set: give KEY=VALUE or --unset KEY")
    what = _object(options, ref)

    def change(config: dict[str, str]) -> dict[str, str]:
        left = {key: value for key, value in config.items() if key not in options.unset}
        return {key: value for key, value in {**left, **fresh}.items() if value}

    return _tell(options, ref, set_config(what, change, backends, audit))


def set_config(
    what: Editable,
    change: Callable[[dict[str, str]], dict[str, str]],
    backends: Mapping[str, Backend],
    audit: Audit,
) -> Outcome | LxtuiError:
    """Read, change, send; anew when somebody else was faster."""
    for _ in range(_TRIES):
        document = backends[what.ref.host].read(what.path, what.parameters)
        before = shown(what, document.value)
        after = {**before, "config": change(before["config"])}
        if after == before:
            return Outcome(f"{what.title} has that already")
        outcome = _send(PutDocument(what, document, after), backends, audit)
        if not isinstance(outcome, ConflictError):
            return outcome
    return outcome


def _send(
    command: PutDocument, backends: Mapping[str, Backend], audit: Audit
) -> Outcome | LxtuiError:
    try:
        return perform(command, backends, lambda _: None, Flag(), audit=audit)
    except LxtuiError as error:
        return error


def _tell(options: argparse.Namespace, ref: Ref, outcome: Outcome | LxtuiError) -> bool:
    if options.json:
        headless.print_json(headless.outcome_json(options.verb, ref, outcome))
    elif isinstance(outcome, Outcome):
        print(text.plain(outcome.text))
    if isinstance(outcome, LxtuiError):
        print(f"lxtui: {outcome}", file=sys.stderr)
    return isinstance(outcome, Outcome)


def _object(options: argparse.Namespace, ref: Ref) -> Editable:
    if options.other:
        return of_other(ref, options.other)
    return of_profile(*ref) if options.profile else of_instance(ref)


def _again(trouble: str) -> bool:
    print(f"lxtui: {trouble}", file=sys.stderr)
    return _asked("Edit again? [y/N] ")


def _asked(question: str) -> bool:
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
