"""A pytest session around the lab: the table of rungs, log records, skips, Ctrl-C."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .lab import missing_hosts, unavailable
from .sweep import remnants
from .tools import wait_until

REPOSITORY = Path(__file__).parents[2]


def session(tmp_path: Path, text: str) -> "subprocess.Popen[str]":
    """Start pytest, with the hooks of this repository, on a rung that holds TEXT."""
    rung = tmp_path / "tests" / "sample"
    rung.mkdir(parents=True)
    (rung / "test_it.py").write_text(text)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n    lab: needs the lab\n")
    argv = [sys.executable, "-W", "error", "-m", "pytest", "-p", "tests.conftest", str(rung)]
    pipe = subprocess.PIPE
    env = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    for name in ("LXTUI_LAB", "LXTUI_LAB_REQUIRED"):
        env.pop(name, None)
    return subprocess.Popen(
        [*argv, "--rootdir", str(tmp_path), "-c", str(tmp_path / "pytest.ini")],
        stdout=pipe,
        stderr=subprocess.STDOUT,
        text=True,
        env=env,
        start_new_session=True,
    )


def outcome(tmp_path: Path, text: str) -> tuple[int, str]:
    """Run TEXT as a session; return pytest's exit status and what it printed."""
    with session(tmp_path, text) as child:
        out, _ = child.communicate(timeout=120)
        return child.returncode, out


def test_the_table_counts(tmp_path: Path) -> None:
    """The table names the rung, what ran, passed, failed and was skipped, and each reason once."""
    status, out = outcome(
        tmp_path,
        "import pytest\n"
        "def test_a(): pass\n"
        "def test_b(): assert False\n"
        "@pytest.mark.parametrize('n', [1, 2])\n"
        "def test_c(n): pytest.skip('no moon')\n"
        "def test_d(): pytest.skip('no sun')\n",
    )
    assert status == 1
    *_, row, more, _total = out.strip().splitlines()
    assert row.split(None, 5) == ["sample", "2", "1", "1", "3", "2x no moon"]
    assert more.strip() == "1x no sun"


def test_a_failing_fixture_counts_as_failed(tmp_path: Path) -> None:
    """A test whose fixture fails stands among the failed."""
    status, out = outcome(
        tmp_path,
        "import pytest\n@pytest.fixture\ndef broken(): raise OSError\ndef test_a(broken): pass\n",
    )
    assert status == 1
    assert out.strip().splitlines()[-2].split() == ["sample", "1", "0", "1", "0"]


@pytest.mark.parametrize(
    ("mark", "level", "passes"),
    [
        ("", "warning", False),
        ("", "error", False),
        ("", "info", True),
        ("@pytest.mark.expected_logs('lost .* host')", "warning", True),
        ("@pytest.mark.expected_logs('something else')", "warning", False),
    ],
)
def test_unexpected_log_records_fail(tmp_path: Path, mark: str, level: str, passes: bool) -> None:
    """A record at WARNING or above fails its test unless the test's marker allows it."""
    status, out = outcome(
        tmp_path,
        f"import logging, pytest\n{mark}\n"
        f"def test_a(): logging.getLogger('x.y').{level}('lost the %s', 'host')\n",
    )
    assert (status == 0) is passes
    assert passes or f"{level.upper()} x.y: lost the host" in out


@pytest.mark.parametrize(("required", "status"), [("", 0), ("1", 1)])
def test_no_lab_is_a_loud_skip(tmp_path: Path, required: str, status: int) -> None:
    """Where no lab can be, its tests are skipped with the reason, or fail if it is required."""
    code, out = outcome(
        tmp_path,
        "import os\n"
        f"if {required!r}: os.environ['LXTUI_LAB_REQUIRED'] = '1'\n"
        "import tests.lab.fixtures as fixtures\n"
        "from tests.lab.errors import LabUnavailable\n"
        "def up(name, driver): raise LabUnavailable('the moon is full')\n"
        "fixtures.up = up\n"
        "def test_a(lab): pass\n"
        "def test_b(lxd1): pass\n",
    )
    assert code == status
    expected = ["sample", "2", "0", "2", "0"] if required else ["sample", "0", "0", "0", "2"]
    assert out.strip().splitlines()[-2].split()[:5] == expected
    assert required or "2x no lab: the moon is full" in out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill -9"])
def test_an_interrupted_session_leaves_no_lab(tmp_path: Path, number: int) -> None:
    """Ctrl-C, pressed twice, removes the session's lab; after kill -9 the next session does."""
    if reason := unavailable() or (missing_hosts() and "hosts are missing"):
        pytest.skip(f"no lab: {reason}")
    note = tmp_path / "name"
    text = (
        "import pathlib, time\n"
        "def test_a(lab):\n"
        f"    pathlib.Path({str(note)!r}).write_text(lab.plan.name)\n"
        "    time.sleep({seconds})\n"
    )
    with session(tmp_path, text.format(seconds=60)) as child:
        assert wait_until(lambda: note.exists() and bool(note.read_text()), 60)
        child.send_signal(number)
        if number == signal.SIGINT:
            time.sleep(0.1)  # well within the removal
            child.send_signal(number)
        child.communicate(timeout=60)
    name = note.read_text()
    if number == signal.SIGKILL:
        assert remnants(name)
        assert outcome(tmp_path / "again", text.format(seconds=0))[0] == 0
        assert note.read_text() == name
    assert remnants(name) == []
