"""What signals do to a command that is under way."""

import os
import signal
import subprocess
import sys

import pytest

from lxtui.headless import stop_on_signals


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_signal_that_comes_twice_only_stops(number: signal.Signals) -> None:
    """A terminal that closes sends two: the command still puts everything back."""
    with stop_on_signals() as stop:
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)
        assert stop.is_set()


def test_a_second_interrupt_leaves_things_as_they_are() -> None:
    """The second Ctrl-C ends the program at once and says where to look."""
    program = """
import os, signal
from lxtui.headless import stop_on_signals
with stop_on_signals() as stop:
    os.kill(os.getpid(), signal.SIGINT)
    assert stop.is_set()
    os.kill(os.getpid(), signal.SIGINT)
    print("went on")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "'lxtui moves' shows what is where" in done.stderr
