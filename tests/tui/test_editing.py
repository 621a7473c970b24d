"""Editing from the screen: the editor has the terminal, the difference is shown, it is sent."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Label, Static

from lxtui.model import Instance, Ref
from lxtui.screens.editing import EditDialog
from lxtui.screens.main import MainScreen
from tests.tui.conftest import Stage, until
from tests.tui.test_acting import select

WEB1 = Ref("oslo", "default", "web1")


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Stage:
    """A stage whose editor is a script, which needs no terminal."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("VISUAL", raising=False)
    made = Stage()
    monkeypatch.setattr(made.app, "suspend", nullcontext)
    return made


def _editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = tmp_path / "editor.sh"
    program.write_text(f'#!/bin/sh\nexport FILE="$1"\n{script}\n')
    program.chmod(0o700)
    monkeypatch.setenv("EDITOR", str(program))


def _web1(stage: Stage) -> Instance:
    return stage.demo.backend("oslo").instance(WEB1)


def _said(stage: Stage) -> str:
    return str(stage.app.screen.query_one("#said", Label).render())


def _shown(stage: Stage) -> str:
    return str(stage.app.screen.query_one("#difference", Static).render())


def _texts(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "lxtui/edits").glob("*"))


async def _open(pilot: Pilot[None], stage: Stage) -> None:
    select(stage, "oslo", "web1")
    await pilot.press("e")
    await until(pilot, lambda: isinstance(stage.app.screen, EditDialog))


@pytest.mark.parametrize("size", [(80, 24), (130, 38)])
def test_edit_look_send(
    size: tuple[int, int], stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The difference and the command line are seen before anything is sent."""
    _editor(tmp_path, monkeypatch, "sed -i 's/512MiB/1GiB/' $FILE")

    async def script(pilot: Pilot[None]) -> None:
        await _open(pilot, stage)
        await until(pilot, lambda: "+  limits.memory: 1GiB" in _shown(stage))
        assert "as: lxc config set oslo:web1 limits.memory=1GiB" in _shown(stage)
        assert _web1(stage).config["limits.memory"] == "512MiB"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(stage.app.screen, MainScreen))
        assert _web1(stage).config["limits.memory"] == "1GiB"
        assert not _texts(tmp_path)

    stage.run(script, size)


def test_escape_changes_nothing(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither does an editor that leaves the text alone."""
    _editor(tmp_path, monkeypatch, "sed -i 's/512MiB/1GiB/' $FILE")

    async def script(pilot: Pilot[None]) -> None:
        await _open(pilot, stage)
        await until(pilot, lambda: "1GiB" in _shown(stage))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(stage.app.screen, MainScreen))
        _editor(tmp_path, monkeypatch, "true")
        await pilot.press("e")
        await until(pilot, lambda: bool(stage.app._notifications))
        await until(pilot, lambda: isinstance(stage.app.screen, MainScreen))
        assert _web1(stage).config["limits.memory"] == "512MiB"
        assert not _texts(tmp_path)
        assert not stage.fleet.jobs.all

    stage.run(script)


def test_a_broken_text_is_edited_again_and_then_given_up(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The editor finds the remark on top; left as it is, the dialog says what is wrong."""
    count = tmp_path / "count"
    _editor(
        tmp_path,
        monkeypatch,
        f"echo x >> {count}; grep -q 'stands there twice' $FILE && exit 0; "
        'sed -i "s/^config:/config:\\n  a: 1\\n  a: 1/" $FILE',
    )

    async def script(pilot: Pilot[None]) -> None:
        await _open(pilot, stage)
        await until(pilot, lambda: "'a' stands there twice" in _said(stage))
        assert count.read_text() == "x\nx\n"
        await pilot.press("enter")  # there is nothing to send
        assert not stage.fleet.jobs.all

    stage.run(script)


def test_a_conflict_is_taken_up_on_top(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What somebody else has set meanwhile stays; ours is shown anew and sent when agreed to."""
    _editor(tmp_path, monkeypatch, "sed -i 's/512MiB/1GiB/' $FILE")

    async def script(pilot: Pilot[None]) -> None:
        await _open(pilot, stage)
        await until(pilot, lambda: "1GiB" in _shown(stage))
        stage.demo.backend("oslo").set_config(WEB1, {"user.theirs": "1"})
        await pilot.press("enter")
        await until(pilot, lambda: "look again" in _said(stage))
        assert _web1(stage).config["limits.memory"] == "512MiB"
        assert len(_texts(tmp_path)) == 1
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(stage.app.screen, MainScreen))
        now = _web1(stage).config
        assert (now["limits.memory"], now["user.theirs"]) == ("1GiB", "1")
        assert not _texts(tmp_path)

    stage.run(script)


def test_what_the_host_refuses_keeps_the_text(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason is shown with the file's name, and stands in the text."""
    _editor(tmp_path, monkeypatch, "sed -i 's/^- default/- nobody/' $FILE")

    async def script(pilot: Pilot[None]) -> None:
        await _open(pilot, stage)
        await until(pilot, lambda: "nobody" in _shown(stage))
        await pilot.press("enter")
        await until(pilot, lambda: "not found" in _said(stage))
        [kept] = _texts(tmp_path)
        assert "not found" in kept.read_text().splitlines()[1]

    stage.run(script)


def test_a_host_that_does_not_answer_is_said(stage: Stage) -> None:
    """The dialog opens at once and says why there is nothing to edit."""

    async def script(pilot: Pilot[None]) -> None:
        stage.demo.daemons["oslo"].alive = False
        await _open(pilot, stage)
        await until(pilot, lambda: "no answer" in _said(stage))

    stage.run(script)
