"""`lxtui config`: where the settings are, what is wrong in them, what is in effect."""

from __future__ import annotations

import json
import string
from pathlib import Path

import pytest
from textual.keys import _character_to_key
from textual.theme import BUILTIN_THEMES

from lxtui import key_names, themes
from lxtui.actions import ACTIONS
from lxtui.cli import main
from lxtui.config import SETTINGS, Settings
from lxtui.config_reading import load, read
from lxtui.errors import UsageError
from lxtui.findings import Level
from lxtui.headless_config import shown
from lxtui.widgets.fleet_table import FleetTable
from lxtui.widgets.line_table import LineTable


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this test's settings belong; nothing is there, and no host is configured."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in ("LXD_CONF", "INCUS_CONF", "LXD_DIR", "INCUS_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    (tmp_path / "lxtui").mkdir()
    return tmp_path / "lxtui" / "config.yml"


def test_the_path_is_xdgs(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Path and whether there is a file, for people and for programs."""
    assert main(["config", "path"]) == 0
    assert capsys.readouterr().out == f"{file}\n"
    assert main(["config", "path", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"path": str(file), "exists": False}


@pytest.mark.parametrize(
    ("text", "line", "told", "advice"),
    [
        ("\n\ntehme: nord", 3, "unknown setting 'tehme'", "did you mean 'theme'?"),
        ("theme: nrod", 1, "no theme 'nrod'", "did you mean 'nord'?"),
        ("theme: [nord]", 1, "'theme' must be one of", "'theme: ansi-dark'"),
        ("theme: nord\ntheme: dracula", 2, "first in line 1", "take one of them out"),
        ("poll_seconds: soon", 1, "a number from 1 to 3600", "'poll_seconds: 5'"),
        ("poll_seconds: 0", 1, "a number from 1 to 3600", "'poll_seconds: 5'"),
        ("poll_seconds: .nan", 1, "a number from 1 to 3600", "'poll_seconds: 5'"),
        ("read_only: oslo", 1, "a list of host names", "[prod, archive]"),
        ("read_only:\n- a\n- 1", 3, "'1' in 'read_only' is no text", "quote"),
        ("keys: [s]", 1, "a mapping of action to key", "{stop: f9}"),
        ("keys:\n  sotp: q", 2, "unknown action 'sotp'", "did you mean 'stop'?"),
        ("keys:\n  stop: 1", 2, "must be a text", "quotes"),
        ("keys:\n  stop: hyper+s", 2, "'hyper+s' is no key", "config show"),
        ("keys:\n  stop: shift+s", 2, "write 'S'", "config show"),
        ("keys:\n  stop: s", 2, "the key 's': start and stop", "'start: \"\"'"),
        ("keys:\n  stop: f9\n  start: f9", 3, "the key 'f9': stop and start", "another"),
        ("keys:\n  stop: j", 2, "the table moves its cursor", "choose another"),
        ("keys:\n  stop: ctrl+q", 2, "it quits", "choose another"),
        ("- theme", 1, "is no mapping", "name: value"),
        ("theme: nord\nkeys: {stop: ]", 2, "is no YAML", "quote"),
    ],
)
def test_each_fault_has_its_line_and_a_remedy(text: str, line: int, told: str, advice: str) -> None:
    """What is wrong is said once, where it is, and with what to do about it."""
    (found,) = read(text).findings
    assert found.line == line
    assert told in found.text
    assert advice in found.advice


def test_check_says_everything_at_once(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All faults in the order of their lines, hosts that are not there, and status 1."""
    file.write_text("tehme: nord\nread_only: [ghost]\nkeys: {stop: s}\n")
    assert main(["config", "check"]) == 1
    said = capsys.readouterr().out
    places = [said.index(one) for one in (str(file), "line 1:", "line 3:", "'ghost'")]
    assert places == sorted(places)
    assert main(["config", "check", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [one["line"] for one in found] == [1, 3, None]
    assert set(found[0]) == {"check", "level", "text", "advice", "line"}
    assert main(["--demo", "hosts"]) == 2
    said = capsys.readouterr().err
    assert f"{file}:1: unknown setting 'tehme'" in said
    assert main(["config", "show"]) == 2


@pytest.mark.parametrize("text", [None, "", "# nothing\n", "theme:\nkeys:\n", "theme: nord\n"])
def test_a_right_file_is_said_to_be_right(
    text: str | None, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No file, an empty one, and names without a value are no faults."""
    if text is not None:
        file.write_text(text)
    assert main(["config", "check"]) == 0
    assert capsys.readouterr().out.startswith("ok ")


def test_a_file_that_cannot_be_read_is_a_fault(file: Path) -> None:
    """What is no text, or no file, is said in one line that names it."""
    file.write_bytes(b"theme: \xff\n")
    with pytest.raises(UsageError, match=r"config\.yml: is not UTF-8 at byte 7"):
        load({"XDG_CONFIG_HOME": str(file.parents[1])}, file.parents[1])
    file.unlink()
    file.mkdir()
    assert main(["config", "check"]) == 1


def test_a_wrong_theme_hinders_nothing(file: Path) -> None:
    """It is a warning of check's, and the screen has its usual colours."""
    file.write_text("theme: nrod\n")
    (found,) = read(file.read_text()).findings
    assert found.level is Level.WARNING
    assert load({"XDG_CONFIG_HOME": str(file.parents[1])}, file.parents[1]).theme == "nrod"


def test_what_is_shown_is_a_file_of_settings(file: Path) -> None:
    """Every setting and action is in it with its help, and read again it says the same."""
    settings = Settings(
        {"stop": "f9", "rename": "exclamation_mark"}, "nord", 2.5, frozenset({"no"})
    )
    text = shown(file, settings)
    again = read(text)
    assert again.findings == ()
    assert (again.settings.theme, again.settings.poll_seconds) == ("nord", 2.5)
    assert again.settings.read_only == {"no"}
    for action in ACTIONS:
        assert again.settings.keys[action.id] == settings.keys.get(action.id, action.key)
        assert action.help in text
    assert all(one.help in text for one in SETTINGS)
    assert "(default: x)" in text


def test_show_has_an_object_for_programs(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The key in effect beside the usual one."""
    file.write_text("keys: {stop: '!'}\n")
    assert main(["config", "show", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["path"] == str(file)
    (stop,) = [one for one in shown["keys"] if one["action"] == "stop"]
    assert (stop["key"], stop["default"]) == ("exclamation_mark", "x")


def test_keys_may_be_exchanged_and_taken_away() -> None:
    """Only what collides after all changes is a collision."""
    reading = read("keys: {start: x, stop: s, help: '', move: 'f6,Y'}")
    assert reading.findings == ()
    assert reading.settings.keys == {"start": "x", "stop": "s", "help": "", "move": "f6,Y"}


def test_signs_are_called_as_textual_calls_them() -> None:
    """What is pressed is what was written."""
    for sign in string.punctuation:
        assert key_names.canonical(sign) == _character_to_key(sign)


def test_the_usual_keys_are_free() -> None:
    """No action begins with a key that it could not be given, or that is written otherwise."""
    for action in ACTIONS:
        for key in filter(None, action.key.split(",")):
            assert key_names.canonical(key) == key
            assert key not in key_names.RESERVED, action.id


def test_the_tables_keys_are_reserved() -> None:
    """An action with a key of the table would be deaf as long as the table has the focus."""
    keys = {
        key
        for binding in (*LineTable.BINDINGS, *FleetTable.BINDINGS)
        for key in binding.key.split(",")  # type: ignore[union-attr]  # ours are all Bindings
    }
    assert len(keys) > 10
    assert keys <= set(key_names.RESERVED)


def test_the_themes_are_textuals() -> None:
    """What the settings take is what the screen knows, no more and no less."""
    assert set(themes.THEMES) == set(BUILTIN_THEMES)
    assert len(themes.THEMES) == len(set(themes.THEMES))
    assert all(BUILTIN_THEMES[name].ansi for name in themes.TERMINAL)
