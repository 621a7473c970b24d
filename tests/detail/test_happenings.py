"""What happened to an instance, kept within bounds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lxtui.detail.happenings import Following, Happenings, concerns
from lxtui.model import Event, Operation, Ref

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
WEB = Ref("a", "default", "web 1")


def _lifecycle(source: str, project: str = "default", host: str = "a") -> Event:
    return Event(host, "lifecycle", "instance-started", source, project)


def _operation(number: int, status: str, name: str = "web 1") -> Event:
    operation = Operation(
        str(number), "a", "Stopping", status, resources=(name,), metadata={"fs": "a secret"}
    )
    return Event("a", "operation", project="default", operation=operation)


@pytest.mark.parametrize(
    ("event", "is_ours"),
    [
        (_lifecycle("/1.0/instances/web%201"), True),
        (_lifecycle("/1.0/instances/web%201/snapshots/one"), True),
        (_lifecycle("/1.0/containers/web%201"), True),
        (_lifecycle("/1.0/instances/web%201?project=p", "p"), False),
        (_lifecycle("/1.0/instances/web%201", "p"), False),
        (_lifecycle("/1.0/instances/web"), False),
        (_lifecycle("/1.0/profiles/web%201"), False),
        (_lifecycle("/1.0"), False),
        (_operation(1, "Running"), True),
        (_operation(1, "Running", "other"), False),
    ],
)
def test_what_concerns_an_instance(event: Event, is_ours: bool) -> None:
    """Itself and what belongs to it, in its own project."""
    assert concerns(event, WEB) is is_ours


def test_a_noisy_host_pushes_out_its_own_events_only() -> None:
    """Each host has a ring of its own, of bounded length."""
    kept = Happenings(kept=3)
    kept.add(_lifecycle("/1.0/instances/one", host="b"), NOW)
    for second in range(10):
        kept.add(_lifecycle("/1.0/instances/web%201"), NOW + timedelta(seconds=second))
    assert [one.at.second for one in kept.on("a")] == [7, 8, 9]
    assert len(kept.on("b")) == 1
    assert kept.on("c") == ()


def test_an_operation_stands_once_with_its_latest_word() -> None:
    """Progress would fill the page; where it began is when it began."""
    kept = Happenings()
    for second, status in enumerate(("Pending", "Running", "Running", "Success")):
        kept.add(_operation(1, status), NOW + timedelta(seconds=second))
        kept.add(_lifecycle("/1.0/instances/web%201"), NOW + timedelta(seconds=second))
    found = kept.of(WEB)
    assert len(found) == 5
    assert found[0].at == NOW
    assert found[0].event.operation is not None
    assert found[0].event.operation.status == "Success"


def test_what_is_followed_outlives_the_ring() -> None:
    """A noisy host pushes an event out of its ring, not off the page that has shown it."""
    kept, following = Happenings(kept=3), Following(WEB, kept=4)
    assert following.look(kept.on("a")) == ()
    kept.add(_lifecycle("/1.0/instances/web%201"), NOW)
    (first,) = following.look(kept.on("a"))
    for _ in range(5):
        kept.add(_lifecycle("/1.0/instances/other"), NOW)
    assert kept.of(WEB) == ()
    assert following.look(kept.on("a")) == (first,) == following.look(kept.on("a"))
    for second in range(9):
        kept.add(_lifecycle("/1.0/instances/web%201"), NOW + timedelta(seconds=second))
        found = following.look(kept.on("a"))
    assert [one.at.second for one in found] == [5, 6, 7, 8]


def test_secrets_of_operations_are_not_kept() -> None:
    """The raw document of a migration holds the secrets of its channels."""
    kept = Happenings()
    kept.add(_operation(1, "Running"), NOW)
    (one,) = kept.on("a")
    assert one.event.operation is not None
    assert not one.event.operation.metadata
