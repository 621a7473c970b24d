"""A certificate for some projects sees each of them and nothing else, events included."""

from __future__ import annotations

import base64
import os
import ssl
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Event as Flag
from threading import Thread

import pytest

from lxtui import remotes
from lxtui.backend import tls
from lxtui.backend.lxd import LxdBackend
from lxtui.errors import NotTrustedError
from lxtui.fleet import Fleet
from lxtui.model import Event, Ref
from tests.lab.client import make_certificate
from tests.lab.lab import Host, Lab
from tests.lab.plan import IMAGE

MINE = [f"mine{number}-{os.getpid()}" for number in (1, 2)]
THEIRS = f"theirs-{os.getpid()}"


@pytest.fixture(params=["lxd1", "incus1"])
def restricted(
    request: pytest.FixtureRequest, lab: Lab, tmp_path: Path
) -> Iterator[tuple[Host, LxdBackend]]:
    """A host with three projects of one instance each, and a backend that may see two of them."""
    host: Host = lab.host(request.param)
    certificate = make_certificate(tmp_path)
    der = ssl.PEM_cert_to_DER_cert(certificate.read_text())
    shared = {"features.images": "false", "features.profiles": "false"}
    try:
        for project in (*MINE, THEIRS):
            host.api.call("POST", "/1.0/projects", {"name": project, "config": shared})
            source = {"type": "image", "alias": IMAGE}
            body = {"name": f"in-{project}", "type": "container", "source": source}
            host.api.call("POST", f"/1.0/instances?project={project}", body)
        trust = {
            "type": "client",
            "name": "some",
            "certificate": base64.b64encode(der).decode(),
            "restricted": True,
            "projects": MINE,
        }
        host.api.call("POST", "/1.0/certificates", trust)
        known = remotes.load(lab.environment, Path("/nonexistent")).named(host.name)
        remote = replace(
            known,
            project=MINE[0],
            client_cert=str(certificate),
            client_key=str(certificate.with_suffix(".key")),
        )
        with closing(LxdBackend(remote)) as backend:
            yield host, backend
    finally:
        for entry in host.api.get("/1.0/certificates"):
            if entry.endswith(tls.fingerprint(der)):
                host.api.call("DELETE", entry)
        for project in (*MINE, THEIRS):
            for instance in host.api.get(f"/1.0/instances?project={project}"):
                host.api.call("DELETE", f"{instance.partition('?')[0]}?project={project}")
            host.api.call("DELETE", f"/1.0/projects/{project}")


def _touch(host: Host, project: str) -> None:
    path = f"/1.0/instances/in-{project}?project={project}"
    host.api.call("PATCH", path, {"config": {"user.touched": str(time.monotonic())}})


def _wait(condition: object, seconds: float = 15) -> None:
    assert callable(condition)
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "did not happen in time"
        time.sleep(0.05)


def test_each_allowed_project_is_shown(restricted: tuple[Host, LxdBackend]) -> None:
    """Instances and operations of both projects, and of none that is not allowed."""
    host, backend = restricted
    assert backend.connect().online
    refs = {one.ref for one in backend.instances()}
    assert refs == {Ref(host.name, project, f"in-{project}") for project in MINE}
    assert all(one.status for one in backend.operations())
    assert backend.instance(Ref(host.name, MINE[1], f"in-{MINE[1]}")).ref.project == MINE[1]
    with pytest.raises(NotTrustedError):
        backend.instance(Ref(host.name, THEIRS, f"in-{THEIRS}"))


def test_events_of_each_allowed_project(restricted: tuple[Host, LxdBackend]) -> None:
    """A listener, the first thing that is asked, hears both projects and not the third."""
    host, backend = restricted
    heard: list[Event] = []
    stop = Flag()
    thread = Thread(target=backend.listen, args=(heard.append, stop))
    thread.start()
    try:

        def all_heard() -> bool:
            for project in (THEIRS, *MINE):
                _touch(host, project)
            time.sleep(0.3)
            return {one.project for one in heard} >= set(MINE)

        _wait(all_heard)
        assert {one.project for one in heard} == set(MINE)
    finally:
        stop.set()
        thread.join(10)
    assert not thread.is_alive()


def test_the_fleet_follows_each_allowed_project(restricted: tuple[Host, LxdBackend]) -> None:
    """A change in the second project is seen by its event, long before the next look."""
    host, backend = restricted
    fleet = Fleet([backend], poll_seconds=3600)
    fleet.start(lambda: None)
    try:
        ref = Ref(host.name, MINE[1], f"in-{MINE[1]}")
        _wait(lambda: fleet.snapshot.instance(ref) is not None)
        time.sleep(2)  # the stream is open, and the second look, which makes rates, is over
        _touch(host, MINE[1])

        def seen() -> bool:
            one = fleet.snapshot.instance(ref)
            return one is not None and "user.touched" in one.config

        _wait(seen)
    finally:
        fleet.close()
