"""Everything that could make a move fail, found before anything is touched.

Role: facts about both hosts → findings. Boundary: pure; the facts are gathered by prepare.gather.
Threading: functions. What concerns devices is in device_checks, pools in pool_checks, the target's
project in project_checks.

Sources: the daemons' documentation of instance options and API extensions; what LXD 5.0.2 and
Incus 6.0.4 refused in the lab.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lxtui import format as text
from lxtui.migrate import AUTOSTART, KEPT_STATE, KEPT_UNTIL, MARK, MOVED, MOVED_PROJECT
from lxtui.migrate.device_checks import check_devices
from lxtui.migrate.facts import Finding, Level, MoveFacts, blocker, ok, target_config, warning
from lxtui.migrate.live_checks import check_live
from lxtui.migrate.member_checks import check_member
from lxtui.migrate.options import Transport
from lxtui.migrate.pool_checks import check_pools
from lxtui.migrate.profile_diff import difference
from lxtui.migrate.project_checks import check_project
from lxtui.migrate.replica_checks import check_replica
from lxtui.model import CLI, Kind
from lxtui.names import instance_name_trouble

_RENAMED = {
    Kind.INCUS: {
        "security.devlxd": "security.guestapi",
        "security.devlxd.images": "security.guestapi.images",
    },
    Kind.LXD: {
        "security.guestapi": "security.devlxd",
        "security.guestapi.images": "security.devlxd.images",
    },
}
"""Keys that a kind of daemon refuses, and what it calls the same."""
_KEY_EXTENSIONS = {
    "security.syscalls.intercept.sysinfo": "container_syscall_intercept_sysinfo",
    "cloud-init.": "cloud_init",
}
"""Keys, or their beginnings, that a daemon without the API extension refuses."""
_MANY_SNAPSHOTS = 50
_ORDER = (Level.BLOCKER, Level.WARNING, Level.OK)


def check(facts: MoveFacts, transport: Transport = Transport.AUTO) -> tuple[Finding, ...]:
    """All findings: blockers first, then warnings, then what is well.

    *transport* is the one that the plan has chosen; AUTO when it is not known yet.
    """
    findings = [
        *_instance(facts),
        *_belongings(facts),
        *_connection(facts),
        *check_member(facts),
        *_extensions(facts),
        *check_live(facts),
        *_wishes(facts, transport),
        *_keys(facts),
        *_meanings(facts),
        *_name(facts),
        *(check_replica(facts) if facts.options.refresh else ()),
        *_profiles(facts),
        *check_devices(facts),
        *check_pools(facts, transport),
        *_strength(facts),
        *check_project(facts),
    ]
    return tuple(sorted(findings, key=lambda one: _ORDER.index(one.level)))


def _instance(facts: MoveFacts) -> Iterator[Finding]:
    instance, cli = facts.instance, CLI[facts.source.kind]
    if instance.type != "container":
        yield blocker(
            f"{instance.ref} is a {instance.type.replace('-', ' ')}",
            f"only containers can be moved yet; use '{cli} move'",
        )
    if not (instance.running or instance.stopped):
        yield blocker(
            f"{instance.ref} is {instance.status.lower() or 'in an unknown state'}",
            "bring it to running or stopped first",
        )
    if MARK in instance.config:
        yield blocker(
            f"{instance.ref} is being moved already, or a move of it was killed",
            f"see 'lxtui moves'; if that knows of none and no lxtui moves it: "
            f"'{instance.ref.command(f'{cli} config unset', f' {MARK}')}'",
        )
    if instance.ephemeral and not instance.stopped and not facts.options.copy:
        yield blocker(
            f"{instance.ref} is ephemeral: stopping it would delete it",
            f"make it permanent first ('{instance.ref.command(f'{cli} config edit')}', "
            f"ephemeral: false)",
        )
    if facts.options.check and not instance.running:
        yield warning(
            f"{instance.ref} does not run: the check {facts.options.check!r} is not made",
            "start it first if it matters",
        )


def _belongings(facts: MoveFacts) -> Iterator[Finding]:
    """Its snapshots and backups."""
    instance, cli, options = facts.instance, CLI[facts.source.kind], facts.options
    if odd := [one.name for one in instance.snapshots if one.name in {".", ".."}]:
        yield blocker(
            f"{instance.ref} has a snapshot named {odd[0]!r}, with which a daemon may overwrite "
            f"the snapshots of others",
            "rename or delete it first",
        )
    count = len(instance.snapshots)
    if count > _MANY_SNAPSHOTS and not options.instance_only:
        yield warning(
            f"{instance.ref} has {count} snapshots, which all go along",
            "delete those that nobody needs, or leave all behind: --instance-only",
        )
    lost = options.instance_only and not (options.copy or options.keep_source)
    if count and lost:
        yield warning(
            f"the {count} snapshots of {instance.ref} do not go along and are deleted with it",
            "keep the source: --keep-source",
        )
    if any(one.stateful for one in instance.snapshots) and not options.instance_only:
        yield warning(
            f"{instance.ref} has snapshots with running state, which may not start on "
            f"{facts.target.name}"
        )
    if instance.backups and not options.copy:
        fate = "stay behind" if options.keep_source else "are deleted with it"
        count = len(instance.backups)
        yield warning(
            f"{count} backup{'s' if count != 1 else ''} of {instance.ref} "
            f"({', '.join(instance.backups[:3])}{', …' if count > 3 else ''}) do not go "  # noqa: PLR2004 three names say enough
            f"along and {fate}",
            f"fetch them first: '{instance.ref.command(f'{cli} export')}'",
        )


def _connection(facts: MoveFacts) -> Iterator[Finding]:
    source, target = facts.source, facts.target
    if facts.one_server:
        here = facts.instance.ref
        alias = source.name != target.name
        names = f"{source.name} and {target.name} are the same server, or of one cluster"
        known = f" ({names}: they show one certificate)" if alias else ""
        if facts.exchange:
            yield ok(f"{here} is copied within one server{known}, and its copy takes its place")
        elif facts.in_place:
            copy = facts.options.copy
            where = f"in pool {facts.pool_here} of" if facts.options.pool and not copy else "on"
            if facts.options.member and not copy:
                where = f"on member {facts.instance.location} of"
            other = "" if copy else "another pool (--pool), "
            if target.clustered and not copy:
                other += "another member (--member), "
            yield blocker(
                f"{here} is {where} {target.name} already{known}",
                f"choose {other}another host, another project there (--target-project), or another "
                f"name ({target.name}:NAME)",
            )
        else:
            yield ok(f"{here} is copied within one server{known}")
    if facts.beside and not (facts.options.copy or facts.exchange):
        yield warning(
            f"{facts.destination} gets other MAC addresses, as both are on {target.name} for a "
            f"while",
            "leases and rules that go by them must be renewed",
        )
    if target.architectures and facts.instance.architecture not in target.architectures:
        yield blocker(
            f"{target.name} cannot run {facts.instance.architecture}",
            f"it runs {', '.join(target.architectures)}",
        )


def _extensions(facts: MoveFacts) -> Iterator[Finding]:
    """What the API of the daemons must know for what was asked."""
    options, target = facts.options, facts.target
    needed: list[tuple[str, str, str]] = []
    if options.transport in {Transport.PUSH, Transport.RELAY}:
        needed.append(("container_push", f"--transport {options.transport}", "--transport pull"))
    if options.gradual and facts.instance.running:
        needed.append(("container_incremental_copy", "--mode near-live", "--mode cold"))
    if facts.destination.project != "default":
        needed.append(("projects", f"project {facts.destination.project}", "its default project"))
    for extension, what, instead in needed:
        # A daemon of which no extension is known has not been asked.
        if target.api_extensions and extension not in target.api_extensions:
            yield blocker(
                f"{target.name} ({target.kind} {target.version}) is too old for {what}: "
                f"its API lacks {extension}",
                f"use {instead}",
            )


def _wishes(facts: MoveFacts, transport: Transport) -> Iterator[Finding]:
    """What was asked for and cannot be had."""
    asked = facts.options.transport
    if asked in {Transport.PULL, Transport.PUSH} and transport is Transport.RELAY:
        yield blocker(
            f"--transport {asked} cannot carry the snapshots of {facts.instance.ref}: they hold a "
            f"key that {facts.target.name} refuses, and only a relay takes it out",
            "leave --transport out, or the snapshots behind: --instance-only",
        )
    if facts.options.limit and transport in {Transport.PULL, Transport.PUSH}:
        yield blocker(
            f"--limit holds for what passes through this machine, and {facts.source.name} and "
            f"{facts.target.name} copy among themselves: neither LXD nor Incus has a limit there",
            "add --transport relay",
        )
    for key in facts.options.changes:
        own = {MARK, MOVED, MOVED_PROJECT, KEPT_UNTIL, KEPT_STATE, AUTOSTART}
        if key in own or key.startswith("volatile."):
            yield blocker(
                f"{key} cannot be set by a move, which uses it itself",
                "set it when the move is over",
            )


def _keys(facts: MoveFacts) -> Iterator[Finding]:
    """Configuration that the target would refuse: of the instance, its snapshots, new profiles."""
    instance, cli = facts.instance, CLI[facts.source.kind]
    for key, why in _refused(facts, facts.config):
        unset = f"'{instance.ref.command(f'{cli} config unset', f' {key}')}'"
        yield blocker(why, f"leave it out with --config {key}=, or unset it first: {unset}")
    snapshots = () if facts.options.instance_only else instance.snapshots
    for snapshot in snapshots:
        for _, why in _refused(facts, snapshot.config):
            yield blocker(
                f"snapshot {snapshot.name!r} of {instance.ref} cannot go along: {why}",
                "delete the snapshot, or leave all behind: --instance-only",
            )
    for name, profile in facts.new_profiles.items():
        for _, why in _refused(facts, profile.config):
            yield blocker(
                f"profile {name!r} cannot be copied: {why}",
                f"make one of that name on {facts.target.name} by hand",
            )


def _refused(facts: MoveFacts, config: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The keys of *config* that the target does not know, and why."""
    target = facts.target
    for key in sorted(config):
        called = _RENAMED[target.kind].get(key)
        if called is not None:
            yield key, f"{target.name} ({target.kind}) refuses {key}, which it calls {called}"
        lacking = next((one for begin, one in _KEY_EXTENSIONS.items() if key.startswith(begin)), "")
        if lacking and target.api_extensions and lacking not in target.api_extensions:
            who = f"{target.name} ({target.kind} {target.version})"
            yield key, f"{who} refuses {key}: its API lacks {lacking}"


def _meanings(facts: MoveFacts) -> Iterator[Finding]:
    """Configuration that may mean something else at the target."""
    target = facts.target
    config = target_config(facts)
    if config.get("raw.idmap"):
        yield warning(
            "raw.idmap gives it users of the host",
            f"on {target.name} they must be delegated in /etc/subuid and /etc/subgid, and mean "
            f"the same people",
        )
    if config.get("security.idmap.isolated") == "true":
        yield warning(
            "security.idmap.isolated is set: its files get another range of the host's users",
            "directories of the host that it shares must allow that range",
        )
    if config.get("raw.lxc") or config.get("raw.apparmor"):
        yield warning(
            "raw.lxc or raw.apparmor is set",
            f"what it names must exist on {target.name}",
        )


def _name(facts: MoveFacts) -> Iterator[Finding]:
    destination, target = facts.destination, facts.target
    if facts.arriving or facts.options.refresh:
        return
    if facts.in_place:
        if facts.exchange and facts.kept_as.name in facts.placement.instance_names:
            yield blocker(
                f"{target.name} has an instance named {facts.kept_as.name} already, which is what "
                f"{facts.instance.ref} is called for a while",
                "rename or delete that one first",
            )
        return
    if trouble := instance_name_trouble(destination.name, target.kind):
        yield blocker(
            f"{target.name} ({target.kind}) takes no name {destination.name!r}: {trouble}",
            f"give it another name there: {target.name}:NAME",
        )
    if destination.name in facts.placement.instance_names:
        yield blocker(
            f"{target.name} has an instance named {destination.name} already",
            f"rename or remove one of the two first, or give it another name there: "
            f"{target.name}:NAME"
            + ("; an earlier copy of it: --refresh" if facts.options.copy else ""),
        )


def _profiles(facts: MoveFacts) -> Iterator[Finding]:
    target, cli = facts.target, CLI[facts.target.kind]
    same = []
    for name in facts.profiles:
        there, here = facts.placement.profiles.get(name), facts.origin.profiles.get(name)
        if there is None:
            if name in facts.new_profiles:
                continue
            copy = "copy it with --copy-profiles, or " if here is not None else ""
            make = f"create it there: '{cli} profile create {target.name}:{name}'"
            yield blocker(f"{target.name} has no profile {name!r}", copy + make)
        elif here is not None and (found := difference(here, there)):
            yield warning(f"profile {name!r} differs on {target.name}: {found}")
        else:
            same.append(name)
    for name in facts.missing_for_snapshots:
        if name not in facts.new_profiles:
            yield blocker(
                f"{target.name} has no profile {name!r}, which the snapshots of "
                f"{facts.instance.ref} go along with",
                f"copy it with --copy-profiles, create it there: "
                f"'{cli} profile create {target.name}:{name}', or leave the snapshots behind: "
                f"--instance-only",
            )
    if same:
        yield ok(f"profile{'s' if len(same) > 1 else ''} {', '.join(same)} on {target.name}")
    if facts.new_profiles and facts.placement.project.get("features.profiles") == "false":
        yield warning(
            f"project {facts.destination.project} has no profiles of its own: those that are "
            f"copied are made in project default"
        )


def _strength(facts: MoveFacts) -> Iterator[Finding]:
    """Limits that are no limits on a smaller host, and CPUs that it does not have."""
    target, config = facts.target, target_config(facts)
    limit = text.limit_bytes(config.get("limits.memory", ""), target.memory_total)
    if limit is not None and target.memory_total is not None and limit > target.memory_total:
        yield warning(
            f"limits.memory {text.size(limit)} is more than {target.name} has "
            f"({text.size(target.memory_total)})",
            "set a lower limit, or choose another host",
        )
    cpus = _cpus_needed(config.get("limits.cpu", ""))
    if target.cpus is not None and cpus > target.cpus:
        yield warning(
            f"limits.cpu {config['limits.cpu']} asks for more than the {target.cpus} CPUs of "
            f"{target.name}",
            "set a lower limit, or choose another host",
        )


def _cpus_needed(written: str) -> int:
    """How many CPUs a host must have for ``limits.cpu``: a number, or a list of CPUs."""
    if written.isdecimal():
        return int(written)
    ends = [end for part in written.split(",") for end in part.split("-")]
    return max((int(end) + 1 for end in ends if end.isdecimal()), default=0)
