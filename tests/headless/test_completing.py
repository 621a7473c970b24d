"""`lxtui complete`: what a shell may put in for a word."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lxtui.completing import KINDS, candidates

_INCUS = """remotes:
  prod: {addr: "https://127.0.0.1:1", protocol: incus}
  prague: {addr: "https://127.0.0.1:1", protocol: incus}
  "$(reboot)": {addr: "https://127.0.0.1:1", protocol: incus}
  -rf: {addr: "https://127.0.0.1:1", protocol: incus}
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A user with two hosts that can be named, and two that no shell should be given."""
    (tmp_path / "incus").mkdir()
    (tmp_path / "incus/config.yml").write_text(_INCUS)
    return {
        "XDG_CONFIG_HOME": str(tmp_path),
        "XDG_STATE_HOME": str(tmp_path),
        "LXD_CONF": str(tmp_path / "lxc"),
        "LXD_DIR": str(tmp_path),
        "INCUS_DIR": str(tmp_path),
    }


@pytest.mark.parametrize(
    ("kind", "word", "wanted"),
    [
        ("hosts", "", ["prague", "prod"]),
        ("hosts", "pro", ["prod"]),
        ("hosts", "$", []),
        ("instances", "pr", ["prague:", "prod:"]),
        ("instances", "prod:", []),
        ("instances", "ghost:", []),
        ("moves", "", []),
        ("views", "", []),
        ("columns", "name,memory%", ["name,memory%"]),
        ("columns", "sta", ["state"]),
        ("nothing", "", []),
    ],
)
def test_candidates(
    kind: str, word: str, wanted: list[str], environ: dict[str, str], tmp_path: Path
) -> None:
    """Names that begin with the word; none for what is not there, and never one with signs."""
    assert candidates(kind, word, environ, tmp_path) == wanted


def test_every_kind_is_asked_by_the_completions() -> None:
    """The completions and the program have the same kinds."""
    packaging = Path(__file__).resolve().parents[2] / "packaging"
    text = (packaging / "documents.py").read_text()
    assert all(f'_asked("{kind}")' in text for kind in KINDS)


def test_nothing_is_loaded_that_is_not_needed(environ: dict[str, str]) -> None:
    """Hosts are completed without the client's libraries: the tab key waits."""
    script = (
        "import sys; from lxtui.start import main; main(['complete', 'hosts', 'prod']);"
        "print(*{'pylxd', 'requests', 'textual', 'argparse'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**environ, "HOME": environ["XDG_STATE_HOME"]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "prod\n\n"
