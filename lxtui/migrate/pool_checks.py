"""What of the two storage pools could hinder a move: their room, and what their drivers do.

Role: facts about both ends → findings. Boundary: pure. Threading: functions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from lxtui import format as text
from lxtui.migrate.facts import Finding, MoveFacts, blocker, ok, warning
from lxtui.migrate.options import Transport


def check_pools(facts: MoveFacts, transport: Transport) -> Iterator[Finding]:
    """Room, and whether what comes after the first pass sends only what has changed."""
    yield from _space(facts)
    yield from _passes(facts, transport)
    yield from _volume(facts)


def _passes(facts: MoveFacts, transport: Transport) -> Iterator[Finding]:
    """Between pools of btrfs only what this machine passes on is less than everything."""
    options = facts.options
    further = options.refresh or (options.gradual and facts.instance.running)
    if not (facts.sent_again and further):
        return
    if options.transport in {Transport.PULL, Transport.PUSH}:
        yield warning(
            f"both pools are of the driver btrfs: with --transport {options.transport} the daemons "
            f"send everything again at each pass",
            "leave --transport out: further passes then go through this machine, file by file",
        )
    elif transport is not Transport.RELAY:
        yield ok(
            "both pools are of the driver btrfs, which would send everything again at each pass: "
            "further passes go through this machine, file by file"
        )


def _volume(facts: MoveFacts) -> Iterator[Finding]:
    """A volume that a daemon has left of an instance which is gone."""
    ours = facts.counted or facts.went_live is not None  # of a copy that this move has begun
    name = facts.destination.name
    if facts.root_pool is None or ours or name in facts.placement.instance_names:
        return
    pool, there = facts.root_pool
    if name in there.roots:
        yield blocker(
            f"pool {pool} of {facts.target.name} has a volume container/{name} that belongs to no "
            f"instance: {facts.target.kind} refuses a copy of that name",
            f"give it another name there ({facts.target.name}:NAME), choose another pool (--pool), "
            f"or have its administrator remove the volume",
        )


def _space(facts: MoveFacts) -> Iterator[Finding]:
    """The measured use of its disk against what is free; a finding says what is not known."""
    if facts.root_pool is None or facts.counted:
        return
    name, pool = facts.root_pool
    where = f"pool {name} ({pool.driver}) of {facts.target.name}"
    need = space_needed(facts)
    if facts.options.member:  # what the daemon says is the room of the member that we talk to
        pool = replace(pool, free=None)
    if pool.free is None or need is None:
        unknown = (
            "how much is free in it" if pool.free is None else f"the size of {facts.instance.ref}"
        )
        free = "" if pool.free is None else f", {text.size(pool.free)} free"
        yield ok(f"{where}{free}; {unknown} is not known")
    elif need > pool.free:
        yield blocker(
            f"{where} has {text.size(pool.free)} free, {facts.instance.ref} needs "
            f"{text.size(need)}",
            "make room there, or choose another pool: --pool",
        )
    elif need > pool.free * 0.9:
        yield warning(
            f"{where} would be nearly full: {text.size(pool.free)} free, {text.size(need)} needed",
            "make room there, or choose another pool: --pool",
        )
    else:
        yield ok(f"{where}: {text.size(pool.free)} free, {text.size(need)} needed")


def space_needed(facts: MoveFacts) -> int | None:
    """Bytes that it takes at the target; None when its use is not known.

    The dir driver has no copy on write: each snapshot is a whole copy there.
    """
    disk, root = facts.instance.disk, facts.root_pool
    if disk is None or root is None:
        return None
    copied = 0 if facts.options.instance_only else len(facts.instance.snapshots)
    return disk * (1 + copied) if root[1].driver == "dir" else disk
