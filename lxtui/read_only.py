"""Hosts that are only to be looked at: what that means for plans of moves.

Role: the user's wish → marked remotes; a plan → the same plan with its blockers. What is refused
for it: by the table of actions (``Action.why_not``), by perform, and by the backend, which sends
nothing but GET to such a host. Boundary: pure. Threading: functions.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from lxtui.migrate.facts import blocker
from lxtui.migrate.plan import MovePlan
from lxtui.model import Remote
from lxtui.remotes import Remotes

REMEDY = "leave out --read-only, or take its name out of 'read_only' in lxtui's config.yml"


def marked(known: Remotes, names: Collection[str], *, every: bool = False) -> Remotes:
    """The remotes with those marked that *names* means, or all; an unknown name is a problem.

    A name that lxc and incus both use means both: rather one too many than one too few.
    """
    wanted = frozenset(names)

    def meant(remote: Remote) -> frozenset[str]:
        short = remote.name.partition("@")[0]
        return wanted & {remote.name, short, f"{short}@{remote.kind}"}

    found = {one for remote in known.remotes for one in meant(remote)}
    unknown = tuple(
        f"config.yml: 'read_only' names {one!r}, and no host is called that"
        for one in sorted(wanted - found)
    )
    remotes = tuple(
        replace(remote, read_only=every or bool(meant(remote))) for remote in known.remotes
    )
    return replace(known, remotes=remotes, problems=(*known.problems, *unknown))


def with_blockers(plan: MovePlan, *ends: Remote) -> MovePlan:
    """*plan* with a blocker for each of its ends that is read-only."""
    named = dict.fromkeys(one.name for one in ends if one.read_only)
    if not named:
        return plan
    blockers = [blocker(f"{name} is read-only", REMEDY) for name in named]
    return replace(plan, findings=(*blockers, *plan.findings))
