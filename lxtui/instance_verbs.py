"""The verbs that are about an instance, and what they name.

Role: parsed arguments → a command, carried out, or planned; exit status, as in cli.py, which calls
these. Boundary: prints by way of headless*.py. Threading: the main thread.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from lxtui import copying_many, headless, remotes
from lxtui.actions import command_for
from lxtui.audit.journal import Audit
from lxtui.backend.base import Backend
from lxtui.calls.snapshots import RenameSnapshot, SetExpiry, TakeSnapshot
from lxtui.clock import utc_now
from lxtui.commands import Command, Move, RestoreSnapshot
from lxtui.errors import LxtuiError, UsageError
from lxtui.expiry import expiry
from lxtui.headless_many import find, run_many, settle
from lxtui.headless_restore import show_loss
from lxtui.instance_arguments import FORCEABLE
from lxtui.model import Ref, parse_ref
from lxtui.move_arguments import move_options
from lxtui.move_verbs import DONE, FAILED, agrees, journals, show_plan
from lxtui.names import instance_name_trouble, snapshot_name_trouble
from lxtui.publishing import publishing
from lxtui.restoring import restoring


def run_command(
    options: argparse.Namespace,
    backends: dict[str, Backend],
    known: remotes.Remotes,
    audit: Audit,
) -> int:
    """Carry the verb out, for one instance or for all that a filter matches."""
    if getattr(options, "filter", "") and options.verb == "copy":
        return _copy_many(options, backends, known, audit)
    if getattr(options, "filter", ""):
        if getattr(options, "stateless", False):
            raise UsageError("--stateless is for one instance at a time")
        force = getattr(options, "force", False)
        action = FORCEABLE[options.verb] if force else options.verb
        return DONE if run_many(options, action, backends, audit) else FAILED
    if not options.instance:
        raise UsageError("HOST:NAME is required, or --filter")
    try:
        command = _command_of(options, backends, known)
    except UsageError:
        raise
    except LxtuiError as error:
        if options.json:  # a program gets its object for every failure
            host, colon, name = options.instance.partition("/")[0].partition(":")
            where = (host, name) if colon else ("", host)
            ref = Ref(where[0], options.project or "default", where[1])
            headless.print_json(headless.outcome_json(options.verb, ref, error))
        raise
    if options.verb == "delete" and not options.yes and not agrees(command.title):
        print("lxtui: nothing was deleted", file=sys.stderr)
        return FAILED
    if isinstance(command, Move) and options.dry_run:
        return show_plan(command, backends, options)
    if isinstance(command, RestoreSnapshot) and options.dry_run:
        return DONE if show_loss(command, backends, as_json=options.json) else FAILED
    if getattr(options, "dry_run", False):
        raise UsageError(f"{options.verb}: --dry-run is for --filter")
    with journals(options) as folder:
        return headless.carry_out(
            options.verb, command, backends, as_json=options.json, moves=folder, audit=audit
        )


def _copy_many(
    options: argparse.Namespace,
    backends: Mapping[str, Backend],
    known: remotes.Remotes,
    audit: Audit,
) -> int:
    """Copy all that match, each under the name that the pattern makes of its own."""
    host, colon, pattern = options.answer.partition(":")
    if not colon and copying_many.NAME in host:
        host, pattern = "", host
    pattern = pattern or copying_many.NAME
    if trouble := copying_many.pattern_trouble(pattern):
        raise UsageError(f"{pattern!r}: {trouble}")
    options.copy = True
    wishes = move_options(options)
    if wishes.refresh:
        raise UsageError("--refresh is for one copy at a time")
    target = known.named(host).name if host else ""
    found = find(options, backends)
    refs = (one.ref for one in found.every)
    bulk = copying_many.plan(pattern, target, found.matching, found.hosts.get, refs, options=wishes)
    with journals(options) as folder:
        return DONE if settle(options, bulk, found, backends, audit, folder) else FAILED


def _command_of(
    options: argparse.Namespace, backends: Mapping[str, Backend], known: remotes.Remotes
) -> Command:
    verb = options.verb
    instance, _, snapshot = options.instance.partition("/")
    if snapshot and verb not in {"delete", "rename", "expire", "publish"}:
        raise UsageError(f"{options.instance!r} names a snapshot: {verb} takes an instance")
    ref = ref_of(instance, options.project, known)
    if verb == "expire" and not snapshot:
        raise UsageError(f"{options.instance!r} names no snapshot: write HOST:NAME/SNAPSHOT")
    if verb == "publish":
        instance_now, how = backends[ref.host].instance(ref), options.compression
        return publishing(instance_now, snapshot, options.alias, how, public=options.public)
    if snapshot:
        return _of_snapshot(options, ref, snapshot)
    force = getattr(options, "force", False)
    action = FORCEABLE.get(verb, verb) if force else verb
    answer = getattr(options, "answer", "")
    if verb == "copy":
        options.copy = True
        if ":" not in answer and answer not in {one.name for one in known.remotes}:
            answer = f"{ref.host}:{answer}"
    if verb in {"move", "copy"}:
        target, name = _target(answer, known)
        return Move(ref, target, move_options(options, name if name != ref.name else ""))
    if verb == "snapshot":
        _check_name(answer, snapshot_name_trouble(answer))
        if options.expires or options.stateful:
            when = expiry(options.expires, utc_now()) if options.expires else None
            return TakeSnapshot(ref, answer, when, options.stateful)
    if verb == "restore":
        return restoring(backends[ref.host].instance(ref), answer, stateless=options.stateless)
    if verb == "rename":
        _check_name(answer, instance_name_trouble(answer, known.named(ref.host).kind))
    return command_for(action, ref, answer)


def _of_snapshot(options: argparse.Namespace, ref: Ref, name: str) -> Command:
    if options.verb == "rename":
        _check_name(options.answer, snapshot_name_trouble(options.answer))
        return RenameSnapshot(ref, name, options.answer)
    if options.verb == "expire":
        return SetExpiry(ref, name, expiry(options.answer, utc_now()))
    return command_for("delete-snapshot", ref, name)


@contextmanager
def json_of_failure(options: argparse.Namespace, ref: Ref) -> Iterator[None]:
    """A program gets its object for every failure."""
    try:
        yield
    except LxtuiError as error:
        if options.json and not isinstance(error, UsageError):
            headless.print_json(headless.outcome_json(options.verb, ref, error))
        raise


def _target(written: str, known: remotes.Remotes) -> tuple[str, str]:
    """The host and the name that ``HOST``, ``HOST:`` or ``HOST:NAME`` say."""
    host, _, name = written.partition(":")
    return known.named(host).name, name


def _check_name(name: str, trouble: str) -> None:
    if trouble:
        raise UsageError(f"{name!r}: {trouble}")


def ref_of(written: str, project: str, known: remotes.Remotes) -> Ref:
    """What ``HOST:NAME`` means, or ``NAME`` on the default remote."""
    if written and ":" not in written:
        remote = known.default_for(written)
        return Ref(remote.name, project or remote.project, written)
    ref = parse_ref(written)
    remote = known.named(ref.host)
    return Ref(remote.name, project or remote.project, ref.name)
