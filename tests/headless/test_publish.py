"""Publishing: what may be, as which request, under which command; the verb."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from lxtui.backend.demo_data import demo_fleet
from lxtui.calls.images import Publish
from lxtui.cli import main
from lxtui.errors import UsageError
from lxtui.model import Instance, Kind, Ref, Snapshot
from lxtui.publishing import publishing

REF = Ref("oslo", "p", "web1")
RUNNING = Instance(REF, "Running", snapshots=(Snapshot("s1"),))
STOPPED = Instance(REF, "Stopped")


def test_request_and_command() -> None:
    """Nothing is public, named or compressed in a special way unless that was said."""
    plain = publishing(STOPPED)
    assert plain.request.body == {"source": {"type": "instance", "name": "web1"}, "public": False}
    assert plain.equivalent(Kind.LXD) == "lxc publish oslo:web1 oslo: --project p"
    full = publishing(RUNNING, "s1", "a/1", "zstd -19", public=True)
    assert full.request.body == {
        "source": {"type": "snapshot", "name": "web1/s1"},
        "public": True,
        "aliases": [{"name": "a/1", "description": ""}],
        "compression_algorithm": "zstd -19",
    }
    assert full.equivalent(Kind.INCUS) == (
        "incus publish oslo:web1/s1 oslo: --alias a/1 --public --compression 'zstd -19' --project p"
    )
    assert full.title == "publish oslo:web1/s1 (project p) as a/1 for everybody"


@pytest.mark.parametrize(
    ("instance", "wish", "why"),
    [
        (RUNNING, (), "not stopped"),
        (RUNNING, ("s2",), "it has: s1"),
        (STOPPED, ("", "-a"), "dash"),
        (STOPPED, ("", "", "rm -rf"), "zstd"),
    ],
)
def test_what_cannot_be(instance: Instance, wish: tuple[str, ...], why: str) -> None:
    """Said before anything is asked of the host."""
    with pytest.raises(UsageError, match=why):
        publishing(instance, *wish)


def test_the_verb(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a snapshot and of what is stopped; the image is in the host's table then."""
    for name in ("LXD_CONF", "INCUS_CONF", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    made: Any = demo_fleet(tempo=0.0)
    monkeypatch.setattr("lxtui.backend.demo_data.demo_fleet", lambda: made)
    assert main(["--demo", "publish", "oslo:web1/daily0", "--alias", "golden", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["result"] == "done"
    assert main(["--demo", "publish", "oslo:build"]) == 0
    assert main(["--demo", "publish", "oslo:web1"]) == 2
    assert main(["--demo", "publish", "oslo:nobody"]) == 1
    capsys.readouterr()
    assert main(["--demo", "images", "oslo", "--json"]) == 0
    assert "golden" in capsys.readouterr().out
    assert isinstance(publishing(STOPPED), Publish)
