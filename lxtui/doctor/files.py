"""Whether the files that lxtui rests on are as they should be.

Role: both command lines' configurations and our own state → findings about who may read and write
them, and what is left in them. Boundary: looks at files below the given places, changes none.
Threading: functions.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509

from lxtui import remotes
from lxtui.findings import Finding, ok, problem, warning
from lxtui.migrate.journal import default_folder
from lxtui.migrate.recovery import unfinished
from lxtui.migrate.standing import advice
from lxtui.model import CLI, Kind
from lxtui.remotes import Places
from lxtui.saved_views import SavedViews, default_path

_SOON = timedelta(days=30)


def clients(environ: Mapping[str, str], home: Path, now: datetime) -> Iterator[Finding]:
    """Judge what lxc and incus keep: who can read the keys, who can change who is trusted."""
    for kind in Kind:
        where = remotes.places(kind, environ, home)
        check = CLI[kind]
        if not _there(where.folder):
            yield ok(check, f"{where.folder} is not there: no hosts but the local one")
            continue
        found = [*_open_keys(check, where), *_writable(check, where), *_pair(check, where, now)]
        if found:
            yield from found
        else:
            yield ok(check, f"{where.folder}: keys and pins are nobody else's to read or change")


def state(environ: Mapping[str, str], home: Path) -> Iterator[Finding]:
    """Judge where journals, views and what was done are kept."""
    folder = default_path(environ, home).parent
    there = next(one for one in (folder, *folder.parents) if _there(one))
    if not os.access(there, os.W_OK | os.X_OK):
        yield problem(
            "state",
            f"{there} cannot be written: moves, the audit journal and views need {folder}",
            f"make it yours, or set XDG_STATE_HOME to a folder that is (it is owned by "
            f"{there.stat().st_uid})",
        )
        return
    if there != folder:
        yield ok("state", f"{folder} is not there yet; it can be made")
        return
    bad = [one for one in (folder, *folder.iterdir()) if _mode(one) & _unwanted(one, folder)]
    for one in bad:
        what = "write" if _mode(one) & 0o022 else "read"
        yield warning(
            "state",
            f"{one} has mode {_mode(one):04o}: others can {what} what was done with lxtui",
            f"chmod go= {one}",
        )
    if not bad:
        yield ok("state", f"{folder} is there, and for its owner only")
    if (trouble := SavedViews(default_path(environ, home)).trouble) != "":
        yield warning("views", trouble, "move the file away; views can be saved again")


def _unwanted(path: Path, folder: Path) -> int:
    """The bits that its mode must not have; the folder's own names are no secret."""
    return 0o022 if path == folder else 0o077


def moves(environ: Mapping[str, str], home: Path) -> Iterator[Finding]:
    """Judge what crashes have left in the middle."""
    found, errors = unfinished(default_folder(environ, home))
    for error in errors:
        yield problem("moves", str(error), "look at the file; without it the move is yours to mend")
    left = [one for one in found if not one.busy]
    for one in left:
        header = one.header
        yield problem(
            "moves",
            f"{header.source} to {header.destination} was left unfinished: {advice(one)}",
            f"'lxtui resume {header.token}' or 'lxtui undo {header.token}'",
        )
    if not (left or errors):
        busy = f", {len(found)} at work" if found else ""
        yield ok("moves", f"none was left unfinished{busy}")


def _open_keys(check: str, where: Places) -> Iterator[Finding]:
    for key in sorted([where.folder / "client.key", *where.folder.glob("clientcerts/*.key")]):
        if _there(key) and _mode(key) & 0o077:
            yield problem(
                check,
                f"{key} has mode {_mode(key):04o}: whoever can read it is you to all your hosts",
                f"chmod 600 {key}; if others may have read it, make a new pair and remove the old "
                f"certificate from the hosts",
            )


def _writable(check: str, where: Places) -> Iterator[Finding]:
    """What others, or a group, can write: addresses and pins decide whom we talk to."""
    for path in sorted(
        [
            where.folder,
            where.file,
            where.folder / "servercerts",
            *where.folder.glob("servercerts/*.crt"),
        ]
    ):
        if _there(path) and _mode(path) & 0o002:
            yield problem(
                check,
                f"{path} has mode {_mode(path):04o}: anybody can put other hosts there",
                f"chmod o-w {path}; then compare what is in it",
            )
        elif _there(path) and path.stat().st_uid not in {0, os.geteuid()}:
            yield warning(
                check,
                f"{path} belongs to the user {path.stat().st_uid}",
                f"chown it to yourself, if you are who uses it: chown {os.geteuid()} {path}",
            )


def _pair(check: str, where: Places, now: datetime) -> Iterator[Finding]:
    certificate, key = where.folder / "client.crt", where.folder / "client.key"
    if _there(certificate) != _there(key):
        lost, other = (key, certificate) if _there(certificate) else (certificate, key)
        yield problem(
            check,
            f"{lost} is missing: hosts that trust it by HTTPS cannot be reached",
            f"restore it, or move {other} away and add the hosts again",
        )
    if not _there(certificate):
        return
    try:
        ends = x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
    except (OSError, ValueError) as error:
        yield problem(check, f"{certificate} is no certificate: {error}", "restore it")
        return
    if ends < now + _SOON:
        told = "has ended" if ends < now else "ends"
        yield (problem if ends < now else warning)(
            check,
            f"{certificate} {told} on {ends:%Y-%m-%d}: hosts will refuse us",
            "move client.crt and client.key away, and add the hosts again",
        )


def _there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
