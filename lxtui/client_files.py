"""What the lxc and incus command lines keep on disk, written as they write it.

Role: the client's own certificate and key, pinned certificates, entries of ``config.yml``.
Boundary: files below one Places; opens no connection. Each file is replaced at once or not at all,
and an entry of config.yml is put in as text, so that comments and what newer versions write there
stay. Threading: functions; the command lines take no lock, so the last writer wins here too.

Measured with lxc 5.0.2 and incus 6.0.4: names, modes and owners' organisation below.
"""

from __future__ import annotations

import getpass
import os
import socket
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lxtui.clock import utc_now
from lxtui.errors import ConflictError, LxtuiError, NotFoundError, UsageError
from lxtui.model import Kind
from lxtui.remotes import Places

_ORGANISATION = {Kind.LXD: "linuxcontainers.org", Kind.INCUS: "Linux Containers"}
_LIFE = timedelta(days=3650)
_FOLDER_MODE, _FILE_MODE, _KEY_MODE = 0o750, 0o644, 0o600
_STATIC = {"local", "images", "ubuntu", "ubuntu-daily"}
_FRESH = """default-remote: local
remotes:
  images:
    addr: https://images.linuxcontainers.org
    protocol: simplestreams
    public: true
  local:
    addr: unix://{protocol}
    public: false
aliases: {{}}
"""
"""What the command lines begin a config.yml with; they add the image server at no other time."""
Entry = Mapping[str, str | bool]


def name_trouble(name: str) -> str:
    """Why no remote can be called *name*; empty when one can."""
    if not name or name != name.strip() or not name.isprintable():
        return "a host needs a name without blanks around it"
    if any(one in name for one in ":/@\\ ") or name.startswith(("-", ".")):
        return "a host's name has no colon, slash, blank or @, and begins with no dash or dot"
    return f"{name!r} is a name that the command lines have themselves" if name in _STATIC else ""


def client_pair(where: Places) -> tuple[Path, Path]:
    """The client's certificate and key, made if there are none."""
    certificate, key = where.folder / "client.crt", where.folder / "client.key"
    if not (certificate.exists() and key.exists()):
        if certificate.exists() or key.exists():
            lost = key if certificate.exists() else certificate
            raise NotFoundError(
                f"{lost} is missing: restore it, or move the other one away to have a pair made"
            )
        made, secret = _new_pair(_ORGANISATION[where.kind])
        _write(key, secret, _KEY_MODE)
        _write(certificate, made, _FILE_MODE)
    return certificate, key


def pin_of(where: Places, name: str) -> Path:
    """Where the pinned certificate of the remote *name* belongs."""
    return where.folder / "servercerts" / f"{name}.crt"


def add_remote(where: Places, name: str, entry: Entry, certificate: str | None) -> None:
    """Write the pin, then the entry; ConflictError when there is a remote of that name."""
    text, document = _configuration(where)
    if name in (document.get("remotes") or {}):
        raise ConflictError(f"{where.file} has a remote {name!r} already")
    changed = _with_entry(text, document, name, entry)
    pin = pin_of(where, name)
    if certificate is not None:
        _write(pin, certificate.encode(), _FILE_MODE)
    else:
        pin.unlink(missing_ok=True)  # of a host that had this name once
    try:
        _write(where.file, changed.encode(), _FILE_MODE)
    except BaseException:
        pin.unlink(missing_ok=True)
        raise


def remove_remote(where: Places, name: str) -> None:
    """Take the entry out, then the pin; NotFoundError when there is none."""
    text, document = _configuration(where)
    if name not in (document.get("remotes") or {}):
        raise NotFoundError(f"{where.file} has no remote {name!r}")
    if document.get("default-remote") == name:
        raise ConflictError(
            f"{name} is the default remote of {where.file}: choose another one first, with "
            f"'{'lxc' if where.kind is Kind.LXD else 'incus'} remote switch'"
        )
    _write(where.file, _without_entry(text, document, name).encode(), _FILE_MODE)
    pin_of(where, name).unlink(missing_ok=True)


def _configuration(where: Places) -> tuple[str, dict[str, Any]]:
    try:
        text = where.file.read_text(encoding="utf-8")
        document = _read(text)
    except FileNotFoundError:
        protocol = "\n    protocol: incus" if where.kind is Kind.INCUS else ""
        text = _FRESH.format(protocol=protocol)
        return text, _read(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{where.file}: cannot be read; mend it first: {error}") from error
    if document is None:
        return text, {}
    if not isinstance(document, dict) or not isinstance(document.get("remotes") or {}, dict):
        raise UsageError(f"{where.file}: its 'remotes' is no mapping; mend it first")
    return text, document


def _read(text: str) -> Any:
    return yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 makes texts only


def _with_entry(text: str, document: dict[str, Any], name: str, entry: Entry) -> str:
    """*text* with one entry more; *document* is what *text* says."""
    added = yaml.safe_dump({name: dict(entry)}, sort_keys=False, allow_unicode=True)
    remotes = document.get("remotes") or {}
    wanted = {**document, "remotes": {**remotes, name: _read(added)[name]}}
    place = _first_entry(text)
    if place is not None:
        line, column = place
        lines = text.splitlines(keepends=True)
        new = [" " * column + one + "\n" for one in added.splitlines()]
        return _checked("".join([*lines[:line], *new, *lines[line:]]), text, wanted)
    if "remotes" not in document:
        gap = "" if not text or text.endswith("\n") else "\n"
        indented = "".join(f"  {one}\n" for one in added.splitlines())
        return _checked(f"{text}{gap}remotes:\n{indented}", text, wanted)
    return _checked("", text, wanted)


def _without_entry(text: str, document: dict[str, Any], name: str) -> str:
    remotes = {key: one for key, one in document["remotes"].items() if key != name}
    root: Any = yaml.compose(text)
    key, value = next(pair for pair in _pairs(_named(root, "remotes")) if pair[0].value == name)
    lines = text.splitlines(keepends=True)
    del lines[key.start_mark.line : _last_line(value) + 1]
    return _checked("".join(lines), text, {**document, "remotes": remotes})


def _checked(text: str, before: str, wanted: Mapping[str, Any]) -> str:
    """*text* if it says what is wanted, else the file made anew from its nodes."""
    with suppress(yaml.YAMLError):
        if _read(text) == wanted:
            return text
    # A file in another style than the command lines': its comments go, what it says stays.
    remade = yaml.safe_dump(_typed(wanted), sort_keys=False, allow_unicode=True)
    if _read(remade) != wanted:
        raise UsageError(f"the configuration cannot be changed without loss: {before[:40]!r}…")
    return remade


def _typed(value: Any) -> Any:
    """Texts as the types that the command lines read them as; other texts stay texts."""
    if isinstance(value, Mapping):
        return {key: _typed(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_typed(one) for one in value]
    if value in {"true", "false"}:
        return value == "true"
    return int(value) if value.isascii() and value.isdigit() and str(int(value)) == value else value


def _first_entry(text: str) -> tuple[int, int] | None:
    """Line and column at which an entry can be put before all others; None in other styles."""
    root: Any = yaml.compose(text) if text.strip() else None
    remotes = _named(root, "remotes")
    pairs = _pairs(remotes)
    if not pairs or remotes.flow_style:
        return None
    key = next(key for key, value in _pairs(root) if value is remotes)
    return key.start_mark.line + 1, pairs[0][0].start_mark.column


def _pairs(node: Any) -> list[tuple[Any, Any]]:
    return list(node.value) if isinstance(node, yaml.MappingNode) else []


def _named(node: Any, name: str) -> Any:
    return next((value for key, value in _pairs(node) if key.value == name), None)


def _last_line(node: Any) -> int:
    """The last line of what a node says, without the comments after it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _last_line(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.line)


def _write(path: Path, content: bytes, mode: int) -> None:
    """Put *content* there at once; a link stays one, and a file keeps the mode that it has."""
    try:
        _replace(path, content, mode)
    except OSError as error:
        raise LxtuiError(f"{path}: cannot be written ({error.strerror})") from error


def _replace(path: Path, content: bytes, mode: int) -> None:
    target = Path(os.path.realpath(path))
    target.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    if target.exists():
        mode = target.stat().st_mode & 0o777
    else:
        mask = os.umask(0)
        os.umask(mask)
        mode &= ~mask
    number, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(number, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _new_pair(organisation: str) -> tuple[bytes, bytes]:
    """A self-signed client certificate of EC P-384 for ten years, and its key; both PEM."""
    key = ec.generate_private_key(ec.SECP384R1())
    person = f"{getpass.getuser()}@{socket.gethostname()}"[:64]  # the most that X.509 takes
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, person),
        ]
    )
    now = utc_now()
    uses = {
        "content_commitment": False,
        "data_encipherment": False,
        "key_agreement": False,
        "key_cert_sign": False,
        "crl_sign": False,
        "encipher_only": False,
        "decipher_only": False,
    }
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + _LIFE)
        .add_extension(
            x509.KeyUsage(digital_signature=True, key_encipherment=True, **uses), critical=True
        )
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA384())
    )
    return (
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        ),
    )
