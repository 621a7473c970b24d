"""The command lines' own files, changed without losing what is in them."""

from __future__ import annotations

import shutil
import ssl
import stat
import subprocess
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from lxtui import client_files
from lxtui.client_files import add_remote, client_pair, name_trouble, remove_remote
from lxtui.errors import ConflictError, LxtuiError, NotFoundError, UsageError
from lxtui.model import Kind
from lxtui.remotes import Places

_ENTRY: client_files.Entry = {
    "addr": "https://10.0.0.9:8443",
    "auth_type": "tls",
    "project": "default",
    "protocol": "lxd",
    "public": False,
}
_OURS = {key: str(value).lower() for key, value in _ENTRY.items()}
_STYLES = {
    "as written": "default-remote: local\nremotes:\n  a:\n    addr: https://a:8443\n"
    "    public: false\naliases:\n  ll: list -c n\n",
    "comments": "# mine\nremotes:\n  # the first\n  a: {addr: 'https://a'} # inline\n"
    "  # the last\n\n# end\naliases: {}\n",
    "flow": 'remotes: {a: {addr: "https://a", keepalive: 30, public: true}, "no": {addr: x}}\n',
    "deep": "remotes:\n        a:\n                addr: https://a\n        b: {}\n",
    "no end of line": "remotes:\n  a:\n    addr: https://a",
    "no remotes": "default-remote: local\naliases: {x: y}\n",
    "empty remotes": "remotes: {}\nx-unknown: [1, 2]\n",
    "null remotes": "remotes:\naliases: {}\n",
    "nothing": "",
    "a comment": "# nothing yet\n",
    "json": '{"remotes": {"a": {"addr": "https://a"}}, "default-remote": "a"}',
    "anchors": "remotes:\n  a: &x {addr: https://a}\n  b: *x\n",
    "windows": "remotes:\r\n  a:\r\n    addr: https://a\r\n",
}


def _places(tmp_path: Path, text: str | None = None, kind: Kind = Kind.LXD) -> Places:
    where = Places(kind, tmp_path / "conf", tmp_path / "shared")
    if text is not None:
        where.folder.mkdir()
        where.file.write_bytes(text.encode())
    return where


def _texts(where: Places) -> dict[str, object]:
    found = yaml.load(where.file.read_text(), Loader=yaml.BaseLoader)  # noqa: S506 texts only
    return found or {}


@pytest.mark.parametrize("style", _STYLES)
def test_an_entry_comes_and_goes_alone(style: str, tmp_path: Path) -> None:
    """In whatever style the file is, everything else says afterwards what it said before."""
    where = _places(tmp_path, _STYLES[style])
    before = _texts(where)
    remotes = before.get("remotes") or {}
    assert isinstance(remotes, dict)
    add_remote(where, "new", _ENTRY, "PIN")
    assert _texts(where) == {**before, "remotes": {**remotes, "new": _OURS}}
    remove_remote(where, "new")
    assert _texts(where) == {**before, "remotes": remotes}
    assert not client_files.pin_of(where, "new").exists()


@pytest.mark.parametrize("style", ["as written", "comments", "deep"])
def test_what_people_write_stays(style: str, tmp_path: Path) -> None:
    """In the command lines' style every line stays, comments too, and the entry goes whole."""
    where = _places(tmp_path, _STYLES[style])
    add_remote(where, "new", _ENTRY, None)
    lines = where.file.read_text().splitlines()
    assert [one for one in _STYLES[style].splitlines() if one not in lines] == []
    remove_remote(where, "new")
    assert where.file.read_text() == _STYLES[style]


_names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12).filter(
    lambda name: not name_trouble(name)
)


@settings(max_examples=25, deadline=None)
@given(names=st.lists(_names, unique=True, min_size=1, max_size=5), gone=st.integers(0, 4))
def test_any_name_that_is_one(names: list[str], gone: int, tmp_path_factory: object) -> None:
    """Whatever remotes are called ("no", "1e3", "~"), they come under that name and go alone."""
    assert isinstance(tmp_path_factory, pytest.TempPathFactory)
    where = _places(tmp_path_factory.mktemp("conf"))
    for name in names:
        add_remote(where, name, _ENTRY, None)
    found = _texts(where)["remotes"]
    assert isinstance(found, dict)
    assert set(found) == {*names, "images", "local"}
    remove_remote(where, names[gone % len(names)])
    left = _texts(where)["remotes"]
    assert isinstance(left, dict)
    assert set(left) == set(found) - {names[gone % len(names)]}


@pytest.mark.parametrize(
    "name", ["", " a", "a b", "a:b", "a/b", "../x", "-a", ".a", "a@lxd", "local", "images", "a\nb"]
)
def test_names_that_are_none(name: str) -> None:
    """What would be a path, an option, a host with an instance or a name of theirs is refused."""
    assert name_trouble(name)


def test_the_pair_is_as_the_command_lines_make_it(tmp_path: Path) -> None:
    """EC P-384, ten years, for clients only, the key readable by its owner alone; made once."""
    where = _places(tmp_path, kind=Kind.INCUS)
    certificate, key = client_pair(where)
    read = x509.load_pem_x509_certificate(certificate.read_bytes())
    public = read.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    assert public.curve.name == "secp384r1"
    assert (read.not_valid_after_utc - read.not_valid_before_utc).days == 3650
    assert "O=Linux Containers" in read.subject.rfc4514_string()
    usage = read.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert [one.dotted_string for one in usage] == ["1.3.6.1.5.5.7.3.2"]
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert key.read_text().startswith("-----BEGIN EC PRIVATE KEY-----")
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key)
    before = key.read_bytes()
    assert client_pair(where) == (certificate, key)
    assert key.read_bytes() == before
    key.unlink()
    with pytest.raises(NotFoundError, match=r"client\.key is missing"):
        client_pair(where)


def test_a_file_keeps_mode_and_link(tmp_path: Path) -> None:
    """A configuration that is a link into somebody's dotfiles stays one, with its mode."""
    where = _places(tmp_path, "remotes: {}\n")
    real = tmp_path / "dotfiles.yml"
    where.file.rename(real)
    real.chmod(0o600)
    where.file.symlink_to(real)
    add_remote(where, "new", _ENTRY, None)
    assert where.file.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    assert "new" in real.read_text()
    assert [one.name for one in tmp_path.iterdir() if "dotfiles" in one.name] == ["dotfiles.yml"]


def test_a_write_that_fails_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the configuration cannot be replaced, it is the old one, and there is no pin."""
    where = _places(tmp_path, _STYLES["as written"])
    renamed = Path.replace

    def fail(self: Path, target: Path) -> Path:
        if target.name == "config.yml":
            raise OSError(28, "No space left on device")
        return renamed(self, target)

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(LxtuiError, match=r"config\.yml: cannot be written \(No space"):
        add_remote(where, "new", _ENTRY, "PIN")
    assert where.file.read_text() == _STYLES["as written"]
    assert [one.name for one in where.folder.rglob("*") if one.is_file()] == ["config.yml"]


def test_what_cannot_be_changed(tmp_path: Path) -> None:
    """A taken name, a missing one, the default remote, a broken file: refused, nothing written."""
    where = _places(tmp_path, "default-remote: a\nremotes: {a: {addr: x}}\n")
    before = where.file.read_text()
    with pytest.raises(ConflictError, match="already"):
        add_remote(where, "a", _ENTRY, None)
    with pytest.raises(NotFoundError, match="no remote 'b'"):
        remove_remote(where, "b")
    with pytest.raises(ConflictError, match="lxc remote switch"):
        remove_remote(where, "a")
    assert where.file.read_text() == before
    for broken in ("remotes: [", "remotes: [1]\n", "- a\n"):
        where.file.write_text(broken)
        with pytest.raises(UsageError, match="mend it first"):
            add_remote(where, "b", _ENTRY, None)
        assert where.file.read_text() == broken


@pytest.mark.parametrize("kind", list(Kind))
def test_the_command_line_reads_what_we_write(kind: Kind, tmp_path: Path) -> None:
    """A fresh configuration is to lxc and incus as if they had written it: same list, same mode."""
    cli = {Kind.LXD: "lxc", Kind.INCUS: "incus"}[kind]
    if shutil.which(cli) is None:
        pytest.skip(f"{cli} is not installed")

    def listed(folder: Path) -> str:
        environ = {f"{kind.upper()}_CONF": str(folder), "HOME": str(tmp_path), "PATH": "/usr/bin"}
        done = subprocess.run(
            [cli, "remote", "list", "--format", "csv"],
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return done.stdout

    theirs = tmp_path / "theirs"
    shown = set(listed(theirs).splitlines())
    ours = _places(tmp_path, kind=kind)
    add_remote(ours, "new", {**_ENTRY, "protocol": kind.value}, None)
    added = set(listed(ours.folder).splitlines()) - shown
    assert [line.split(",")[:3] for line in added] == [["new", "https://10.0.0.9:8443", kind.value]]
    assert shown <= set(listed(ours.folder).splitlines())
    modes = [
        stat.S_IMODE(path.stat().st_mode)
        for folder in (theirs, ours.folder)
        for path in (folder, folder / "config.yml")
    ]
    assert modes[:2] == modes[2:]
