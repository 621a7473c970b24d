"""How long an instance was away whose move was killed and taken up again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from lxtui.migrate.journal import Header, Record
from lxtui.migrate.options import MoveOptions
from lxtui.migrate.report import MoveReport, resumed
from lxtui.model import Ref

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SOURCE, TARGET = Ref("a", "default", "web1"), Ref("b", "default", "web1")


def _record(at: Mapping[str, int]) -> Record:
    header = Header("0123", SOURCE, TARGET, MoveOptions(), True, None, NOON)
    since = {step: NOON + timedelta(seconds=seconds) for step, seconds in at.items()}
    return Record(header, begun=tuple(at), since=since)


def _done(away: float | None, *, running: bool = True) -> MoveReport:
    return MoveReport(SOURCE, TARGET, running, 60.0, away, None)


WHOLE = {"claim": 0, "copy": 1, "stop": 10, "final": 12, "verify": 15, "start": 16, "delete": 18}
UNKNOWN = None


@pytest.mark.parametrize(
    ("until", "measured", "away"),
    [
        pytest.param("copy", 7.5, 7.5, id="before the stop: what the mover has measured"),
        pytest.param("stop", 1.0, 8.0, id="while it stopped: from the first time"),
        pytest.param("verify", UNKNOWN, 8.0, id="while it lay still"),
        pytest.param("start", UNKNOWN, UNKNOWN, id="when it may have been started already"),
        pytest.param("delete", UNKNOWN, 8.0, id="after the start"),
    ],
)
def test_how_long_it_was_away(until: str, measured: float | None, away: float | None) -> None:
    """From the first stop to the step after the start, wherever lxtui died; else not known."""
    steps = list(WHOLE)
    before = {step: WHOLE[step] for step in steps[: steps.index(until) + 1]}
    assert resumed(_done(measured), _record(before), _record(WHOLE)).downtime_seconds == away


def test_what_did_not_run_was_not_away() -> None:
    """A stopped instance has no such time."""
    before = _record({"claim": 0, "stop": 10})
    found = resumed(_done(None, running=False), before, _record(WHOLE))
    assert found.downtime_seconds is None
