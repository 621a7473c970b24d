"""Volumes that daemons leave of copies which were given up."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lxtui.backend.base import Backend
from lxtui.errors import LxtuiError
from lxtui.migrate.facts import Level
from lxtui.migrate.journal import Header, Journal
from lxtui.migrate.leftovers import clear, note_free, stranded
from lxtui.migrate.options import MoveOptions
from lxtui.migrate.preflight import check
from lxtui.migrate.prepare import gather
from lxtui.model import InstanceSpec, Ref
from tests.lab.fixtures import MakeInstance
from tests.lab.lab import Host, Lab

NOTE = "pools free"


@pytest.fixture
def journal_of(tmp_path: Path) -> Iterator[Callable[[Ref, Ref], Journal]]:
    """Begin the journal of a move."""
    made: list[Journal] = []

    def begin(source: Ref, there: Ref) -> Journal:
        now = datetime.now(UTC)
        header = Header(f"{len(made):016x}", source, there, MoveOptions(), False, None, now)
        made.append(Journal.create(tmp_path, header))
        return made[-1]

    yield begin
    for journal in made:
        journal.close()


@pytest.fixture
def source(lxd1: Host, make_instance: MakeInstance, monkeypatch: pytest.MonkeyPatch) -> Ref:
    """A container to be copied to a host that is not waited for long."""
    monkeypatch.setattr("lxtui.migrate.leftovers._SETTLES", 0.5)
    return Ref("lxd1", "default", make_instance(lxd1, start=False))


def _forget(host: Host, name: str) -> None:
    """Strike an instance off the host's books; its volume stays, in the pool and in the books."""
    query = f"DELETE FROM instances WHERE name='{name}'"  # noqa: S608 a name of ours
    host.api.call("POST", "/internal/sql", {"database": "global", "query": query})


def _on_disk(host: Host, name: str) -> list[Path]:
    return list(host.pools.glob(f"*/containers*/{name}"))


def test_a_volume_that_lxd_has_left_is_removed(
    source: Ref,
    lxd2: Host,
    backends: dict[str, Backend],
    make_instance: MakeInstance,
    journal_of: Callable[[Ref, Ref], Journal],
) -> None:
    """Once it is known that it was not there before the copy; then the name is good again."""
    there, target = source._replace(host="lxd2"), backends["lxd2"]
    journal = journal_of(source, there)
    note_free(journal, target, there)
    assert json.loads(journal.record.notes[NOTE]) == ["default"]

    lxd2.launch(there.name, {}, start=False)
    clear(journal, target, there)
    assert lxd2.status(there.name) == "Stopped"  # a volume that has its instance is nobody's rest

    _forget(lxd2, there.name)
    assert stranded(target, there, ["default"]) == "default"
    assert _on_disk(lxd2, there.name)
    clear(journal, target, there)
    assert not stranded(target, there, ["default"])
    assert not _on_disk(lxd2, there.name)
    make_instance(lxd2, start=False, name=there.name)


def test_a_volume_that_was_there_before_is_left_and_told_of(
    source: Ref, lxd2: Host, backends: dict[str, Backend], journal_of: Callable[[Ref, Ref], Journal]
) -> None:
    """It may be all that somebody has: no move touches it, and none begins."""
    there, target = source._replace(host="lxd2"), backends["lxd2"]
    lxd2.launch(there.name, {}, start=False)
    _forget(lxd2, there.name)

    journal = journal_of(source, there)
    note_free(journal, target, there)
    assert json.loads(journal.record.notes[NOTE]) == []
    clear(journal, target, there)
    assert _on_disk(lxd2, there.name)

    facts = gather(backends["lxd1"], target, source, MoveOptions())
    said = [str(one) for one in check(facts) if one.level is Level.BLOCKER]
    assert any("container/" in one and "belongs to no instance" in one for one in said), said

    ours = journal_of(source, there)  # for the end of the test: as if the copy had made it
    ours.note(NOTE, '["default"]')
    clear(ours, target, there)
    assert not _on_disk(lxd2, there.name)


@pytest.mark.parametrize(("here", "there"), [("lxd1", "lxd2"), ("lxd1", "incus1")])
def test_a_copy_that_was_given_up_is_waited_for(
    here: str,
    there: str,
    lab: Lab,
    backends: dict[str, Backend],
    make_instance: MakeInstance,
    journal_of: Callable[[Ref, Ref], Journal],
) -> None:
    """Nothing is on the target's disk any more when it is called clear."""
    source, target = backends[here], backends[there]
    host = lab.host(there)
    name = make_instance(lab.host(here), start=False)
    ref, copy = Ref(here, "default", name), Ref(there, "default", name)
    journal = journal_of(ref, copy)
    note_free(journal, target, copy)
    spec = InstanceSpec(copy, "container", "x86_64", False, "", ("default",), {}, {})
    source.connect()
    offer = source.offer(ref, spec)
    operation = target.accept(spec, offer, offer.url(offer.addresses[0]))
    time.sleep(0.1)
    source.cancel(offer.operation)
    with pytest.raises(LxtuiError):
        target.wait(operation)
    clear(journal, target, copy)
    assert not _on_disk(host, name)
