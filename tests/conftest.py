"""What all rungs share: the table at the end of a run, and log records that nobody expected.

Role: pytest hooks. Boundary: knows rungs as folders, not what is in them. Threading: the handler
takes records from any thread; the hooks run in the main one.
"""

import contextlib
import logging
import os
import re
from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import pytest

pytest_plugins = ["tests.lab.fixtures", "tests.lab.limit"]

HEAD = f"{'rung':<12}{'ran':>6}{'passed':>8}{'failed':>8}{'skipped':>9}  why skipped"
"""Above the table at the end."""
MARKERS = (
    "expected_logs(*patterns): regular expressions of log records at WARNING or above to allow",
    "long: left out unless LXTUI_LONG=1; those of the machine also run with LXTUI_MACHINE=all",
)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers of this file, and have no example of hypothesis timed."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    with contextlib.suppress(ModuleNotFoundError):  # the emulated machine has none, and needs none
        from hypothesis import settings

        # How long an example takes depends on what else the machine does.
        settings.register_profile("untimed", deadline=None)
        settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def own_state(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The journals of the tests' moves are not the user's."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark whatever uses the lab, so that `-m 'not lab'` leaves it out; leave out what is long."""
    for item in items:
        if "lab" in getattr(item, "fixturenames", ()):
            item.add_marker("lab")
    if os.environ.get("LXTUI_LONG") or os.environ.get("LXTUI_MACHINE") in {"all", "full"}:
        return
    if spared := [item for item in items if item.get_closest_marker("long")]:
        config.hook.pytest_deselected(items=spared)
        items[:] = [item for item in items if item not in spared]


class _Collector(logging.Handler):
    """Keeps what it is given."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the record as text: its arguments may change later."""
        self.records.append(f"{record.levelname} {record.name}: {record.getMessage()}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Fail a test that logs at WARNING or above what its expected_logs marker does not allow."""
    collector = _Collector()
    root = logging.getLogger()
    root.addHandler(collector)
    try:
        yield
    finally:
        root.removeHandler(collector)
    allowed = [p for mark in item.iter_markers("expected_logs") for p in mark.args]
    unexpected = [r for r in collector.records if not any(re.search(p, r) for p in allowed)]
    if unexpected:
        pytest.fail("unexpected log records:\n" + "\n".join(unexpected), pytrace=False)


@dataclass
class _Rung:
    """What became of the tests of one folder."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    reasons: Counter[str] = field(default_factory=Counter)


def _rung_of(nodeid: str) -> str:
    parts = PurePosixPath(nodeid.split("::", 1)[0]).parts
    below = parts[parts.index("tests") + 1 :] if "tests" in parts else parts
    return below[0] if len(below) > 1 else "(top)"


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    if why := str(getattr(report, "wasxfail", "")):
        return f"fails as known: {why}"
    return "no reason given"


def rungs(stats: dict[str, list[object]]) -> dict[str, _Rung]:
    """Count the reports that pytest keeps per outcome, by rung."""
    found: dict[str, _Rung] = {}
    fields = {
        "passed": "passed",
        "xpassed": "passed",
        "failed": "failed",
        "error": "failed",
        "skipped": "skipped",
        "xfailed": "skipped",
    }
    for outcome, name in fields.items():
        for report in stats.get(outcome, ()):
            if not isinstance(report, pytest.TestReport | pytest.CollectReport):
                continue
            rung = found.setdefault(_rung_of(report.nodeid), _Rung())
            setattr(rung, name, getattr(rung, name) + 1)
            if name == "skipped":
                rung.reasons[_reason(report)] += 1
    return dict(sorted(found.items()))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter,
) -> Generator[None, None, None]:
    """End with the table of rungs, after everything else that pytest has to say."""
    yield
    rows = _rows(rungs(terminalreporter.stats))
    if not rows:
        return
    if whole := os.environ.get("LXTUI_RUNGS"):  # tests.whole makes one table of several runs
        Path(whole).write_text("\n".join(rows))
    terminalreporter.section("rungs")
    for row in (HEAD, *rows):
        terminalreporter.write_line(row)


def _rows(found: dict[str, _Rung]) -> list[str]:
    """The table's lines below its head."""
    rows = []
    for name, rung in found.items():
        reasons = [f"{count}x {why}" for why, count in rung.reasons.most_common()]
        numbers = f"{rung.passed + rung.failed:>6}{rung.passed:>8}{rung.failed:>8}{rung.skipped:>9}"
        first, *more = reasons or [""]
        rows.append(f"{name:<12}{numbers}  {first}".rstrip())
        rows += [f"{'':<45}{reason}" for reason in more]
    return rows
