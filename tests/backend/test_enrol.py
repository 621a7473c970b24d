"""Adding a host: the real daemons come to trust us, the real command lines then know them."""

from __future__ import annotations

import base64
import io
import json
import os
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from lxtui import cli, remotes
from lxtui.backend import tls
from lxtui.backend.greeting import address_of, token_of
from lxtui.backend.lxd import LxdBackend
from lxtui.errors import UsageError
from lxtui.fleet import Fleet
from lxtui.model import Kind
from lxtui.newcomers import Newcomers
from tests.backend.impostor import Impostor
from tests.lab.daemon import DIRECTORY
from tests.lab.lab import Host, Lab
from tests.lab.tools import SYSTEM_PATH, run

CLI = {"lxd": "lxc", "incus": "incus"}


@dataclass(frozen=True)
class Newcomer:
    """A user without any configuration, beside a real host that does not know them."""

    host: Host
    home: Path

    @property
    def kind(self) -> Kind:
        """What the host runs."""
        return Kind(self.host.plan.kind)

    @property
    def folder(self) -> Path:
        """Where the command line of that kind keeps its files."""
        return remotes.places(self.kind, {}, self.home).folder

    def token(self) -> str:
        """A trust token, as an administrator of the host gets it."""
        name = f"n{os.getpid()}"
        words = ["--name", name] if self.kind is Kind.LXD else [name]
        done = self.on_host("config", "trust", "add", *words)
        return done.strip().splitlines()[-1].strip()

    def on_host(self, *argv: str) -> str:
        """Run the command line on the host itself, over its socket."""
        environ = {"PATH": SYSTEM_PATH, "HOME": str(self.host.lab.root)}
        environ |= {DIRECTORY[self.kind]: str(self.host.plan.directory)}
        return run([CLI[self.kind], *argv], env=environ).stdout

    def as_user(self, *argv: str) -> str:
        """Run the command line as the user would."""
        environ = {"PATH": SYSTEM_PATH, "HOME": str(self.home)}
        return run([CLI[self.kind], *argv], env=environ).stdout

    def forget(self) -> None:
        """Have the host trust nobody but the lab again, whatever the test did."""
        for entry in self.host.api.get("/1.0/certificates?recursion=1"):
            if entry["name"] != "lab":
                self.host.api.call("DELETE", f"/1.0/certificates/{entry['fingerprint']}")


@pytest.fixture(params=["lxd1", "incus1"])
def newcomer(
    request: pytest.FixtureRequest, lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Newcomer]:
    """Each kind of host, and lxtui with a home of its own."""
    for name in ("LXD_CONF", "INCUS_CONF", "LXD_DIR", "INCUS_DIR", "INCUS_SOCKET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    made = Newcomer(lab.host(request.param), tmp_path)
    yield made
    made.forget()


def _type(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def _files(folder: Path) -> dict[str, int]:
    return {
        str(path.relative_to(folder)): stat.S_IMODE(path.stat().st_mode)
        for path in sorted(folder.rglob("*"))
        if path.name != "oidctokens"  # incus makes it whenever it runs
    }


def test_a_token_is_all_it_takes(
    newcomer: Newcomer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a token alone the host is added unasked, the real command line then lists what is on
    it, and the files have the names and modes of those that it would have written itself.
    """
    token = newcomer.token()
    _type(monkeypatch, f"{token}\n")
    assert cli.main(["hosts", "add", "new", "--token", "-", "--json"]) == 0
    said = capsys.readouterr()
    answer = json.loads(said.out)
    assert (answer["result"], answer["kind"]) == ("done", newcomer.kind)
    secret = json.loads(base64.b64decode(token))["secret"]
    assert token not in said.out + said.err
    assert secret not in said.out + said.err
    ours = _files(newcomer.folder)
    names = {line.split(",")[0] for line in newcomer.as_user("list", "new:", "-f", "csv").split()}
    assert set(newcomer.host.instances()) <= names
    assert cli.main(["hosts", "remove", "new", "--yes"]) == 0
    assert "new" not in newcomer.as_user("remote", "list", "-f", "csv")
    newcomer.forget()
    other = newcomer.home / "other"
    environ = {"PATH": SYSTEM_PATH, "HOME": str(newcomer.home)}
    environ |= {f"{newcomer.kind.upper()}_CONF": str(other)}
    option = "--password" if newcomer.kind is Kind.LXD else "--token"
    address = newcomer.host.plan.url
    add = ["remote", "add", "new", address, "--accept-certificate", option, newcomer.token()]
    run([CLI[newcomer.kind], *add], env=environ)
    assert ours == _files(other)


def test_a_fingerprint_has_to_be_the_right_one(
    newcomer: Newcomer,
    lab: Lab,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Without a token the given fingerprint decides, and with neither somebody at the terminal."""
    address = newcomer.host.plan.url.removeprefix("https://")
    pin = lab.server_certificate(newcomer.host.name).read_text()
    right = tls.fingerprint(tls.first_certificate(pin))
    _type(monkeypatch, "")
    assert cli.main(["hosts", "add", "new", address]) == 2
    assert "--fingerprint" in capsys.readouterr().err
    assert cli.main(["hosts", "add", "new", address, "--fingerprint", "0" * 64]) == 1
    assert "not the expected one" in capsys.readouterr().err
    assert not newcomer.folder.exists()
    spelled = ":".join(right[at : at + 2] for at in range(0, 64, 2)).upper()
    assert cli.main(["hosts", "add", "new", address, "--fingerprint", spelled]) == 1
    assert "config trust add" in capsys.readouterr().err
    # An administrator trusts the certificate that was just made; then no secret is needed.
    certificate = newcomer.folder / "client.crt"
    words = ["config", "trust", "add", str(certificate)]
    newcomer.on_host(
        *(words if newcomer.kind is Kind.LXD else [*words[:2], "add-certificate", words[3]])
    )
    assert cli.main(["hosts", "add", "new", address, "--fingerprint", right]) == 0
    assert newcomer.host.name not in newcomer.as_user("remote", "list", "-f", "csv")
    assert f"new,{newcomer.host.plan.url}" in newcomer.as_user("remote", "list", "-f", "csv")


def test_somebody_in_between_hears_no_token(
    newcomer: Newcomer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A relay with another certificate than the token's host is told nothing; nothing is written;
    the token is still good.
    """
    token = newcomer.token()
    address, _, port = newcomer.host.plan.url.removeprefix("https://").rpartition(":")
    with closing(Impostor(tmp_path / "between", (address, int(port)))) as middle:
        where = middle.address.removeprefix("https://")
        assert cli.main(["hosts", "add", "new", where, "--token", token]) == 1
        assert middle.all_heard() == b""
    assert "somebody is in between" in capsys.readouterr().err
    assert not newcomer.folder.exists()
    assert cli.main(["hosts", "add", "new", "--token", token]) == 0


def test_a_host_joins_a_running_fleet(newcomer: Newcomer, tmp_path: Path) -> None:
    """What the screen's dialog does: look, add, and the fleet lists what is on the new host."""
    token = newcomer.token()
    fleet = Fleet([], poll_seconds=3600, moves=tmp_path / "moves")
    fleet.start(lambda: None)
    try:
        seen = Newcomers(fleet, LxdBackend, ("new",)).look("new", "", token)
        assert "the one that the token names" in seen.lines
        assert seen.add(token) == "new"
        until = time.monotonic() + 30
        while not fleet.snapshot.instances:
            assert time.monotonic() < until
            time.sleep(0.05)
        assert {one.ref.name for one in fleet.snapshot.instances} == set(newcomer.host.instances())
        (host,) = fleet.snapshot.hosts
        assert host.online
        assert host.read_only  # as the settings want it of a host of that name
    finally:
        fleet.close()


def test_a_secret_is_good_once(newcomer: Newcomer, capsys: pytest.CaptureFixture[str]) -> None:
    """A token that was used is refused, with what to do, and leaves no remote behind."""
    token = newcomer.token()
    assert cli.main(["hosts", "add", "new", "--token", token]) == 0
    newcomer.forget()
    assert cli.main(["hosts", "remove", "new"]) == 0
    capsys.readouterr()
    assert cli.main(["hosts", "add", "new", "--token", token]) == 1
    said = capsys.readouterr().err
    assert "get a new one" in said
    assert token not in said
    assert "new" not in newcomer.as_user("remote", "list", "-f", "csv")


def test_a_password_of_lxd(
    newcomer: Newcomer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """LXD's trust password comes from standard input; Incus has none, and that is said."""
    address = newcomer.host.plan.url
    words = ["hosts", "add", "new", address, "--password-stdin", "--yes"]
    if newcomer.kind is Kind.INCUS:
        _type(monkeypatch, "opensesame\n")
        assert cli.main(words) == 2
        assert "Incus knows no passwords" in capsys.readouterr().err
        return
    newcomer.on_host("config", "set", "core.trust_password", "opensesame")
    try:
        _type(monkeypatch, "wrong\n")
        assert cli.main(words) == 1
        _type(monkeypatch, "opensesame\n")
        assert cli.main(words) == 0
        assert "opensesame" not in "".join(capsys.readouterr())
    finally:
        newcomer.on_host("config", "unset", "core.trust_password")
    assert newcomer.as_user("list", "new:", "-f", "csv")


def test_a_restricted_certificate_gets_its_project(
    newcomer: Newcomer, capsys: pytest.CaptureFixture[str]
) -> None:
    """A token for one project gives a remote of that project, whose instances are then listed."""
    project = f"p{os.getpid()}"
    newcomer.host.api.call("POST", "/1.0/projects", {"name": project, "config": {}})
    try:
        words = ["--name", "r"] if newcomer.kind is Kind.LXD else ["r"]
        said = newcomer.on_host(
            *("config", "trust", "add", *words, "--restricted", "--projects", project)
        )
        token = said.strip().splitlines()[-1].strip()
        assert cli.main(["hosts", "add", "new", "--token", token, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["project"] == project
        assert newcomer.as_user("list", "new:", "-f", "csv") == ""
        assert cli.main(["list", "new"]) == 0
    finally:
        newcomer.forget()
        newcomer.host.api.call("DELETE", f"/1.0/projects/{project}")


def test_who_answers_is_no_daemon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another service, or nobody, at the address: one line that says so, and nothing is written."""
    for name in ("LXD_CONF", "INCUS_CONF", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "conf"))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        silent.close()
        assert cli.main(["hosts", "add", "new", f"127.0.0.1:{port}", "--yes"]) == 1
        assert "connection refused" in capsys.readouterr().err
    with closing(Impostor(tmp_path / "other")) as other:
        where = other.address.removeprefix("https://")
        assert cli.main(["hosts", "add", "new", where, "--yes"]) == 2  # neither kind's extensions
        assert "--kind" in capsys.readouterr().err
    assert not (tmp_path / "conf").exists()


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("host", "https://host:8443"),
        ("host:9443", "https://host:9443"),
        ("https://host", "https://host:8443"),
        ("https://Host:443/", "https://host:443"),
        ("10.0.0.1", "https://10.0.0.1:8443"),
        ("fe80::1", "https://[fe80::1]:8443"),
        ("[fe80::1]:9443", "https://[fe80::1]:9443"),
        ("https://[fe80::1]", "https://[fe80::1]:8443"),
    ],
)
def test_addresses_as_people_write_them(written: str, address: str) -> None:
    """A port is added where there is none, as the command lines do."""
    assert address_of(written) == address


@pytest.mark.parametrize(
    "written",
    ["", "http://host", "unix:///run/x", "host:port", "https://u:p@host", "host/path", "["],
)
def test_addresses_that_are_none(written: str) -> None:
    """Anything else is refused, before anybody is asked."""
    with pytest.raises(UsageError):
        address_of(written)


@pytest.mark.parametrize("text", ["", "opensesame", "e30=", "W10=", "bnVsbA==", "{}", "é"])
def test_a_password_is_no_token(text: str) -> None:
    """Only what holds a secret, a fingerprint and addresses is taken for a token."""
    assert token_of(text) is None
