"""Views on disk: kept as they were, private, whole, and never lost to a damaged file."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lxtui.arranging import View
from lxtui.cli import main
from lxtui.command_line import understand
from lxtui.errors import LxtuiError, NotFoundError, UsageError
from lxtui.saved_views import SavedViews, default_path

HOT = View("cpu>50", ("name", "cpu", "user.role"), "cpu", descending=True, group="host")


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    """Named views and the last one, in a file that nobody else can read."""
    path = tmp_path / "state" / "views.json"
    saved = SavedViews(path)
    saved.save("hot", HOT)
    saved.remember(View(filter="web"))
    again = SavedViews(path)
    assert again.names == ["hot"]
    assert again.named("hot") == HOT
    assert again.last == View(filter="web")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]
    again.forget("hot")
    assert SavedViews(path).names == []


def test_an_unknown_name_says_which_there_are(tmp_path: Path) -> None:
    """The error lists the saved names."""
    saved = SavedViews(tmp_path / "views.json")
    saved.save("hot", HOT)
    with pytest.raises(NotFoundError, match=r"no view 'cold' \(saved: hot\)"):
        saved.named("cold")


@pytest.mark.parametrize(
    "content", ["", "[]", "{", '{"views": 3, "last": {}}', '{"views": {"a": {"sort": 1}}}', "\0"]
)
def test_a_damaged_file_is_said_and_left_alone(tmp_path: Path, content: str) -> None:
    """Lxtui begins as at first, and the file is as it was until something is saved."""
    path = tmp_path / "views.json"
    path.write_text(content)
    saved = SavedViews(path)
    assert "cannot be read" in saved.trouble
    assert saved.last == View()
    assert path.read_text() == content
    saved.save("hot", HOT)
    assert SavedViews(path).named("hot") == HOT


def test_what_cannot_be_written_is_an_error_and_not_kept(tmp_path: Path) -> None:
    """The message says so, and no half file is left."""
    (tmp_path / "file").write_text("")
    saved = SavedViews(tmp_path / "file" / "views.json")
    with pytest.raises(LxtuiError, match="not saved"):
        saved.save("hot", HOT)
    assert saved.names == []


@pytest.mark.parametrize("name", ["", " ", " a", "a\n", "x" * 65])
def test_names_are_readable(name: str) -> None:
    """What could not be typed or seen is no name."""
    with pytest.raises(UsageError):
        SavedViews().save(name, HOT)


def test_list_takes_a_saved_view(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """``list --view`` shows its columns; other options change it; an unknown name fails."""
    for name in ("HOME", "LXD_CONF", "INCUS_CONF", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    path = default_path(os.environ, tmp_path)
    SavedViews(path).save("roles", View(columns=("name", "gone-column", "user.role")))
    assert main(["list", "--view", "roles"]) == 0
    assert capsys.readouterr().out.split() == ["NAME", "ROLE"]
    assert main(["list", "--view", "roles", "--columns", "host"]) == 0
    assert capsys.readouterr().out.split() == ["HOST"]
    assert main(["list", "--view", "other"]) == 1
    assert "saved: roles" in capsys.readouterr().err
    assert json.loads(path.read_text())["views"]["roles"]["columns"][2] == "user.role"


def test_commands_are_understood() -> None:
    """Each verb of the command line changes its part of the view, or names what it means."""
    assert understand("sort mem reverse", HOT).view == View(
        HOT.filter, HOT.columns, "mem", descending=True, group="host"
    )
    assert understand("group", HOT).view == View(
        HOT.filter, HOT.columns, "cpu", descending=True, group=""
    )
    assert understand("filter a | b", HOT).view is not None
    columns = understand("columns name, user.x", HOT).view
    assert columns is not None
    assert columns.columns == ("name", "user.x")
    assert understand("view my hosts", HOT).name == "my hosts"
    assert understand("start", HOT).action == "start"
    assert understand("q", HOT).verb == "quit"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "no command"),
        ("fly", "no command 'fly': view, save"),
        ("sort size", "no column 'size'"),
        ("sort cpu down", "'down' is no order"),
        ("group cpu", "is a number"),
        ("view", "needs the name"),
    ],
)
def test_what_is_no_command_is_said(line: str, said: str) -> None:
    """The error names what could have been typed."""
    with pytest.raises(UsageError, match=said):
        understand(line, View())


@given(st.text(max_size=30))
def test_any_line_is_a_command_or_bad_usage(line: str) -> None:
    """Nothing typed raises anything else."""
    with contextlib.suppress(UsageError):
        assert understand(line, View())


def test_other_tables_have_views_of_their_own(tmp_path: Path) -> None:
    """In the same file, under the same names if need be; those of the instances stay apart."""
    path = tmp_path / "views.json"
    saved = SavedViews(path)
    images = View(filter="debian", columns=("name", "size"), sort="size", descending=True)
    saved.save("mine", View(sort="cpu"))
    saved.of("images").save("mine", images)
    saved.of("pools").remember(View(columns=("name",)))
    again = SavedViews(path)
    assert again.named("mine") == View(sort="cpu")
    assert again.of("images").named("mine") == images
    assert again.of("pools").last == View(columns=("name",))
    assert again.of("pools").remembered
    assert not again.of("volumes").remembered
    again.of("images").forget("mine")
    assert SavedViews(path).of("images").names == []
    assert SavedViews(path).names == ["mine"]


def test_a_file_of_an_older_lxtui_is_read(tmp_path: Path) -> None:
    """It knows the table of instances alone."""
    path = tmp_path / "views.json"
    path.write_text('{"last": {}, "views": {"old": {"sort": "name"}}}')
    saved = SavedViews(path)
    assert (saved.trouble, saved.names, saved.of("images").names) == ("", ["old"], [])
