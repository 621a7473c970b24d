"""The audit journal: one line for everything that is done, no secrets, never in the way."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from threading import Event as Flag
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lxtui.audit.entry import BEGUN, DONE, FAILED, HIDDEN, INTERRUPTED, entry_from, scrubbed
from lxtui.audit.journal import KEPT, Audit, read
from lxtui.backend.demo_data import demo_fleet
from lxtui.cli import main
from lxtui.clock import utc_now
from lxtui.commands import ChangeState, Command, Many, Move, MoveMany
from lxtui.errors import InterruptedByUserError, LxtuiError, NotFoundError
from lxtui.evacuation import move_many
from lxtui.migrate.placement import Row
from lxtui.model import Ref, StateAction
from lxtui.perform import perform
from lxtui.perform_many import perform_many

WEB1, BUILD = Ref("oslo", "default", "web1"), Ref("oslo", "default", "build")


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A user without hosts of their own."""
    for name in ("LXD_DIR", "INCUS_DIR", "INCUS_SOCKET"):
        monkeypatch.delenv(name, raising=False)
    for name in ("LXD_CONF", "INCUS_CONF", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    return tmp_path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the verb looks for the journal of that user."""
    return tmp_path / "lxtui" / "audit.jsonl"


def _backends() -> dict[str, Any]:
    return {one.remote.name: one for one in demo_fleet(tempo=0.0).backends()}


def _perform(command: Command, audit: Audit, tmp_path: Path, stop: Flag | None = None) -> None:
    perform(command, _backends(), lambda _: None, stop or Flag(), tmp_path, audit)


def test_what_is_done_is_written_with_who_when_where_and_the_result(
    path: Path, tmp_path: Path
) -> None:
    """A stop that succeeds and a start that fails: two entries, the latest first."""
    audit = Audit(path)
    before = utc_now()
    _perform(ChangeState(WEB1, StateAction.STOP), audit, tmp_path)
    with pytest.raises(LxtuiError):
        _perform(ChangeState(WEB1, StateAction.START), audit, tmp_path)
    failed, done = audit.entries()
    assert (done.host, done.project, done.instance) == ("oslo", "default", "web1")
    assert (done.what, done.command) == ("stop oslo:web1", "lxc stop oslo:web1")
    assert (done.result, done.reason) == (DONE, "")
    assert (failed.result, failed.reason) == (FAILED, "oslo: The instance is already running")
    assert before <= done.when <= utc_now()
    assert done.seconds is not None
    assert done.user
    assert done.uid >= 0


def test_only_its_user_can_read_it(path: Path) -> None:
    """0600 in a folder 0700, also when the file was there with more."""
    audit = Audit(path)
    with audit.of(WEB1, "one", ""):
        pass
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    path.chmod(0o644)
    with audit.of(WEB1, "two", ""):
        pass
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_link_in_its_place_is_not_followed(path: Path, tmp_path: Path) -> None:
    """Nothing is appended to what a link points at; that is said, and the block runs."""
    aim = tmp_path / "aim"
    aim.write_text("mine")
    path.parent.mkdir()
    path.symlink_to(aim)
    said: list[str] = []
    audit = Audit(path)
    audit.complain = said.append
    with audit.of(WEB1, "one", ""):
        pass
    assert aim.read_text() == "mine"
    assert len(said) == 1


def test_interrupted_and_killed_are_told_apart(path: Path) -> None:
    """Who stops a command leaves ``interrupted``; a command that was killed has no end."""
    audit = Audit(path)
    with pytest.raises(InterruptedByUserError), audit.of(WEB1, "one", ""):
        raise InterruptedByUserError("put back")
    program = (
        "import os; from pathlib import Path; from lxtui.audit.journal import Audit; "
        "from lxtui.model import Ref\n"
        f"with Audit(Path({str(path)!r})).of(Ref('a', 'default', 'b'), 'two', ''): os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", program], check=False)
    assert [one.result for one in audit.entries()] == [BEGUN, INTERRUPTED]


def test_moves_and_actions_on_many_have_an_entry_each(path: Path, tmp_path: Path) -> None:
    """What a bulk leaves out of an error stays in: one entry for each instance."""
    audit, backends = Audit(path), _backends()
    many = Many((ChangeState(WEB1, StateAction.STOP), ChangeState(BUILD, StateAction.STOP)), "stop")
    with pytest.raises(LxtuiError):
        perform_many(many, backends, lambda _: None, Flag(), audit)
    rows = (Row(WEB1, "kyoto"),)
    move_many(MoveMany(rows), backends, lambda _: None, Flag(), tmp_path, audit)
    assert [(one.what, one.result) for one in audit.entries()] == [
        ("move oslo:web1 → kyoto", DONE),
        ("stop oslo:build", FAILED),
        ("stop oslo:web1", DONE),
    ]


def test_a_full_disk_is_said_once_and_hinders_nothing(path: Path) -> None:
    """With room for one line only the rest is done all the same, and no half line is left."""
    program = f"""
import resource, sys
from pathlib import Path
from lxtui.audit.journal import Audit, read
from lxtui.model import Ref
path = Path({str(path)!r})
audit = Audit(path)
audit.complain = lambda line: print("said", line)
with audit.of(Ref("a", "default", "b"), "first", ""): pass
size = path.stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, size + 100))
for what in ("second", "third"):
    with audit.of(Ref("a", "default", "b"), what, ""): print("done", what)
assert path.stat().st_size == size, "half a line was left"
"""
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith("done")] == ["done second", "done third"]
    assert len([line for line in lines if line.startswith("said")]) == 1


def test_it_is_turned_over_and_stays_readable(path: Path) -> None:
    """No file grows far beyond its size, no more are kept than said, the latest are all there."""
    audit = Audit(path, largest=2000)
    for number in range(60):
        with audit.of(WEB1, f"do {number}", ""):
            pass
    files = sorted(path.parent.iterdir())
    assert [one.name for one in files] == [path.name, *(f"{path.name}.{n}" for n in range(1, 5))]
    assert len(files) == KEPT + 1
    assert all(one.stat().st_size < 2600 for one in files)
    whats = [one.what for one in read(path)]
    assert whats == [f"do {59 - at}" for at in range(len(whats))]
    assert len(whats) > 10


def test_programs_that_write_at_the_same_time_lose_nothing(path: Path) -> None:
    """Three programs, turning the file over meanwhile: each line is whole and there once."""
    program = (
        "import sys; from pathlib import Path; from lxtui.audit.journal import Audit; "
        "from lxtui.model import Ref\n"
        f"audit = Audit(Path({str(path)!r}), largest=15000)\n"
        "for at in range(25):\n"
        "  with audit.of(Ref('a', 'default', 'b'), f'{sys.argv[1]} {at}', ''): pass\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", program, str(one)]) for one in range(3)]
    assert [one.wait() for one in writers] == [0, 0, 0]
    found = read(path)
    assert {one.what for one in found} == {f"{one} {at}" for one in range(3) for at in range(25)}
    assert {one.result for one in found} == {DONE}


@pytest.mark.parametrize(
    "command",
    [
        "lxc config set a:b user.db_password=S3same limits.cpu=2",
        "lxc config set a:b 'cloud-init.user-data=#cloud-config\nS3same: yes'",
        "incus config set a:b environment.API=S3same",
        "incus launch x a:b -c user.user-data=S3same --config=user.token=S3same",
    ],
)
def test_secrets_are_left_out(command: str) -> None:
    """Of the command, and of what the host says of it; what is no secret stays."""
    shown, said = scrubbed(command, "invalid value 'S3same'")
    assert "S3same" not in shown
    assert "S3same" not in said or "cloud-config" in command
    assert HIDDEN in shown
    if "limits.cpu" in command:
        assert "limits.cpu=2" in shown


@given(st.text(min_size=1), st.sampled_from(["user.password", "environment.X", "a.secret.key"]))
def test_no_value_of_a_secret_is_ever_written(value: str, key: str) -> None:
    """Whatever the value is, quoted as a shell wants it."""
    import shlex

    shown, _ = scrubbed(f"lxc config set a:b {shlex.quote(f'{key}={value}')}")
    assert shown == f"lxc config set a:b {key}={HIDDEN}"


def test_a_command_that_is_no_shell_line_is_cut_before_its_first_value() -> None:
    """What cannot be taken apart may hold anything."""
    assert scrubbed("lxc config set a:b user.password='half", "half")[0].endswith("password")


@pytest.mark.parametrize("line", ["", "null", "[]", "{}", '{"when": 5}', '{"when": "x"', "\x00"])
def test_what_is_no_entry_is_skipped(line: str) -> None:
    """A half line, another program's, an empty one."""
    assert entry_from(line) is None


def test_the_verb(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Documented keys, by host, by age; as a table with the reason."""
    audit = Audit(path, clock=lambda: utc_now() - timedelta(hours=30))
    _perform(ChangeState(WEB1, StateAction.STOP), audit, tmp_path)
    audit = Audit(path)
    with pytest.raises(NotFoundError):
        _perform(Move(Ref("lima", "default", "nobody"), "oslo"), audit, tmp_path)
    assert main(["audit", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    keys = "id when user uid login host project instance what command result reason seconds"
    assert all(" ".join(one) == keys for one in found)
    assert [one["host"] for one in found] == ["lima", "oslo"]
    assert main(["audit", "--json", "--host", "oslo"]) == 0
    assert [one["what"] for one in json.loads(capsys.readouterr().out)] == ["stop oslo:web1"]
    assert main(["audit", "--since", "1d"]) == 0
    printed = capsys.readouterr().out
    assert "move lima:nobody → oslo" in printed
    assert "  failed  " in printed
    assert printed.rstrip().endswith("  there is no instance lima:nobody")
    assert "web1" not in printed
    assert main(["audit", "--since", "soon"]) == 2


def test_the_demo_keeps_none(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing of the simulated fleet is written down."""
    assert main(["--demo", "stop", "oslo:web1"]) == 0
    assert main(["--demo", "audit"]) == 0
    assert "the demo keeps none" in capsys.readouterr().out
    assert not path.exists()
