"""`lxtui doctor`: what is wrong with files, terminal and hosts, and what to do about it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event as Flag
from typing import Any, cast

import pytest

from lxtui import remotes
from lxtui.backend.base import Backend, Download
from lxtui.cli import main
from lxtui.client_files import client_pair
from lxtui.doctor import files, hosts
from lxtui.doctor.terminal import terminal
from lxtui.errors import HostUnreachableError, LxtuiError, NotTrustedError
from lxtui.findings import Finding, Level
from lxtui.migrate import KEPT_STATE, KEPT_UNTIL, MOVED
from lxtui.migrate.journal import Header, Journal, default_folder
from lxtui.migrate.kept import state_of
from lxtui.migrate.options import MoveOptions
from lxtui.model import Event, Host, HostStatus, Instance, Kind, Ref, Remote

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LXD = Remote("one", Kind.LXD, "/run/lxd.socket")


def _levels(found: list[Finding]) -> set[Level]:
    return {one.level for one in found}


class _Host:
    """A host that says what a test wants it to."""

    def __init__(
        self,
        *,
        date: str = "Sat, 21 Nov 2026 12:00:00 GMT",
        lacks: str = "",
        events: LxtuiError | None = None,
        error: LxtuiError | None = None,
        instances: tuple[Instance, ...] = (),
    ) -> None:
        self.remote = LXD
        self._date, self._events, self._error, self._instances = date, events, error, instances
        self._extensions = frozenset(hosts.FEATURES) - {lacks}

    def connect(self) -> Host:
        if self._error is not None:
            raise self._error
        return Host(
            "one",
            Kind.LXD,
            LXD.address,
            HostStatus.ONLINE,
            "5.0.2",
            api_extensions=self._extensions,
        )

    def instances(self) -> tuple[Instance, ...]:
        return self._instances

    def instance(self, ref: Ref) -> Instance:
        return next(one for one in self._instances if one.ref == ref)

    def download(self, *_: Any) -> AbstractContextManager[Download]:
        return nullcontext(Download(io.BytesIO(), 0, {"Date": self._date}))

    def listen(self, _: Callable[[Event], None], stop: Flag) -> None:
        assert stop.is_set(), "it would wait for ever"
        if self._events is not None:
            raise self._events

    def close(self) -> None:
        """Nothing is open."""


def _examined(host: _Host) -> list[Finding]:
    return list(hosts.hosts({"one": cast("Backend", host)}, lambda: NOW))


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A user of lxc and incus, who has a key pair for each."""
    said = {
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "LXD_CONF": str(tmp_path / "lxc"),
        "LXD_DIR": str(tmp_path / "none"),
        "INCUS_DIR": str(tmp_path / "none"),
    }
    for kind in Kind:
        where = remotes.places(kind, said, tmp_path)
        client_pair(where)
        where.file.write_text("remotes: {}\n")
    return said


def test_files_as_the_command_lines_write_them_are_right(
    environ: dict[str, str], tmp_path: Path
) -> None:
    """Keys of their owner only, certificates and configuration that others may read."""
    found = list(files.clients(environ, tmp_path, datetime.now(UTC)))
    assert [one.check for one in found] == ["lxc", "incus"]
    assert _levels(found) == {Level.OK}


@pytest.mark.parametrize(
    ("name", "mode", "told"),
    [
        ("client.key", 0o640, "chmod 600"),
        ("client.key", 0o604, "chmod 600"),
        ("config.yml", 0o666, "chmod o-w"),
        (".", 0o757, "chmod o-w"),
    ],
)
def test_files_that_others_can_use(
    name: str, mode: int, told: str, environ: dict[str, str], tmp_path: Path
) -> None:
    """A key that others can read, and an address book that they can write, are problems."""
    (tmp_path / "lxc" / name).chmod(mode)
    wrong, right = files.clients(environ, tmp_path, datetime.now(UTC))
    assert (wrong.level, right.level) == (Level.PROBLEM, Level.OK)
    assert str(tmp_path / "lxc" / name) in wrong.text
    assert f"{mode:04o}" in wrong.text
    assert told in wrong.advice


def test_half_a_pair_and_a_pair_whose_time_is_over(environ: dict[str, str], tmp_path: Path) -> None:
    """The certificate's end is named a month before, and as a problem when it has come."""
    later = datetime.now(UTC) + timedelta(days=3640)
    assert _levels(list(files.clients(environ, tmp_path, later))) == {Level.WARNING}
    later += timedelta(days=30)
    assert _levels(list(files.clients(environ, tmp_path, later))) == {Level.PROBLEM}
    (tmp_path / "lxc/client.key").unlink()
    lost, _ = files.clients(environ, tmp_path, datetime.now(UTC))
    assert lost.level is Level.PROBLEM
    assert "client.key is missing" in lost.text


def test_the_state_folder(environ: dict[str, str], tmp_path: Path) -> None:
    """Not there is right; what others can read in it, or a folder that they can write, is not."""
    assert _levels(list(files.state(environ, tmp_path))) == {Level.OK}
    folder = tmp_path / "state/lxtui"
    folder.mkdir(parents=True, mode=0o700)
    assert _levels(list(files.state(environ, tmp_path))) == {Level.OK}
    folder.chmod(0o755)
    assert _levels(list(files.state(environ, tmp_path))) == {Level.OK}
    folder.chmod(0o775)
    (found,) = files.state(environ, tmp_path)
    assert (found.level, found.advice) == (Level.WARNING, f"chmod go= {folder}")
    folder.chmod(0o700)
    views = folder / "views.json"
    views.write_text("{")
    views.chmod(0o644)
    assert [one.check for one in files.state(environ, tmp_path)] == ["state", "views"]


def test_a_state_folder_that_cannot_be_written(
    environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it no move can be taken up again: a problem."""
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    (found,) = files.state(environ, tmp_path)
    assert found.level is Level.PROBLEM
    assert "XDG_STATE_HOME" in found.advice


def test_unfinished_moves(environ: dict[str, str], tmp_path: Path) -> None:
    """Each is a problem, with the two commands that end it."""
    assert _levels(list(files.moves(environ, tmp_path))) == {Level.OK}
    folder = default_folder(environ, tmp_path)
    ref = Ref("oslo", "default", "web1")
    header = Header("abc123", ref, Ref("lima", "default", "web1"), MoveOptions(), True, None, NOW)
    Journal.create(folder, header).close()
    (found,) = files.moves(environ, tmp_path)
    assert found.level is Level.PROBLEM
    assert found.advice == "'lxtui resume abc123' or 'lxtui undo abc123'"


@pytest.mark.parametrize(
    ("variables", "size", "encoding", "told"),
    [
        ({"TERM": "dumb"}, (80, 24), "UTF-8", "TERM is 'dumb'"),
        ({"TERM": "xterm"}, (79, 24), "UTF-8", "79x24 is small"),
        ({"TERM": "xterm"}, (80, 24), "ANSI_X3.4-1968", "encoding is ANSI_X3.4-1968"),
    ],
)
def test_terminals_that_fall_short(
    variables: dict[str, str], size: tuple[int, int], encoding: str, told: str
) -> None:
    """Each is a warning that says what to do."""
    (found,) = [one for one in terminal(variables, size, encoding) if one.level is not Level.OK]
    assert told in found.text
    assert found.advice


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"TERM": "xterm-256color"}, "256 colours"),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, "16 million"),
        ({"TERM": "linux"}, "ansi-dark"),
        ({"TERM": "xterm", "COLORTERM": "truecolor", "NO_COLOR": "1"}, "no colours"),
    ],
)
def test_colours(variables: dict[str, str], told: str) -> None:
    """What can be shown is said."""
    (found,) = terminal(variables, (80, 24), "utf-8")
    assert found.level is Level.OK
    assert told in found.text


def test_a_host_as_it_should_be() -> None:
    """One line, with its version and how it is believed."""
    (found,) = _examined(_Host())
    assert found == Finding(
        "host one", Level.OK, "LXD 5.0.2 at /run/lxd.socket, trusts us, by its socket"
    )


@pytest.mark.parametrize(
    ("host", "told", "advice"),
    [
        (_Host(lacks="projects"), "lacks projects", "upgrade"),
        (_Host(events=HostUnreachableError("no websocket")), "no websocket", "every few seconds"),
        (_Host(date="Sat, 21 Nov 2026 11:58:00 GMT"), "1m 59s behind ours", "NTP"),
        (_Host(date="Sat, 21 Nov 2026 12:01:00 GMT"), "1m ahead of ours", "NTP"),
    ],
    ids=["extension", "events", "behind", "ahead"],
)
def test_what_a_host_falls_short_of(host: _Host, told: str, advice: str) -> None:
    """It works, with a warning that says what for."""
    right, found = _examined(host)
    assert (right.level, found.level) == (Level.OK, Level.WARNING)
    assert told in found.text
    assert advice in found.advice


def test_a_second_of_difference_is_none() -> None:
    """The Date of an answer is exact to a second only, and few people see ten."""
    assert _levels(_examined(_Host(date="Sat, 21 Nov 2026 11:59:51 GMT"))) == {Level.OK}
    assert _levels(_examined(_Host(date="nonsense"))) == {Level.OK}


@pytest.mark.parametrize(
    ("error", "told", "advice"),
    [
        (HostUnreachableError("one: no answer; is it running?"), "no answer", "is it running?"),
        (NotTrustedError("one: it does not trust us"), "it does not trust us", "config trust add"),
        (HostUnreachableError("one: gone"), "gone", "see whether its daemon runs"),
    ],
)
def test_a_host_that_cannot_be_worked_with(error: LxtuiError, told: str, advice: str) -> None:
    """A problem, with what is the matter apart from what to do."""
    (found,) = _examined(_Host(error=error))
    assert (found.level, found.text) == (Level.PROBLEM, told)
    assert advice in found.advice


def test_sources_kept_beyond_their_days() -> None:
    """Named, each with what to do; those whose days are not over are counted only."""

    def source(name: str, until: str) -> Instance:
        plain = Instance(Ref("one", "default", name), "Stopped")
        config = {MOVED: "one:new", KEPT_UNTIL: until, KEPT_STATE: state_of(plain)}
        return Instance(plain.ref, "Stopped", config=config)

    new = Instance(Ref("one", "default", "new"), "Running")
    old, young = source("old", "2026-11-19T12:00:00Z"), source("young", "2026-12-19T12:00:00Z")
    asked = {"one": cast("Backend", _Host(instances=(old, young, new)))}
    (found,) = hosts.kept(asked, NOW)
    assert found.level is Level.WARNING
    assert "one:old is kept since its move, 2d longer" in found.text
    assert found.advice == "'lxtui moves --clean'"
    asked = {"one": cast("Backend", _Host(instances=(young, new)))}
    (found,) = hosts.kept(asked, NOW)
    assert found == Finding("kept", Level.OK, "1 kept source, none past its days")


def test_the_whole_on_the_demo(capsys: pytest.CaptureFixture[str]) -> None:
    """Objects for programs, and status 1 because one simulated host plays dead."""
    assert main(["doctor", "--demo", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert all(set(one) == {"check", "level", "text", "advice", "line"} for one in found)
    dead = [one["check"] for one in found if one["level"] == "problem"]
    assert dead == ["host quito"]
    assert main(["doctor", "oslo", "--demo"]) == 0


def test_it_runs_where_the_settings_are_wrong(environ: dict[str, str], tmp_path: Path) -> None:
    """What everything else ends with is one of its findings."""
    (tmp_path / "config/lxtui").mkdir(parents=True)
    (tmp_path / "config/lxtui/config.yml").write_text("tehme: nord\n")
    done = subprocess.run(
        [sys.executable, "-m", "lxtui.start", "doctor", "--json"],
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")
    found = {one["check"]: one for one in json.loads(done.stdout)}
    assert "tehme" in found["config"]["text"]
    assert found["hosts"]["level"] == "warning"
