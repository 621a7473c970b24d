"""What is known about one instance, as a page.

Role: instance → text. Boundary: pure. Threading: functions.
"""

from __future__ import annotations

from datetime import datetime

from textual.content import Content

from lxtui import format as text
from lxtui.model import Instance


def details_page(instance: Instance, now: datetime) -> Content:
    """State, limits, profiles, configuration, devices and snapshots."""
    rows = [
        ("status", instance.status),
        ("type", instance.type + (" (ephemeral)" if instance.ephemeral else "")),
        ("architecture", instance.architecture),
        ("created", f"{text.age(instance.created_at, now)} ago"),
        ("project", instance.ref.project),
        ("profiles", ", ".join(instance.profiles) or "-"),
        ("memory", f"{text.size(instance.memory)} of {text.size(instance.memory_limit)}"),
        ("cpu", text.percent(instance.cpu_percent)),
        ("disk", text.size(instance.disk)),
        ("processes", "-" if instance.processes is None else str(instance.processes)),
        ("addresses", ", ".join((*instance.ipv4, *instance.ipv6)) or "-"),
    ]
    if instance.description:
        rows.insert(0, ("description", instance.description))
    parts = [_section("", rows)]
    if instance.snapshots:
        parts.append(
            _section(
                "snapshots",
                [(one.name, f"{text.age(one.created_at, now)} ago") for one in instance.snapshots],
            )
        )
    parts.append(_section("configuration", sorted(instance.expanded_config.items())))
    parts.append(
        _section(
            "devices",
            [
                (name, ", ".join(f"{key}={value}" for key, value in sorted(device.items())))
                for name, device in sorted(instance.expanded_devices.items())
            ],
        )
    )
    return Content("\n\n").join(part for part in parts if part.plain)


def _section(title: str, rows: list[tuple[str, str]]) -> Content:
    if not rows:
        return Content("")
    width = max(len(text.plain(key)) for key, _ in rows)
    lines = [Content.styled(title, "bold yellow")] if title else []
    lines += [
        Content.assemble((f"{text.plain(key):<{width}}  ", "dim"), text.plain(value))
        for key, value in rows
    ]
    return Content("\n").join(lines)
