"""Limits, copies and old snapshots of all that a filter matches, and images between hosts."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lxtui import copying_many
from lxtui.backend.demo import DemoFleet
from lxtui.backend.demo_data import demo_fleet
from lxtui.cli import main
from lxtui.model import Ref, Snapshot
from lxtui.snapshots_many import Wanted

NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture
def fleet(monkeypatch: pytest.MonkeyPatch) -> DemoFleet:
    """The demo's hosts, which stay; the dead one left out."""
    fleet = demo_fleet(tempo=0.0)
    del fleet.daemons["quito"]
    monkeypatch.setattr("lxtui.cli.simulated", lambda _: fleet.backends())
    return fleet


def _json(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_limits_of_all_that_match(fleet: DemoFleet, capsys: pytest.CaptureFixture[str]) -> None:
    """Set on each, left out where they are so already; the commands are named."""
    words = ["--demo", "limits", "--filter", "host:oslo state:running", "--memory", "4096MiB"]
    assert main([*words, "--dry-run"]) == 0
    assert "oslo:db1   left out  it has these limits already" in capsys.readouterr().out
    web1 = fleet.daemons["oslo"].instances[Ref("oslo", "default", "web1")]
    assert web1.config["limits.memory"] == "512MiB"
    assert main([*words, "--yes", "--json"]) == 0
    said = _json(capsys)
    assert {one["instance"]: one["result"] for one in said["instances"]} == {
        "oslo:web1": "done",
        "oslo:web2": "done",
    }
    assert said["left_out"][0]["instance"] == "oslo:db1"
    web1 = fleet.daemons["oslo"].instances[Ref("oslo", "default", "web1")]
    assert web1.config["limits.memory"] == "4096MiB"


@pytest.mark.parametrize(
    "words",
    [
        ["limits"],
        ["limits", "--filter", "web"],
        ["limits", "oslo:web1", "--filter", "web", "--cpu", "2"],
        ["copy", "--filter", "web", "oslo:copy"],
        ["copy", "--filter", "web", "oslo:*-*"],
        ["delete-snapshots", "oslo:web1"],
        ["delete-snapshots", "--older-than", "3d"],
        ["delete-snapshots", "--filter", "web", "--older-than", "soon"],
        ["delete-snapshots", "--filter", "web", "--keep", "0"],
    ],
)
def test_bad_usage_does_nothing(fleet: DemoFleet, words: list[str]) -> None:
    """Status 2, before anything is asked for."""
    before = {name: dict(one.instances) for name, one in fleet.daemons.items()}
    assert main(["--demo", *words]) == 2
    assert before == {name: dict(one.instances) for name, one in fleet.daemons.items()}


def test_a_limit_that_one_of_them_cannot_have(
    fleet: DemoFleet, capsys: pytest.CaptureFixture[str]
) -> None:
    """Is left out with the reason, and fails nothing."""
    assert fleet.daemons["oslo"]
    words = ["--demo", "limits", "--filter", "name:web1", "--cpu", "none", "--yes", "--json"]
    main(words)
    said = _json(capsys)
    assert said["instances"] == []
    assert "write a number of CPUs" in said["left_out"][0]["reason"]


def test_copies_are_named_by_the_pattern(
    fleet: DemoFleet, capsys: pytest.CaptureFixture[str]
) -> None:
    """On another host, and each on its own; the sources stay."""
    oslo, kyoto = fleet.daemons["oslo"].instances, fleet.daemons["kyoto"].instances
    words = ["--demo", "copy", "--filter", "host:oslo name:web*", "--yes"]
    assert main([*words, "kyoto:*-b", "--json"]) == 0
    said = _json(capsys)
    assert [one["command"] for one in said["instances"]] == [
        "lxc copy oslo:web1 kyoto:web1-b",
        "lxc copy oslo:web2 kyoto:web2-b",
    ]
    assert Ref("kyoto", "default", "web2-b") in kyoto
    assert main([*words, "*-c"]) == 0
    assert {Ref("oslo", "default", name) for name in ("web1", "web1-c", "web2-c")} <= oslo.keys()
    capsys.readouterr()
    assert main([*words, "*-c", "--dry-run", "--json"]) == 0
    reasons = [one["reason"] for one in _json(capsys)["left_out"]]
    assert "there is an instance oslo:web1-c already" in reasons


@pytest.mark.parametrize(
    ("pattern", "well"), [("*-copy", True), ("*", True), ("copy", False), ("*_b", False)]
)
def test_patterns_make_names_that_can_be(pattern: str, well: bool) -> None:
    """With one star, and what a name may have."""
    assert (copying_many.pattern_trouble(pattern) == "") is well


def test_old_snapshots_are_deleted(fleet: DemoFleet, capsys: pytest.CaptureFixture[str]) -> None:
    """Of all that match, but the latest ones; another day nothing is left to do."""
    archive = Ref("lima", "default", "archive")
    words = ["--demo", "delete-snapshots", "--filter", "host:lima", "--name", "daily*"]
    words += ["--keep", "1", "--yes"]
    assert main([*words, "--json"]) == 0
    said = _json(capsys)
    assert [one["snapshot"] for one in said["instances"]] == ["daily0", "daily1", "daily2"]
    left = fleet.daemons["lima"].instances
    assert [one.name for one in left[archive].snapshots] == ["daily3"]
    assert len(left[archive._replace(name="mail")].snapshots) == 1
    assert main(words) == 0
    assert capsys.readouterr().out == "no snapshot matches\n"


def test_nobody_to_agree_deletes_no_snapshot(
    fleet: DemoFleet, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a terminal and without --yes."""
    before = dict(fleet.daemons["oslo"].instances)
    assert main(["--demo", "delete-snapshots", "oslo:db1", "--older-than", "1d"]) == 2
    assert "give --yes" in capsys.readouterr().err
    assert fleet.daemons["oslo"].instances == before


def test_which_snapshots_are_meant() -> None:
    """Name, age and number together; what has no date is never old."""
    every = [Snapshot(f"auto{day}", NOW - timedelta(days=day)) for day in range(5)]
    every += [Snapshot("mine", NOW - timedelta(days=99)), Snapshot("auto-old")]
    old = Wanted("auto*", timedelta(days=1))
    assert [one.name for one in old.chosen(every, NOW)] == ["auto4", "auto3", "auto2"]
    kept = Wanted("auto?", timedelta(days=1), keep=4)
    assert [one.name for one in kept.chosen(every, NOW)] == ["auto4"]
    assert Wanted("m*", None, keep=1).chosen(every, NOW) == []


def test_an_image_is_copied(fleet: DemoFleet, capsys: pytest.CaptureFixture[str]) -> None:
    """A private one, by the secret that its host gives; twice is refused, to itself as well."""
    words = ["--demo", "image", "copy", "oslo:debian/13"]
    assert main([*words, "kyoto:", "--json"]) == 0
    assert _json(capsys)["result"] == "done"
    images = fleet.daemons["kyoto"].documents
    (found,) = [
        one
        for path, one in images.items()
        if path[0] == "images"
        and one["properties"].get("release") == "trixie"
        and path[1] in {at[1] for at in fleet.daemons["oslo"].documents if at[0] == "images"}
    ]
    assert not found["public"]
    assert main([*words, "kyoto"]) == 1
    assert "kyoto has that image already" in capsys.readouterr().err
    assert main([*words, "oslo"]) == 2
