"""The dialogs of exporting and importing, on the demo fleet."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Label, Log

from lxtui.model import JobState, Ref
from lxtui.screens.backups import ExportDialog, ExportManyDialog, ImportDialog
from lxtui.screens.bulk import BulkDialog
from lxtui.screens.dialogs import LineDialog
from lxtui.screens.forms import LocalPaths
from lxtui.screens.main import MainScreen
from lxtui.widgets.fleet_table import FleetTable
from tests.tui.conftest import SIZE, Stage, until

WEB1 = Ref("oslo", "default", "web1")
SMALL = (80, 24)


async def _command(pilot: Pilot[None], stage: Stage, word: str) -> MainScreen:
    main = stage.app.screen_stack[1]
    assert isinstance(main, MainScreen)
    main.query_one(FleetTable).select(WEB1)
    await pilot.press("colon")
    await until(pilot, lambda: isinstance(stage.app.screen, LineDialog))
    await pilot.press(*word, "enter")
    return main


@pytest.mark.parametrize("size", [SIZE, SMALL], ids=["large", "small"])
def test_an_instance_is_exported_and_imported(size: tuple[int, int], tmp_path: Path) -> None:
    """What is wrong is said beside what was written; the file's own name for it is taken."""
    stage = Stage()
    file = tmp_path / "web1.tar.gz"

    async def script(pilot: Pilot[None]) -> None:
        await _command(pilot, stage, "export")
        await until(pilot, lambda: isinstance(stage.app.screen, ExportDialog))
        dialog = stage.app.screen
        trouble = dialog.query_one("#trouble", Label)
        dialog.query_one("#compression", Input).value = "rar"
        await pilot.pause()
        assert "say one of none, gzip" in str(trouble.content)
        dialog.query_one("#compression", Input).value = ""
        dialog.query_one("#to", Input).value = f"{tmp_path}/"
        await pilot.pause()
        assert str(dialog.query_one("#preview", Label).content) == (
            f"as: lxc export oslo:web1 {file}"
        )
        assert dialog.query_one(".dialog").region.bottom <= size[1]
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(stage.app.screen, MainScreen))
        assert file.stat().st_mode & 0o777 == 0o600
        await _command(pilot, stage, "import")
        await until(pilot, lambda: isinstance(stage.app.screen, ImportDialog))
        dialog = stage.app.screen
        trouble = dialog.query_one("#trouble", Label)
        dialog.query_one("#file", Input).value = str(file)
        await pilot.pause()
        assert "oslo:web1 exists already" in str(trouble.content)
        dialog.query_one("#host", Input).value = "nowhere"
        await pilot.pause()
        assert "no host is named" in str(trouble.content)
        dialog.query_one("#host", Input).value = "oslo"
        dialog.query_one("#name", Input).value = "web9"
        await pilot.pause()
        assert str(dialog.query_one("#preview", Label).content) == (
            f"as: lxc import oslo: {file} web9"
        )
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(stage.app.screen, MainScreen))
        await until(
            pilot, lambda: stage.fleet.snapshot.instance(WEB1._replace(name="web9")) is not None
        )
        assert [one.state for one in stage.fleet.jobs.all] == [JobState.DONE] * 2

    stage.run(script, size)


@pytest.mark.parametrize("size", [SIZE, SMALL], ids=["large", "small"])
def test_all_that_are_marked_are_exported(size: tuple[int, int], tmp_path: Path) -> None:
    """A directory is asked for; one list; a file that is there, and one that fails, stop nobody."""
    stage = Stage()
    web2, web3 = WEB1._replace(name="web2"), Ref("kyoto", "default", "web3")
    (tmp_path / "web2.tar.gz").write_text("mine")

    async def script(pilot: Pilot[None]) -> None:
        main = stage.app.screen_stack[1]
        main.query_one(FleetTable).set_marks([WEB1, web2, web3])
        await pilot.pause()
        await _command(pilot, stage, "export")
        await until(pilot, lambda: isinstance(stage.app.screen, ExportManyDialog))
        dialog = stage.app.screen
        dialog.query_one("#to", Input).value = str(tmp_path / "none")
        await pilot.pause()
        assert "is no directory" in str(dialog.query_one("#trouble", Label).content)
        await pilot.press("enter")
        assert stage.app.screen is dialog
        dialog.query_one("#to", Input).value = str(tmp_path)
        await pilot.pause()
        assert str(dialog.query_one("#preview", Label).content).startswith("2 files; 1 left out")
        assert dialog.query_one(".dialog").region.bottom <= size[1]
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(stage.app.screen, BulkDialog))
        lines = stage.app.screen.query_one(Log).lines
        assert f"kyoto:web3  incus export kyoto:web3 {tmp_path}/web3.tar.gz" in lines
        assert f"oslo:web2  {tmp_path}/web2.tar.gz is there already" in lines
        (tmp_path / "web1.tar.gz").write_text("theirs")  # meanwhile
        await pilot.press("y")
        await until(pilot, lambda: stage.fleet.jobs.all[0].state is JobState.FAILED)
        assert not main.query_one(FleetTable).marked

    stage.run(script, size)
    (job,) = stage.fleet.jobs.all
    assert job.progress.text == "export 2 instances: 1 done, 1 failed"
    assert any("is there already" in line for line in job.progress.details)
    assert sorted(one.name for one in tmp_path.iterdir()) == [
        "web1.tar.gz",
        "web2.tar.gz",
        "web3.tar.gz",
    ]
    assert (tmp_path / "web2.tar.gz").read_text() == "mine"
    assert (tmp_path / "web1.tar.gz").read_text() == "theirs"


def test_a_read_only_host_exports_nothing() -> None:
    """An export makes something on the host: said before a dialog opens."""
    stage = Stage()
    for backend in stage.fleet.backends.values():
        backend.read_only = True  # type: ignore[attr-defined]  # the demo's

    async def script(pilot: Pilot[None]) -> None:
        await _command(pilot, stage, "export")
        await until(pilot, lambda: len(stage.app._notifications) > 0)
        assert isinstance(stage.app.screen, MainScreen)

    stage.run(script)


async def _suggested(written: str) -> str | None:
    return await LocalPaths().get_suggestion(written)


def test_paths_of_this_machine_are_completed(tmp_path: Path) -> None:
    """The first name that begins so; directories with a slash; nothing where there is nothing."""
    import asyncio

    (tmp_path / "backups").mkdir()
    (tmp_path / "base").touch()
    (tmp_path / "bad\nname").touch()
    ask = {
        f"{tmp_path}/back": f"{tmp_path}/backups/",
        f"{tmp_path}/bas": f"{tmp_path}/base",
        f"{tmp_path}/bad": None,
        f"{tmp_path}/": None,
        f"{tmp_path}/none/x": None,
    }
    assert {one: asyncio.run(_suggested(one)) for one in ask} == ask
