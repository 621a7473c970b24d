"""What ``/`` shows.

Role: a line of text and an instance → shown or not. Boundary: pure. Threading: functions.
"""

from __future__ import annotations

from lxtui.model import Instance


def matches(query: str, instance: Instance) -> bool:
    """Whether every word of *query* occurs in what the table shows of the instance.

    Case does not matter; a word that begins with ``!`` must not occur.
    """
    shown = " ".join(
        (
            str(instance.ref),
            instance.ref.project,
            instance.status,
            instance.type,
            *instance.ipv4,
            *instance.ipv6,
            *instance.profiles,
            *(snapshot.name for snapshot in instance.snapshots),
        )
    ).casefold()
    return all(
        word[1:] not in shown if word.startswith("!") and len(word) > 1 else word in shown
        for word in query.casefold().split()
    )
