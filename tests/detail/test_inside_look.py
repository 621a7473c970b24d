"""Where a look into a container is refused."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from lxtui.detail import answers, inside_look
from lxtui.errors import LxtuiError
from lxtui.model import Ref

_NOBODY = 2**22 + 1
"""Beyond the largest pid that a kernel gives."""


def _trouble(pid: int, capsys: pytest.CaptureFixture[str]) -> str:
    assert inside_look.main([str(pid), "web1", "default"]) == 0
    return str(json.loads(capsys.readouterr().out)["trouble"])


def test_a_pid_of_another_machine(capsys: pytest.CaptureFixture[str]) -> None:
    """A number that nobody has here was given by a daemon elsewhere."""
    assert "is not that on this machine" in _trouble(_NOBODY, capsys)


@pytest.mark.skipif(os.geteuid() != 0, reason="asks what root is told")
def test_a_process_that_is_in_no_container(capsys: pytest.CaptureFixture[str]) -> None:
    """A process of our own pid namespace is no container's init."""
    assert "is not that on this machine" in _trouble(os.getpid(), capsys)


def test_without_root(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what is missing and what to do."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "run lxtui with sudo" in _trouble(os.getpid(), capsys)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo \"ModuleNotFoundError: No module named 'lxfs'\" >&2; exit 1", "not installed here"),
        ("exec sleep 30", "did not come back"),
        ('echo \'{"trouble": "so it is"}\'', "so it is"),
    ],
)
def test_a_look_that_does_not_come_back_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, said: str
) -> None:
    """Neither a missing lxfs nor a view that hangs holds up who asked."""
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setattr(answers, "_LOOK_SECONDS", 5.0 if "sleep" not in script else 0.2)
    assert said in answers._look(1, Ref("here", "default", "web1")).trouble


def test_a_look_that_breaks_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its last words are said."""
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho first >&2; echo 'ValueError: odd' >&2; exit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    with pytest.raises(LxtuiError, match="ValueError: odd"):
        answers._look(1, Ref("here", "default", "web1"))
