"""What a restore would lose, without a screen.

Role: prints the preview; the JSON keys are an interface. Boundary: gets backends, writes text.
Threading: the main thread.
"""

from __future__ import annotations

from collections.abc import Mapping

from lxtui import headless
from lxtui.backend.base import Backend
from lxtui.clock import utc_now
from lxtui.commands import RestoreSnapshot
from lxtui.restoring_read import read_loss


def show_loss(command: RestoreSnapshot, backends: Mapping[str, Backend], *, as_json: bool) -> bool:
    """Print what it would lose, and do nothing; whether it could be done."""
    backend = backends[command.ref.host]
    found = read_loss(
        backend.instance(command.ref),
        command.name,
        backend.read,
        utc_now(),
        stateless=not command.stateful,
    )
    if as_json:
        headless.print_json(
            {
                "instance": command.ref.plain,
                "project": command.ref.project,
                "snapshot": command.name,
                "possible": not found.blocker,
                "blocker": found.blocker or None,
                "loses": list(found.lines),
                "changed": list(found.changed),
                "difference": list(found.difference),
                "later_snapshots": list(found.later),
                "later_snapshots_deleted": found.later_go,
            }
        )
        return not found.blocker
    for line in (*((found.blocker,) if found.blocker else ()), *found.lines, *found.difference):
        print(line)
    print(f"as: {command.equivalent(backend.remote.kind)}")
    return not found.blocker
