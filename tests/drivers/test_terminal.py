"""``lxfs run`` on a terminal: keys, jobs, pipelines, hanging up."""

import os
import pty
import re
import select
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.drivers.conftest import LXFS, cells_of, descendants, eventually, exists


class Terminal:
    """An interactive shell on a terminal of its own."""

    def __init__(self) -> None:
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            environment = {"PATH": os.environ["PATH"], "PS1": "$ ", "TERM": "xterm"}
            shell = ["bash", "--norc", "--noprofile", "--noediting", "-i"]
            os.execvpe("bash", shell, environment)  # noqa: S606 - bash itself is wanted

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._fd, text.encode())

    def expect(self, pattern: str, seconds: float = 10) -> str:
        """Return what came up to a pattern."""
        shown, until = "", time.monotonic() + seconds
        while re.search(pattern, shown) is None:
            if not select.select([self._fd], [], [], max(0.0, until - time.monotonic()))[0]:
                pytest.fail(f"no {pattern!r} in {shown!r}")
            shown += os.read(self._fd, 65536).decode(errors="replace")
        return shown

    def close(self) -> None:
        """Hang up, as closing the window would."""
        os.close(self._fd)
        if not eventually(lambda: os.waitpid(self.pid, os.WNOHANG)[0] != 0, 5):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """A shell with job control, hung up at the end."""
    # pty.fork warns of other threads; the child execs at once.
    shell = Terminal()
    try:
        shell.expect(r"\$ ")
        yield shell
    finally:
        shell.close()


def test_control_c_ends_the_command(terminal: Terminal) -> None:
    """Ctrl-C goes to the command, and the run ends as a shell expects: 130."""
    terminal.type(f"{' '.join(LXFS)} run sh -c 'echo o''n; exec sleep 60'\n")
    terminal.expect(r"\non\r")
    terminal.type("\x03")
    terminal.expect(r"\$ ")
    terminal.type("echo status=$?\n")
    terminal.expect("status=130")


def test_stop_and_continue(terminal: Terminal) -> None:
    """Ctrl-Z stops the run as a job of the shell, fg continues the command with the terminal."""
    terminal.type(f"{' '.join(LXFS)} run sh -c 'echo o''n; read line; echo got $line'\n")
    terminal.expect(r"\non\r")
    terminal.type("\x1a")
    terminal.expect("Stopped")
    terminal.type("fg\n")
    terminal.expect("lxfs.cli")
    terminal.type("typed\n")
    terminal.expect(r"\ngot typed")


def test_a_pager_behind_a_run_gets_the_keys(terminal: Terminal) -> None:
    """In a pipeline the terminal stays with the pipeline: the reader of the run can read keys."""
    reader = "read key < /dev/tty; cat; echo key=$key"
    terminal.type(f"{' '.join(LXFS)} run echo printed | sh -c '{reader}'\n")
    terminal.expect("key < /dev/tty")
    terminal.type("pressed\n")
    terminal.expect(r"printed\r\nkey=pressed")


def test_control_c_ends_a_pipeline(terminal: Terminal) -> None:
    """In a pipeline, too, Ctrl-C ends the command; its status is that of the signal."""
    terminal.type(f"{' '.join(LXFS)} run sh -c 'echo o''n; exec sleep 60' | cat\n")
    terminal.expect(r"\non\r")
    terminal.type("\x03")
    terminal.expect(r"\$ ")
    terminal.type("echo status=${PIPESTATUS[0]}\n")
    terminal.expect("status=130")


def test_a_run_from_the_background_gets_the_terminal_with_fg(terminal: Terminal) -> None:
    """A run started with & stops when it reads keys, and reads them after fg."""
    terminal.type(f"{' '.join(LXFS)} run sh -c 'echo o''n; read line; echo got $line' &\n")
    terminal.expect(r"[ \n]on\r")
    job = _job(terminal)
    assert eventually(lambda: ") T " in Path(f"/proc/{job}/stat").read_text())
    terminal.type("fg\n")
    terminal.expect("lxfs.cli")
    terminal.type("typed\n")
    terminal.expect(r"\ngot typed")


def test_hanging_up_ends_the_run(terminal: Terminal) -> None:
    """Closing the terminal ends the command and removes the cgroups."""
    terminal.type(f"{' '.join(LXFS)} run sh -c 'echo o''n; exec sleep 60'\n")
    terminal.expect(r"\non\r")
    job = _job(terminal)
    started = [job, *descendants(job)]
    os.kill(terminal.pid, signal.SIGHUP)
    assert eventually(lambda: not any(exists(pid) for pid in started))
    assert eventually(lambda: cells_of(job) == [])


def _job(terminal: Terminal) -> int:
    """Return the pid of the one run that the shell has."""
    children = Path(f"/proc/{terminal.pid}/task/{terminal.pid}/children").read_text().split()
    (job,) = (
        int(pid) for pid in children if b"lxfs.cli" in Path(f"/proc/{pid}/cmdline").read_bytes()
    )
    return job


@pytest.mark.skipif(shutil.which("htop") is None, reason="htop is not installed")
def test_htop_agrees(terminal: Terminal) -> None:
    """The referee htop draws a machine of 64 MB with two tasks, and quits on q."""
    terminal.type(f"stty rows 24 cols 90; {' '.join(LXFS)} run --memory 64M --cpus 1 htop\n")
    shown = terminal.expect(r"/64\.0M")
    terminal.type("q")
    terminal.expect(r"\$ ")
    assert "lxfs.cli" in shown
