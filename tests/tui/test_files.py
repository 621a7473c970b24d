"""The page of an instance's files, and its dialogs, on the demo fleet."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest
from textual.pilot import Pilot
from textual.widgets import Checkbox, Input, Label, Static

from lxtui.backend.demo_files import DemoFiles, Node
from lxtui.model import FileEntry, JobState, Ref
from lxtui.screens.detail.files import FilesPage
from lxtui.screens.detail.instance import InstanceScreen
from lxtui.screens.dialogs import ConfirmDialog, LineDialog, TextDialog
from lxtui.screens.main import MainScreen
from lxtui.screens.transfers import FolderDialog, PullDialog, PushDialog
from lxtui.widgets.file_table import FileTable
from lxtui.widgets.fleet_table import FleetTable
from tests.tui.conftest import SIZE, Stage, until

WEB1 = Ref("oslo", "default", "web1")
SMALL = (80, 24)
_FILE = stat.S_IFREG | 0o644


async def _open(pilot: Pilot[None], stage: Stage) -> FilesPage:
    main = stage.app.screen_stack[1]
    assert isinstance(main, MainScreen)
    main.query_one(FleetTable).select(WEB1)
    await pilot.press("F")
    await until(pilot, lambda: isinstance(stage.app.screen, InstanceScreen))
    page = stage.app.screen.query_one(FilesPage)
    await _at(pilot, page, "/")
    return page


async def _at(pilot: Pilot[None], page: FilesPage, path: str) -> None:
    await until(pilot, lambda: _head(page).startswith(f"{path}  ") and "names" in _head(page))


def _head(page: FilesPage) -> str:
    return str(page.query_one("#where", Static).content)


def _names(page: FilesPage) -> list[str]:
    table = page.query_one(FileTable)
    return [table.cells(row)[-1] for row in range(table.row_count)]


async def _to(pilot: Pilot[None], page: FilesPage, name: str) -> None:
    table = page.query_one(FileTable)
    table.move(next(at for at, one in enumerate(_names(page)) if one.startswith(name)))
    await pilot.pause()


async def _enter(pilot: Pilot[None], page: FilesPage, name: str) -> None:
    await _to(pilot, page, name)
    await pilot.press("enter")


@pytest.mark.parametrize("size", [SIZE, SMALL], ids=["large", "small"])
def test_directories_are_walked(size: tuple[int, int]) -> None:
    """Enter goes in, backspace goes up with the cursor where it was, g goes anywhere; links too."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        page = await _open(pilot, stage)
        assert {"etc/", "bin → usr/bin"} <= set(_names(page))
        await _enter(pilot, page, "etc")
        await _at(pilot, page, "/etc")
        await _enter(pilot, page, "nginx")
        await _at(pilot, page, "/etc/nginx")
        await pilot.press("backspace")
        await _at(pilot, page, "/etc")
        line = page.query_one(FileTable).line
        assert line is not None
        assert line.name == "nginx"
        await pilot.press("g")
        await until(pilot, lambda: isinstance(stage.app.screen, LineDialog))
        await pilot.press(*"/bin", "enter")
        await _at(pilot, page, "/bin")
        assert _names(page) == ["su"]
        await pilot.press("g")
        await until(pilot, lambda: isinstance(stage.app.screen, LineDialog))
        await pilot.press(*"/nowhere", "enter")
        await until(pilot, lambda: "there is no such file" in _head(page))
        assert _names(page) == ["su"]
        slots = page.query_one(FileTable).slots
        assert sum(slot.width + 1 for slot in slots) <= size[0] + 1

    stage.run(script, size)


def test_a_file_is_shown_as_what_it_is() -> None:
    """Text as lines, the rest as bytes; only the beginning of a long one; links followed inside."""
    stage = Stage()
    nodes = stage.demo.disks.of(WEB1).nodes
    nodes[b"/long"] = Node(_FILE, b"line\x1b[2J [bold]x[/]\n" * 5000)

    async def script(pilot: Pilot[None]) -> None:
        page = await _open(pilot, stage)

        async def shown(name: str) -> str:
            await _enter(pilot, page, name)
            await until(pilot, lambda: isinstance(stage.app.screen, TextDialog))
            found = str(stage.app.screen.query_one(Static).content)
            await pilot.press("escape")
            return found

        long = await shown("long")
        assert long.startswith("the first 32 KiB of 97.7 KiB\nline?[2J [bold]x[/]\n")
        await _enter(pilot, page, "etc")
        await _at(pilot, page, "/etc")
        assert "ID=debian" in await shown("os-release")
        await pilot.press("backspace")
        await _at(pilot, page, "/")
        await _enter(pilot, page, "usr")
        await _at(pilot, page, "/usr")
        await _enter(pilot, page, "bin")
        await _at(pilot, page, "/usr/bin")
        assert (await shown("su")).splitlines()[1].startswith("00000000  7f 45 4c 46 00")

    stage.run(script)


def test_marked_files_are_pulled(tmp_path: Path) -> None:
    """All of them, with the command line shown before; the dialog goes when they are there."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        page = await _open(pilot, stage)
        await _enter(pilot, page, "etc")
        await _at(pilot, page, "/etc")
        await _to(pilot, page, "nginx")
        await pilot.press("space", "space", "p")
        await until(pilot, lambda: isinstance(stage.app.screen, PullDialog))
        dialog = stage.app.screen
        assert "2 marked" in _head(page)
        dialog.query_one("#to", Input).value = f"{tmp_path}/none/x/"
        await pilot.pause()
        assert "is no directory" in str(dialog.query_one("#trouble", Label).content)
        dialog.query_one("#to", Input).value = str(tmp_path)
        await pilot.pause()
        assert str(dialog.query_one("#preview", Label).content).startswith(
            "as: lxc file pull -r oslo:web1/etc/nginx oslo:web1/etc/hostname "
        )
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(stage.app.screen, InstanceScreen))
        assert (tmp_path / "hostname").read_text("utf-8") == "web\n"
        assert (tmp_path / "nginx/nginx.conf").exists()

    stage.run(script)


def test_what_is_there_is_replaced_when_told(tmp_path: Path) -> None:
    """The refusal stays in the dialog with what was written; a box lets it be replaced."""
    stage = Stage()
    (tmp_path / "hosts").write_bytes(b"mine")

    async def script(pilot: Pilot[None]) -> None:
        page = await _open(pilot, stage)
        await _enter(pilot, page, "etc")
        await _at(pilot, page, "/etc")
        await _to(pilot, page, "hosts")
        await pilot.press("p")
        await until(pilot, lambda: isinstance(stage.app.screen, PullDialog))
        dialog = stage.app.screen
        dialog.query_one("#to", Input).value = str(tmp_path)
        await pilot.press("enter")
        trouble = dialog.query_one("#trouble", Label)
        await until(pilot, lambda: "is there already" in str(trouble.content))
        assert (tmp_path / "hosts").read_bytes() == b"mine"
        dialog.query_one("#force", Checkbox).value = True
        dialog.query_one("#to", Input).focus()
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(stage.app.screen, InstanceScreen))
        assert b"localhost" in (tmp_path / "hosts").read_bytes()

    stage.run(script)


def test_a_file_is_pushed_and_the_directory_read_again(tmp_path: Path) -> None:
    """Into the directory that is shown; so is a new directory's name, and what was removed goes."""
    stage = Stage()
    (tmp_path / "app.conf").write_bytes(b"x")

    async def script(pilot: Pilot[None]) -> None:
        page = await _open(pilot, stage)
        await _enter(pilot, page, "srv")
        await _at(pilot, page, "/srv")
        await pilot.press("P")
        await until(pilot, lambda: isinstance(stage.app.screen, PushDialog))
        dialog = stage.app.screen
        dialog.query_one("#what", Input).value = str(tmp_path / "app.conf")
        dialog.query_one("#owner", Input).value = "33:x"
        await pilot.pause()
        assert "write its number" in str(dialog.query_one("#trouble", Label).content)
        dialog.query_one("#owner", Input).value = "33"
        await pilot.pause()
        assert str(dialog.query_one("#preview", Label).content).endswith(
            "--uid 33 --gid 33 " + str(tmp_path / "app.conf") + " oslo:web1/srv/"
        )
        await pilot.press("enter")
        await until(pilot, lambda: "app.conf" in _names(page))
        await pilot.press("M")
        await until(pilot, lambda: isinstance(stage.app.screen, FolderDialog))
        await pilot.press(*"new", "enter")
        await until(pilot, lambda: "new/" in _names(page))
        await _to(pilot, page, "new")
        await pilot.press("d")
        await until(pilot, lambda: isinstance(stage.app.screen, ConfirmDialog))
        await pilot.press("y")
        await until(pilot, lambda: "new/" not in _names(page))

    stage.run(script)
    nodes = stage.demo.disks.of(WEB1).nodes
    assert (nodes[b"/srv/app.conf"].content, nodes[b"/srv/app.conf"].uid) == (b"x", 33)


def test_a_pull_goes_on_without_its_dialog_and_can_be_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Escape leaves it running as a job; c stops it; nothing half is left."""
    stage, go = Stage(), Event()
    stage.demo.disks.of(WEB1).nodes[b"/big"] = Node(_FILE, bytes(200_000))
    whole = DemoFiles.opened

    @contextmanager
    def slow(self: DemoFiles, path: bytes) -> Iterator[tuple[FileEntry, Iterator[bytes]]]:
        with whole(self, path) as (entry, pieces):

            def waiting() -> Iterator[bytes]:
                for piece in pieces:
                    yield piece
                    go.wait(20)

            yield entry, waiting()

    monkeypatch.setattr(DemoFiles, "opened", slow)

    async def begin(pilot: Pilot[None], page: FilesPage, name: str) -> PullDialog:
        await _to(pilot, page, "big")
        await pilot.press("p")
        await until(pilot, lambda: isinstance(stage.app.screen, PullDialog))
        dialog = stage.app.screen
        assert isinstance(dialog, PullDialog)
        dialog.query_one("#to", Input).value = str(tmp_path / name)
        await pilot.press("enter")
        said = dialog.query_one("#said", Label)
        await until(pilot, lambda: "of 195 KiB" in str(said.content))
        return dialog

    async def script(pilot: Pilot[None]) -> None:
        page = await _open(pilot, stage)
        await begin(pilot, page, "one")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(stage.app.screen, InstanceScreen))
        assert [one.state for one in stage.fleet.jobs.all] == [JobState.RUNNING]
        go.set()
        await until(pilot, (tmp_path / "one").exists)
        go.clear()
        dialog = await begin(pilot, page, "two")
        await pilot.press("c")
        go.set()
        trouble = dialog.query_one("#trouble", Label)
        await until(pilot, lambda: "stopped on request" in str(trouble.content))

    stage.run(script)
    assert [one.name for one in tmp_path.iterdir()] == ["one"]
    assert (tmp_path / "one").stat().st_size == 200_000


def test_a_read_only_host_can_be_read_only() -> None:
    """Pushing, making and removing say why not; pulling opens its dialog."""
    stage = Stage()
    for backend in stage.fleet.backends.values():
        backend.read_only = True  # type: ignore[attr-defined]  # the demo's

    async def script(pilot: Pilot[None]) -> None:
        page = await _open(pilot, stage)
        for key in ("P", "M", "d"):
            await pilot.press(key)
            await pilot.pause()
            assert isinstance(stage.app.screen, InstanceScreen)
        assert len(stage.app._notifications) == 3
        await _to(pilot, page, "etc")
        await pilot.press("p")
        await until(pilot, lambda: isinstance(stage.app.screen, PullDialog))

    stage.run(script)


def test_a_dead_host_is_said_and_what_was_read_stays() -> None:
    """In the page, with the host's own words."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        page = await _open(pilot, stage)
        stage.demo.daemons["oslo"].alive = False
        await _enter(pilot, page, "etc")
        await until(pilot, lambda: "no answer" in _head(page))
        assert "etc/" in _names(page)
        assert _head(page).startswith("/  ")

    stage.run(script)


def test_hostile_names_are_only_text() -> None:
    """Escapes and markup are shown, marked and entered like any other name."""
    stage = Stage()
    nodes = stage.demo.disks.of(WEB1).nodes
    nodes[b"/\x1b[31m[red]\n\xff"] = Node(stat.S_IFDIR | 0o755)
    nodes[b"/\x1b[31m[red]\n\xff/in"] = Node(_FILE)

    async def script(pilot: Pilot[None]) -> None:
        page = await _open(pilot, stage)
        shown = r"\x1b[31m[red]\n\\xff"
        await _enter(pilot, page, shown)
        await until(pilot, lambda: _names(page) == ["in"])
        assert _head(page).startswith(f"/{shown}  ")
        await pilot.press("P")
        await until(pilot, lambda: isinstance(stage.app.screen, PushDialog))
        await pilot.press("escape", "M")
        await until(pilot, lambda: isinstance(stage.app.screen, FolderDialog))

    stage.run(script)
