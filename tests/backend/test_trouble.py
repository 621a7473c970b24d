"""Hosts that are not what they should be: one clear line, nothing sent to the wrong one."""

from __future__ import annotations

import shutil
import socket
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Event as Flag

import pytest

from lxtui import cli, headless, remotes
from lxtui.backend import events
from lxtui.backend.lxd import LxdBackend
from lxtui.clock import utc_now
from lxtui.doctor.hosts import hosts
from lxtui.errors import (
    CertificateError,
    HostUnreachableError,
    NotTrustedError,
    UnsupportedError,
)
from lxtui.fleet import Fleet
from lxtui.model import HostStatus, Kind, Remote
from tests.backend.impostor import SERVER, Impostor
from tests.lab.client import make_certificate
from tests.lab.lab import Host, Lab
from tests.lab.tools import run


def _lab_remote(lab: Lab, name: str) -> Remote:
    return remotes.load(lab.environment, Path("/nonexistent")).named(name)


def test_nobody_listens(tmp_path: Path) -> None:
    """A socket that is gone and a port that is closed are "no answer", with the address."""
    gone = Remote("gone", Kind.LXD, str(tmp_path / "unix.socket"))
    with pytest.raises(HostUnreachableError, match=r"gone: no answer from .*unix\.socket"):
        LxdBackend(gone).connect()
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    certificate = make_certificate(tmp_path)
    closed = Remote(
        "closed",
        Kind.INCUS,
        f"https://127.0.0.1:{port}",
        client_cert=str(certificate),
        client_key=str(certificate.with_suffix(".key")),
        server_cert=str(certificate),
    )
    with pytest.raises(HostUnreachableError, match="connection refused"):
        LxdBackend(closed).connect()


def test_no_client_certificate() -> None:
    """An HTTPS host without a client certificate is refused before anything is sent."""
    with pytest.raises(NotTrustedError, match="no client certificate"):
        LxdBackend(Remote("h", Kind.LXD, "https://127.0.0.1:1")).connect()


@pytest.mark.parametrize(("how", "said"), [("oidc", "OpenID Connect"), ("bearer", "'bearer'")])
def test_other_ways_to_log_in_are_said_not_to_work(how: str, said: str) -> None:
    """A host that logs in through OIDC is neither offline nor distrustful, and says what to do."""
    backend = LxdBackend(Remote("h", Kind.LXD, "https://127.0.0.1:1", auth_type=how))
    with pytest.raises(UnsupportedError, match=rf"{said}, which lxtui cannot do.*trust add"):
        backend.connect()
    (host,) = headless.hosts({"h": backend})
    assert host.status is HostStatus.UNSUPPORTED
    fleet = Fleet([backend], poll_seconds=3600)
    fleet.start(lambda: None)
    try:
        until = time.monotonic() + 10
        while fleet.snapshot.hosts[0].status is not HostStatus.UNSUPPORTED:
            assert time.monotonic() < until
            time.sleep(0.01)
    finally:
        fleet.close()


@pytest.mark.parametrize(
    ("methods", "said"),
    [
        (["oidc"], "OpenID Connect"),
        (["oidc", "candid"], "OpenID Connect or 'candid'"),
        (["\x1b[31m"], "logs in through '"),
    ],
)
def test_a_host_without_certificates_is_said(
    methods: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A host that offers OpenID Connect alone: said by its status, when it is added and by the
    doctor, each time with the way that there is; nothing is written, no secret is sent.
    """
    for name in ("LXD_CONF", "INCUS_CONF", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    for name in ("LXD_DIR", "INCUS_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    extensions = ["dev_incus_events"]
    server = {**SERVER, "auth": "untrusted", "auth_methods": methods, "api_extensions": extensions}
    pair = make_certificate(tmp_path / "client")
    with closing(Impostor(tmp_path / "host", server=server)) as host:
        where = host.address.removeprefix("https://")
        words = ["hosts", "add", "new", where, "--token", "the-secret", "--yes"]
        assert cli.main(words) == 1
        told = capsys.readouterr().err
        remote = Remote(
            "h",
            Kind.INCUS,
            host.address,
            client_cert=str(pair),
            client_key=str(pair.with_suffix(".key")),
            server_cert=str(host.certificate),
        )
        with closing(LxdBackend(remote)) as backend:
            with pytest.raises(UnsupportedError) as caught:
                backend.connect()
            (seen,) = headless.hosts({"h": backend})
            (finding,) = hosts({"h": backend}, utc_now)
        assert b"the-secret" not in host.all_heard()
    assert not (tmp_path / "INCUS_CONF").exists()
    assert seen.status is HostStatus.UNSUPPORTED
    for one in (told, str(caught.value), f"{finding.text}; {finding.advice}"):
        assert said in one
        assert "\x1b" not in one
        assert "which lxtui cannot do; on the host, 'incus config trust add NAME' gives" in one


@pytest.mark.parametrize("odd", [None, [], "oidc", 7, {"oidc": 1}])
def test_a_host_that_does_not_say_how_is_only_distrustful(odd: object, tmp_path: Path) -> None:
    """Ways to log in that cannot be read are not known, and not taken for others than ours."""
    server = {**SERVER, "auth": "untrusted", "auth_methods": odd}
    pair = make_certificate(tmp_path / "client")
    with closing(Impostor(tmp_path / "host", server=server)) as host:
        remote = Remote(
            "h",
            Kind.LXD,
            host.address,
            client_cert=str(pair),
            client_key=str(pair.with_suffix(".key")),
            server_cert=str(host.certificate),
        )
        with (
            closing(LxdBackend(remote)) as backend,
            pytest.raises(NotTrustedError, match="does not trust our certificate"),
        ):
            backend.connect()


def test_a_key_with_a_password_is_said(tmp_path: Path) -> None:
    """An encrypted key is named, with the command that takes the password off; nobody is asked."""
    certificate = make_certificate(tmp_path)
    key = certificate.with_suffix(".key")
    remote = Remote(
        "h",
        Kind.INCUS,
        "https://127.0.0.1:1",
        client_cert=str(certificate),
        client_key=str(key),
        server_cert=str(certificate),
    )
    run(["openssl", "pkey", "-in", str(key), "-aes256", "-passout", "pass:x", "-out", f"{key}.new"])
    Path(f"{key}.new").replace(key)
    with pytest.raises(NotTrustedError, match=r"client\.key is encrypted.*openssl pkey -in"):
        LxdBackend(remote).connect()
    key.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n")
    with pytest.raises(NotTrustedError, match="ssh-keygen -p"):
        LxdBackend(remote).connect()


def test_several_addresses_of_one_host(tmp_path: Path) -> None:
    """Each address is tried, what answers is kept, and looked for anew when it answers no more."""
    ours = make_certificate(tmp_path / "client")
    with socket.socket() as unused, closing(Impostor(tmp_path / "impostor")) as other:
        unused.bind(("127.0.0.1", 0))
        closed = f"https://127.0.0.1:{unused.getsockname()[1]}"
        first, second = Impostor(tmp_path / "host"), Impostor(tmp_path / "host", keep=True)
        remote = Remote(
            "h",
            Kind.INCUS,
            closed,
            client_cert=str(ours),
            client_key=str(ours.with_suffix(".key")),
            server_cert=str(first.certificate),
            others=(other.address, first.address, second.address),
        )
        with closing(first), closing(second), closing(LxdBackend(remote)) as backend:
            assert backend.connect().address == first.address
            assert other.all_heard() == b""
            asked = other.connections
            backend.connect()
            assert (backend.remote.address, other.connections) == (first.address, asked)
            first.close()
            first.turn_coat()  # and the open connections end
            with pytest.raises(HostUnreachableError):
                backend.connect()
            assert backend.connect().address == second.address
        with closing(LxdBackend(remote)) as backend, pytest.raises(CertificateError):
            backend.connect()  # the only one that answers is the wrong one
        gone = replace(remote, others=(first.address,))
        with closing(LxdBackend(gone)) as backend, pytest.raises(HostUnreachableError):
            backend.connect()


def test_an_authority_vouches_for_hosts_without_a_pin(tmp_path: Path) -> None:
    """client.ca stands for the system's authorities: what it has signed is believed, by name."""
    ours = make_certificate(tmp_path / "client")
    host, authority = tmp_path / "host" / "client.crt", tmp_path / "client" / "client.crt"
    with closing(Impostor(tmp_path / "host", signer=authority)) as server:
        remote = Remote(
            "h",
            Kind.LXD,
            server.address,
            client_cert=str(ours),
            client_key=str(ours.with_suffix(".key")),
            authority=str(authority),
        )
        with closing(LxdBackend(remote)) as backend:
            assert backend.connect().server_name == "small"
        with (
            closing(LxdBackend(replace(remote, authority=None))) as backend,
            pytest.raises(CertificateError, match="no authority"),
        ):
            backend.connect()
        assert host.exists()


def test_another_certificate_than_the_pinned_one(lab: Lab, lxd1: Host, lxd2: Host) -> None:
    """A host that shows another certificate is refused by the REST session and by the events."""
    remote = replace(
        _lab_remote(lab, lxd1.name), server_cert=str(lab.server_certificate(lxd2.name))
    )
    backend = LxdBackend(remote)
    with pytest.raises(CertificateError, match="another certificate"):
        backend.connect()
    with pytest.raises(CertificateError, match="another certificate"):
        list(events.stream(remote, projects=["default"], stop=Flag()))
    backend.close()


def test_the_environment_does_not_replace_the_pin(
    lab: Lab, lxd1: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CA bundles and proxies of the environment have no say: the pin alone decides."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nonexistent")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    backend = LxdBackend(_lab_remote(lab, lxd1.name))
    assert backend.connect().online
    stop = Flag()
    stop.set()
    assert list(events.stream(backend.remote, projects=["default"], stop=stop)) == []
    backend.close()


def test_an_untrusted_client_is_told_so(lab: Lab, incus1: Host, tmp_path: Path) -> None:
    """A certificate that the host does not know gives the command that would trust it."""
    stranger = make_certificate(tmp_path)
    remote = replace(
        _lab_remote(lab, incus1.name),
        client_cert=str(stranger),
        client_key=str(stranger.with_suffix(".key")),
    )
    backend = LxdBackend(remote)
    with pytest.raises(NotTrustedError, match="incus config trust add"):
        backend.connect()
    backend.close()


def test_broken_certificate_files_are_named(lab: Lab, lxd1: Host, tmp_path: Path) -> None:
    """A pin or a key that cannot be read is said by its path, before anything is sent."""
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    remote = _lab_remote(lab, lxd1.name)
    with pytest.raises(CertificateError, match=r"broken\.pem is not a certificate"):
        LxdBackend(replace(remote, server_cert=str(broken))).connect()
    with pytest.raises(NotTrustedError, match=r"broken\.pem"):
        LxdBackend(replace(remote, client_key=str(broken))).connect()


def test_an_unpinned_host_is_refused(lab: Lab, lxd1: Host) -> None:
    """Without a pin the system's authorities decide, and they do not know a self-signed host."""
    backend = LxdBackend(replace(_lab_remote(lab, lxd1.name), server_cert=None))
    with pytest.raises(CertificateError, match="no certificate is pinned"):
        backend.connect()
    backend.close()


def test_the_copied_configuration_is_what_the_lab_wrote(lab: Lab, tmp_path: Path) -> None:
    """remotes.load finds the lab's three hosts in both command lines' own files."""
    shutil.copytree(lab.environment["LXD_CONF"], tmp_path / "lxc")
    environ = {"LXD_CONF": str(tmp_path / "lxc"), "INCUS_CONF": lab.environment["INCUS_CONF"]}
    known = remotes.load(environ, tmp_path, root=tmp_path)
    assert {one.name for one in known.remotes} == {host.name for host in lab.hosts}
    assert all(one.server_cert and one.client_key for one in known.remotes)
