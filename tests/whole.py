"""Every rung, the emulated machine's beside the others: ``make test``.

The machine is one process that computes without end, the lab and the screens mostly wait: beside
each other they take little more than the longer of the two. The machine has what time they leave
(nice 19), since some of the others use whole CPUs and look how much they got.

Role: two runs of pytest, the machine's output after the other's, one table at the end, one exit
status. Boundary: knows which folder is which, not what is in them. Threading: none; a Ctrl-C
reaches both runs, as they are in the terminal's process group, and this waits for them.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from .conftest import HEAD

FOLDER = Path(__file__).parent
MACHINE = FOLDER / "machine"
_STOPPING = (signal.SIGTERM, signal.SIGHUP)


def main(arguments: list[str]) -> int:
    """Run everything; *arguments* go to both runs. 0 when both are green."""
    pytest = [sys.executable, "-m", "pytest", *arguments]
    signal.signal(signal.SIGINT, lambda *_: None)  # theirs: each says how far it was
    with TemporaryDirectory(prefix="lxtui-whole-") as name:
        folder = Path(name)
        log, tables = folder / "machine.log", (folder / "most", folder / "machine")
        with log.open("wb") as output:
            machine = subprocess.Popen(
                ["nice", "-n", "19", *pytest, str(MACHINE)],
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "LXTUI_RUNGS": str(tables[1])},
            )
            try:
                most = subprocess.Popen(
                    [*pytest, str(FOLDER), f"--ignore={MACHINE}"],
                    env={**os.environ, "LXTUI_RUNGS": str(tables[0])},
                )
                for number in _STOPPING:
                    signal.signal(number, lambda *_: _interrupt(most, machine))
                statuses = [most.wait(), machine.wait()]
            except BaseException:
                _interrupt(machine)
                raise
        print("\n\nin the emulated machine, meanwhile:\n", flush=True)
        sys.stdout.buffer.write(log.read_bytes())
        rows = [one.read_text() for one in tables if one.exists()]
        print("\n".join([f"\n{' all rungs ':=^80}", HEAD, *rows]), flush=True)
    return int(any(statuses))


def _interrupt(*runs: subprocess.Popen[bytes]) -> None:
    """End them as a Ctrl-C does: they take away what they have made."""
    for run in runs:
        run.send_signal(signal.SIGINT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
