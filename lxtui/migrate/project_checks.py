"""What the project at the target allows, and has room for.

Role: facts → findings, a part of preflight: each refusal names the daemon's own key. Boundary:
pure. Threading: functions. Source: the daemons' documentation, "Project configuration".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from lxtui import format as text
from lxtui.migrate.facts import (
    Finding,
    MoveFacts,
    blocker,
    is_root,
    target_config,
    target_devices,
    warning,
)
from lxtui.model import CLI, Quota

_TRUE = {"true", "1", "yes", "on"}
_COUNTED = ("instances", "containers")
_SUMMED = {"memory": "limits.memory", "cpu": "limits.cpu", "processes": "limits.processes"}
"""Resources of a project that are sums over its instances, and the key of an instance for each."""
_DEVICES = frozenset(
    {"unix-char", "unix-block", "unix-hotplug", "usb", "gpu", "pci", "infiniband", "proxy"}
)
"""Types of devices that restricted.devices.TYPE blocks by default."""
_BYTES = frozenset({"memory", "disk"})
_LOWLEVEL = (
    "boot.host_shutdown_action",
    "boot.host_shutdown_timeout",
    "linux.kernel_modules",
    "raw.apparmor",
    "raw.idmap",
    "raw.lxc",
    "raw.seccomp",
    "security.devlxd.images",
    "security.guestapi.images",
    "security.idmap.base",
    "security.idmap.size",
)


def check_project(facts: MoveFacts) -> Iterator[Finding]:
    """The findings about the project's limits and restrictions."""
    if not facts.counted:
        yield from _limits(facts)
    if _true(facts.placement.project.get("restricted")):
        yield from _restrictions(facts)


def _limits(facts: MoveFacts) -> Iterator[Finding]:
    rules, name = facts.placement.project, _name(facts)
    for what in _COUNTED:
        limit, used = _quota(facts, what, len(facts.placement.instance_names))
        if limit is not None and used + 1 > limit:
            yield blocker(
                f"{name} has {used} of at most {limit} instances (limits.{what})",
                f"raise limits.{what} of the project, or choose another: --target-project",
            )
    config = target_config(facts)
    for what, key in _SUMMED.items():
        if f"limits.{what}" not in rules:
            continue
        limit, used = _quota(facts, what, 0)
        own = _amount(what, config.get(key, ""))
        if own is None:
            yield blocker(
                f"{name} has limits.{what}: each instance in it needs a {key} of its own, as a "
                f"fixed amount",
                f"set it first: '{_set(facts, key)}'",
            )
        elif limit is not None and used + own > limit:
            yield blocker(
                f"{name} has used {_shown(what, used)} of limits.{what} {_shown(what, limit)}, "
                f"and {key} of {facts.instance.ref} is {_shown(what, own)}",
                f"raise limits.{what} of the project, or choose another: --target-project",
            )
    if "limits.disk" in rules:
        yield from _disk_limit(facts)


def _disk_limit(facts: MoveFacts) -> Iterator[Finding]:
    limit, used = _quota(facts, "disk", 0)
    roots = (one for one in target_devices(facts).values() if is_root(one))
    size = text.limit_bytes(next(roots, {}).get("size", ""), None)
    if size is None:
        yield blocker(
            f"{_name(facts)} has limits.disk: each instance in it needs a root disk with a size",
            "give its root disk a size first",
        )
    elif limit is not None and used + size > limit:
        yield blocker(
            f"{_name(facts)} has used {text.size(used)} of limits.disk {text.size(limit)}, and the "
            f"root disk of {facts.instance.ref} is {text.size(size)}",
            "raise limits.disk of the project, or choose another: --target-project",
        )


def _restrictions(facts: MoveFacts) -> Iterator[Finding]:
    """``restricted=true`` blocks by default what may harm the host."""
    rules, instance = facts.placement.project, facts.instance
    config = target_config(facts)

    def refused(what: str, key: str, allowed: str = "allow") -> Finding:
        return blocker(
            f"{_name(facts)} forbids {what} ({key})",
            f"unset it on {instance.ref}, set {key}={allowed} on the project, or choose another: "
            f"--target-project",
        )

    nesting = rules.get("restricted.containers.nesting", "block")
    if _true(config.get("security.nesting")) and nesting != "allow":
        yield refused("security.nesting", "restricted.containers.nesting")
    privilege = rules.get("restricted.containers.privilege", "unprivileged")
    if _true(config.get("security.privileged")) and privilege != "allow":
        yield refused("security.privileged", "restricted.containers.privilege")
    if privilege == "isolated" and not _true(config.get("security.idmap.isolated")):
        yield refused(
            "what has no id map of its own", "restricted.containers.privilege", "unprivileged"
        )
    if rules.get("restricted.containers.lowlevel", "block") != "allow":
        for key in _LOWLEVEL:
            if config.get(key):
                yield refused(key, "restricted.containers.lowlevel")
    if any(
        key.startswith("security.syscalls.intercept.") and _true(value)
        for key, value in config.items()
    ) and (rules.get("restricted.containers.interception", "block") == "block"):
        yield refused("security.syscalls.intercept.*", "restricted.containers.interception")
    for name, device in target_devices(facts).items():
        yield from _device(rules, refused, name, device)
    snapshots = instance.snapshots and not facts.options.instance_only
    if snapshots and rules.get("restricted.snapshots", "block") == "block":
        yield warning(
            f"{_name(facts)} forbids snapshots (restricted.snapshots): no new ones can be taken"
        )


def _device(
    rules: Mapping[str, str],
    refused: Callable[[str, str], Finding],
    name: str,
    device: Mapping[str, str],
) -> Iterator[Finding]:
    kind = device.get("type", "")
    if kind in _DEVICES:
        key = f"restricted.devices.{kind}"
        if rules.get(key, "block") == "block":
            yield refused(f"device {name!r} ({kind})", key)
    elif kind == "disk" and not is_root(device):
        mode = rules.get("restricted.devices.disk", "managed")
        if mode == "block" or (mode == "managed" and not device.get("pool")):
            yield refused(f"device {name!r} (disk)", "restricted.devices.disk")
    elif kind == "nic":
        mode = rules.get("restricted.devices.nic", "managed")
        if mode == "block" or (mode == "managed" and not device.get("network")):
            yield refused(f"device {name!r} (nic)", "restricted.devices.nic")


def _quota(facts: MoveFacts, what: str, counted: int) -> tuple[int | None, int]:
    """The limit and the use: the daemon's own count where it gives one."""
    quota = facts.placement.quotas.get(what, Quota(None, None))
    written = facts.placement.project.get(f"limits.{what}", "")
    limit = quota.limit if quota.limit is not None else _amount(what, written)
    return limit, quota.used if quota.used is not None else counted


def _amount(what: str, written: str) -> int | None:
    if what in _BYTES:
        return text.limit_bytes(written, None)
    return int(written) if written.isdecimal() else None


def _shown(what: str, amount: int) -> str:
    return text.size(amount) if what in _BYTES else str(amount)


def _set(facts: MoveFacts, key: str) -> str:
    return facts.instance.ref.command(f"{CLI[facts.source.kind]} config set", f" {key} …")


def _name(facts: MoveFacts) -> str:
    return f"project {facts.destination.project} of {facts.target.name}"


def _true(value: str | None) -> bool:
    return (value or "").lower() in _TRUE
