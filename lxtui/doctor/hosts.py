"""Whether each host can be worked with.

Role: a backend → findings: does it answer, is it the one that was pinned, does it trust us, what
its API lacks, whether its clock goes right, whether it tells of changes; sources that moves have
kept too long. Boundary: asks, changes nothing. Threading: blocks its caller; hosts are asked at
once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from threading import Event as Flag

from lxtui import format as text
from lxtui import headless
from lxtui.backend import tls
from lxtui.backend.base import Backend
from lxtui.backend.greeting import NAMES
from lxtui.errors import CertificateError, LxtuiError, NotTrustedError, UnsupportedError
from lxtui.findings import Finding, ok, problem, warning
from lxtui.migrate.kept import survey
from lxtui.model import Host, Remote

Now = Callable[[], datetime]
FEATURES = {
    "projects": "projects other than the default one",
    "resources": "the host's CPUs, memory and cards",
    "container_push": "moves that are pushed, or relayed through this machine",
    "container_incremental_copy": "near-live moves and refreshed copies",
    "container_backup": "backups and '--verify=export'",
    "warnings": "the table of warnings",
}
"""API extensions, and what cannot be had without them."""
_SKEW = timedelta(seconds=10)
"""From which ages and expiry dates begin to be wrong for people."""


def hosts(backends: Mapping[str, Backend], now: Now) -> Iterator[Finding]:
    """Judge every host; what they say comes in the order of their names here."""
    answers = headless.ask_all(backends, lambda backend: list(_one(backend, now)))
    for name, answer in answers.items():
        if isinstance(answer, LxtuiError):
            yield problem(f"host {name}", *_parted(answer))
        else:
            yield from answer
    if not backends:
        yield warning("hosts", "there are none", "add one with 'lxtui hosts add NAME ADDRESS'")


def kept(backends: Mapping[str, Backend], now: datetime) -> Iterator[Finding]:
    """Judge the sources that moves have kept, on the hosts that answer."""
    found, _silent = headless.instances(backends)  # who does not answer has been named
    try:
        sources = survey(found, backends, now)
    except LxtuiError as error:
        yield warning("kept", f"kept sources could not be looked at: {error}", "ask again")
        return
    over = [one for one in sources if one.until is not None and one.until <= now]
    for one in over:
        days = text.age(one.until, now)
        yield warning(
            "kept",
            f"{one.ref} is kept since its move, {days} longer than it was meant to be",
            f"look at it yourself: {one.refusal}" if one.refusal else "'lxtui moves --clean'",
        )
    if not over:
        yield ok(
            "kept",
            f"{len(sources)} kept source{'s' if len(sources) > 1 else ''}, none past its days"
            if sources
            else "no source is kept",
        )


def _one(backend: Backend, now: Now) -> Iterator[Finding]:
    remote = backend.remote
    check = f"host {remote.name}"
    try:
        host = backend.connect()
    except LxtuiError as error:
        yield problem(check, *_parted(error, remote))
        return
    told = f"{NAMES[host.kind]} {host.version} at {text.address(remote.address)}, trusts us"
    only = ", is only looked at" if remote.read_only else ""
    yield ok(check, f"{told}, {_believed(remote)}{only}")
    yield from _lacking(check, host)
    yield from _clock(check, backend, now)
    yield from _events(check, backend)


def _believed(remote: Remote) -> str:
    if remote.is_socket:
        return "by its socket"
    if remote.server_cert is None:
        return "vouched for by authorities"
    return f"has the pinned certificate {tls.fingerprint(tls.pinned(remote))[:12]}"


def _lacking(check: str, host: Host) -> Iterator[Finding]:
    if not host.api_extensions:
        return  # the simulated hosts are not asked what they can
    for extension, what in FEATURES.items():
        if extension not in host.api_extensions:
            yield warning(
                check,
                f"its API lacks {extension}: it has not {what}",
                f"{NAMES[host.kind]} {host.version} is too old for it; upgrade the host",
            )


def _clock(check: str, backend: Backend, now: Now) -> Iterator[Finding]:
    """Compare clocks by the Date of an answer, which is exact to a second."""
    began = now()
    said = ""
    with suppress(LxtuiError):
        where = {"project": backend.remote.project}
        with backend.download(("instances",), where) as answer:
            said = answer.headers.get("Date", "")
    ended = now()
    try:
        theirs = parsedate_to_datetime(said).astimezone(UTC)
    except ValueError:
        return  # a daemon that does not say it
    # Within the second that it names, at some moment while we waited.
    late = max(began - theirs - timedelta(seconds=1), theirs - ended)
    if late > _SKEW:
        way = "behind" if theirs < began else "ahead of"
        yield warning(
            check,
            f"its clock is at least {text.duration(late.total_seconds())} {way} ours",
            "set both by NTP: ages, expiry dates and kept sources are judged by them",
        )


def _events(check: str, backend: Backend) -> Iterator[Finding]:
    """Open its event stream, and leave at once."""
    leave = Flag()
    leave.set()
    try:
        backend.listen(lambda _: None, leave)
    except LxtuiError as error:
        yield warning(
            check,
            f"its event stream does not open: {error}",
            "changes are seen every few seconds only; is a proxy without websockets in between?",
        )


def _parted(error: LxtuiError, remote: Remote | None = None) -> tuple[str, str]:
    """What is the matter and what to do, out of the sentence that has both."""
    said, _, todo = str(error).partition("; ")
    if remote is not None:
        said = said.removeprefix(f"{remote.name}: ")
    if not todo and isinstance(error, NotTrustedError | CertificateError):
        todo = "on the host, 'config trust add' our certificate, or add the host again"
    elif not todo and isinstance(error, UnsupportedError):
        todo = "add the host with a certificate"
    return said, todo or "see whether its daemon runs, and whether the way there is open"
