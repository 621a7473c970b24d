"""How much a move copies, how long it may take, and what one would type instead.

Role: facts → numbers and command lines for the plan. Boundary: pure. Threading: functions.
"""

from __future__ import annotations

from dataclasses import dataclass

from lxtui import format as text
from lxtui.migrate.facts import MoveFacts
from lxtui.migrate.live_checks import lives
from lxtui.migrate.options import Transport
from lxtui.model import CLI

ASSUMED_RATE = 40_000_000
"""Bytes a second where none was measured: rsync of many small files over a link of 1 Gbit/s. The
lab's daemons, which share a machine, copy 200 MB in less than a second."""
MIB = 1024 * 1024
_STOP_START_SECONDS = 5.0
"""A graceful stop and a start, as far as neither waits for something."""
_LAST_PASS_SECONDS = 2.0
"""A near-live move refreshes until a pass takes less."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What may be expected; None where the size is not known."""

    size: int | None
    """Bytes of the root disk as the daemon measured it, without snapshots."""
    seconds: float | None
    downtime_seconds: float | None
    """In the mode that was asked for; 0 for what does not run, or is only copied."""
    cold_downtime_seconds: float | None
    near_live_downtime_seconds: float | None
    rate: int
    """Bytes a second that the seconds rest on."""
    assumed: bool
    """Whether nobody measured that rate."""

    def __str__(self) -> str:
        if self.seconds is None or self.downtime_seconds is None:
            return "its size is not known, so neither is the time that it takes"
        how = "assumed" if self.assumed else "measured"
        line = f"{text.size(self.size)}, about {_about(self.seconds)}"
        if self.downtime_seconds:
            line += f", away for about {_about(self.downtime_seconds)}"
            if self._gains:
                line += f" ({_about(self.near_live_downtime_seconds or 0)} if near-live)"
        return f"{line}, at {text.rate(self.rate)} ({how})"

    @property
    def _gains(self) -> bool:
        near_live = self.near_live_downtime_seconds
        return near_live is not None and near_live + 1 < (self.downtime_seconds or 0)


def _about(seconds: float) -> str:
    """Whole seconds: an estimate knows no tenths."""
    return f"{round(seconds)}s" if seconds < 60 else text.duration(seconds)  # noqa: PLR2004 a minute


def estimate(facts: MoveFacts) -> Estimate:
    """Time and downtime at the rate that was measured; at an assumed one when none was.

    Cold: away for the whole copy, a stop and a start. Near-live: the copy is made twice in the
    worst case (what changes meanwhile is not known), away for the last pass, a stop and a start.
    """
    instance, options = facts.instance, facts.options
    assumed = facts.rate is None
    speed = facts.rate or ASSUMED_RATE
    if options.limit:
        speed = min(speed, options.limit * MIB)
    copying = instance.disk / speed if instance.disk is not None else None
    runs = instance.running and not options.copy
    still = _STOP_START_SECONDS if runs else 0.0
    if not runs:
        cold = near_live = 0.0 if copying is not None else None
    else:
        cold = None if copying is None else copying + still
        near_live = None if copying is None else min(copying, _LAST_PASS_SECONDS) + still
    gradual = options.gradual and runs
    return Estimate(
        size=instance.disk,
        seconds=None if copying is None else copying * (2 if gradual else 1) + still,
        downtime_seconds=near_live if gradual else cold,
        cold_downtime_seconds=cold,
        near_live_downtime_seconds=near_live,
        rate=speed,
        assumed=assumed,
    )


def commands(facts: MoveFacts) -> tuple[str, ...]:
    """The same with lxc or incus, as near as they come.

    Empty between LXD and Incus: neither command line knows the other's remotes.
    """
    if facts.source.kind is not facts.target.kind:
        return ()
    cli, here, there = CLI[facts.source.kind], facts.instance.ref, facts.destination
    options, running = facts.options, facts.instance.running
    if facts.exchange:
        where = f" --target {options.member}" if options.member else ""
        where += f" --storage {options.pool}" if options.pool else ""
        move = here.command(f"{cli} move", where)
        around = [here.command(f"{cli} {verb}") for verb in ("stop", "start")]
        return (around[0], move, around[1]) if running else (move,)
    words = [f" {there.host.partition('@')[0]}:{there.name}"]
    words += [f"--storage {options.pool}"] if options.pool else []
    words += [f"--target {options.member}"] if options.member else []
    words += ["--instance-only"] if options.instance_only else []
    words += [f"--config {one}" for one in options.config]
    words += [f"--profile {one}" for one in options.profiles or ()]
    words += ["--no-profiles"] if options.profiles == () else []
    words += [f"--target-project {there.project}"] if there.project != here.project else []
    words += [f"--mode {options.transport}"] if options.transport is not Transport.AUTO else []
    words += ["--refresh"] if options.refresh else []
    copy = here.command(f"{cli} copy", " ".join(words))
    made = [
        f"{cli} profile copy {facts.source.name}:{name} {facts.target.name}:{name}"
        for name in facts.new_profiles
    ]
    if options.copy:
        return (*made, copy)
    if lives(facts):
        return (*made, here.command(f"{cli} move", " ".join(words)))
    stop = [here.command(f"{cli} stop")] if running else []
    start = [there.command(f"{cli} start")] if running else []
    kept = f" {facts.kept_as.name}"
    last = (
        here.command(f"{cli} rename", kept)
        if options.keep_source
        else here.command(f"{cli} delete")
    )
    if options.gradual and running:
        first = f"{copy} --stateless --allow-inconsistent"
        return (*made, first, *stop, f"{copy} --refresh", *start, last)
    return (*made, *stop, copy, *start, last)
