"""Limits: what is set by whom, what a form makes of it, the verb."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lxtui.backend.demo_data import demo_fleet
from lxtui.cli import main
from lxtui.editing.documents import of_instance
from lxtui.errors import UsageError
from lxtui.limits import FIELDS, Limits, Setting, limits_of, root_pool
from lxtui.model import Profile, Ref

REF = Ref("oslo", "default", "web1")
ROOT = {"type": "disk", "path": "/", "pool": "default"}
NIC = {"type": "nic", "network": "br0", "name": "eth0"}
DOCUMENT = {
    "profiles": ["default", "small"],
    "config": {"limits.cpu": "2", "volatile.x": "y"},
    "devices": {},
    "expanded_devices": {"root": ROOT, "eth0": NIC},
}
PROFILES = (
    ("default", {"config": {"limits.memory": "4GiB"}, "devices": {"root": ROOT, "eth0": NIC}}),
    ("small", {"config": {"limits.memory": "1GiB", "limits.cpu": "1"}, "devices": {}}),
)


def _limits(document: Any = DOCUMENT, profiles: Any = PROFILES, driver: str = "zfs") -> Limits:
    return limits_of(of_instance(REF), document, profiles, driver)


def _one(limits: Limits, name: str) -> Setting:
    return next(one for one in limits.settings if one.field.id == name)


def test_who_says_what() -> None:
    """The instance before its profiles, the last profile before the first."""
    limits = _limits()
    cpu, memory, disk = (_one(limits, name) for name in ("cpu", "memory", "disk"))
    assert (cpu.own, cpu.inherited, cpu.profile, cpu.effective) == ("2", "1", "small", "2")
    assert (memory.own, memory.inherited, memory.profile) == ("", "1GiB", "small")
    assert (disk.effective, disk.device, disk.note) == ("", "root", "")
    assert "driver dir" in _one(_limits(driver="dir"), "disk").note
    assert root_pool(DOCUMENT) == "default"


def test_wishes_become_a_document() -> None:
    """Only what was wished changes; a device of a profile is overridden as a whole."""
    after = _limits().changed({"cpu": "0-3,6", "memory": "25%", "disk": "10GiB", "egress": ""})
    assert after["config"] == {"limits.cpu": "0-3,6", "limits.memory": "25%"}
    assert after["devices"] == {"root": {**ROOT, "size": "10GiB"}}
    assert after["profiles"] == ["default", "small"]


@pytest.mark.parametrize(
    ("card", "why"),
    [
        ({"type": "nic", "nictype": "macvlan", "parent": "eth0"}, "kind macvlan has no limits"),
        ({**NIC, "limits.max": "5Mbit"}, "limits.max of the card, 5Mbit, counts for both"),
        ({**NIC, "limits.ingress": "5Mbit"}, ""),
        ({"type": "nic", "nictype": "bridged", "parent": "br0"}, ""),
    ],
)
def test_a_card_may_have_no_limit_of_one_way(card: dict[str, str], why: str) -> None:
    """What the daemon would refuse, or take and not heed, is not offered; others are left alone."""
    limits = _limits({**DOCUMENT, "devices": {"eth0": card}})
    for name in ("ingress", "egress"):
        assert why in _one(limits, name).unavailable
        assert bool(_one(limits, name).unavailable) is bool(why)
    assert not _one(limits, "disk").unavailable
    if why:
        with pytest.raises(UsageError, match=why):
            limits.changed({"ingress": "1Mbit"})


def test_an_empty_wish_leaves_it_to_the_profiles() -> None:
    """The instance's own key goes, and an override in which nothing of its own is left."""
    own = {**DOCUMENT, "devices": {"root": {**ROOT, "size": "10GiB"}}}
    limits = _limits(own)
    assert _one(limits, "disk").own == "10GiB"
    after = limits.changed({"cpu": "", "disk": ""})
    assert (after["config"], after["devices"]) == ({}, {})
    mixed = {**DOCUMENT, "devices": {"root": {**ROOT, "size": "10GiB", "readonly": "true"}}}
    assert _limits(mixed).changed({"disk": ""})["devices"] == {"root": {**ROOT, "readonly": "true"}}


def test_an_override_falls_back_to_what_the_profile_has() -> None:
    """The size of the profile's own root disk, if it has one."""
    sized = {**ROOT, "size": "5GiB"}
    profiles = (("default", {"config": {}, "devices": {"root": sized}}),)
    own = {**DOCUMENT, "devices": {"root": {**ROOT, "size": "10GiB"}}}
    limits = _limits(own, profiles)
    disk = _one(limits, "disk")
    assert (disk.own, disk.inherited, disk.profile) == ("10GiB", "5GiB", "default")
    assert limits.changed({"disk": ""})["devices"] == {}


@pytest.mark.parametrize(
    ("name", "value", "well"),
    [
        ("cpu", "4", True),
        ("cpu", "0", False),
        ("cpu", "3-1", False),
        ("cpu", "two", False),
        ("allowance", "50%", True),
        ("allowance", "25ms/100ms", True),
        ("allowance", "150%", False),
        ("memory", "1.5GiB", False),
        ("memory", "512MiB", True),
        ("memory", "0", False),
        ("swap", "yes", False),
        ("enforce", "soft", True),
        ("processes", "-1", False),
        ("disk", "10GiB", True),
        ("disk", "10%", False),
        ("ingress", "100Mbit", True),
        ("egress", "fast", False),
    ],
)
def test_what_can_be_said(name: str, value: str, well: bool) -> None:
    """Before anything is sent, with the field's name."""
    if well:
        assert _limits().changed({name: value}) != _limits().before
        return
    with pytest.raises(UsageError, match=next(one.label for one in FIELDS if one.id == name)):
        _limits().changed({name: value})


@pytest.mark.parametrize("document", [None, {}, {"config": 3, "devices": [], "profiles": 7}])
def test_documents_of_odd_shapes_have_no_devices(document: Any) -> None:
    """And what hangs on devices cannot be set, with the reason."""
    limits = _limits(document, (("default", None),))
    assert _one(limits, "disk").unavailable == "it has no root disk"
    assert _one(limits, "egress").unavailable == "it has no network card"
    with pytest.raises(UsageError, match="no root disk"):
        limits.changed({"disk": "1GiB"})


@pytest.fixture(autouse=True)
def fleet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """One demo fleet that stays from verb to verb; a user without hosts."""
    for name in ("LXD_CONF", "INCUS_CONF", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    made = demo_fleet(tempo=0.0)
    default = made.daemons["oslo"].profiles["default"]
    made.daemons["oslo"].profiles["default"] = Profile(default.devices, {"limits.cpu": "8"})
    monkeypatch.setattr("lxtui.backend.demo_data.demo_fleet", lambda: made)
    return made


def test_the_verb(fleet: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Shows, previews, sets; keys as documented; an object for failures too."""
    assert main(["--demo", "limits", "oslo:web1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["cpu", "8", "profile", "default"]
    wish = ["limits", "oslo:web1", "--cpu", "2", "--disk", "5GiB"]
    assert main(["--demo", *wish, "--dry-run"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "lxc config set oslo:web1 limits.cpu=2",
        "lxc config device override oslo:web1 root size=5GiB",
    ]
    assert "limits.cpu" not in fleet.backend("oslo").instance(REF).config
    assert main(["--demo", *wish, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert " ".join(said) == "command instance project result error commands limits"
    assert said["limits"][0] == {
        "limit": "cpu",
        "key": "limits.cpu",
        "device": None,
        "own": "2",
        "inherited": "8",
        "profile": "default",
        "effective": "2",
        "note": None,
        "unavailable": None,
    }
    now = fleet.backend("oslo").instance(REF)
    assert now.devices["root"]["size"] == "5GiB"
    assert main(["--demo", "limits", "oslo:web1", "--cpu", "none"]) == 2
    capsys.readouterr()
    assert main(["--demo", "limits", "oslo:nobody", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["result"] == "failed"
