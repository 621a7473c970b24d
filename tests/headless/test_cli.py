"""The command line on the demo fleet: exit statuses, JSON keys, one line for each error."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lxtui.cli import main
from lxtui.migrate.journal import Header, Journal
from lxtui.migrate.options import MoveOptions
from lxtui.model import Ref

_HOST_KEYS = {
    "name",
    "kind",
    "version",
    "address",
    "status",
    "error",
    "project",
    "read_only",
    "server_name",
    "cpus",
    "memory_bytes",
}
_INSTANCE_KEYS = {
    "host",
    "project",
    "name",
    "type",
    "status",
    "ipv4",
    "ipv6",
    "snapshots",
    "architecture",
    "created_at",
    "description",
    "ephemeral",
    "location",
    "profiles",
    "cpu_ns",
    "memory_bytes",
    "memory_limit_bytes",
    "disk_bytes",
    "processes",
}


_PLAN_KEYS = {
    "source",
    "destination",
    "project",
    "transport",
    "possible",
    "steps",
    "findings",
    "profiles",
    "size_bytes",
    "estimated_seconds",
    "estimated_downtime_seconds",
    "estimated_rate",
    "estimated_rate_assumed",
    "commands",
}


_EVACUATED_KEYS = {
    "plan",
    "source",
    "project",
    "target",
    "result",
    "error",
    "warnings",
    "memory_bytes",
    "disk_bytes",
    "seconds",
    "downtime_seconds",
}


@pytest.fixture(autouse=True)
def no_hosts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A user without settings and without hosts of their own."""
    for name in ("LXD_DIR", "INCUS_DIR", "INCUS_SOCKET"):
        monkeypatch.delenv(name, raising=False)
    for name in ("LXD_CONF", "INCUS_CONF", "XDG_CONFIG_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))


def _json(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
    status = main(["--demo", *arguments, "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_hosts_have_their_documented_keys(capsys: pytest.CaptureFixture[str]) -> None:
    """Every host is an object with the documented keys; a dead one is offline, with its error."""
    status, hosts = _json(capsys, "hosts")
    assert status == 0
    assert all(set(host) == _HOST_KEYS for host in hosts)
    dead = next(host for host in hosts if host["name"] == "quito")
    assert (dead["status"], dead["kind"]) == ("offline", "incus")
    assert dead["error"]


def test_list_has_its_documented_keys(capsys: pytest.CaptureFixture[str]) -> None:
    """Every instance of a host that answers is listed with the documented keys."""
    status, instances = _json(capsys, "list", "oslo", "kyoto:")
    assert status == 0
    assert {one["host"] for one in instances} == {"oslo", "kyoto"}
    assert all(set(one) == _INSTANCE_KEYS for one in instances)
    web1 = next(one for one in instances if one["name"] == "web1")
    assert (web1["status"], web1["snapshots"], web1["ipv4"]) == ("Running", 2, ["10.20.30.11"])


def test_list_of_a_dead_host_fails_and_shows_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    """What answers is printed, what does not is one line on standard error and status 1."""
    assert main(["--demo", "list"]) == 1
    printed = capsys.readouterr()
    assert "web1" in printed.out
    assert printed.err.startswith("lxtui: quito: no answer")
    assert len(printed.err.splitlines()) == 1


def test_without_a_terminal_the_fleet_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """No verb and no terminal: the table, and status 0 although a host is dead."""
    assert main(["--demo"]) == 0
    assert capsys.readouterr().out.startswith("HOST")


def test_snapshots_of_one_instance(capsys: pytest.CaptureFixture[str]) -> None:
    """Snapshots are objects that name host, instance and snapshot."""
    status, snapshots = _json(capsys, "snapshots", "oslo:web1")
    assert status == 0
    assert [one["name"] for one in snapshots] == ["daily0", "daily1"]
    assert {(one["host"], one["instance"]) for one in snapshots} == {("oslo", "web1")}


@pytest.mark.parametrize(
    "arguments",
    [
        ("start", "oslo:build"),
        ("stop", "oslo:web1"),
        ("stop", "oslo:web1", "--force"),
        ("restart", "oslo:web1"),
        ("snapshot", "oslo:web1", "new"),
        ("restore", "oslo:web1", "daily0"),
        ("delete", "oslo:build"),
        ("delete", "oslo:web1/daily0"),
    ],
)
def test_each_verb_prints_one_object(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    """A verb that succeeds prints one object that says done, and exits 0."""
    status, answer = _json(capsys, *arguments)
    assert status == 0
    assert answer == {
        "command": arguments[0],
        "instance": arguments[1].partition("/")[0],
        "project": "default",
        "result": "done",
        "error": None,
    }


def test_move_prints_where_it_went(capsys: pytest.CaptureFixture[str]) -> None:
    """A move's object names both ends, whether it runs, and how long it took."""
    status, answer = _json(capsys, "move", "oslo:build", "kyoto:")
    assert status == 0
    assert (answer["result"], answer["source"], answer["destination"], answer["running"]) == (
        "done",
        "oslo:build",
        "kyoto:build",
        False,
    )
    assert answer["seconds"] > 0
    assert answer["downtime_seconds"] is None
    assert answer["copied_bytes"] > 0


def test_a_dry_run_prints_the_plan(capsys: pytest.CaptureFixture[str]) -> None:
    """A plan's object has the documented keys, sizes and times, and nothing is changed."""
    status, plan = _json(capsys, "move", "oslo:db1", "lima", "--dry-run", "--keep-source")
    assert status == 0
    assert set(plan) == _PLAN_KEYS
    assert plan["possible"]
    assert plan["size_bytes"] > 0
    assert plan["estimated_rate_assumed"]
    assert plan["estimated_downtime_seconds"] > plan["size_bytes"] / plan["estimated_rate"]
    assert plan["commands"][-1] == "lxc rename oslo:db1 db1-moved"
    assert [one["step"] for one in plan["steps"]][-2:] == ["keep", "finish"]


def test_a_dry_run_of_what_cannot_be_moved_fails(capsys: pytest.CaptureFixture[str]) -> None:
    """A plan with a blocker is printed, and the status is 1."""
    status, plan = _json(capsys, "move", "oslo:db1", "oslo", "--dry-run")
    assert (status, plan["possible"]) == (1, False)
    assert plan["findings"][0]["level"] == "blocker"
    assert plan["findings"][0]["remedy"]


def test_a_plan_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    """Findings, steps with their undo, size and time, and what one would type."""
    assert main(["--demo", "move", "oslo:db1", "lima", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "ok: pool default (zfs) of lima: 500 GiB free" in out
    assert "2. oslo:db1 is stopped (undone: oslo:db1 is started again)" in out
    assert "at 38.1 MiB/s (assumed)" in out
    assert "as: lxc copy oslo:db1 lima:db1" in out


def test_a_copy_leaves_the_source(capsys: pytest.CaptureFixture[str]) -> None:
    """A copy is said to be one, and does not run."""
    status, answer = _json(capsys, "move", "oslo:web1", "lima:twin", "--copy")
    assert (status, answer["destination"], answer["running"]) == (0, "lima:twin", False)


def test_a_kept_source_and_a_copy_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    """--copy with --keep-source is bad usage."""
    assert main(["--demo", "move", "oslo:web1", "lima", "--copy", "--keep-source"]) == 2
    assert "means nothing with it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (["--config", "limits.memory"], "write it as KEY=VALUE"),
        (["--config", "=x"], "write it as KEY=VALUE"),
        (["--profile", "default", "--no-profiles"], "contradict each other"),
        (["--refresh", "--keep-source"], "means nothing with it"),
    ],
)
def test_contradicting_wishes_of_a_move_are_bad_usage(
    capsys: pytest.CaptureFixture[str], wish: list[str], said: str
) -> None:
    """What cannot be meant is refused before any host is asked, with exit status 2."""
    assert main(["--demo", "move", "oslo:web1", "lima", *wish]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wish", "said", "possible"),
    [
        (["--mode", "live"], "near-live is planned instead: ", True),
        (["--limit", "5"], "add --transport relay", False),
        (["--refresh"], "there is no lima:web1 to refresh", False),
        (["--no-profiles"], "give it a root disk", False),
    ],
)
def test_the_plan_answers_each_wish(
    capsys: pytest.CaptureFixture[str], wish: list[str], said: str, possible: bool
) -> None:
    """A wish that cannot be had is a finding of the plan, with the reason or the remedy."""
    status, plan = _json(capsys, "move", "oslo:web1", "lima", "--dry-run", *wish)
    assert plan["possible"] is possible
    assert status == (0 if possible else 1)
    assert any(said in f"{one['text']}; {one['remedy']}" for one in plan["findings"])


@pytest.mark.parametrize(("more", "result"), [(["--dry-run"], "planned"), ([], "moved")])
def test_an_evacuation_has_its_documented_keys(
    capsys: pytest.CaptureFixture[str], more: list[str], result: str
) -> None:
    """Planned or carried out, each instance of the host is an object with where it goes."""
    command = ("evacuate", "oslo", "lima", "kyoto:", "--parallel", "4", "--force", *more)
    status, answer = _json(capsys, *command)
    assert status == 0
    assert set(answer) == {"command", "host", "targets", "result", "moves"}
    assert (answer["host"], answer["targets"], answer["result"]) == (
        "oslo",
        ["lima", "kyoto"],
        "done",
    )
    assert [one["source"] for one in answer["moves"]] == [
        f"oslo:{name}" for name in ("web1", "web2", "db1", "build")
    ]
    for one in answer["moves"]:
        assert set(one) == _EVACUATED_KEYS
        assert one["result"] == result
        assert one["target"] in {"lima", "kyoto"}
        assert (one["plan"] is not None) == (result == "planned")
        if one["plan"] is not None:
            assert one["plan"]["destination"].partition(":")[0] == one["target"]
            assert one["plan"]["steps"][-1]["step"] == "finish"


def test_an_evacuation_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    """A dry run prints a table of who would go where, and of each what to know and its steps."""
    assert main(["--demo", "evacuate", "oslo", "kyoto", "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["INSTANCE", "TO", "RESULT", "MEMORY", "DISK", "TOOK", "AWAY"]
    assert lines[3].split()[:3] == ["oslo:db1", "kyoto", "planned"]
    assert lines[5] == "oslo:web1 → kyoto:web1"
    assert lines[6].startswith("  warning: profile 'default' differs on kyoto")
    assert "  2. oslo:web1 is stopped (undone: oslo:web1 is started again)" in lines
    assert "  as: lxtui move oslo:web1 kyoto" in lines
    assert "oslo:build → kyoto:build" in lines


def test_an_evacuation_of_nobody_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """A host without instances in that project has no table."""
    assert main(["--demo", "evacuate", "oslo", "kyoto", "--project", "none", "--dry-run"]) == 0
    assert capsys.readouterr().out == "there is nothing to move\n"


@pytest.mark.parametrize("verb", ["resume", "undo"])
def test_an_unknown_move_is_said(capsys: pytest.CaptureFixture[str], verb: str) -> None:
    """What 'lxtui moves' does not list can neither be finished nor taken back."""
    assert main(["--demo", verb, "abc"]) == 1
    assert "no move is called 'abc': see 'lxtui moves'" in capsys.readouterr().err


def test_unfinished_moves_have_their_documented_keys(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A move that was left in the middle is listed; without any the list is empty."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert main(["moves", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    header = Header(
        "0123456789abcdef",
        Ref("a", "default", "web1"),
        Ref("b", "default", "web1"),
        MoveOptions(),
        was_running=True,
        autostart=None,
        began_at=datetime(2026, 11, 21, tzinfo=UTC),
    )
    journal = Journal.create(tmp_path / "lxtui" / "moves", header)
    journal.begin("stop")
    journal.close()
    assert main(["moves", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [
        {
            "token": "0123456789abcdef",
            "source": "a:web1",
            "source_project": "default",
            "destination": "b:web1",
            "destination_project": "default",
            "began_at": "2026-11-21T00:00:00Z",
            "step": "stop",
            "busy": False,
            "advice": "a:web1 may be stopped; resume finishes, undo puts back",
            "at_stake": None,
        }
    ]
    assert main(["undo", "0123", "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert (answer["command"], answer["instance"], answer["result"]) == ("undo", "a:web1", "failed")
    assert "there is no host 'a' any more" in answer["error"]


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["evacuate", "oslo"], 2, "required"),
        (["evacuate", "oslo", "oslo"], 2, "another host, named once"),
        (["evacuate", "oslo", "lima", "--parallel", "0"], 2, "a whole number from 1"),
        (["evacuate", "oslo", "paris"], 1, "no host is named 'paris'"),
        (["evacuate", "oslo", "quito"], 1, "quito: no answer"),
        (["start", "oslo"], 2, "write it as host:name"),
        (["start"], 2, "required"),
        (["fly"], 2, "invalid choice"),
        (["stop", "oslo:web1/daily0"], 2, "names a snapshot"),
        (["snapshot", "oslo:web1", "a/b"], 2, "none of /"),
        (["snapshot", "oslo:web1", ".."], 2, "other than . and .."),
        (["start", "paris:web1"], 1, "no host is named 'paris'"),
        (["start", "oslo:nothing"], 1, "there is no instance oslo:nothing"),
        (["start", "oslo:web1"], 1, "already running"),
        (["delete", "oslo:web1"], 1, "stop it before you delete it"),
        (["restore", "oslo:web1", "never"], 1, "no snapshot 'never' (it has: daily0, daily1)"),
        (["snapshot", "oslo:web1", "daily0"], 1, "has a snapshot 'daily0' already"),
        (["move", "oslo:web1", "oslo"], 1, "is on oslo already"),
        (["move", "oslo:web1", "quito"], 1, "quito: no answer"),
    ],
)
def test_errors_are_one_line_with_a_status(
    capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, words: str
) -> None:
    """Bad usage is 2 and failure is 1; the last line on standard error says what is wrong."""
    assert main(["--demo", *arguments]) == status
    assert words in capsys.readouterr().err.splitlines()[-1]


def test_a_failed_verb_prints_its_error_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """With --json a failure is an object too, with the error that standard error has."""
    status, answer = _json(capsys, "start", "oslo:web1")
    assert status == 1
    assert answer["result"] == "failed"
    assert "already running" in answer["error"]


def test_no_hosts_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """A user without hosts learns how to add one."""
    assert main(["hosts"]) == 0
    assert "lxtui hosts add" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("keys: {fly: x}", "unknown action 'fly'"),
        ("speed: 9", "unknown setting 'speed'"),
        ("poll_seconds: often", "'poll_seconds' must be a number"),
        ("keys: [", "config.yml"),
        ("keys: {start: x}", "two actions have the key 'x'"),
        ("keys: {start: [1]}", "must be a text"),
        ("- a", "is no mapping"),
    ],
)
def test_broken_settings_are_bad_usage(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str, words: str
) -> None:
    """Settings that cannot be used name their file and the mistake, and nothing is done."""
    (tmp_path / "lxtui").mkdir()
    (tmp_path / "lxtui" / "config.yml").write_text(text)
    assert main(["--demo", "hosts"]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert "config.yml" in error


@pytest.mark.parametrize("typed", ["n\n", "", "maybe\n"])
def test_delete_asks_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    """On a terminal a deletion needs a yes; anything else, and Ctrl-D, deletes nothing."""
    terminal = io.StringIO(typed)
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", terminal)
    assert main(["--demo", "delete", "oslo:build"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "delete oslo:build? [y/N]" in printed.err
    assert "nothing was deleted" in printed.err


def test_an_unknown_host_is_an_object_too(capsys: pytest.CaptureFixture[str]) -> None:
    """With --json a verb that fails before it begins prints its object as well."""
    status, answer = _json(capsys, "start", "paris:web1")
    assert (status, answer["result"], answer["instance"]) == (1, "failed", "paris:web1")


@pytest.mark.parametrize(
    ("arguments", "status"), [(["list", "oslo"], 0), (["start", "oslo:web1", "--json"], 1)]
)
def test_a_reader_that_is_gone_changes_no_status(arguments: list[str], status: int) -> None:
    """A closed pipe is no failure of a listing, and no success of a verb that failed."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "lxtui.cli", "--demo", *arguments],
        stdout=writer,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    os.close(writer)
    assert done.returncode == status


def _list(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str], list[str]]:
    status = main(["--demo", "list", "oslo", "lima", "kyoto", *arguments])
    printed = capsys.readouterr()
    return status, printed.out.splitlines(), printed.err.splitlines()


def test_a_list_has_the_columns_that_are_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    """Chosen columns in their order, filtered and sorted; numbers stand at the right."""
    status, lines, said = _list(
        capsys,
        *("--columns", "name,mem,image.os", "--filter", "web mem>100M"),
        *("--sort", "mem", "--reverse"),
    )
    assert (status, said) == (0, [])
    assert lines[0].split() == ["NAME", "MEMORY", "IMAGE.OS"]
    assert [line.split()[0] for line in lines[1:]] == ["web1", "web2", "web3"]
    assert len({line.index("MiB") for line in lines[1:]}) == 1


def test_a_list_in_groups(capsys: pytest.CaptureFixture[str]) -> None:
    """Each group has a header with its sums, and in JSON each instance names its group."""
    status, lines, _ = _list(capsys, "--group", "host", "--filter", "web", "--columns", "name")
    assert status == 0
    assert lines[1].startswith("-- kyoto  1 instance · 1 running")
    assert [line.split()[0] for line in lines] == ["NAME", "--", "web3", "--", "web1", "web2"]
    _, found = _json(capsys, "list", "oslo", "--group", "state", "--columns", "cpu,ipv4,created")
    assert [one["group"] for one in found] == ["Running"] * 3 + ["Stopped"]
    assert set(found[0]["columns"]) == {"cpu", "ipv4", "created"}
    assert found[0]["columns"]["created"] == found[0]["created_at"]


def test_what_a_filter_does_not_understand_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error; the rest of the filter counts."""
    status, lines, said = _list(capsys, "--filter", "web mem>much")
    assert status == 0
    assert len(lines) == 4
    assert said == ["lxtui: filter: mem>much does not count: write a number, such as 512M"]


def test_an_unknown_column_is_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """The names that there are follow, and 'help' lists them with what they mean."""
    status, _, (said,) = _list(capsys, "--sort", "size")
    assert status == 2
    assert said.startswith("lxtui: there is no column 'size' (known: name, host, project")
    assert main(["--demo", "list", "--columns", "help"]) == 0
    assert "last-snapshot" in capsys.readouterr().out


def test_the_demo_has_the_size_that_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    """So many hosts and instances; without --demo that is bad usage."""
    status, found = _json(capsys, "list", "--hosts", "3", "--instances", "7")
    assert (status, len(found), len({one["host"] for one in found})) == (0, 7, 3)
    assert main(["list", "--hosts", "3"]) == 2
    assert "is for --demo" in capsys.readouterr().err
