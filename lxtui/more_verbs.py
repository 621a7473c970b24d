"""Verbs that bring their own module: where a verb's arguments and its work are.

Role: one table, read by the parser and by the command line. Boundary: no behaviour of its own.
Threading: the main thread.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lxtui import headless_backups as backups
from lxtui import headless_files as files
from lxtui import headless_launch as launch
from lxtui import headless_limits as limits
from lxtui import headless_snapshots as old_snapshots
from lxtui import headless_terminal as terminal
from lxtui.audit.journal import Audit
from lxtui.backend.base import Backend
from lxtui.config import Settings
from lxtui.errors import UsageError
from lxtui.instance_verbs import json_of_failure
from lxtui.model import Ref

if TYPE_CHECKING:
    Verbs = argparse._SubParsersAction[argparse.ArgumentParser]


@dataclass(frozen=True, slots=True)
class At:
    """What a verb may need."""

    options: argparse.Namespace
    backends: Mapping[str, Backend]
    settings: Settings
    audit: Audit
    named: Callable[[str, str], Ref]
    """``HOST:NAME`` and a project as a reference; UsageError when it is none."""

    @property
    def ref(self) -> Ref:
        """The instance that the arguments name."""
        return self.named(self.options.instance, self.options.project)


@dataclass(frozen=True, slots=True)
class _Verb:
    help: str
    add: Callable[[argparse.ArgumentParser], None]
    run: Callable[[At], int]
    """Returns the exit status."""


def _limits(at: At) -> int:
    """Of all that a filter matches, or of one; a program gets its object for every failure."""
    if at.options.filter:
        return 0 if limits.run_limits_many(at.options, at.backends, at.audit) else 1
    if not at.options.instance:
        raise UsageError("HOST:NAME is required, or --filter")
    with json_of_failure(at.options, at.ref):
        limits.run_limits(at.options, at.ref, at.backends, at.audit)
    return 0


MORE: Mapping[str, _Verb] = {
    "export": _Verb(
        backups.EXPORT,
        backups.add_export,
        lambda at: backups.run_export(at.options, at.backends, at.named, at.audit),
    ),
    "import": _Verb(
        backups.IMPORT,
        backups.add_import,
        lambda at: backups.run_import(at.options, at.backends, at.named, at.audit),
    ),
    "files": _Verb(
        files.FILES,
        files.add_files,
        lambda at: files.run_files(at.options, at.backends, at.named, at.audit),
    ),
    "limits": _Verb(limits.LIMITS, limits.add_limits, _limits),
    "delete-snapshots": _Verb(
        old_snapshots.DELETE,
        old_snapshots.add_delete_snapshots,
        lambda at: old_snapshots.run_delete_snapshots(at.options, at.backends, at.named, at.audit),
    ),
    "launch": _Verb(
        launch.LAUNCH,
        launch.add_launch,
        lambda at: launch.run_launch(at.options, at.backends, at.named, at.audit),
    ),
    "shell": _Verb(
        terminal.SHELL,
        terminal.add_shell,
        lambda at: terminal.run_shell(at.options, at.ref, at.backends, at.audit, at.settings.shell),
    ),
    "console": _Verb(
        terminal.CONSOLE,
        terminal.add_console,
        lambda at: terminal.run_console(at.options, at.ref, at.backends, at.audit),
    ),
}


def add_more(subs: Verbs, verbs: argparse.ArgumentParser) -> None:
    """The arguments of each; *verbs* has what all verbs know."""
    for name, verb in MORE.items():
        verb.add(subs.add_parser(name, parents=[verbs], help=verb.help, description=verb.help))


def run_more(at: At) -> int:
    """Do what the arguments say; returns the exit status."""
    return MORE[str(at.options.verb)].run(at)
