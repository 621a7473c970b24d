"""Each thing that preflight looks at is found from facts alone, with its remedy."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from lxtui.migrate import MARK
from lxtui.migrate.estimate import ASSUMED_RATE, commands, estimate
from lxtui.migrate.facts import Finding, Level, MoveFacts
from lxtui.migrate.options import Mode, MoveOptions, Transport
from lxtui.migrate.plan import StepKind, plan_move
from lxtui.migrate.preflight import check
from lxtui.migrate.profile_diff import difference
from lxtui.model import (
    Host,
    Instance,
    Kind,
    Network,
    Placement,
    Pool,
    Profile,
    Quota,
    Ref,
    Snapshot,
)

GIB = 2**30
ROOT = {"type": "disk", "path": "/", "pool": "default"}
NIC = {"type": "nic", "network": "br0"}
DEFAULT = Profile({"root": ROOT, "eth0": NIC})


def _facts(
    *,
    instance: dict[str, Any] | None = None,
    config: dict[str, str] | None = None,
    devices: dict[str, dict[str, str]] | None = None,
    target: dict[str, Any] | None = None,
    placement: dict[str, Any] | None = None,
    origin: dict[str, Any] | None = None,
    **options: Any,
) -> MoveFacts:
    settings = config or {}
    about: dict[str, Any] = {
        "status": "Running",
        "architecture": "x86_64",
        "profiles": ("default",),
        "config": settings,
        "expanded_config": settings,
        "devices": devices or {},
        "expanded_devices": {"root": ROOT, "eth0": NIC, **(devices or {})},
        "disk": GIB,
        **(instance or {}),
    }
    around: dict[str, Any] = {
        "profiles": {"default": DEFAULT},
        "pools": {"default": Pool("zfs", 100 * GIB, frozenset({"there"}))},
        "networks": {"br0": Network(("10.1.0.1/24", "fd42::1/64"))},
    }
    there: dict[str, Any] = {"architectures": ("x86_64",), "version": "5.0.2", **(target or {})}
    there = {"kind": Kind.LXD, **there}
    return MoveFacts(
        instance=Instance(Ref("a", "default", "web1"), **about),
        source=Host("a", Kind.LXD, "https://a:8443", addresses=("a:8443",)),
        target=Host("b", address="https://b:8443", **there),
        placement=Placement(**{**around, **(placement or {})}),
        options=MoveOptions(**options),
        origin=Placement(**{**around, **(origin or {})}),
    )


def _found(facts: MoveFacts, level: Level) -> list[Finding]:
    return [one for one in check(facts) if one.level is level]


def test_what_fits_is_said_to_fit() -> None:
    """Facts without a fault give neither blocker nor warning, and say what was looked at."""
    findings = check(_facts())
    assert {one.level for one in findings} == {Level.OK}
    assert "100 GiB free, 1 GiB needed" in " ".join(map(str, findings))


RESTRICTED = {"restricted": "true"}
BLOCKERS = [
    (
        _facts(
            instance={"profiles": ("default", "big")},
            origin={"profiles": {"default": DEFAULT, "big": Profile()}},
        ),
        "no profile 'big'; copy it with --copy-profiles, or create it there: 'lxc profile create",
    ),
    (_facts(config={MARK: "x"}), "being moved already.*lxtui moves.*lxc config unset a:web1"),
    (_facts(config={"security.devlxd": "false"}, target={"kind": Kind.INCUS}), "security.guestapi"),
    (
        _facts(
            instance={"snapshots": (Snapshot("s1", config={"security.devlxd": "false"}),)},
            target={"kind": Kind.INCUS},
        ),
        "snapshot 's1' of a:web1 cannot go along: .*guestapi; delete the snapshot.*--instance-only",
    ),
    (
        _facts(
            instance={"profiles": ("default", "big")},
            origin={
                "profiles": {"default": DEFAULT, "big": Profile({}, {"security.devlxd": "false"})}
            },
            target={"kind": Kind.INCUS},
            copy_profiles=True,
        ),
        "profile 'big' cannot be copied: .*make one of that name on b by hand",
    ),
    (
        _facts(
            config={"security.syscalls.intercept.sysinfo": "true"},
            target={"api_extensions": frozenset({"resources"})},
        ),
        "refuses security.syscalls.intercept.sysinfo.*container_syscall_intercept_sysinfo",
    ),
    (
        _facts(target={"api_extensions": frozenset({"x"})}, transport=Transport.RELAY),
        "too old for --transport relay.*container_push; use --transport pull",
    ),
    (
        _facts(target={"api_extensions": frozenset({"x"})}, mode=Mode.NEAR_LIVE),
        "too old for --mode near-live.*use --mode cold",
    ),
    (
        _facts(placement={"pools": {"default": Pool("zfs", GIB // 2)}}),
        r"has 512 MiB free, a:web1 needs 1 GiB; make room there.*--pool",
    ),
    (
        _facts(
            instance={"snapshots": (Snapshot("s1"), Snapshot("s2"))},
            placement={"pools": {"default": Pool("dir", 2 * GIB)}},
        ),
        "has 2 GiB free, a:web1 needs 3 GiB",
    ),
    (
        _facts(devices={"eth0": {**NIC, "ipv4.address": "10.9.0.5"}}),
        r"static address 10.9.0.5.*not in network br0 of b \(10.1.0.0/24\)",
    ),
    (
        _facts(devices={"eth0": {**NIC, "ipv6.address": "fd43::5"}}),
        r"static address fd43::5.*unset ipv6.address",
    ),
    (
        _facts(devices={"d": {"type": "disk", "path": "/d", "pool": "default", "source": "vol"}}),
        "no volume 'vol' in pool 'default'.*lxc storage volume copy a:default/vol b:default/vol",
    ),
    (
        _facts(devices={"p": {"type": "pci", "address": "01:00.0"}}, target={"pci": frozenset()}),
        "no PCI device 01:00.0",
    ),
    (_facts(devices={"g": {"type": "gpu"}}, target={"gpus": 0}), "has no graphics card"),
    (
        _facts(placement={"project": {"limits.instances": "1"}, "instance_names": {"other"}}),
        r"has 1 of at most 1 instances \(limits.instances\); raise limits.instances",
    ),
    (
        _facts(placement={"quotas": {"containers": Quota(2, 2)}}),
        r"has 2 of at most 2 instances \(limits.containers\)",
    ),
    (
        _facts(placement={"project": {"limits.memory": "1GiB"}}),
        "needs a limits.memory of its own.*lxc config set a:web1 limits.memory",
    ),
    (
        _facts(
            config={"limits.memory": "2GiB"},
            placement={
                "project": {"limits.memory": "3GiB"},
                "quotas": {"memory": Quota(3 * GIB, 2 * GIB)},
            },
        ),
        "has used 2 GiB of limits.memory 3 GiB, and limits.memory of a:web1 is 2 GiB",
    ),
    (_facts(placement={"project": {"limits.cpu": "4"}}), "needs a limits.cpu of its own"),
    (_facts(placement={"project": {"limits.disk": "9GiB"}}), "needs a root disk with a size"),
    (
        _facts(
            devices={"root": {**ROOT, "size": "8GiB"}},
            placement={
                "project": {"limits.disk": "9GiB"},
                "quotas": {"disk": Quota(None, 2 * GIB)},
            },
        ),
        "has used 2 GiB of limits.disk 9 GiB",
    ),
    (
        _facts(config={"security.nesting": "true"}, placement={"project": RESTRICTED}),
        r"forbids security.nesting \(restricted.containers.nesting\)",
    ),
    (
        _facts(config={"security.privileged": "true"}, placement={"project": RESTRICTED}),
        "restricted.containers.privilege=allow",
    ),
    (
        _facts(
            placement={"project": {**RESTRICTED, "restricted.containers.privilege": "isolated"}}
        ),
        "no id map of its own.*privilege=unprivileged",
    ),
    (
        _facts(
            placement={
                "project": RESTRICTED,
                "profiles": {"default": replace(DEFAULT, config={"raw.lxc": "x"})},
            },
            origin={"profiles": {}},
        ),
        r"forbids raw.lxc \(restricted.containers.lowlevel\)",
    ),
    (
        _facts(
            devices={"tty": {"type": "unix-char", "path": "/dev/ttyS0"}},
            placement={"project": RESTRICTED},
        ),
        r"device 'tty' \(unix-char\) \(restricted.devices.unix-char\)",
    ),
    (
        _facts(
            devices={"d": {"type": "disk", "path": "/d", "source": "/srv"}},
            placement={"project": RESTRICTED},
        ),
        r"device 'd' \(disk\) \(restricted.devices.disk\)",
    ),
    (
        replace(
            _facts(target={"certificate": "C"}),
            source=Host("a", Kind.LXD, "https://a", addresses=("a:1",), certificate="C"),
        ),
        "are the same server, or of one cluster",
    ),
]


@pytest.mark.parametrize(("facts", "words"), BLOCKERS)
def test_a_blocker_names_the_cause_and_the_remedy(facts: MoveFacts, words: str) -> None:
    """What would make the move fail is one blocker, with what to do about it."""
    found = _found(facts, Level.BLOCKER)
    assert any(re.search(words, str(one)) for one in found), found
    assert all(one.remedy for one in found)
    assert len(found) == 1


WARNINGS = [
    (_facts(config={"raw.idmap": "both 1000 1000"}), "raw.idmap.*subuid"),
    (_facts(config={"security.idmap.isolated": "true"}), "another range"),
    (_facts(config={"raw.lxc": "lxc.x=1"}), "raw.lxc or raw.apparmor is set"),
    (
        _facts(instance={"backups": ("b1", "b2")}),
        r"2 backups.*\(b1, b2\).*are deleted with it.*exp",
    ),
    (_facts(instance={"backups": ("b1",)}, keep_source=True), "1 backup .*stay behind"),
    (
        _facts(instance={"snapshots": tuple(Snapshot(f"s{n}") for n in range(60))}),
        "has 60 snapshots.*--instance-only",
    ),
    (
        _facts(instance={"snapshots": (Snapshot("s"),)}, instance_only=True),
        "1 snapshots .* are deleted with it; keep the source",
    ),
    (_facts(instance={"snapshots": (Snapshot("s", stateful=True),)}), "running state"),
    (_facts(instance={"status": "Stopped"}, check="true"), "check 'true' is not made"),
    (_facts(placement={"pools": {"default": Pool("zfs", GIB)}}), "would be nearly full"),
    (_facts(devices={"d": {"type": "disk", "path": "/d", "source": "/srv"}}), "bound to /srv"),
    (
        _facts(devices={"d": {"type": "disk", "path": "/d", "pool": "default", "source": "there"}}),
        "volume 'there'.*does not move along",
    ),
    (
        _facts(devices={"t": {"type": "unix-char", "source": "/dev/ttyS0"}}),
        r"device 't' \(unix-char /dev/ttyS0\) belongs to the host",
    ),
    (
        _facts(config={"limits.memory": "8GiB"}, target={"memory_total": 4 * GIB}),
        r"limits.memory 8 GiB is more than b has \(4 GiB\)",
    ),
    (_facts(config={"limits.cpu": "8"}, target={"cpus": 4}), "limits.cpu 8 .*the 4 CPUs of b"),
    (_facts(config={"limits.cpu": "0,2-4"}, target={"cpus": 4}), "limits.cpu 0,2-4 .*the 4 CPUs"),
    (
        _facts(placement={"profiles": {"default": Profile({"root": ROOT})}}),
        "do not give it eth0",
    ),
    (
        _facts(origin={"profiles": {"default": replace(DEFAULT, config={"limits.cpu": "2"})}}),
        "profile 'default' differs on b: -limits.cpu",
    ),
]


@pytest.mark.parametrize(("facts", "words"), WARNINGS)
def test_a_warning_forbids_nothing(facts: MoveFacts, words: str) -> None:
    """What a person should know is a warning among no blockers."""
    assert any(re.search(words, str(one)) for one in _found(facts, Level.WARNING)), check(facts)
    assert not _found(facts, Level.BLOCKER)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (_facts(instance={"disk": None}), "100 GiB free; the size of a:web1 is not known"),
        (_facts(placement={"pools": {"default": Pool("ceph")}}), "how much is free in it is not"),
        (_facts(target={"clustered": True}), "is a cluster, which chooses the member itself"),
    ],
)
def test_what_is_not_known_is_said(facts: MoveFacts, words: str) -> None:
    """A size or a room that nobody measured is no fault, and is not passed over in silence."""
    assert any(words in str(one) for one in _found(facts, Level.OK))
    assert not _found(facts, Level.BLOCKER)


@pytest.mark.parametrize("limits", [{"limits.memory": "50%"}, {"limits.cpu": "3-3"}, {}])
def test_limits_that_fit_are_not_mentioned(limits: dict[str, str]) -> None:
    """What the target has room for is no warning, nor is a share of whatever it has."""
    facts = _facts(config=limits, target={"cpus": 4, "memory_total": 4 * GIB})
    assert not _found(facts, Level.WARNING)


def test_what_arrived_already_is_not_counted_twice() -> None:
    """A move that is taken up again finds no fault in its own partial copy."""
    facts = _facts(
        placement={
            "project": {"limits.instances": "1"},
            "instance_names": {"web1"},
            "pools": {"default": Pool("zfs", 0)},
        }
    )
    assert len(_found(facts, Level.BLOCKER)) == 3
    assert not _found(replace(facts, arriving=True), Level.BLOCKER)


def test_another_name_may_be_free() -> None:
    """The name that counts is the one it will have there."""
    facts = _facts(placement={"instance_names": {"web1"}}, name="web2")
    assert not _found(facts, Level.BLOCKER)
    taken = _facts(placement={"instance_names": {"web2"}}, name="web2")
    assert "an instance named web2 already" in str(_found(taken, Level.BLOCKER)[0])


def test_missing_profiles_can_be_copied() -> None:
    """With --copy-profiles a missing profile is a step before the copy, its devices count."""
    special = Profile({"extra": {"type": "nic", "network": "br0"}}, {"limits.cpu": "2"})
    facts = _facts(
        instance={"profiles": ("default", "special")},
        origin={"profiles": {"default": DEFAULT, "special": special}},
        copy_profiles=True,
    )
    plan = plan_move(facts, "token")
    assert not plan.blockers
    assert [step.kind for step in plan.steps][:3] == [
        StepKind.CLAIM,
        StepKind.PROFILES,
        StepKind.STOP,
    ]
    assert plan.profiles == {"special": special}
    assert "extra" in plan.devices


def test_profiles_of_snapshots_are_needed_by_lxd() -> None:
    """LXD refuses snapshots with a profile that it lacks: that is found, and it can be made."""
    instance = {"snapshots": (Snapshot("s1"),), "profiles": ("default", "old")}
    origin = {"profiles": {"default": DEFAULT, "old": Profile()}}
    wish: dict[str, Any] = {"instance": instance, "origin": origin, "profiles": ("default",)}
    (found,) = _found(_facts(**wish), Level.BLOCKER)
    assert "no profile 'old', which the snapshots of a:web1 go along with" in found.text
    assert "--copy-profiles" in found.remedy
    plan = plan_move(_facts(**wish, copy_profiles=True), "token")
    assert not plan.blockers
    assert set(plan.profiles) == {"old"}
    assert _found(_facts(**wish, instance_only=True), Level.BLOCKER) == []
    assert _found(_facts(**wish, target={"kind": Kind.INCUS}), Level.BLOCKER) == []


def test_a_copied_profile_must_be_possible() -> None:
    """A profile that names what the target lacks cannot be copied, and that is found before."""
    special = Profile({"extra": {"type": "nic", "network": "gone"}})
    facts = _facts(
        instance={"profiles": ("default", "special")},
        origin={"profiles": {"default": DEFAULT, "special": special}},
        copy_profiles=True,
    )
    assert "no network 'gone'" in str(_found(facts, Level.BLOCKER)[0])


def test_differences_of_profiles_show_no_secrets() -> None:
    """Values are shown where they cannot be secret, names always, the mark of a move never."""
    here = Profile(
        {"eth0": NIC, "p": {"type": "proxy", "connect": "tcp:secret1"}},
        {"limits.cpu": "2", "user.user-data": "secret2", "environment.KEY": "secret3"},
    )
    there = Profile(
        {"eth0": {**NIC, "network": "br1"}, "p": {"type": "proxy", "connect": "secret4"}},
        {"limits.cpu": "4", "user.user-data": "secret5", MARK: "token"},
    )
    said = difference(here, there)
    assert "limits.cpu 2 → 4" in said
    assert "-environment.KEY" in said
    assert "user.user-data (another value)" in said
    assert "eth0.network br0 → br1" in said
    assert said.endswith("and 1 more")
    assert "secret" not in said
    assert difference(here, here) == ""


@pytest.mark.parametrize(
    ("options", "status", "downtime"),
    [
        ({}, "Running", GIB / ASSUMED_RATE + 5),
        ({"mode": Mode.NEAR_LIVE}, "Running", 7.0),
        ({"copy": True}, "Running", 0.0),
        ({}, "Stopped", 0.0),
    ],
)
def test_downtime_is_estimated(options: dict[str, Any], status: str, downtime: float) -> None:
    """Cold: the copy, a stop and a start; near-live: the last pass; nothing for what is still."""
    guess = estimate(_facts(instance={"status": status}, **options))
    assert guess.downtime_seconds == pytest.approx(downtime)
    assert guess.assumed
    assert guess.size == GIB


def test_a_measured_rate_is_no_assumption() -> None:
    """With a rate that somebody measured the seconds rest on it."""
    guess = estimate(replace(_facts(), rate=GIB))
    assert (guess.seconds, guess.assumed) == (6.0, False)
    assert "(measured)" in str(guess)


def test_of_an_unknown_size_nothing_is_estimated() -> None:
    """Without a size there is no time, not even zero."""
    guess = estimate(_facts(instance={"disk": None}))
    assert (guess.seconds, guess.downtime_seconds) == (None, None)


def test_equivalent_commands() -> None:
    """Between hosts of one kind the plan names what one would type; between kinds nothing."""
    assert commands(_facts(pool="fast")) == (
        "lxc stop a:web1",
        "lxc copy a:web1 b:web1 --storage fast",
        "lxc start b:web1",
        "lxc delete a:web1",
    )
    assert commands(_facts(target={"kind": Kind.INCUS})) == ()
    assert commands(_facts(mode=Mode.NEAR_LIVE, keep_source=True))[-1] == (
        "lxc rename a:web1 web1-moved"
    )
