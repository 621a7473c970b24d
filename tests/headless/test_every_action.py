"""Whatever changes something: its command line, its verb with --json, its line in the journal, and
its refusal on a host that is only looked at. A new action needs a line here, or a reason.
"""

from __future__ import annotations

import io
import json
import shlex
from pathlib import Path

import pytest

from lxtui.actions import ACTIONS
from lxtui.audit.entry import DONE
from lxtui.audit.journal import Audit, read
from lxtui.cli import main
from lxtui.resources.deeds import DEEDS

VERBS = {
    "start": "start oslo:build",
    "stop": "stop oslo:web1",
    "stop-force": "stop oslo:web1 --force",
    "restart": "restart oslo:web1",
    "restart-force": "restart oslo:web1 --force",
    "freeze": "freeze oslo:web1",
    "edit": "edit oslo:web1",
    "limits": "limits oslo:web1 --memory 1GiB",
    "publish": "publish oslo:build",
    "export": "export oslo:build FILE",
    "import": "import FILE oslo:fresh",
    "rename": "rename oslo:build forge",
    "copy": "copy oslo:build oslo:copied",
    "launch": "launch debian/12 oslo:fresh",
    "move": "move oslo:web1 kyoto",
    "snapshot": "snapshot oslo:web1 new",
    "restore": "restore oslo:web1 daily0",
    "delete-snapshot": "delete oslo:web1/daily0 --yes",
    "delete": "delete oslo:build --yes",
    "entry-delete": "volume delete oslo:default/scratch --yes",
    "image-refresh": "image refresh oslo:debian/12",
    "image-copy": "image copy oslo:alpine/3.22 kyoto",
    "alias-add": "image add-alias oslo:debian/12 newest",
    "alias-remove": "image remove-alias oslo:debian/12 debian/12",
    "warning-acknowledge": "warning acknowledge kyoto:5f58af7b",
    "member-evacuate": "member evacuate perth:perth1 --yes",
    # What is behind an action's dialog, and has no line of its own in the table.
    "snapshots: name, expiry": "snapshot oslo:web1 new --expires 7d",
    "snapshots: rename": "rename oslo:web1/daily0 after",
    "snapshots: expire": "expire oslo:web1/daily0 7d",
    "snapshots: delete several": "delete-snapshots oslo:web1 --name * --yes",
    "files: push": "files push FILE oslo:web1/root/",
    "files: mkdir": "files mkdir oslo:web1/root/new",
    "files: rm": "files rm oslo:web1/etc/hosts",
    "set": "set oslo:web1 user.role=db",
    "edit a profile": "edit --profile oslo:small",
}
"""An action or a deed → its verb on the demo fleet."""

ELSEWHERE = {
    "unfreeze": "needs one that is frozen: tests/headless/test_cli.py",
    "shell": "the demo runs no programs: tests/backend/test_shell.py",
    "console": "for people at a terminal: no JSON of it; tests/backend/test_shell.py",
    "snapshots": "a dialog, whose deeds stand above",
    "undo": "what this screen has done, in the opposite order: it sends the commands above",
    "moves": "'lxtui resume' and 'lxtui undo' of a move: test_a_move_that_was_left_unfinished",
    "cancel-job": "of a job of this program: Ctrl-C is that of a verb",
    "add-host": "writes here, not on a host: tests/backend/test_enrol.py, tests/tui/test_add_host",
    "operation-cancel": "needs an operation that can be: tests/resources, tests/backend",
    "member-restore": "needs one that was evacuated: tests/migrate/test_lab_cluster.py",
}
"""Changing actions without a line above, and why."""

LOOKING = {
    *("files", "mark", "mark-all", "invert-marks", "filter", "columns", "sort", "reverse", "group"),
    *("fold", "views", "save-view", "command", "copy-command", "audit", "tables", "uses"),
    *("images", "profiles", "networks", "pools", "volumes", "projects", "members", "warnings"),
    *("operations", "hosts", "refresh", "toggle-tree", "details", "help"),
}
"""They change nothing of a host."""


@pytest.fixture
def journal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A user without hosts of their own, and a journal although the demo keeps none."""
    for name in ("LXD_DIR", "INCUS_DIR", "INCUS_SOCKET"):
        monkeypatch.delenv(name, raising=False)
    for name in ("LXD_CONF", "INCUS_CONF", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    path = tmp_path / "audit.jsonl"
    monkeypatch.setattr("lxtui.cli._audit", lambda _: Audit(path))
    return path


def _words(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The line with what it needs: a file, an id, the text of an edit."""
    file = tmp_path / "file"
    if line.startswith("import"):
        assert main(["--demo", "export", "oslo:build", str(file), "--force"]) == 0
    elif line.startswith("files push"):
        file.write_bytes(b"x")
    if line.startswith("edit"):
        text = "config:\n  user.role: db\ndevices: {}\n"
        text += "" if "--profile" in line else "profiles: [default]\n"
        monkeypatch.setattr("sys.stdin", io.StringIO(text))
    return [str(file) if word == "FILE" else word for word in shlex.split(line)]


def test_every_action_is_thought_of() -> None:
    """Each of both tables is tried here, or named with the reason why not."""
    known = {one.id for one in ACTIONS} | {one.id for one in DEEDS}
    tried = {name for name in VERBS if name in known}
    assert tried | ELSEWHERE.keys() | LOOKING == known
    assert not tried & ELSEWHERE.keys()
    assert not {one.id for one in ACTIONS if one.writes} & LOOKING


@pytest.mark.parametrize("name", VERBS)
def test_what_each_leaves_behind(
    name: str,
    journal: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Done: an object that says so, and one line in the journal with the command that one would
    type. Read-only: the reason, and nothing done.
    """
    words = _words(VERBS[name], tmp_path, monkeypatch)
    journal.unlink(missing_ok=True)
    capsys.readouterr()
    assert main(["--demo", *words, "--json"]) == 0, capsys.readouterr().err
    answer = json.loads(capsys.readouterr().out)
    for one in answer if isinstance(answer, list) else [answer]:
        assert one.get("result") == "done"
    entries = read(journal)
    assert entries
    for entry in entries:
        assert entry.result == DONE
        assert entry.host in {"oslo", "kyoto", "perth"}
        assert entry.command.split()[0] in {"lxc", "incus", "lxtui"}
        assert entry.command.split()[0] != "lxtui" or name == "move"  # lxd to incus: only lxtui
    words = _words(VERBS[name], tmp_path, monkeypatch)
    journal.unlink()
    capsys.readouterr()
    assert main(["--demo", "--read-only", *words, "--json"]) == 1
    said = capsys.readouterr()
    assert "is read-only" in said.out
    assert json.loads(said.out)["result"] == "failed"
    assert not any(entry.result == DONE for entry in read(journal))
