"""How much longer it takes, of operations that tell a share."""

from __future__ import annotations

from lxtui.model import Operation
from lxtui.remaining import Remaining


def _told(*words: tuple[float, str]) -> list[str]:
    """What is said at these seconds of what the daemon says."""
    now = 0.0
    remaining, said = Remaining(lambda: now), []
    for second, line in words:
        now = second
        said.append(remaining.said(Operation("1", "oslo", progress=line)))
    return said


def test_the_time_that_is_left_is_that_of_the_stage() -> None:
    """From the share that was made since its first word; another stage begins anew."""
    assert _told(
        (0.0, "Image pack: 10% (35MB/s)"),
        (0.5, "Image pack: 20% (35MB/s)"),
        (4.0, "Image pack: 50% (35MB/s)"),
        (5.0, "Unpack: 0%"),
        (15.0, "Unpack: 50%"),
    ) == [
        "Image pack: 10% (35MB/s)",
        "Image pack: 20% (35MB/s)",
        "Image pack: 50% (35MB/s), about 5.0s left",
        "Unpack: 0%",
        "Unpack: 50%, about 10s left",
    ]


def test_what_tells_no_share_is_said_as_it_is() -> None:
    """Bytes, other words, and shares that are none; a stage that stands still has no end."""
    assert _told(
        (0.0, "rootfs: 2.81GB (87.43MB/s)"),
        (9.0, "unpacking 900%"),
        (10.0, "x: 7%"),
        (20.0, "x: 7%"),
    ) == ["rootfs: 2.81GB (87.43MB/s)", "unpacking 900%", "x: 7%", "x: 7%"]


def test_numbers_beside_the_words_count_too() -> None:
    """Newer daemons tell the share apart from the words."""
    now = 0.0
    remaining = Remaining(lambda: now)
    assert remaining.said(Operation("1", "oslo", description="Making", percent=1)) == "Making"
    now = 10.0
    later = Operation("1", "oslo", description="Making", percent=51)
    assert remaining.said(later) == "Making, about 9.8s left"
