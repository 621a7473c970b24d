"""Limits of a network card on a real bridge, on LXD and on Incus."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from lxtui import cli
from tests.lab.fixtures import MakeInstance
from tests.lab.lab import Host, Lab
from tests.lab.tools import run

HOSTS = ["lxd1", "incus1"]


@pytest.fixture(autouse=True)
def ours(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lab's remotes, and a journal of our own."""
    for name, value in {**lab.environment, "XDG_STATE_HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)


def _limits(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    capsys.readouterr()
    assert cli.main(["limits", *words, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    return {one["limit"]: one for one in said["limits"]}


def _rates(host: Host, name: str) -> str:
    """What the kernel does to the packets at the host's end of the card."""
    config = host.api.get(f"/1.0/instances/{name}")["config"]
    card = config["volatile.eth0.host_name"]
    inside = ["nsenter", f"--net=/run/netns/{host.plan.netns}", "--", "tc"]
    shown = [*inside, "class", "show", "dev", card], [*inside, "filter", "show", "dev", card]
    parent = [*shown[1], "parent", "ffff:"]
    return "".join(run(one, check=False).stdout for one in (*shown, parent))


def _polices() -> bool:
    """Whether this kernel can limit what comes out of an instance."""
    police = "police rate 1mbit burst 64k drop"
    script = f"""ip link add one type veth peer name two
tc qdisc add dev one handle ffff: ingress
tc filter add dev one parent ffff: protocol all u32 match u32 0 0 {police}"""
    return run(["unshare", "--net", "sh", "-ec", script], check=False).returncode == 0


@pytest.mark.parametrize("host", HOSTS)
def test_the_kernel_is_told(
    lab: Lab, make_instance: MakeInstance, host: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """While it runs: the card of the profile is overridden, and the rates are those of the kernel;
    a kernel that lacks one of the two has the daemon refuse it, and all stays as it was. When they
    are taken back the override is gone, and so is what the kernel did.
    """
    there = lab.host(host)
    name = make_instance(there)
    there.wait_address(name)
    path, ref = f"/1.0/instances/{name}", f"{host}:{name}"
    before = _limits(capsys, ref)
    assert before["ingress"]["device"] == "eth0"
    assert before["ingress"]["unavailable"] is None
    now = _limits(capsys, ref, "--ingress", "20Mbit")
    assert now["ingress"]["effective"] == "20Mbit"
    card = there.api.get(path)["devices"]["eth0"]
    assert card["limits.ingress"] == "20Mbit"
    assert card["network"]
    told = _rates(there, name)
    assert re.search(r"rate 20Mbit", told), told
    if _polices():
        now = _limits(capsys, ref, "--egress", "3Mbit")
        assert now["egress"]["effective"] == "3Mbit"
        told = _rates(there, name)
        assert re.search(r"rate 3Mbit", told), told
    else:
        assert cli.main(["limits", ref, "--egress", "3Mbit"]) == 1
        assert "police rate 3000000bit" in capsys.readouterr().err
        assert there.api.get(path)["devices"]["eth0"] == card
    _limits(capsys, ref, "--ingress", "", "--egress", "")
    assert there.api.get(path)["devices"] == {}
    assert not re.search(r"rate (20|3)Mbit", _rates(there, name))
    assert there.wait_address(name)


@pytest.mark.parametrize("host", HOSTS)
def test_a_card_that_cannot_be_limited(
    lab: Lab, make_instance: MakeInstance, host: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A card that is no end of a bridge has no such limits: said before anything is sent."""
    there = lab.host(host)
    name = make_instance(there, start=False, name=f"macvlan{os.getpid()}")
    path = f"/1.0/instances/{name}"
    card = {"type": "nic", "nictype": "macvlan", "parent": "eth0", "name": "eth0"}
    there.api.call("PATCH", path, {"devices": {"eth0": card}})
    limits = _limits(capsys, f"{host}:{name}")
    assert "macvlan" in limits["ingress"]["unavailable"]
    assert cli.main(["limits", f"{host}:{name}", "--egress", "3Mbit"]) == 2
    assert "macvlan" in capsys.readouterr().err
    assert there.api.get(path)["devices"] == {"eth0": card}
    network = there.api.get(path.replace(name, there.plan.instances[0].name))["expanded_devices"]
    card = {**network["eth0"], "limits.max": "5Mbit"}
    there.api.call("PATCH", path, {"devices": {"eth0": card}})
    limits = _limits(capsys, f"{host}:{name}")
    assert "limits.max of the card, 5Mbit, counts" in limits["egress"]["unavailable"]
