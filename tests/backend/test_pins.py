"""Nobody gets in between: every kind of connection asks for the pinned certificate."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Event as Flag
from unittest.mock import patch

import pytest

from lxtui import remotes
from lxtui.backend import tls
from lxtui.backend.base import Backend
from lxtui.backend.lxd import LxdBackend
from lxtui.errors import CertificateError, NotFoundError, NotTrustedError
from lxtui.model import InstanceSpec, Kind, MigrationOffer, Operation, Ref, Remote, StateAction
from lxtui.terminal.asked import Console, Exec
from lxtui.terminal.interactive import run_interactive
from lxtui.terminal.streams import run_streams
from tests.backend.impostor import Impostor
from tests.lab.client import make_certificate
from tests.lab.lab import Lab

REF = Ref("h", "default", "one")
SPEC = InstanceSpec(REF, "container", "x86_64", False, "", (), {}, {})
OFFER = MigrationOffer(Operation("id", "h"), (), "", {"control": "s3cret", "fs": "s3cret"})


def _files(backend: Backend) -> None:
    with backend.files(REF) as files:
        files.entries(b"/")


def _export(backend: Backend) -> None:
    with backend.export(REF, "b") as stream:
        stream.read(1)


def _channel(backend: Backend) -> None:
    with backend.channel(OFFER, "control") as channel:
        channel.receive(5)


def _shell(backend: Backend) -> None:
    """A program whose request was answered by the daemon itself; its channels are our own."""
    fds = {"0": "s3cret", "1": "s3cret", "2": "s3cret", "control": "s3cret"}
    begun = Operation("id", "h", metadata={"fds": fds}, status="Running")
    with (
        patch.object(backend, "request", return_value=begun),
        patch.object(backend, "read", side_effect=NotFoundError("h: forgotten")),
        patch.object(backend, "cancel"),
    ):
        run_streams(Exec(REF, ("true",)), backend, lambda _: None, lambda _: None)


KINDS: dict[str, Callable[[Backend], object]] = {
    "connect": lambda backend: backend.connect(),
    "operations": lambda backend: backend.operations("default"),
    "state": lambda backend: backend.change_state(REF, StateAction.STOP),
    "exec": lambda backend: backend.execute(REF, ["true"]),
    "config": lambda backend: backend.set_config(REF, {"user.secret": "s3cret"}),
    "events": lambda backend: backend.listen(lambda _: None, Flag()),
    "offer": lambda backend: backend.offer(REF, SPEC),
    "accept": lambda backend: backend.accept(SPEC, OFFER, "https://127.0.0.1/1.0/operations/id"),
    "migration channel": _channel,
    "shell": _shell,
    "shell request": lambda backend: run_interactive(Exec(REF), backend),
    "console request": lambda backend: run_interactive(Console(REF), backend),
    "sftp": _files,
    "export": _export,
}
VARIABLES = {
    "REQUESTS_CA_BUNDLE": "{certificate}",
    "CURL_CA_BUNDLE": "{certificate}",
    "SSL_CERT_FILE": "{certificate}",
    "SSL_CERT_DIR": "{folder}",
    "HTTPS_PROXY": "http://127.0.0.1:{closed}",
    "https_proxy": "http://127.0.0.1:{closed}",
    "HTTP_PROXY": "http://127.0.0.1:{closed}",
    "ALL_PROXY": "http://127.0.0.1:{closed}",
    "all_proxy": "socks5://127.0.0.1:{closed}",
    "NO_PROXY": "*",
    "NETRC": "{netrc}",
    "SSLKEYLOGFILE": "{keys}",
}


@pytest.fixture
def impostor(tmp_path: Path) -> Iterator[Impostor]:
    """A small server with a certificate of its own."""
    with closing(Impostor(tmp_path / "impostor")) as server:
        yield server


@pytest.fixture
def remote(tmp_path: Path, impostor: Impostor) -> Remote:
    """A remote at the small server's address, with the certificate of another host pinned."""
    ours = make_certificate(tmp_path / "client")
    other = make_certificate(tmp_path / "other")
    return Remote(
        "h",
        Kind.LXD,
        impostor.address,
        client_cert=str(ours),
        client_key=str(ours.with_suffix(".key")),
        server_cert=str(other),
    )


@pytest.mark.parametrize("kind", KINDS)
def test_another_certificate_is_refused(kind: str, remote: Remote, impostor: Impostor) -> None:
    """Each kind of connection to a server with another certificate ends before a word is said."""
    with (
        closing(LxdBackend(remote)) as backend,
        pytest.raises(CertificateError, match="another certificate than the pinned one"),
    ):
        KINDS[kind](backend)
    assert impostor.connections == 1
    assert impostor.all_heard() == b""


@pytest.mark.parametrize("kind", KINDS)
def test_what_nobody_vouches_for_is_refused(
    kind: str, remote: Remote, impostor: Impostor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a pin the system's authorities decide; those that variables name are none."""
    monkeypatch.setenv("SSL_CERT_FILE", str(impostor.certificate))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(impostor.certificate))
    with (
        closing(LxdBackend(replace(remote, server_cert=None))) as backend,
        pytest.raises(CertificateError, match="no certificate is pinned"),
    ):
        KINDS[kind](backend)
    assert impostor.all_heard() == b""


def test_a_session_does_not_remember_a_host(remote: Remote, impostor: Impostor) -> None:
    """A host whose certificate changes while we are connected is refused at the next connection."""
    with closing(LxdBackend(replace(remote, server_cert=str(impostor.certificate)))) as backend:
        assert backend.connect().server_name == "small"
        said = impostor.heard
        impostor.turn_coat()
        with pytest.raises(CertificateError, match="another certificate"):
            backend.connect()
        assert impostor.all_heard() == said


@pytest.mark.parametrize("variable", VARIABLES)
def test_the_environment_has_no_say(
    variable: str,
    remote: Remote,
    impostor: Impostor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With a variable set that redirects other programs, we say the same words to the same host."""
    pinned = replace(remote, server_cert=str(impostor.certificate))
    with closing(LxdBackend(pinned)) as backend:
        backend.connect()
    without, impostor.heard = impostor.all_heard(), b""
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login root password s3cret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        value = VARIABLES[variable].format(
            certificate=impostor.certificate,
            folder=impostor.certificate.parent,
            closed=unused.getsockname()[1],
            netrc=netrc,
            keys=tmp_path / "keys",
        )
        monkeypatch.setenv(variable, value)
        with closing(LxdBackend(pinned)) as backend:
            backend.connect()
        assert impostor.all_heard() == without
        with (
            closing(LxdBackend(remote)) as backend,
            pytest.raises(CertificateError, match="another certificate"),
        ):
            backend.connect()
        with (
            closing(LxdBackend(replace(remote, server_cert=None))) as backend,
            pytest.raises(CertificateError, match="no certificate is pinned"),
        ):
            backend.connect()
    assert impostor.all_heard() == without
    assert not (tmp_path / "keys").exists()


def test_the_authorities_are_the_systems(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a pin as many authorities are asked as without variables, whatever these say."""
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    usual = ssl.create_default_context().cert_store_stats()["x509_ca"]
    if not usual:
        pytest.skip("this system has no file of authorities (package ca-certificates)")
    monkeypatch.setenv("SSL_CERT_FILE", "/dev/null")
    asked = tls.context(replace(remote, server_cert=None))
    assert asked.cert_store_stats()["x509_ca"] == usual
    assert asked.check_hostname
    assert asked.verify_mode is ssl.CERT_REQUIRED


def test_a_pin_may_stand_between_other_words(remote: Remote, impostor: Impostor) -> None:
    """Text around the pinned certificate, as `openssl x509 -text` writes it, does not matter."""
    pin = impostor.certificate
    pin.write_text(f"Certificate:\n    Data:\n{pin.read_text()}\nand so on\n")
    with closing(LxdBackend(replace(remote, server_cert=str(pin)))) as backend:
        assert backend.connect().server_name == "small"


@pytest.mark.parametrize("host", ["lxd1", "incus1"])
def test_a_man_in_the_middle_hears_nothing(host: str, lab: Lab, tmp_path: Path) -> None:
    """Before a real daemon: with its certificate pinned nothing is said to who stands in between;
    with the one in between pinned, the same path leads to the daemon.
    """
    lab.host(host)
    known = remotes.load(lab.environment, Path("/nonexistent")).named(host)
    address, _, port = known.address.removeprefix("https://").rpartition(":")
    with closing(Impostor(tmp_path, (address, int(port)))) as middle:
        caught = replace(known, address=middle.address)
        for ask in KINDS.values():
            with (
                closing(LxdBackend(caught)) as backend,
                pytest.raises(CertificateError, match="another certificate"),
            ):
                ask(backend)
        assert middle.connections == len(KINDS)
        assert middle.all_heard() == b""
        fooled = LxdBackend(replace(caught, server_cert=str(middle.certificate)))
        with closing(fooled), pytest.raises(NotTrustedError, match="does not trust"):
            fooled.connect()
        assert b"GET /1.0" in middle.heard
