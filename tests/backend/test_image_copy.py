"""Images from one real host to another, between LXD and Incus too."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event as Flag

import pytest

from lxtui.api import Request
from lxtui.audit.journal import Audit
from lxtui.calls.resources import AddAlias
from lxtui.errors import ConflictError, LxtuiError
from lxtui.model import Ref
from lxtui.perform import perform
from lxtui.resources.catalog import BY_ID
from lxtui.resources.deeds import DEEDS_BY_ID
from lxtui.resources.reading import entry_from
from tests.backend.test_launch import Hosts
from tests.lab.lab import Lab


@pytest.fixture
def hosts(lab: Lab) -> Iterator[Hosts]:
    """Two LXD hosts and one Incus host."""
    made = Hosts(lab)
    yield made
    made.clear()


@pytest.mark.parametrize("public", [False, True], ids=["private", "public"])
@pytest.mark.parametrize(
    ("here", "there"), [("lxd1", "lxd2"), ("lxd1", "incus1"), ("incus1", "lxd2")]
)
def test_an_image_goes_to_another_host(
    hosts: Hosts, here: str, there: str, public: bool, tmp_path: Path
) -> None:
    """With its fingerprint and the alias that is free there; a second time is refused.

    The secret of a private one is in no journal.
    """
    fingerprint = hosts.publish(here, public)
    alias = f"copied-{os.getpid()}"
    perform(
        AddAlias(Ref(here, "default", fingerprint), "images", (), "", alias),
        hosts.backends,
        lambda _: None,
        Flag(),
    )
    document = hosts.backends[here].read(("images", fingerprint)).value
    entry = entry_from(BY_ID["images"], here, document, "default")
    assert entry is not None
    infos = {name: hosts.backends[name].connect() for name in (here, there)}
    command = DEEDS_BY_ID["image-copy"].call(entry, there, infos.get)
    journal = tmp_path / "audit.jsonl"
    perform(command, hosts.backends, lambda _: None, Flag(), audit=Audit(journal))
    found = hosts.backends[there].read(("images", fingerprint)).value
    assert found["public"] is public
    assert [one["name"] for one in found["aliases"]] == [alias]
    assert found["type"] == "container"
    assert '"secret"' not in journal.read_text()
    with pytest.raises(ConflictError, match="has that image already"):
        perform(command, hosts.backends, lambda _: None, Flag())


def test_an_alias_that_is_taken_there_stays_where_it_is(hosts: Hosts) -> None:
    """The image comes without it; the host's own keeps it."""
    fingerprint = hosts.publish("lxd1", public=False)
    alias = f"taken-{os.getpid()}"
    tiny = hosts.backends["lxd2"].read(("images", "aliases", "tiny")).value["target"]
    try:
        for host, target in (("lxd1", fingerprint), ("lxd2", tiny)):
            add = AddAlias(Ref(host, "default", target), "images", (), "", alias)
            perform(add, hosts.backends, lambda _: None, Flag())
        document = hosts.backends["lxd1"].read(("images", fingerprint)).value
        entry = entry_from(BY_ID["images"], "lxd1", document, "default")
        assert entry is not None
        infos = {name: hosts.backends[name].connect() for name in ("lxd1", "lxd2")}
        command = DEEDS_BY_ID["image-copy"].call(entry, "lxd2", infos.get)
        perform(command, hosts.backends, lambda _: None, Flag())
        found = hosts.backends["lxd2"].read(("images", fingerprint)).value
        assert found["aliases"] == []
        kept = hosts.backends["lxd2"].read(("images", "aliases", alias)).value
        assert kept["target"] == tiny
    finally:
        with suppress(LxtuiError):
            hosts.backends["lxd2"].request(Request("delete", ("images", "aliases", alias)))
