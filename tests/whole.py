"""Every rung, in three runs beside each other: ``make test``.

The machine is one process that computes without end, the screens compute for minutes, the lab
mostly waits: beside each other they take little more than the longest. The first two have what
time the lab's run leaves (nice 19), since some of that one's tests use whole CPUs and look how much
they got.

Role: three runs of pytest, the output of two after the other's, one table at the end, one exit
status. Boundary: knows which folder is which, not what is in them. Threading: none; a Ctrl-C
reaches all runs, as they are in the terminal's process group, and this waits for them.
"""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from .conftest import HEAD

FOLDER = Path(__file__).parent
MACHINE = FOLDER / "machine"
PURE = tuple(
    FOLDER / name
    for name in ("detail", "headless", "parse", "resources", "sources", "tree", "tui", "views")
)
"""Folders whose tests need no daemon."""
_STOPPING = (signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Beside:
    """A run that has what time the main one leaves: its title, and its folders."""

    name: str
    title: str
    folders: tuple[Path, ...]


BESIDE = (
    Beside("pure", "without daemons", PURE),
    Beside("machine", "in the emulated machine", (MACHINE,)),
)


def main(arguments: list[str]) -> int:
    """Run everything; *arguments* go to all runs. 0 when all are green."""
    pytest = [sys.executable, "-m", "pytest", *arguments]
    signal.signal(signal.SIGINT, lambda *_: None)  # theirs: each says how far it was
    with TemporaryDirectory(prefix="lxtui-whole-") as name:
        folder = Path(name)
        runs: list[subprocess.Popen[bytes]] = []
        try:
            for one in BESIDE:
                with (folder / f"{one.name}.log").open("wb") as output:
                    words = ["nice", "-n", "19", *pytest, *map(str, one.folders)]
                    runs.append(
                        subprocess.Popen(
                            words,
                            stdout=output,
                            stderr=subprocess.STDOUT,
                            env={**os.environ, "LXTUI_RUNGS": str(folder / one.name)},
                        )
                    )
            ignored = [f"--ignore={path}" for one in BESIDE for path in one.folders]
            runs.append(
                subprocess.Popen(
                    [*pytest, str(FOLDER), *ignored],
                    env={**os.environ, "LXTUI_RUNGS": str(folder / "most")},
                )
            )
            for number in _STOPPING:
                signal.signal(number, lambda *_: _interrupt(runs))
            statuses = [run.wait() for run in reversed(runs)]
        except BaseException:
            _interrupt(runs)
            raise
        for one in BESIDE:
            print(f"\n\n{one.title}, meanwhile:\n", flush=True)
            sys.stdout.buffer.write((folder / f"{one.name}.log").read_bytes())
        tables = [folder / name for name in ("most", *(one.name for one in BESIDE))]
        rows = [table.read_text() for table in tables if table.exists()]
        print("\n".join([f"\n{' all rungs ':=^80}", HEAD, *rows]), flush=True)
    return int(any(statuses))


def _interrupt(runs: list[subprocess.Popen[bytes]]) -> None:
    """End them as a Ctrl-C does: they take away what they have made."""
    for run in runs:
        run.send_signal(signal.SIGINT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
