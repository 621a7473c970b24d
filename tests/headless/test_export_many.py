"""Exports of several instances, without a screen, on the demo fleet."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lxtui.backend.demo import DemoFleet
from lxtui.backend.demo_data import demo_fleet
from lxtui.cli import main
from lxtui.exporting_many import Wishes, plan
from lxtui.model import Ref


@pytest.fixture
def fleet(monkeypatch: pytest.MonkeyPatch) -> DemoFleet:
    """The demo's hosts, which stay; the dead one left out."""
    fleet = demo_fleet(tempo=0.0)
    del fleet.daemons["quito"]
    monkeypatch.setattr("lxtui.cli.simulated", lambda _: fleet.backends())
    return fleet


def _json(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def _names(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


@pytest.mark.usefixtures("fleet")
def test_all_that_match_are_exported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each into a file of its own; one that is there already is left alone, and a failure."""
    kept = tmp_path / "web2.tar"
    kept.write_text("mine")
    words = ["--demo", "export", "--filter", "host:oslo name:web*", str(tmp_path)]
    words += ["--compression", "none", "--json"]
    assert main([*words, "--dry-run"]) == 1
    said = _json(capsys)
    assert [one["result"] for one in said["instances"]] == ["planned"]
    assert _names(tmp_path) == ["web2.tar"]
    assert main([*words, "--yes"]) == 1
    said = _json(capsys)
    assert said["instances"] == [
        {
            "instance": "oslo:web1",
            "project": "default",
            "snapshot": None,
            "result": "done",
            "error": None,
            "command": f"lxc export oslo:web1 {tmp_path}/web1.tar --compression none",
            "file": f"{tmp_path}/web1.tar",
        }
    ]
    assert said["left_out"][0]["reason"] == f"{kept} is there already"
    assert said["result"] == "failed"
    assert kept.read_text() == "mine"
    assert _names(tmp_path) == ["web1.tar", "web2.tar"]
    assert main([*words, "--yes", "--force"]) == 0
    assert kept.read_text(errors="replace") != "mine"
    assert kept.stat().st_mode & 0o777 == 0o600


def test_those_that_are_named_are_exported(
    fleet: DemoFleet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody is asked; one that is not there fails, and holds up none of the others."""
    words = ["--demo", "export", "oslo:web1", "oslo:nobody", "kyoto:web3", str(tmp_path), "--json"]
    assert main(words) == 1
    said = capsys.readouterr()
    report = json.loads(said.out)
    assert [(one["instance"], one["result"]) for one in report["instances"]] == [
        ("oslo:web1", "done"),
        ("kyoto:web3", "done"),
    ]
    assert "nobody" in report["errors"][0]
    assert "nobody" in said.err
    assert _names(tmp_path) == ["web1.tar.gz", "web3.tar.gz"]
    assert all(
        not one.backups for host in fleet.daemons.values() for one in host.instances.values()
    )


def test_one_that_fails_holds_up_none(
    fleet: DemoFleet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What another made meanwhile is not replaced; the rest is exported, and each is named."""
    backend = fleet.backends()[0]
    assert backend.remote.name == "oslo"
    inside, made = type(backend).download, tmp_path / "web1.tar.gz"

    def download(self: Any, *given: Any) -> Any:
        made.write_text("theirs")
        return inside(self, *given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(backend), "download", download)
        words = ["--demo", "export", "oslo:web1", "oslo:web2", str(tmp_path), "--json"]
        assert main(words) == 1
    results = {one["instance"]: one for one in _json(capsys)["instances"]}
    assert results["oslo:web2"]["result"] == "done"
    assert results["oslo:web1"]["result"] == "failed"
    assert "is there already" in results["oslo:web1"]["error"]
    assert made.read_text() == "theirs"
    assert _names(tmp_path) == ["web1.tar.gz", "web2.tar.gz"]


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["oslo:web1", "--dry-run"],
        ["oslo:web1", "oslo:web2"],
        ["oslo:web1", "oslo:web2", "/nonexistent"],
        ["oslo:web1", "/tmp", "--filter", "web"],
        ["oslo:web1", "--filter", "web"],
        ["--filter", "web"],
        ["--filter", "web", "--yes", "/nonexistent"],
        ["--filter", "web", "--yes", "--compression", "rar"],
    ],
)
def test_bad_usage_exports_nothing(
    fleet: DemoFleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    """Status 2: no file, and nothing asked of a host; a second instance is not taken for a file."""
    monkeypatch.chdir(tmp_path)
    assert fleet
    assert main(["--demo", "export", *words]) == 2
    assert _names(tmp_path) == []


def test_two_of_one_name_have_two_files(fleet: DemoFleet, tmp_path: Path) -> None:
    """The host's name, and a project that is not the usual one, tell them apart."""
    backends = {one.remote.name: one for one in fleet.backends()}
    hosts = {name: one.connect() for name, one in backends.items()}
    (web1,) = (one for one in backends["oslo"].instances() if one.ref.name == "web1")
    refs = [Ref("oslo", "default", "web1"), Ref("kyoto", "staging", "web1")]
    refs.append(Ref("oslo", "default", "web2"))
    several = [replace(web1, ref=ref) for ref in refs]
    bulk = plan(Wishes(tmp_path, compression="zstd"), several, hosts.get)
    assert [one.file.name for one in bulk.command.commands] == [  # type: ignore[union-attr]
        "oslo_web1.tar.zst",
        "kyoto_staging_web1.tar.zst",
        "web2.tar.zst",
    ]
