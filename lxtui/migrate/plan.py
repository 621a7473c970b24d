"""A move as a list of steps, before any of them is taken.

Role: facts → plan: what is asked of the target, what must be true of it afterwards, which steps in
which order. Boundary: pure. Threading: functions of values. Longer than 400 lines because it has
each step's words, undo and needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType

from lxtui.commands import STOP_SECONDS
from lxtui.migrate import (
    AUTOSTART,
    COPIED_AT,
    COPY_OF,
    INCOMING,
    KEPT_STATE,
    KEPT_UNTIL,
    MARK,
    MOVED,
    MOVED_PROJECT,
)
from lxtui.migrate.estimate import MIB, Estimate, commands, estimate
from lxtui.migrate.facts import (
    Finding,
    Level,
    MoveFacts,
    incoming_name,
    own_devices,
    target_devices,
)
from lxtui.migrate.live_checks import lives
from lxtui.migrate.options import MoveOptions, Transport, Verify
from lxtui.migrate.preflight import check
from lxtui.model import Devices, Instance, InstanceSpec, Profile, Ref

_NEEDED_EXTENSIONS = {"volatile.uuid.generation": "instance_generation_id"}
"""Keys that a daemon puts into snapshots by itself, where no API call changes them, and the API
extension with which another daemon accepts them."""

_KEPT_VOLATILE = frozenset(
    {
        "volatile.base_image",
        "volatile.uuid",
        # Without it cloud-init takes the moved instance for a new one and makes new host keys.
        "volatile.cloud-init.instance-id",
    }
)


class StepKind(StrEnum):
    """What a move is made of; the plan puts them in order."""

    CLAIM = "claim"
    PROFILES = "profiles"
    """Make the profiles that the target lacks."""
    COPY = "copy"
    LIVE = "live"
    """Copy it with its running state: afterwards it runs there, and lies still here."""
    REFRESH = "refresh"
    """Copy what has changed meanwhile, until it is little."""
    STOP = "stop"
    FINAL = "final"
    """Copy the last changes, from a source that lies still."""
    VERIFY = "verify"
    YIELD = "yield"
    """The source gives up its name and its addresses, as its copy is to have them."""
    ASSUME = "assume"
    """The copy takes them."""
    START = "start"
    CHECK = "check"
    DELETE = "delete"
    KEEP = "keep"
    """Instead of deleting it, give the source another name."""
    FINISH = "finish"
    REPLICA = "replica"
    """Mark an earlier copy as being refreshed."""
    UPDATE = "update"
    """Copy into it what has changed since."""


ENDINGS = frozenset({StepKind.DELETE, StepKind.KEEP, StepKind.FINISH})
"""Steps from which there is no way back, nor need for one: the copy has proved itself."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what it does and how it is undone."""

    kind: StepKind
    text: str
    undo: str


@dataclass(frozen=True, slots=True)
class Route:
    """Which way the copy goes, and why that one."""

    transport: Transport = Transport.PULL
    reason: str = ""
    dropped: frozenset[str] = frozenset()
    """Keys taken out of the snapshots' configuration on the way."""
    limit: int = 0
    """Bytes a second; 0: as fast as it goes."""
    chosen: bool = False
    """Whether the user chose it: then no other is tried."""
    refresh_by_rsync: bool = False
    """Whether each further pass goes through this machine, and file by file: the daemons by
    themselves would send everything again."""


@dataclass(frozen=True, slots=True)
class MovePlan:
    """A move that could be made, or the blockers that forbid it."""

    source: Ref
    destination: Ref
    spec: InstanceSpec
    devices: Devices
    """What it should have at the target, those of the target's profiles included."""
    snapshots: tuple[str, ...]
    was_running: bool
    stop_seconds: int
    """How long the source may take to stop by itself."""
    autostart: str | None
    """The source's own ``boot.autostart``, which the target gets when all is over."""
    token: str
    options: MoveOptions
    original: Instance
    """The source as it was when the plan was made."""
    route: Route
    steps: tuple[Step, ...]
    findings: tuple[Finding, ...]
    profiles: Mapping[str, Profile]
    """To be made at the target first."""
    estimate: Estimate
    commands: tuple[str, ...]
    """What one would type instead; empty where lxc and incus cannot do it."""

    @property
    def exchange(self) -> bool:
        """Whether the copy takes the place of its original, name and all."""
        return self.source == self.destination

    @property
    def blockers(self) -> tuple[Finding, ...]:
        """What must be mended first."""
        return tuple(one for one in self.findings if one.level is Level.BLOCKER)


def plan_move(facts: MoveFacts, token: str) -> MovePlan:
    """The plan of a move; *token* marks the target as made by it."""
    instance, destination, options = facts.instance, facts.destination, facts.options
    sleeping = {MARK: token, AUTOSTART: "false", **({INCOMING: "true"} if facts.exchange else {})}
    return MovePlan(
        source=instance.ref,
        destination=destination,
        spec=InstanceSpec(
            ref=_arriving_as(facts, token),
            type=instance.type,
            architecture=instance.architecture,
            ephemeral=instance.ephemeral,
            description=instance.description,
            profiles=facts.profiles,
            # Its autostart sleeps until the move is over: a restarted daemon must not double it.
            config=MappingProxyType({**_carried(facts), **sleeping}),
            devices=own_devices(facts),
            instance_only=options.instance_only,
            live=lives(facts),
            # Another pool is no reason to go to another member.
            member=options.member or (instance.location if _stays(facts) else ""),
        ),
        devices=target_devices(facts),
        snapshots=() if options.instance_only else tuple(one.name for one in instance.snapshots),
        was_running=instance.running,
        stop_seconds=_stop_seconds(instance),
        autostart=instance.config.get(AUTOSTART),
        token=token,
        options=options,
        original=instance,
        route=route(facts),
        steps=_steps(facts, token),
        findings=check(facts, route(facts).transport),
        profiles=facts.new_profiles,
        estimate=estimate(facts),
        commands=commands(facts),
    )


def _arriving_as(facts: MoveFacts, token: str) -> Ref:
    """What the copy is called when it is made."""
    return incoming_name(facts.instance.ref, token) if facts.exchange else facts.destination


def _stays(facts: MoveFacts) -> bool:
    return facts.exchange and facts.target.clustered


def _carried(facts: MoveFacts) -> dict[str, str]:
    """A move keeps what identifies the instance; a copy must not share it with the original."""
    config = portable(facts.config)
    if facts.beside:  # Incus allows a MAC address once
        config = {key: value for key, value in config.items() if not key.endswith(".hwaddr")}
    if not facts.options.copy:
        return config
    own = {COPIED_AT, MOVED, MOVED_PROJECT, KEPT_UNTIL, KEPT_STATE}
    return {
        key: value
        for key, value in config.items()
        if key == "volatile.base_image" or not (key.startswith("volatile.") or key in own)
    } | {COPY_OF: str(facts.instance.ref)}


def route(facts: MoveFacts) -> Route:
    """Pull where the hosts can do it among themselves; else through this machine."""
    way = _way(facts)
    pinned = way.chosen and way.transport is not Transport.RELAY
    return replace(way, refresh_by_rsync=facts.sent_again and not pinned)


def _way(facts: MoveFacts) -> Route:
    target, asked, limit = facts.target, facts.options.transport, facts.options.limit * MIB
    dropped = frozenset(
        key
        for key, extension in _NEEDED_EXTENSIONS.items()
        if extension not in target.api_extensions
        and not facts.options.instance_only
        and any(key in snapshot.config for snapshot in facts.instance.snapshots)
    )
    if dropped:
        keys = ", ".join(sorted(dropped))
        reason = f"its snapshots hold {keys}, which {target.kind} {target.version} refuses"
        return Route(Transport.RELAY, reason, dropped, limit)
    if asked is not Transport.AUTO:
        return Route(asked, "that was asked for", limit=limit, chosen=True)
    if facts.source.addresses:
        return Route()
    silent = f"{facts.source.name} does not listen on the network"
    if target.addresses:
        return Route(Transport.PUSH, silent)
    reason = f"neither {facts.source.name} nor {target.name} listens on the network"
    return Route(Transport.RELAY, reason, limit=limit)


def portable(config: Mapping[str, str]) -> dict[str, str]:
    """The configuration that goes along.

    Volatile keys describe the old host, except those that are the instance's identity: its MAC
    addresses (the DHCP lease follows them), its UUID and what cloud-init remembers it by.
    """
    return {
        key: value
        for key, value in config.items()
        if key != MARK
        and (
            not key.startswith("volatile.")
            or key in _KEPT_VOLATILE
            or (key.endswith(".hwaddr") and ".last_state." not in key)
        )
    }


def _steps(facts: MoveFacts, token: str) -> tuple[Step, ...]:
    copied = _arriving_as(facts, token)
    instance, destination, options = facts.instance, facts.destination, facts.options
    live = lives(facts)
    near_live = instance.running and options.gradual
    claim = Step(
        StepKind.CLAIM,
        f"{instance.ref} is marked as being moved: no other lxtui touches it",
        "the mark is taken off",
    )
    copy = Step(StepKind.COPY, _copy_text(facts), f"{copied} is deleted")
    stop = Step(StepKind.STOP, f"{instance.ref} is stopped", f"{instance.ref} is started again")
    undone = "the backups are deleted" if options.verify is Verify.EXPORT else ""
    verify = Step(StepKind.VERIFY, _verify_text(facts), undone)
    finish = Step(StepKind.FINISH, f"the mark is taken off {destination}", "")
    made = ", ".join(facts.new_profiles)
    profiles = Step(
        StepKind.PROFILES,
        f"profile{'s' if len(facts.new_profiles) > 1 else ''} {made} of {facts.source.name} "
        f"copied to {facts.target.name}",
        "removed again",
    )
    before = [profiles] if made else []
    if options.refresh:
        text = f"{destination}, an earlier copy, is marked, and configured as the source is now"
        replica = Step(StepKind.REPLICA, text, "the mark is taken off")
        return (*before, replica, replace(copy, kind=StepKind.UPDATE, undo=""), verify, finish)
    if options.copy:
        return (*before, copy, verify, finish)
    steps = [claim, *before]
    if live:
        text = f"{copy.text}, with its running state: it ends here and goes on there"
        undo = f"{copied} is deleted; {instance.ref} runs on, or is started again if it has ended"
        steps += [Step(StepKind.LIVE, text, undo)]
    elif near_live:
        steps += [
            copy,
            Step(
                StepKind.REFRESH,
                f"what changed meanwhile is copied{_through(facts)}, until it is little",
                "",
            ),
            stop,
            Step(StepKind.FINAL, f"the last changes are copied{_through(facts)}", ""),
        ]
    elif instance.running:
        steps += [stop, copy]
    else:
        steps += [copy]
    steps.append(verify)
    if facts.exchange:
        steps += _exchange(facts, copied)
    if instance.running and not live:
        text = f"{destination} is started and runs"
        steps.append(Step(StepKind.START, text, f"{destination} is stopped"))
    if instance.running and options.check:
        steps.append(Step(StepKind.CHECK, f"inside it, {options.check!r} must succeed", ""))
    kept = facts.kept_as
    if options.keep_source:
        days = options.keep_days
        time = f", for {days} day{'s' if days != 1 else ''}" if days else ""
        text = f"{instance.ref} is kept, stopped, as {kept.name}{time}"
        steps.append(Step(StepKind.KEEP, text, ""))
    else:
        original = kept if facts.exchange else instance.ref
        steps.append(Step(StepKind.DELETE, f"{original} is deleted", ""))
    return (*steps, finish)


def _exchange(facts: MoveFacts, copied: Ref) -> list[Step]:
    here, kept = facts.instance.ref, facts.kept_as
    return [
        Step(
            StepKind.YIELD,
            f"{here} is renamed {kept.name}, and gives up its MAC and static addresses",
            "it gets its name and its addresses back",
        ),
        Step(
            StepKind.ASSUME,
            f"{copied} is renamed {here.name}, and gets those addresses",
            f"it is renamed {copied.name}, without them",
        ),
    ]


def _verify_text(facts: MoveFacts) -> str:
    match facts.options.verify:
        case Verify.FILES:
            return "configuration, snapshots, and owner, mode and size of every file are compared"
        case Verify.CHECKSUM:
            return "configuration, snapshots and the content of every file of the copy are compared"
        case Verify.EXPORT:
            return (
                "configuration, and out of a backup on either side content, owner, mode and "
                "extended attributes of every file of the copy and of its snapshots are compared"
            )
    what = "configuration, devices, profiles and snapshots of the copy are compared"
    if facts.exchange or lives(facts):
        return what
    return (
        f"{what}, and owner, mode and size of the files nearest to the root, as many as 0.3 s allow"
    )


def _copy_text(facts: MoveFacts) -> str:
    instance, source, target = facts.instance, facts.source, facts.target
    count = 0 if facts.options.instance_only else len(instance.snapshots)
    what = f"what is new of {instance.ref.name}" if facts.options.refresh else instance.ref.name
    along = f" with {count} snapshot{'s' if count != 1 else ''}" if count else ""
    way = route(facts)
    if facts.options.pool and facts.exchange:
        along += f" into pool {facts.options.pool}"
    if facts.options.member:
        along += f" onto member {facts.options.member}"
    match way.transport:
        case Transport.RELAY:
            text = (
                f"{what}{along} is copied from {source.name} to {target.name} through this machine"
            )
            if way.limit:
                text += f", at most {facts.options.limit} MiB/s"
        case Transport.PUSH:
            text = f"{source.name} pushes {what}{along} to {target.name}"
        case _:
            text = f"{target.name} pulls {what}{along} from {source.name}"
    return f"{text}, because {way.reason}" if way.reason else text


def _through(facts: MoveFacts) -> str:
    """Which way further passes go, where that is another than the first one's."""
    way = route(facts)
    if way.refresh_by_rsync and way.transport is not Transport.RELAY:
        return " through this machine (btrfs would send everything again)"
    return ""


def _stop_seconds(instance: Instance) -> int:
    """The instance's own time to shut down, where it has one."""
    own = instance.expanded_config.get("boot.host_shutdown_timeout", "")
    return int(own) if own.isdecimal() else STOP_SECONDS
