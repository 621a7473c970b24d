"""The whole fault matrix: ``make matrix``, or ``python -m tests.migrate.run_matrix``.

Role: the cells dealt out to processes of pytest, each with a lab of its own; their lines as they
come, then one table and one exit status. Boundary: test_matrix.py does the work, and says in
JUnit's XML what came of it; the document is written only by a run that was whole and green.
Threading: one thread for each process reads what it says; a Ctrl-C is handed to each process once,
which then removes its lab.

``LXTUI_MATRIX=WORDS`` runs the cells whose names hold all of the words, ``LXTUI_MATRIX_JOBS=N``
makes so many labs, ``LXTUI_LAB_POOL=btrfs`` gives them pools of that driver; of these the document
keeps no table.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from types import FrameType
from typing import NoReturn
from xml.etree import ElementTree as ET

from tests.migrate.matrix import WHOLE, cells, chosen, table
from tests.migrate.scene import Cell

REPOSITORY = Path(__file__).parents[2]
DOCUMENT = REPOSITORY / "docs/moves.md"
OUTCOME = "outcome"
"""The property under which a cell says what came of it."""
_LINE = re.compile(r"\[(?P<cell>[^\[\]]+)\] (?P<what>PASSED|FAILED|SKIPPED|ERROR)")
_TABLE = re.compile(r"(<!-- table: matrix \(make matrix\) -->\n).*?(<!-- end -->)", re.DOTALL)
_JOBS = 6
"""Labs at once: a broken move mostly waits, three daemons take 300 MB."""
_FAILED, _SKIPPED = "FAILED", "skipped"


@dataclass
class Run:
    """What the processes share."""

    wanted: Sequence[Cell]
    words: str
    folder: Path
    began: float = field(default_factory=time.monotonic)
    lock: Lock = field(default_factory=Lock)
    children: list[subprocess.Popen[str]] = field(default_factory=list)
    ended: int = 0
    interrupted: bool = False

    def say(self, line: str) -> None:
        """Print a line at once, with the minute and how far everything is."""
        minutes, seconds = divmod(int(time.monotonic() - self.began), 60)
        print(f"{minutes:3}:{seconds:02} {self.ended:4}/{len(self.wanted)} {line}", flush=True)

    def part(self, number: int, of: int) -> int:
        """Run one part of the cells; the exit status of its pytest."""
        report = self.folder / f"{number}.xml"
        # Of JUnit's two formats the first one holds what a test says of itself.
        options = ["-v", f"--junit-xml={report}", "-o", "junit_family=xunit1"]
        # Ours to remove: pytest would spend its end on what other sessions have left.
        options.append(f"--basetemp={self.folder / str(number)}")
        with self.lock:
            if self.interrupted:
                return 1
            child = subprocess.Popen(
                [sys.executable, "-m", "pytest", *options, "tests/migrate/test_matrix.py"],
                env={
                    **os.environ,
                    "LXTUI_LAB_REQUIRED": "1",
                    "LXTUI_MATRIX": self.words,
                    "LXTUI_MATRIX_PART": f"{number}/{of}",
                },
                cwd=REPOSITORY,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,  # a Ctrl-C at the terminal reaches it through us, once
            )
            self.children.append(child)
        said: list[str] = []
        with child:
            for line in child.stdout or ():
                said.append(line)
                if match := _LINE.search(line):
                    with self.lock:
                        self.ended += 1
                        self.say(f"{match['what']:7} {match['cell']}")
        if not report.exists():
            print(f"--- part {number} gave no report ---\n{''.join(said)}", flush=True)
        return child.returncode

    def interrupt(self) -> None:
        """Have every process end by itself, its lab removed."""
        with self.lock:
            self.interrupted = True
            for child in self.children:
                if child.poll() is None:
                    child.send_signal(signal.SIGINT)


@dataclass(frozen=True)
class Outcome:
    """What came of one cell."""

    text: str
    """As the table shows it."""
    detail: str = ""
    """What pytest says of a failure."""


def read(report: Path) -> Iterator[tuple[str, Outcome]]:
    """The cells of a JUnit report by their names; a cell whose end failed is there twice."""
    root = ET.parse(report).getroot()  # noqa: S314 our own pytest has written it
    for case in root.iter("testcase"):
        _, _, rest = case.get("name", "").partition("[")
        name = rest.removesuffix("]")
        for kind in ("failure", "error"):
            for fault in case.iter(kind):
                yield name, Outcome(_FAILED, fault.text or "no reason given")
        said = [one.get("value", "") for one in case.iter("property") if one.get("name") == OUTCOME]
        yield name, Outcome(said[0] if said else _SKIPPED)


def gather(folder: Path, wanted: Sequence[Cell]) -> dict[Cell, Outcome]:
    """What came of each cell; one that nobody tells of has failed."""
    found: dict[str, Outcome] = {}
    for report in sorted(folder.glob("*.xml")):
        for name, outcome in read(report):
            if name not in found or outcome.text == _FAILED:
                found[name] = outcome
    return {cell: found.get(str(cell), Outcome(_FAILED)) for cell in wanted}


def renewed(text: str, made: str) -> str:
    """The document with *made* between its marks."""
    return _TABLE.sub(lambda match: f"{match[1]}{made}\n{match[2]}", text)


def described(number: int, seconds: float, jobs: int) -> str:
    """What the document says of the run."""
    release = os.uname().release.split("-")[0]
    return (
        f"{number} cells, all as promised, in {seconds / 60:.0f} minutes, {jobs} labs at once, "
        f"on a machine with {os.cpu_count()} CPUs and Linux {release} "
        f"({datetime.now(UTC):%Y-%m-%d}).\n"
    )


@contextmanager
def _signals_as_exits() -> Iterator[None]:
    """A closed terminal and a plain kill end the run as Ctrl-C does."""

    def leave(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = {one: signal.signal(one, leave) for one in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def main(environ: Mapping[str, str]) -> int:
    """Run the chosen cells; 0 when each is as promised, 130 after a Ctrl-C."""
    words = environ.get("LXTUI_MATRIX", "") or WHOLE
    wanted = chosen(words)
    if not wanted:
        print(f"no cell's name holds {words!r}; a name is such as {cells()[0]}")
        return 2
    jobs = min(int(environ.get("LXTUI_MATRIX_JOBS") or _JOBS), len(wanted))
    with tempfile.TemporaryDirectory(prefix="lxtui-matrix-") as folder, _signals_as_exits():
        run = Run(wanted, words, Path(folder))
        pool = ThreadPoolExecutor(jobs)
        try:
            futures = [pool.submit(run.part, number, jobs) for number in range(jobs)]
            statuses = [future.result() for future in futures]
        except KeyboardInterrupt:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            print("interrupted: the labs are removed", flush=True)
            run.interrupt()
            pool.shutdown()
            _tell(gather(run.folder, wanted))
            return 130
        outcomes = gather(run.folder, wanted)
    seconds = time.monotonic() - run.began
    whole = words == WHOLE and environ.get("LXTUI_LAB_POOL", "dir") == "dir"
    return _conclude(outcomes, statuses, seconds, jobs, whole=whole)


def _conclude(
    outcomes: Mapping[Cell, Outcome],
    statuses: Sequence[int],
    seconds: float,
    jobs: int,
    *,
    whole: bool,
) -> int:
    """Print the failures and the table; write the document where the run deserves it."""
    failed = [cell for cell, outcome in outcomes.items() if outcome.text == _FAILED]
    skipped = [cell for cell, outcome in outcomes.items() if outcome.text == _SKIPPED]
    made = table({cell: outcome.text for cell, outcome in outcomes.items()})
    _tell(outcomes)
    print(f"\n{made}\n")
    for cell in failed:
        print(f"FAILED {cell}: {_last_line(outcomes[cell].detail)}")
    passed = len(outcomes) - len(failed) - len(skipped)
    print(
        f"{passed} passed, {len(failed)} failed, {len(skipped)} skipped "
        f"in {seconds / 60:.0f} minutes"
    )
    good = not failed and not any(statuses)
    if good and whole and not skipped:
        text = described(passed, seconds, jobs) + "\n" + made
        DOCUMENT.write_text(renewed(DOCUMENT.read_text(encoding="utf-8"), text), encoding="utf-8")
        print(f"written to {DOCUMENT.relative_to(REPOSITORY)}")
    return 0 if good else 1


def _tell(outcomes: Mapping[Cell, Outcome]) -> None:
    """Print what pytest says of each failure."""
    for cell, outcome in outcomes.items():
        if outcome.text == _FAILED and outcome.detail:
            print(f"\n--- {cell} ---\n{outcome.detail.strip()}")


def _last_line(detail: str) -> str:
    """The error itself, out of what pytest says around it."""
    if not detail:
        return "it was not run"
    marked = [line.removeprefix("E").strip() for line in detail.splitlines() if line[:2] == "E "]
    return next(filter(None, marked), detail.strip().partition("\n")[0])


if __name__ == "__main__":
    sys.exit(main(os.environ))
