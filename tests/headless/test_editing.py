"""Editing: text and back, one's changes on top of another's, the verbs edit and set."""

from __future__ import annotations

import io
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lxtui.api import Document
from lxtui.backend.demo_data import demo_fleet
from lxtui.calls.documents import PutDocument
from lxtui.cli import main
from lxtui.editing.documents import (
    body,
    changes,
    difference,
    merged,
    of_instance,
    of_profile,
    shown,
    understood,
    written,
)
from lxtui.editing.editor import editor
from lxtui.editing.equivalents import commands
from lxtui.editing.session import Session
from lxtui.errors import UsageError
from lxtui.model import Kind, Ref

REF = Ref("oslo", "default", "web1")
WHAT = of_instance(REF)
READ = {
    "name": "web1",
    "architecture": "x86_64",
    "stateful": False,
    "description": "",
    "ephemeral": False,
    "profiles": ["default"],
    "config": {"limits.cpu": "2", "volatile.uuid": "abc", "user.x": "a\nb\n"},
    "devices": {},
    "expanded_devices": {"root": {"type": "disk", "path": "/", "pool": "default"}},
    "status": "Running",
}


@pytest.fixture(autouse=True)
def fleet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """One demo fleet that stays from verb to verb; a user without hosts."""
    for name in ("LXD_DIR", "INCUS_DIR", "INCUS_SOCKET"):
        monkeypatch.delenv(name, raising=False)
    for name in ("LXD_CONF", "INCUS_CONF", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    made = demo_fleet(tempo=0.0)
    monkeypatch.setattr("lxtui.backend.demo_data.demo_fleet", lambda: made)
    return made


def test_what_the_daemon_sets_is_hidden_and_sent_back() -> None:
    """Volatile keys and what is not for editing: not in the text, unchanged in the request."""
    text = written(shown(WHAT, READ))
    assert "volatile" not in text
    assert "status" not in text
    assert "user.x: |" in text
    sent = body(WHAT, READ, understood(WHAT, text))
    assert sent["config"] == READ["config"]
    assert sent["architecture"] == "x86_64"
    assert set(sent) == {
        "architecture",
        "stateful",
        "description",
        "ephemeral",
        "profiles",
        "config",
        "devices",
    }


_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(st.dictionaries(_TEXTS.map("user.".__add__), _TEXTS), _TEXTS)
def test_every_value_survives_the_text(config: dict[str, str], description: str) -> None:
    """Whatever a container's owner has written: quotes, colons, control characters, spaces."""
    before = shown(WHAT, {**READ, "config": config, "description": description})
    assert understood(WHAT, written(before)) == before


@pytest.mark.parametrize("value", ["0755", "yes", "12:30", "1e3", "2", "~", "null", "0x1f"])
def test_values_are_what_was_typed(value: str) -> None:
    """YAML would make numbers, truths and nothing of them."""
    assert understood(WHAT, f"config:\n  user.x: {value}\n")["config"] == {"user.x": value}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("config: [", "line 1"),
        ("config:\n  a: 1\n  a: 2\n", "line 3, column 3: 'a' stands there twice"),
        ("config: 5", "config has to be a mapping"),
        ("config:\n  a: [1]\n", "the value of a"),
        ("devices:\n  eth0: nic\n", "device eth0 has to be a mapping"),
        ("profiles: default", "list of names"),
        ("ephemeral: perhaps", "true or false"),
        ("status: Stopped", "'status' cannot be changed"),
        ("config:\n  volatile.uuid: x\n", "volatile.uuid is the daemon's own"),
        ("- a", "mapping"),
        ("? [a]\n: b", "a key has to be a text"),
        ("a: \x00", "special characters"),
    ],
)
def test_what_is_wrong_is_said(text: str, why: str) -> None:
    """With the line where YAML itself is broken."""
    with pytest.raises(UsageError, match=why):
        understood(WHAT, text)


@pytest.mark.parametrize("document", [None, [], {}, {"config": 5, "devices": {"a": 1}}])
def test_documents_of_odd_shapes_are_empty(document: Any) -> None:
    """A daemon may answer anything."""
    empty = shown(WHAT, document)
    assert (empty["config"], empty["devices"], empty["profiles"]) == ({}, {}, [])
    assert body(WHAT, document, empty)["config"] == {}


_Texts = dict[str, str]


def _config(**values: str) -> dict[str, Any]:
    return shown(WHAT, {**READ, "config": values})


def test_changes_of_two_are_put_together() -> None:
    """Mine on top of theirs; what both have changed differently is mine, and is said."""
    base, mine = _config(a="1", b="1", c="1"), _config(a="2", b="2")
    theirs = _config(a="1", b="3", c="1", d="1")
    result, both = merged(base, mine, theirs)
    assert result == _config(a="2", b="2", d="1")
    assert both == ("config b",)


@given(*[st.dictionaries(st.sampled_from("abc"), st.sampled_from("12")) for _ in range(3)])
def test_merging_keeps_every_change(
    a: dict[str, str], b: dict[str, str], c: dict[str, str]
) -> None:
    """With nothing changed on one side the result is the other side; my changes are all in it."""
    base, mine, theirs = _config(**a), _config(**b), _config(**c)
    assert merged(base, base, theirs) == (theirs, ())
    assert merged(base, mine, base) == (mine, ())
    result, _ = merged(base, mine, theirs)
    for name in changes(base, mine):
        key = name.split()[1]
        assert result["config"].get(key) == mine["config"].get(key)


def test_difference_has_no_control_characters() -> None:
    """What a container's owner has written drives no terminal."""
    after = _config(a="\x1b[2J")
    assert not any("\x1b" in line for line in difference(_config(), after))


def test_equivalents() -> None:
    """What one would type; values quoted for a shell; an inherited device is overridden."""
    before = shown(WHAT, READ)
    after = {
        **before,
        "config": {"limits.cpu": "4", "user.y": "a b"},
        "devices": {"root": {"type": "disk", "path": "/", "pool": "default", "size": "5GiB"}},
        "profiles": ["default", "web"],
        "description": "x",
    }
    inherited = READ["expanded_devices"]
    assert isinstance(inherited, dict)
    assert commands(Kind.LXD, WHAT, before, after, inherited) == (
        "lxc config set oslo:web1 limits.cpu=4 'user.y=a b'",
        "lxc config unset oslo:web1 user.x",
        "lxc config device override oslo:web1 root size=5GiB",
        "lxc profile assign oslo:web1 default,web",
        "lxc config edit oslo:web1",
    )
    profile = of_profile("oslo", "p", "web")
    old = {"config": {}, "devices": {"a": {"type": "nic", "x": "1", "y": "2"}}, "description": ""}
    new = {
        "config": {"k": "v"},
        "devices": {"a": {"type": "nic", "x": "3"}, "b": {"type": "disk", "path": "/m"}},
        "description": "",
    }
    assert commands(Kind.INCUS, profile, old, new) == (
        "incus profile set oslo:web k=v --project p",
        "incus profile device set oslo:web a x=3 --project p",
        "incus profile device unset oslo:web a y --project p",
        "incus profile device add oslo:web b disk path=/m --project p",
    )


def _command(session: Session) -> PutDocument | None:
    return session.command


def test_the_text_is_the_users_alone_and_goes_with_the_edit(tmp_path: Path) -> None:
    """0600 in 0700; removed when it is over; a remark stands on top and is no part of it."""
    session = Session(WHAT, Document(READ, "e1"), tmp_path / "edits")
    assert stat.S_IMODE(session.file.stat().st_mode) == 0o600
    assert stat.S_IMODE(session.file.parent.stat().st_mode) == 0o700
    assert _command(session) is None
    session.file.write_text(session.file.read_text().replace("limits.cpu: '2'", "limits.cpu: 3"))
    session.note("line 3: something is wrong\nat all")
    assert "# line 3: something is wrong\n# at all\n" in session.file.read_text()
    command = session.command
    assert command is not None
    assert command.after["config"]["limits.cpu"] == "3"
    assert command.request.etag == "e1"
    session.over()
    assert not session.file.exists()


def test_a_text_is_taken_up_on_top_of_what_is_there_now(tmp_path: Path) -> None:
    """With the new ETag, the other's change in it, and a remark of what both have changed."""
    session = Session(WHAT, Document(READ, "e1"), tmp_path)
    session.file.write_text(session.file.read_text().replace("limits.cpu: '2'", "limits.cpu: 3"))
    now = {**READ, "config": {"limits.cpu": "8", "user.new": "1", "volatile.uuid": "def"}}
    assert session.take_up(Document(now, "e2")) == ("config limits.cpu",)
    command = session.command
    assert command is not None
    assert command.request.etag == "e2"
    sent = command.request.body["config"]
    assert sent == {"limits.cpu": "3", "user.new": "1", "volatile.uuid": "def"}
    assert "yours would win: config limits.cpu" in session.file.read_text()


def test_which_editor() -> None:
    """VISUAL, EDITOR, else vi; with arguments; a broken one is passed over."""
    assert editor({"VISUAL": "code -w", "EDITOR": "nano"}) == ["code", "-w"]
    assert editor({"VISUAL": "", "EDITOR": "nano"}) == ["nano"]
    assert editor({"EDITOR": "'broken"}) == ["vi"]


def _instance(fleet: Any, name: str = "web1") -> Any:
    return fleet.backend("oslo").instance(Ref("oslo", "default", name))


def test_set(fleet: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Keys are set and removed, others stay; volatile ones are refused; profiles too."""
    before = dict(_instance(fleet).config)
    assert (
        main(["--demo", "set", "oslo:web1", "limits.cpu=3", "--unset", "image.os", "--json"]) == 0
    )
    assert json.loads(capsys.readouterr().out)["result"] == "done"
    now = dict(_instance(fleet).config)
    assert now == {**{k: v for k, v in before.items() if k != "image.os"}, "limits.cpu": "3"}
    assert main(["--demo", "set", "--profile", "oslo:default", "limits.cpu=1"]) == 0
    assert fleet.daemons["oslo"].profiles["default"].config == {"limits.cpu": "1"}
    for wrong in (["volatile.x=1"], ["x"], [], ["=1"]):
        assert main(["--demo", "set", "oslo:web1", *wrong]) == 2
    assert main(["--demo", "set", "oslo:nobody", "a=1"]) == 1


def test_set_is_done_again_when_somebody_else_was_faster(
    fleet: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other's key and ours are both there in the end."""
    from lxtui.backend.demo import DemoBackend

    read, left = DemoBackend.read, [2]

    def disturbed(self: DemoBackend, *arguments: Any) -> Document:
        found = read(self, *arguments)
        if left[0]:
            left[0] -= 1
            self.set_config(REF, {f"user.other{left[0]}": "1"})
        return found

    monkeypatch.setattr(DemoBackend, "read", disturbed)
    assert main(["--demo", "set", "oslo:web1", "user.mine=1"]) == 0
    assert {"user.other0", "user.other1", "user.mine"} <= _instance(fleet).config.keys()


def test_edit_from_standard_input(
    fleet: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As 'lxc config edit' takes it: what is not in the text is gone, volatile keys stay."""
    monkeypatch.setattr("sys.stdin", io.StringIO("profiles: [default]\nconfig:\n  user.a: 1\n"))
    assert main(["--demo", "edit", "oslo:web1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["command"] == "edit"
    assert dict(_instance(fleet).config) == {"user.a": "1", "volatile.base_image": "0123456789ab"}
    monkeypatch.setattr("sys.stdin", io.StringIO("profiles: ["))
    assert main(["--demo", "edit", "oslo:web1"]) == 2
    monkeypatch.setattr("sys.stdin", io.StringIO("profiles: [nobody]"))
    assert main(["--demo", "edit", "oslo:web1"]) == 1


class Terminal(io.StringIO):
    """Somebody who answers."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def _editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = tmp_path / "editor.sh"
    program.write_text(f'#!/bin/sh\nexport FILE="$1"\n{script}\n')
    program.chmod(0o700)
    monkeypatch.setenv("VISUAL", str(program))


def _texts(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "lxtui/edits").glob("*"))


def test_edit_on_a_terminal_shows_and_asks(
    fleet: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The difference and the command line; no leaves it and keeps the text, yes sends it."""
    _editor(tmp_path, monkeypatch, "sed -i 's/512MiB/1GiB/' $FILE")
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    assert main(["--demo", "edit", "oslo:web1"]) == 1
    assert _instance(fleet).config["limits.memory"] == "512MiB"
    assert len(_texts(tmp_path)) == 1
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    assert main(["--demo", "edit", "oslo:web1"]) == 0
    said = capsys.readouterr().err
    assert "-  limits.memory: 512MiB\n+  limits.memory: 1GiB" in said
    assert "as: lxc config set oslo:web1 limits.memory=1GiB" in said
    assert _instance(fleet).memory_limit == 2**30
    assert len(_texts(tmp_path)) == 1


def test_a_broken_text_comes_back_with_what_is_wrong(
    fleet: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second time the editor finds the remark on top, and what was written."""
    script = 'grep -q "twice" $FILE && sed -i "/broken: 1/d" $FILE || '
    script += 'sed -i "s/^config:/config:\\n  broken: 1\\n  broken: 1/" $FILE'
    _editor(tmp_path, monkeypatch, f"{script}; sed -i 's/512MiB/2GiB/' $FILE")
    monkeypatch.setattr("sys.stdin", Terminal("y\ny\n"))
    assert main(["--demo", "edit", "oslo:web1"]) == 0
    assert _instance(fleet).config["limits.memory"] == "2GiB"
    assert not _texts(tmp_path)


def test_nothing_is_overwritten(
    fleet: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who changed it while the editor was open keeps that change; ours comes on top when asked."""
    _editor(tmp_path, monkeypatch, "sed -i 's/512MiB/2GiB/' $FILE")
    from lxtui.editing.editor import run_editor

    first = [True]

    def edit(file: Path) -> None:
        run_editor(file)
        if first.pop() if first else False:
            fleet.backend("oslo").set_config(REF, {"user.theirs": "1"})

    monkeypatch.setattr("lxtui.headless_edit.run_editor", edit)
    monkeypatch.setattr("sys.stdin", Terminal("y\ny\ny\n"))
    assert main(["--demo", "edit", "oslo:web1"]) == 0
    now = _instance(fleet).config
    assert (now["user.theirs"], now["limits.memory"]) == ("1", "2GiB")
    first.append(True)
    fleet.backend("oslo").set_config(REF, {"limits.memory": "512MiB", "user.theirs": None})
    monkeypatch.setattr("sys.stdin", Terminal("y\nn\n"))
    assert main(["--demo", "edit", "oslo:web1"]) == 1
    assert _instance(fleet).config["limits.memory"] == "512MiB"
    [kept] = _texts(tmp_path)
    assert "2GiB" in kept.read_text()


@pytest.mark.parametrize("script", ["exit 3", "true"])
def test_an_editor_that_fails_or_does_nothing_changes_nothing(
    script: str, fleet: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its status says so; an unchanged text is no error."""
    before = _instance(fleet)
    _editor(tmp_path, monkeypatch, script)
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    assert main(["--demo", "edit", "oslo:web1"]) == (1 if "3" in script else 0)
    assert _instance(fleet).config == before.config
