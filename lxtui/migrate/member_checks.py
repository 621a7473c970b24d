"""The member of a cluster on which an instance shall be.

Role: facts → findings, a part of preflight. Boundary: pure. Threading: functions.
"""

from __future__ import annotations

from collections.abc import Iterator

from lxtui.migrate.facts import Finding, MoveFacts, blocker, ok

_ONLINE = "online"


def check_member(facts: MoveFacts) -> Iterator[Finding]:
    """Whether the member that was asked for is there, can run it, and has the pool."""
    target, name = facts.target, facts.options.member
    if not name:
        if target.clustered and not facts.options.refresh and not facts.exchange:
            yield ok(f"{target.name} is a cluster, which chooses the member itself (or --member)")
        return
    if facts.options.refresh:
        yield blocker("--refresh brings a copy up to date where it is", "leave --member out")
        return
    if not target.clustered:
        yield blocker(f"{target.name} is no cluster: it has no members", "leave --member out")
        return
    members = facts.placement.members
    member = members.get(name)
    if member is None:
        known = ", ".join(sorted(members)) or "none that we may see"
        yield blocker(f"{target.name} has no member {name!r}", f"its members: {known}")
        return
    if member.status.lower() != _ONLINE:
        yield blocker(
            f"member {name} of {target.name} is {member.status.lower()}",
            "bring it online first, or choose another",
        )
    architecture = facts.instance.architecture
    if member.architecture and architecture != member.architecture:
        yield blocker(
            f"member {name} of {target.name} cannot run {architecture}",
            f"it runs {member.architecture}: choose another",
        )
    root = facts.root_pool
    if root is not None and root[1].members and name not in root[1].members:
        yield blocker(
            f"member {name} of {target.name} does not have storage pool {root[0]}",
            "choose another pool (--pool) or another member",
        )
