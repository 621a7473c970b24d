"""How a host comes to be one of ours: seen, confirmed, trusting us, written down.

Role: the steps between an address and a remote that lxc or incus know, for screen and headless
alike. ``survey`` changes nothing anywhere; ``enrol`` makes the client's pair if there is none, has
the host trust it, and writes what the command line would have written. Boundary: knows backend
connections and the command lines' files, no screen and no argument parsing. Threading: functions;
they block.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from lxtui import client_files, remotes
from lxtui.backend import logins
from lxtui.backend.greeting import (
    NAMES,
    address_of,
    ask_for_trust,
    greet,
    projects,
    token_of,
)
from lxtui.errors import (
    ConflictError,
    HostUnreachableError,
    NotTrustedError,
    UsageError,
)
from lxtui.model import CLI, Greeting, Kind, Remote


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user asks for."""

    name: str
    address: str = ""
    """Empty: one of those in the token."""
    kind: Kind | None = None
    """None: what the host turns out to be."""
    project: str = ""
    """Empty: the default one, or the only one that is allowed."""
    fingerprint: str = ""
    """That the host must show; empty: somebody confirms it."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A host that was seen, and is not ours yet."""

    wish: Wish
    greeting: Greeting
    others: tuple[str, ...]
    """Further addresses, from the token."""
    confirmed: bool
    """Whether its fingerprint is the one in the token, or the one that the user gave."""

    @property
    def lines(self) -> list[str]:
        """What a person has to look at before it is believed."""
        seen = self.greeting
        about = [f"{NAMES[seen.kind]} at {seen.address}"]
        if seen.trusted:
            about.append(f"{seen.server_name} {seen.version}, trusts our certificate already")
        about.append(f"its certificate is that of {seen.subject}")
        if seen.vouched:
            about.append("authorities that this machine believes have signed it")
        return [*about, f"fingerprint {seen.fingerprint}"]

    @property
    def command(self) -> str:
        """What one would type instead; it asks for the token or the password."""
        words = [CLI[self.greeting.kind], "remote", "add", self.wish.name, self.greeting.address]
        return shlex.join(words)


def survey(wish: Wish, secret: str, environ: Mapping[str, str], home: Path) -> Candidate:
    """Look who answers; CertificateError when it is not the one that token or user expect."""
    if trouble := client_files.name_trouble(wish.name):
        raise UsageError(f"{wish.name!r}: {trouble}")
    known = remotes.load(environ, home)
    if taken := [one for one in known.remotes if one.name.partition("@")[0] == wish.name]:
        raise ConflictError(f"there is a host {taken[0].name} already: choose another name")
    token = token_of(secret) if secret else None
    addresses = (address_of(wish.address),) if wish.address else token.addresses if token else ()
    if not addresses:
        raise UsageError(f"say where {wish.name} is: only a token knows its host's addresses")
    given = (wish.fingerprint, token.fingerprint if token else "")
    expected = frozenset(_plain(one) for one in given if one)
    greeting = _first(wish, addresses, expected, environ, home)
    if not greeting.trusted:
        logins.check(wish.name, greeting.kind, greeting.methods)
    others = tuple(one for one in addresses if one != greeting.address)
    return Candidate(wish, greeting, others, bool(expected))


def enrol(candidate: Candidate, secret: str, environ: Mapping[str, str], home: Path) -> Remote:
    """Make it one of ours; NotTrustedError when it needs a secret, or another one."""
    wish, greeting = candidate.wish, candidate.greeting
    where = remotes.places(greeting.kind, environ, home)
    remote = _remote(wish.name, greeting.address, greeting.kind, where)
    certificate, key = client_files.client_pair(where)
    remote = replace(remote, client_cert=str(certificate), client_key=str(key))
    if not greeting.trusted:
        if not secret:
            raise NotTrustedError(
                f"{wish.name}: does not trust us yet; on the host, "
                f"'{logins.TOKEN[greeting.kind]}' gives a token: write it here, or after --token"
            )
        ask_for_trust(remote, greeting, secret)
    entry: dict[str, str | bool] = {
        "addr": ",".join((greeting.address, *_kept(candidate))),
        "auth_type": "tls",
        "project": _project(wish, projects(remote, greeting)),
        "protocol": greeting.kind.value,
        "public": False,
    }
    pin = None if greeting.vouched else greeting.certificate
    client_files.add_remote(where, wish.name, entry, pin)
    return remotes.load(environ, home).named(wish.name)


def remove(remote: Remote, environ: Mapping[str, str], home: Path) -> None:
    """Forget a host, as ``remote remove`` does; it goes on trusting our certificate."""
    name = remote.name.partition("@")[0]
    if name == "local":
        raise UsageError("the local daemon is found by its socket and cannot be removed")
    client_files.remove_remote(remotes.places(remote.kind, environ, home), name)


def _first(
    wish: Wish,
    addresses: tuple[str, ...],
    expected: frozenset[str],
    environ: Mapping[str, str],
    home: Path,
) -> Greeting:
    """Whoever answers first of several addresses."""
    errors = []
    for address in addresses:
        try:
            stranger = Remote(wish.name, wish.kind or Kind.LXD, address)
            seen = greet(stranger, wish.kind, expected)
            where = remotes.places(seen.kind, environ, home)
            ours = _remote(wish.name, address, seen.kind, where)
            # With our certificate, if we have one: perhaps it trusts us already.
            return greet(ours, wish.kind, expected) if ours.client_cert else seen
        except HostUnreachableError as error:
            errors.append(error)
    raise errors[0]


def _remote(name: str, address: str, kind: Kind, where: remotes.Places) -> Remote:
    certificate, key = where.folder / "client.crt", where.folder / "client.key"
    both = certificate.exists() and key.exists()
    authority = where.folder / "client.ca"
    return Remote(
        name,
        kind,
        address,
        client_cert=str(certificate) if both else None,
        client_key=str(key) if both else None,
        authority=str(authority) if authority.exists() else None,
    )


def _kept(candidate: Candidate) -> tuple[str, ...]:
    """Further addresses, where the command line knows what to do with them."""
    return candidate.others if candidate.greeting.kind is Kind.INCUS else ()


def _project(wish: Wish, allowed: list[str]) -> str:
    if wish.project:
        if allowed and wish.project not in allowed:
            raise UsageError(
                f"{wish.name}: there is no project {wish.project!r} for us "
                f"(there is: {', '.join(allowed)}); the host trusts us now: say another --project"
            )
        return wish.project
    if not allowed or "default" in allowed:
        return "default"
    if len(allowed) == 1:
        return allowed[0]
    raise UsageError(
        f"{wish.name}: trusts us now, for several projects: add it again with --project "
        f"{' or '.join(allowed)}"
    )


def _plain(fingerprint: str) -> str:
    return fingerprint.replace(":", "").replace(" ", "").lower()
