"""The arguments of the verbs that are about an instance.

Role: argparse's declarations of what the table of actions has a verb for. Boundary: no behaviour.
Threading: functions.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from lxtui.actions import BY_ID
from lxtui.headless_many import add_filter, add_many
from lxtui.move_arguments import add_move

if TYPE_CHECKING:
    Verbs = argparse._SubParsersAction[argparse.ArgumentParser]

_VERBS = (
    "start",
    "stop",
    "restart",
    "freeze",
    "unfreeze",
    "snapshot",
    "restore",
    "delete",
    "rename",
    "move",
    "copy",
)
_OF_ONE = {"move", "rename"}
"""Verbs that are for one instance, whatever a filter says."""
_OF_SNAPSHOTS = {"delete", "rename"}
"""Verbs that also take a snapshot."""
FORCEABLE = {"stop": "stop-force", "restart": "restart-force"}
"""Verbs with ``--force``, and the action that it means."""


def add_verbs(subs: Verbs, verbs: argparse.ArgumentParser) -> None:
    """Each verb; *verbs* has what all verbs know."""
    for verb in _VERBS:
        action = BY_ID[verb]
        sub = subs.add_parser(verb, parents=[verbs], help=action.help, description=action.help)
        told = "the instance, as lxc writes it"
        name = "HOST:NAME"
        if verb in _OF_SNAPSHOTS:
            name, told = f"{name}[/SNAPSHOT]", f"{told}; or one of its snapshots"
        if verb in _OF_ONE:
            sub.add_argument("instance", metavar=name, help=told)
        else:
            sub.add_argument("instance", metavar=name, nargs="?", default="", help=told)
            (add_filter if verb == "copy" else add_many)(sub)
        sub.add_argument("--project", default="", help="its project (default: the host's)")
        if verb in {*FORCEABLE, "move", "copy"}:
            sub.add_argument("--force", action="store_true", help="kill what does not stop")
        if verb in {"snapshot", "restore"}:
            sub.add_argument("answer", metavar="SNAPSHOT", help="the snapshot's name")
            if verb == "snapshot":
                _add_snapshot(sub)
            else:
                told = "without the running state that the snapshot may have"
                sub.add_argument("--stateless", action="store_true", help=told)
        elif verb in {"move", "copy"}:
            add_move(sub, "HOST[:PATTERN], with * for the name" if verb == "copy" else "")
        elif verb == "rename":
            sub.add_argument("answer", metavar="NAME", help="its new name")
    told = "Make an image of a stopped instance, or of a snapshot"
    sub = subs.add_parser("publish", parents=[verbs], help=told, description=told)
    sub.add_argument("instance", metavar="HOST:NAME[/SNAPSHOT]", help="what of")
    sub.add_argument("--project", default="", help="its project (default: the host's)")
    sub.add_argument("--alias", default="", help="of the image")
    sub.add_argument("--public", action="store_true", help="for anybody who reaches the host")
    sub.add_argument(
        "--compression",
        default="",
        metavar="HOW",
        help="none, gzip, xz, zstd… (default: the host's)",
    )
    told = "Say when a snapshot expires"
    sub = subs.add_parser("expire", parents=[verbs], help=told, description=told)
    sub.add_argument("instance", metavar="HOST:NAME/SNAPSHOT", help="the snapshot")
    sub.add_argument("answer", metavar="WHEN", help="12h, 7d, 4w, 1y, never, 2027-01-31")
    sub.add_argument("--project", default="", help="its project (default: the host's)")


def _add_snapshot(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--expires", default="", metavar="WHEN", help="12h, 7d, 4w, 1y, never, 2027-01-31"
    )
    sub.add_argument(
        "--stateful", action="store_true", help="with the running state, where the host can"
    )
