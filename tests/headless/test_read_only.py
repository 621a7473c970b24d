"""Hosts that are only to be looked at: no action, no verb, no request changes anything there."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Event as Flag
from typing import Any

import pytest

from lxtui import api, evacuation, remotes
from lxtui.actions import ACTIONS, Action, Selection
from lxtui.backend.base import Backend
from lxtui.backend.demo import DemoFleet
from lxtui.backend.lxd import LxdBackend
from lxtui.cli import main
from lxtui.commands import Move, MoveMany, ResumeMove, UndoMove
from lxtui.config_reading import load
from lxtui.errors import ReadOnlyError, UsageError
from lxtui.jobs import Jobs
from lxtui.migrate.options import MoveOptions
from lxtui.migrate.placement import Fate, Row
from lxtui.model import (
    Host,
    HostStatus,
    Instance,
    Job,
    JobState,
    Kind,
    Profile,
    Progress,
    Ref,
    Remote,
    Snapshot,
)
from lxtui.perform import perform
from lxtui.read_only import marked
from tests.backend.impostor import Impostor
from tests.backend.test_pins import KINDS, OFFER, REF, SPEC
from tests.lab.client import make_certificate
from tests.tui.conftest import Stage

READING = {"connect", "operations", "events", "migration channel", "shell", "sftp", "export"}
"""``shell`` are its channels alone: the request for them is refused, as ``ASKING`` shows."""


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A user without hosts of their own."""
    for name in ("LXD_DIR", "INCUS_DIR", "INCUS_SOCKET"):
        monkeypatch.delenv(name, raising=False)
    for name in ("LXD_CONF", "INCUS_CONF", "XDG_CONFIG_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    return tmp_path


def _settings(home: Path, text: str) -> None:
    (home / "lxtui").mkdir(exist_ok=True)
    (home / "lxtui/config.yml").write_text(text)


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
def test_each_action_of_the_table(action: Action) -> None:
    """On a read-only host whatever makes a command is unavailable, with the reason and the remedy;
    what only looks is what it is elsewhere.
    """
    host = Host("h", Kind.LXD, "https://h", HostStatus.ONLINE)
    job = Job(1, "t", JobState.RUNNING, Progress(""), Stage(still=True).demo.clock())
    for status in ("Running", "Stopped", "Frozen"):
        instance = Instance(Ref("h", "default", "one"), status, snapshots=(Snapshot("s"),))
        free = Selection(host, instance, None, job)
        held = replace(free, host=replace(host, read_only=True))
        if not action.writes:
            assert action.why_not(held) == action.why_not(free)
        else:
            assert "h is read-only" in action.why_not(held)
            assert "config.yml" in action.why_not(held)
            assert "read-only" not in action.why_not(free)


_VERBS = {
    "start": ["start", "oslo:db1"],
    "stop": ["stop", "oslo:web1"],
    "restart": ["restart", "oslo:web1"],
    "snapshot": ["snapshot", "oslo:web1", "new"],
    "restore": ["restore", "oslo:web1", "before"],
    "delete": ["delete", "oslo:db1", "--yes"],
    "delete-snapshot": ["delete", "oslo:web1/before", "--yes"],
    "move": ["move", "oslo:web1", "kyoto"],
    "freeze": ["freeze", "oslo:web1"],
    "unfreeze": ["unfreeze", "oslo:web1"],
    "rename": ["rename", "oslo:build", "forge"],
    "set": ["set", "oslo:web1", "user.x=1"],
    "limits": ["limits", "oslo:web1", "--cpu", "1"],
    "publish": ["publish", "oslo:build"],
    "expire": ["expire", "oslo:web1/daily0", "7d"],
    "launch": ["launch", "debian/12", "oslo:fresh"],
    "copy": ["copy", "oslo:web1", "oslo:web9"],
    "export": ["export", "oslo:web1", "/nonexistent/x"],
    "import": ["import", "/nonexistent/x", "oslo:web9"],
    "push": ["files", "push", "README.md", "oslo:web1/root/"],
    "mkdir": ["files", "mkdir", "oslo:web1/root/d"],
    "rm": ["files", "rm", "oslo:web1/etc/hosts", "--yes"],
}


@pytest.mark.parametrize("verb", _VERBS)
@pytest.mark.parametrize("how", ["option", "settings"])
def test_each_verb(verb: str, how: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 1, one line with the remedy, and an object for programs."""
    before = ["--demo", "--read-only"] if how == "option" else ["--demo"]
    if how == "settings":
        _settings(home, "read_only: [oslo]\n")
    assert main([*before, *_VERBS[verb], "--json"]) == 1
    said = capsys.readouterr()
    assert json.loads(said.out)["result"] == "failed"
    assert "oslo is read-only" in json.loads(said.out)["error"]
    assert "leave out --read-only" in said.err


def test_the_option_goes_before_and_after_the_verb(capsys: pytest.CaptureFixture[str]) -> None:
    """Wherever it stands it holds, and listing says so."""
    assert main(["stop", "oslo:web1", "--read-only", "--demo"]) == 1
    assert main(["--read-only", "hosts", "--demo", "--json"]) == 0
    assert all(host["read_only"] for host in json.loads(capsys.readouterr().out))


@pytest.mark.parametrize("name", ["oslo", "kyoto"])
def test_a_move_from_or_to_it_is_blocked(
    name: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its plan has a blocker with the remedy, its start is refused, and a copy is one too."""
    _settings(home, f"read_only: [{name}]\n")
    assert main(["--demo", "move", "oslo:web1", "kyoto", "--dry-run", "--json"]) == 1
    plan = json.loads(capsys.readouterr().out)
    assert not plan["possible"]
    first = plan["findings"][0]
    assert (first["level"], first["text"]) == ("blocker", f"{name} is read-only")
    assert "config.yml" in first["remedy"]
    for more in ([], ["--copy"]):
        assert main(["--demo", "move", "oslo:web1", "kyoto", *more]) == 1
        assert f"{name} is read-only" in capsys.readouterr().err
    assert main(["--demo", "move", "oslo:web1", "lima", "--dry-run"]) == (
        1 if name == "oslo" else 0
    )


@pytest.mark.parametrize("kind", [ResumeMove, UndoMove])
@pytest.mark.parametrize("name", ["oslo", "kyoto"])
def test_an_unfinished_move_stays(kind: type[ResumeMove | UndoMove], name: str) -> None:
    """What a crash has left is neither finished nor put back where an end of it is read-only."""
    stage = Stage()
    stage.leave_a_move("stop")
    backends: dict[str, Backend] = {}
    for one in stage.demo.backends():
        one.read_only = one.remote.name == name
        backends[one.remote.name] = one
    ref = Ref("oslo", "default", "web1")
    with pytest.raises(ReadOnlyError, match=f"{name} is read-only"):
        perform(kind(ref, "0123456789abcdef"), backends, lambda _: None, Flag(), stage.moves)


def _pair() -> tuple[DemoFleet, dict[str, Backend]]:
    demo = DemoFleet(tempo=0.0)
    for name in ("a", "b", "c"):
        demo.add_host(name, Kind.LXD, "5.0.2")
    one = Ref("a", "default", "one")
    demo.add_instance(
        Instance(one, "Stopped", architecture="x86_64", profiles=("default",), devices={})
    )
    backends: dict[str, Backend] = {}
    for side in demo.backends():
        side.read_only = side.remote.name == "b"
        backends[side.remote.name] = side
    return demo, backends


def test_jobs_refuse_too(tmp_path: Path) -> None:
    """A command that reaches the jobs all the same fails there, one by one or in a bunch."""
    demo, backends = _pair()
    ref = Ref("a", "default", "one")
    jobs = Jobs(backends, lambda: None, demo.clock, tmp_path)
    jobs.submit(Move(ref, "b"))
    jobs.submit(MoveMany((Row(ref, target="b", fate=Fate.PLANNED),)))
    assert jobs.stop_all(10) or jobs.stop_all(10)
    assert {job.state for job in jobs.all} == {JobState.FAILED}
    assert demo.daemons["a"].instances.keys() == {ref}
    assert not demo.daemons["b"].instances


def test_nothing_is_evacuated_there() -> None:
    """A read-only target takes nothing, a read-only source gives nothing away."""
    _, backends = _pair()
    ref = Ref("a", "default", "one")
    (row,) = evacuation.survey(backends["a"], [backends["b"]], MoveOptions())
    assert row.fate is Fate.DOES_NOT_FIT
    assert "b is read-only" in row.reason
    (row,) = evacuation.survey(backends["a"], [backends["b"], backends["c"]], MoveOptions())
    assert (row.target, row.reason) == ("c", "")
    vars(backends["a"])["read_only"] = True
    (row,) = evacuation.survey_some([ref], backends, ["c"], MoveOptions())
    assert (row.fate, row.reason) == (Fate.STAYS, "a is read-only")


# What asks by one of the methods below: it is refused there.
ASKING = {name: KINDS[name] for name in ("shell request", "console request")}
# Every request of the backend that is no GET; each must have a line here.
CHANGING: dict[str, Callable[[LxdBackend], object]] = {
    **{name: ask for name, ask in KINDS.items() if name not in {*READING, *ASKING}},
    "create snapshot": lambda one: one.create_snapshot(REF, "s"),
    "restore snapshot": lambda one: one.restore_snapshot(REF, "s"),
    "delete snapshot": lambda one: one.delete_snapshot(REF, "s"),
    "delete instance": lambda one: one.delete_instance(REF),
    "rename": lambda one: one.rename_instance(REF, "two"),
    "create backup": lambda one: one.create_backup(REF, "b"),
    "delete backup": lambda one: one.delete_backup(REF, "b"),
    "reconfigure": lambda one: one.reconfigure(REF, {"user.x": "1"}, {}),
    "cancel": lambda one: one.cancel(OFFER.operation),
    "create profile": lambda one: one.create_profile("default", "p", Profile()),
    "set profile": lambda one: one.set_profile_config("default", "p", {"user.x": "1"}),
    "delete profile": lambda one: one.delete_profile("default", "p"),
    "live": lambda one: one.live_refusal(REF),
    "receive": lambda one: one.receive(SPEC),
    "request": lambda one: one.request(api.Request("post", ("profiles",))),
    "upload": lambda one: one.upload(("instances",), {}, io.BytesIO(b"x")),
    "send": lambda one: one.send(REF, SPEC, OFFER, "https://127.0.0.1/1.0/operations/id"),
}


def _remote(tmp_path: Path, impostor: Impostor) -> Remote:
    ours = make_certificate(tmp_path / "client")
    return Remote(
        "h",
        Kind.LXD,
        impostor.address,
        client_cert=str(ours),
        client_key=str(ours.with_suffix(".key")),
        server_cert=str(impostor.certificate),
        read_only=True,
    )


def test_the_backend_sends_nothing_but_questions(tmp_path: Path) -> None:
    """Each method that changes something is refused by the backend itself, with no word of it on
    the wire; asking works.
    """
    with closing(Impostor(tmp_path / "server")) as server:
        with closing(LxdBackend(_remote(tmp_path, server))) as backend:
            assert backend.connect().read_only
            for change in [*CHANGING.values(), *ASKING.values()]:
                with pytest.raises(ReadOnlyError, match="h is read-only"):
                    change(backend)
        methods = {
            line.split()[0] for line in server.all_heard().split(b"\r\n") if b" /1.0" in line
        }
    assert methods == {b"GET"}


def test_every_method_of_the_backend_was_thought_of() -> None:
    """A method that is added to the protocol must be said to read, or be refused here."""
    reading = {
        *("remote", "connect", "close", "instances", "instance", "operations", "listen"),
        *("export", "wait", "placement", "files", "channel", "read", "download", "members"),
    }
    changing = {
        *("change_state", "create_snapshot", "restore_snapshot", "delete_snapshot"),
        *("delete_instance", "rename_instance", "create_backup", "delete_backup", "execute"),
        *("set_config", "reconfigure", "cancel", "create_profile", "set_profile_config"),
        *("delete_profile", "live_refusal", "offer", "accept", "receive", "send"),
        *("request", "upload"),
    }
    public = {name for name in vars(Backend) if not name.startswith("_")}
    assert public == reading | changing
    assert len(CHANGING) == len(changing)


def test_names_in_the_settings() -> None:
    """A name of both command lines means both, with its kind the one; an unknown one is said."""
    known = remotes.Remotes(
        (
            Remote("a@lxd", Kind.LXD, "https://a"),
            Remote("a@incus", Kind.INCUS, "https://b"),
            Remote("b", Kind.LXD, "https://c"),
        )
    )

    def held(*names: str, every: bool = False) -> set[str]:
        return {one.name for one in marked(known, names, every=every).remotes if one.read_only}

    assert held() == set()
    assert held("a") == {"a@lxd", "a@incus"}
    assert held("a@incus", "b@lxd") == {"a@incus", "b"}
    assert held(every=True) == {"a@lxd", "a@incus", "b"}
    (problem,) = marked(known, ["typo"]).problems
    assert "'typo'" in problem


@pytest.mark.parametrize("text", ["read_only: oslo", "read_only: [no]", "read_only: {oslo: true}"])
def test_settings_that_would_leave_a_host_open(text: str, home: Path) -> None:
    """What is no list of names is refused: a host would be open that was meant to be held."""
    _settings(home, text)
    with pytest.raises(UsageError, match="read_only"):
        load({"XDG_CONFIG_HOME": str(home)}, home)


def test_a_host_is_not_added_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    """`hosts add` would change the host's trust store."""
    words: list[Any] = ["--read-only", "hosts", "add", "new", "127.0.0.1:1", "--yes"]
    assert main(words) == 1
    assert "new is read-only" in capsys.readouterr().err
