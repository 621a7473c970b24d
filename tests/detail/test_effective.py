"""Where each setting comes from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lxtui.detail.effective import INSTANCE, UNKNOWN, Setting, layered, looks_secret


def test_the_instance_wins_over_profiles_and_the_last_profile_over_the_first() -> None:
    """Each key names its origin and what it overrides, the strongest first."""
    base, web = {"a": "1", "b": "1", "c": "1"}, {"a": "2", "b": "2"}
    found = layered({"a": "3", "b": "2", "c": "1"}, {"a": "3"}, [("base", base), ("web", web)])
    assert found == (
        Setting("a", "3", INSTANCE, (("web", "2"), ("base", "1"))),
        Setting("b", "2", "web", (("base", "1"),)),
        Setting("c", "1", "base"),
    )


def test_devices_are_taken_whole() -> None:
    """A device of the same name is not merged with the profile's."""
    profile = {"eth0": {"type": "nic", "network": "br0", "mtu": "1400"}}
    own = {"eth0": {"type": "nic", "network": "br1"}}
    (found,) = layered(own, own, [("default", profile)])
    assert found.origin == INSTANCE
    assert found.overrides == (("default", profile["eth0"]),)


@pytest.mark.parametrize(
    "profiles", [[], [("web", None)], [("web", {"a": "changed meanwhile"})], [("web", {})]]
)
def test_an_origin_is_not_guessed(profiles: list[tuple[str, dict[str, str] | None]]) -> None:
    """A key that nobody who could be asked has set to that value has no known origin."""
    assert layered({"a": "1"}, {}, profiles) == (Setting("a", "1", UNKNOWN),)


_configs = st.dictionaries(st.sampled_from("abcd"), st.sampled_from("12"))


@given(_configs, st.lists(_configs, max_size=3))
def test_every_effective_key_is_there_once_with_its_value(
    own: dict[str, str], configs: list[dict[str, str]]
) -> None:
    """Layers merged as the daemons merge them always have a known origin."""
    effective: dict[str, str] = {}
    for config in [*configs, own]:
        effective |= config
    profiles = [(str(number), config) for number, config in enumerate(configs)]
    found = layered(effective, own, profiles)
    assert {one.key: one.value for one in found} == effective
    assert all(one.origin != UNKNOWN for one in found)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("environment.DB_PASSWORD", "x"),
        ("environment.API_KEY", "x"),
        ("user.access-token", "x"),
        ("user.secret", "x"),
        ("environment.DATABASE_URL", "postgres://app:hunter2@db/app"),
        ("user.note", "-----BEGIN RSA PRIVATE KEY-----"),
        ("cloud-init.user-data", "#cloud-config"),
        ("user.vendor-data", "#cloud-config"),
    ],
)
def test_what_looks_secret(key: str, value: str) -> None:
    """Keys and values that mostly hold secrets are hidden until asked for."""
    assert looks_secret(key, value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("limits.memory", "1GiB"),
        ("security.nesting", "true"),
        ("volatile.eth0.hwaddr", "00:16:3e:00:00:01"),
        ("user.url", "https://example.org/a:b@c"),
        ("user.key", "blue"),
        ("security.secret.allowed", "true"),
        ("environment.PASSWORD", ""),
    ],
)
def test_what_does_not(key: str, value: str) -> None:
    """Ordinary settings are not hidden."""
    assert not looks_secret(key, value)
