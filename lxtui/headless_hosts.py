"""``lxtui hosts add`` and ``lxtui hosts remove``.

Role: arguments and questions → enrol.py, and what is said about it. A secret is read from standard
input or asked for without an echo; one that was given as an argument is used and never repeated.
Boundary: the terminal; no connections of its own. Threading: the main thread.
"""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from pathlib import Path

from lxtui import format as text
from lxtui import headless, remotes
from lxtui.audit.journal import SILENT, Audit
from lxtui.enrol import Candidate, Wish, enrol, remove, survey
from lxtui.errors import InterruptedByUserError, LxtuiError, ReadOnlyError, UsageError
from lxtui.model import Kind, Ref, Remote


def run_deed(options: argparse.Namespace, known: remotes.Remotes, audit: Audit = SILENT) -> str:
    """Add or remove; returns the name of the host. LxtuiError when it fails."""
    if getattr(options, "demo", False):
        raise UsageError("the simulated fleet has the hosts that it has")
    try:
        if options.deed == "add" and getattr(options, "read_only", False):
            raise ReadOnlyError(options.name)
        ref, what = Ref(options.name, "", ""), f"{options.deed} host {options.name}"
        with audit.of(ref, what, f"lxtui hosts {options.deed} {options.name}"):
            remote = _add(options) if options.deed == "add" else _remove(options, known)
    except LxtuiError as error:
        if options.json:
            headless.print_json(_json(options, None, error))
        raise
    if options.json:
        headless.print_json(_json(options, remote, None))
    elif options.deed == "add":
        print(f"{remote.name} was added: {text.plain(remote.address)}, project {remote.project}")
    else:
        print(f"{remote.name} was removed; on the host, 'config trust remove' ends its trust")
    return remote.name


def _add(options: argparse.Namespace) -> Remote:
    environ, home = os.environ, Path.home()
    secret = _secret(options)
    wish = Wish(
        options.name,
        options.address,
        Kind(options.kind) if options.kind else None,
        options.project,
        options.fingerprint,
    )
    candidate = survey(wish, secret, environ, home)
    for line in candidate.lines:
        print(text.plain(line), file=sys.stderr)
    if not candidate.confirmed and not options.yes:
        _confirm(candidate)
    if not secret and not candidate.greeting.trusted and sys.stdin.isatty():
        secret = getpass.getpass("Token or trust password: ", sys.stderr)
    return enrol(candidate, secret, environ, home)


def _secret(options: argparse.Namespace) -> str:
    if options.password_stdin or options.token == "-":  # noqa: S105 where to find it
        secret = sys.stdin.readline().rstrip("\n")
        if not secret:
            raise UsageError("standard input has no secret for us: put it there in one line")
        return secret
    return str(options.token)


def _confirm(candidate: Candidate) -> None:
    if not sys.stdin.isatty():
        raise UsageError(
            "nobody is here to look at the fingerprint: give the expected one with --fingerprint, "
            "or a token, which holds it"
        )
    print("Is that its fingerprint? [y/N/fingerprint] ", end="", file=sys.stderr, flush=True)
    said = sys.stdin.readline().strip().lower()
    if said not in {"y", "yes", candidate.greeting.fingerprint}:
        raise InterruptedByUserError(f"{candidate.wish.name} was not added")


def _remove(options: argparse.Namespace, known: remotes.Remotes) -> Remote:
    remote = known.named(options.name.rstrip(":"))
    if not options.yes and sys.stdin.isatty():
        print(f"Remove {remote.name} ({remote.address})? [y/N] ", end="", file=sys.stderr)
        sys.stderr.flush()
        if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
            raise InterruptedByUserError(f"{remote.name} was not removed")
    remove(remote, os.environ, Path.home())
    return remote


def _json(
    options: argparse.Namespace, remote: Remote | None, error: LxtuiError | None
) -> headless.Json:
    return {
        "command": f"hosts {options.deed}",
        "name": remote.name if remote else options.name,
        "kind": remote.kind.value if remote else None,
        "address": remote.address if remote else None,
        "project": remote.project if remote else None,
        "result": "failed" if error else "done",
        "error": str(error) if error else None,
    }
