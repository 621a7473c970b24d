"""Actions on all that a filter matches, and the verbs of freezing, renaming and copying."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from lxtui.backend.demo_data import demo_fleet
from lxtui.cli import main
from lxtui.model import Kind, Ref, StateAction
from lxtui.names import instance_name_trouble

ALIVE = "!host:quito"


@pytest.fixture(autouse=True)
def fleet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """One demo fleet that stays from verb to verb, without its dead host; a user without hosts."""
    for name in ("LXD_DIR", "INCUS_DIR", "INCUS_SOCKET"):
        monkeypatch.delenv(name, raising=False)
    for name in ("LXD_CONF", "INCUS_CONF", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    made = demo_fleet(tempo=0.0)
    del made.daemons["quito"]
    monkeypatch.setattr("lxtui.backend.demo_data.demo_fleet", lambda: made)
    return made


def _json(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
    status = main(["--demo", *arguments, "--json"])
    return status, json.loads(capsys.readouterr().out)


def _status(fleet: Any, host: str, name: str) -> str:
    found = fleet.backend(host).instance(Ref(host, "default", name)).status
    assert isinstance(found, str)
    return found


def test_stop_by_filter_reports_each(fleet: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """What matches is stopped; what cannot be is left out with the reason; keys as documented."""
    status, report = _json(capsys, "stop", "--filter", "host:oslo", "--yes")
    assert status == 0
    assert {key: report[key] for key in ("command", "filter", "result", "errors")} == {
        "command": "stop",
        "filter": "host:oslo",
        "result": "done",
        "errors": [],
    }
    assert [(one["instance"], one["result"], one["command"]) for one in report["instances"]] == [
        (f"oslo:{name}", "done", f"lxc stop oslo:{name}") for name in ("db1", "web1", "web2")
    ]
    assert report["left_out"] == [
        {"instance": "oslo:build", "project": "default", "reason": "oslo:build is stopped"}
    ]
    assert _status(fleet, "oslo", "web1") == "Stopped"
    assert _status(fleet, "lima", "mail") == "Running"


def test_nothing_is_done_without_agreement(fleet: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither where nobody is to agree, nor by --dry-run, which says what it would be."""
    assert main(["--demo", "stop", "--filter", "host:oslo"]) == 2
    assert "--yes" in capsys.readouterr().err
    status, report = _json(capsys, "stop", "--filter", "host:oslo", "--dry-run")
    assert (status, report["result"]) == (0, "planned")
    assert {one["result"] for one in report["instances"]} == {"planned"}
    assert _status(fleet, "oslo", "web1") == "Running"


@pytest.mark.parametrize(
    ("said", "gone"), [("y\n", False), ("\n", False), ("2\n", False), ("3\n", True)]
)
def test_what_cannot_be_undone_is_typed(
    fleet: Any,
    said: str,
    gone: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """On a terminal the number of instances is asked for, after the list of what will happen."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal(said))
    status = main(["--demo", "delete", "--filter", "state:stopped"])
    shown = capsys.readouterr()
    assert "oslo:build  lxc delete oslo:build" in shown.err
    assert "Its 4 snapshots go with it" in shown.err
    assert (Ref("oslo", "default", "build") not in fleet.daemons["oslo"].instances) is gone
    assert status == (0 if gone else 1)


@pytest.mark.parametrize("words", ["foo:bar web", "mem>lots", '"open'])
def test_a_filter_that_is_not_understood_does_nothing(words: str, fleet: Any) -> None:
    """On the screen such a term hides nothing; here it would do more than was meant."""
    assert main(["--demo", "stop", "--filter", words, "--yes"]) == 2
    assert _status(fleet, "oslo", "web1") == "Running"


def test_misuse_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither an instance nor a filter; both; a filter that matches nothing."""
    assert main(["--demo", "stop"]) == 2
    assert main(["--demo", "stop", "oslo:web1", "--filter", "web", "--yes"]) == 2
    assert main(["--demo", "stop", "--filter", "nosuchthing", "--yes"]) == 1
    assert "no instance matches 'nosuchthing'" in capsys.readouterr().err


def test_one_that_fails_does_not_hinder_the_others(
    fleet: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its reason is in the report; the exit status says that not all went well."""
    ref = Ref("oslo", "default", "web1")
    fleet.backend("oslo").set_config(ref, {"user.demo.stubborn": "true"})
    status, report = _json(capsys, "stop", "--filter", "host:oslo", "--yes")
    assert (status, report["result"]) == (1, "failed")
    fates = {one["instance"]: (one["result"], one["error"]) for one in report["instances"]}
    assert fates["oslo:web2"] == ("done", None)
    assert fates["oslo:web1"][0] == "failed"
    assert "context deadline exceeded" in fates["oslo:web1"][1]


def test_snapshots_of_all_that_match(capsys: pytest.CaptureFixture[str]) -> None:
    """With one name; who has one of that name is left out."""
    status, report = _json(capsys, "snapshot", "--filter", "name:web", "daily1", "--yes")
    assert status == 0
    assert [one["instance"] for one in report["instances"]] == ["kyoto:web3"]
    assert {one["instance"] for one in report["left_out"]} == {"oslo:web1", "oslo:web2"}


def test_freeze_and_unfreeze(fleet: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Frozen is neither running nor stopped; it goes on again."""
    assert _json(capsys, "freeze", "oslo:web1")[1]["result"] == "done"
    assert _status(fleet, "oslo", "web1") == "Frozen"
    assert main(["--demo", "freeze", "oslo:web1"]) == 1
    assert main(["--demo", "unfreeze", "--filter", "state:frozen", "--yes"]) == 0
    assert _status(fleet, "oslo", "web1") == "Running"


def test_rename(fleet: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """A stopped one has another name; a running one and a bad name are refused."""
    status, report = _json(capsys, "rename", "oslo:build", "forge")
    assert (status, report["command"], report["result"]) == (0, "rename", "done")
    assert _status(fleet, "oslo", "forge") == "Stopped"
    assert main(["--demo", "rename", "oslo:web1", "other"]) == 1
    assert main(["--demo", "rename", "oslo:forge", "a b"]) == 2


@pytest.mark.parametrize(
    ("target", "copied"),
    [("oslo:web9", ("oslo", "web9")), ("web9", ("oslo", "web9")), ("kyoto", ("kyoto", "web1"))],
)
def test_copy(
    target: str, copied: tuple[str, str], fleet: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """To another name here, or to another host; the original stays as it is."""
    status, report = _json(capsys, "copy", "oslo:web1", target)
    assert (status, report["destination"]) == (0, ":".join(copied))
    assert _status(fleet, *copied) == "Stopped"
    assert _status(fleet, "oslo", "web1") == "Running"


@pytest.mark.parametrize("name", ["", "1a", "-a", "a-", "a_b", "a" * 64, "ä", "a/b"])
def test_names_that_daemons_refuse(name: str) -> None:
    """What LXD 5.0.2 and Incus 6.0.4 answered to."""
    assert instance_name_trouble(name)
    assert not instance_name_trouble("a-1")
    assert instance_name_trouble(name, Kind.LXD)


def test_incus_takes_names_that_begin_with_a_digit() -> None:
    """LXD 5.0.2 refuses them; of digits alone is none for either."""
    for name in ("1a", "1-1"):
        assert instance_name_trouble(name, Kind.INCUS) == ""
        assert "begins with a letter" in instance_name_trouble(name, Kind.LXD)
    assert "no number" in instance_name_trouble("123", Kind.INCUS)
    assert instance_name_trouble("a_b", Kind.INCUS)


def test_words_of_the_command_lines() -> None:
    """Lxc has no resume: start goes on with what is paused."""
    from lxtui.commands import ChangeState

    frozen, thawed = (
        ChangeState(Ref("h", "default", "n"), one)
        for one in (StateAction.FREEZE, StateAction.UNFREEZE)
    )
    assert [one.equivalent(kind) for one in (frozen, thawed) for kind in Kind] == [
        "lxc pause h:n",
        "incus pause h:n",
        "lxc start h:n",
        "incus resume h:n",
    ]
