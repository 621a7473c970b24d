"""The lines of the main screen.

Role: fleet and selection → text. Boundary: pure. Threading: functions.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from textual.content import Content

from lxtui import format as text
from lxtui.actions import Selection
from lxtui.arranging import Scope
from lxtui.model import FleetSnapshot, Host, HostStatus, JobState, Member

_ANSWERING = {HostStatus.UNTRUSTED, HostStatus.UNSUPPORTED}
"""Hosts that answer, and of which nothing comes all the same."""


def summary(fleet: FleetSnapshot, marked: int) -> Content:
    """The line on top."""
    online = sum(host.online for host in fleet.hosts)
    running = [one.status for one in fleet.instances].count("Running")
    jobs = sum(job.state is JobState.RUNNING for job in fleet.jobs) + len(fleet.operations)
    parts = [
        Content.styled(" lxtui ", "bold reverse"),
        Content(f"  hosts {online}/{len(fleet.hosts)}"),
        Content(f"  running {running}/{len(fleet.instances)}"),
        Content(f"  operations {jobs}"),
    ]
    if marked:
        parts.append(Content.styled(f"  marked {marked}", "bold"))
    absent: dict[str, list[str]] = {}
    for host in fleet.hosts:
        if host.error and not host.online:
            why = host.status.value if host.status in _ANSWERING else "no answer"
            absent.setdefault(why, []).append(host.name)
    for why, names in sorted(absent.items()):
        parts.append(Content.styled(f"  {why}: {', '.join(names)}", "bold red"))
    if not fleet.hosts:
        parts.append(
            Content.styled("  no hosts: add one with 'lxtui hosts add NAME ADDRESS'", "red")
        )
    return Content("").join(parts)


def nothing(
    fleet: FleetSnapshot, matching: str, add: str, scope: Scope | None = None
) -> tuple[str, ...]:
    """Why the table is empty and what to do about it; *add* is the key that adds a host.

    *matching* is the filter, *scope* to what the table is narrowed, if they are.
    """
    if not fleet.hosts:
        return (
            "No hosts yet.",
            f"{add or ':add-host'} adds one, as does 'lxtui hosts add NAME ADDRESS'.",
            "This machine's daemons are found by themselves; else see 'lxtui doctor'.",
            "'lxtui --demo' shows a simulated fleet.",
        )
    if fleet.instances and matching:
        return (
            f"Nothing{f' of {scope}' if scope else ''} matches {matching}",
            "escape shows everything again, / changes the filter.",
        )
    if fleet.instances and scope:
        away = [_silent(one) for one in fleet.hosts if one.name == scope.host and not one.online]
        return (*away, f"No instances on {scope}.", "escape shows the whole fleet again.")
    lines = [_silent(host) for host in fleet.hosts if not host.online]
    if len(lines) < len(fleet.hosts):
        silent = f", of those that answer ({len(fleet.hosts) - len(lines)})" if lines else ""
        lines.insert(0, f"No instances on any host{silent}.")
    return tuple(lines)


def _silent(host: Host) -> str:
    """Why nothing is shown of a host."""
    if host.status is HostStatus.CONNECTING:
        return f"{host.name}: asked, no answer yet…"
    return f"{host.name} is {host.status}: {host.error.removeprefix(f'{host.name}: ')}"


def about(selection: Selection, now: datetime, row: int, rows: int) -> Content:
    """More about what the cursor is on, in one line, and where that is."""
    host, instance = selection.host, selection.instance
    place = f"{row}/{rows}  " if rows else ""
    if instance is None:
        if host is None:
            return Content.styled(place, "dim")
        mark = "read-only, " if host.read_only else ""
        if (member := host.members.get(selection.member)) is not None:
            line = _about_member(host, selection.member, member)
            return Content.styled(place + line, "dim" if member.online else "yellow")
        line = host.error or f"{host.name}: {mark}{host.kind} {host.version} at {host.address}"
        if host.error and host.seen_at is not None:
            line = f"last answer {text.age(host.seen_at, now)} ago: {line}"
        elif host.status is HostStatus.CONNECTING:
            line = f"{host.name} was asked and has not answered yet"
        return Content.styled(place + text.plain(line), "red" if host.error else "dim")
    parts = [
        instance.type + (" (ephemeral)" if instance.ephemeral else ""),
        f"profiles {', '.join(instance.profiles) or '-'}",
        f"disk {text.size(instance.disk)}" if instance.disk else "",
        instance.description,
    ]
    if host is not None and host.read_only:
        parts.insert(0, f"{host.name} is read-only")
    if host is not None and not host.online:
        parts.insert(0, f"as seen {text.age(host.seen_at, now)} ago: {host.error}")
    line = text.plain(" · ".join(part for part in parts if part))
    return Content.styled(place + line, "dim")


def _about_member(host: Host, name: str, member: Member) -> str:
    parts = (name, member.status, member.message, ", ".join(member.roles))
    return text.plain(f"{host.name}: {' · '.join(filter(None, parts))}")


def host_about(host: Host) -> str:
    """What a host is, beside its name where one of several is chosen."""
    if not host.online:
        return host.status.value
    return f"{host.kind} {host.version}" + (", read-only" if host.read_only else "")


def free_name(now: datetime, taken: Iterable[str]) -> str:
    """``snap-`` and the time, with a number where that exists already."""
    base, names = f"snap-{now:%Y%m%d-%H%M%S}", set(taken)
    candidates = (base, *(f"{base}-{number}" for number in range(2, len(names) + 3)))
    return next(name for name in candidates if name not in names)
