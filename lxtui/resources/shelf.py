"""What every host has answered about one table.

Role: who was asked, who has answered what and when, and what is to be said of those who have not.
Boundary: pure; asks nobody. Threading: the screen's; answers are handed over to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from lxtui import format as words
from lxtui.errors import LxtuiError, NotTrustedError
from lxtui.model import Host, HostStatus
from lxtui.resources.entry import Entry
from lxtui.resources.table import Table


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known of one host."""

    entries: tuple[Entry, ...] = ()
    error: str = ""
    refused: bool = False
    """Whether it answers and does not let us see."""
    read_at: datetime | None = None
    """When the entries were read; None when they never were."""
    asked: bool = False
    """Whether it is being asked now."""
    again: bool = False
    """Whether it is to be asked once more after that."""


@dataclass(frozen=True, slots=True)
class Note:
    """What is to be said of one host, or of all."""

    line: str
    bad: bool = False


class Shelf:
    """The answers about one table."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self._answers: dict[str, Answer] = {}

    def begin(self, host: Host) -> bool:
        """Whether *host* is to be asked now; if it is being asked, it will be once more."""
        now = self._answers.get(host.name, Answer())
        if not host.online or self.table.source is None:
            return False
        self._answers[host.name] = replace(now, asked=True, again=now.asked)
        return not now.asked

    def answered(self, host: str, found: tuple[Entry, ...] | LxtuiError, now: datetime) -> bool:
        """Take an answer in; whether the host is to be asked again at once."""
        before = self._answers.get(host, Answer())
        if isinstance(found, LxtuiError):
            # What was there before is worth more than nothing.
            after = replace(before, error=str(found), refused=isinstance(found, NotTrustedError))
        else:
            after = Answer(found, read_at=now)
        self._answers[host] = replace(after, asked=False, again=False)
        return before.again

    def unasked(self, hosts: Iterable[Host]) -> list[Host]:
        """Those that answer and were never asked, or have failed and are back."""
        return [
            host
            for host in hosts
            if host.online
            and not (known := self._answers.get(host.name, Answer())).asked
            and known.read_at is None
            and not known.error
        ]

    def forget_error(self, host: str) -> None:
        """It was away: it is to be asked anew when it is back."""
        known = self._answers.get(host)
        if known is not None and not known.asked:
            self._answers[host] = replace(known, error="", refused=False, read_at=None)

    def entries(self, hosts: Iterable[Host]) -> list[Entry]:
        """All that is known, host by host."""
        return [
            one
            for host in hosts
            if (known := self._answers.get(host.name)) is not None
            for one in known.entries
        ]

    def stale(self, hosts: Iterable[Host]) -> frozenset[str]:
        """The hosts whose entries are what they last said."""
        return frozenset(
            host.name
            for host in hosts
            if not host.online or self._answers.get(host.name, Answer()).error
        )

    def asking(self, hosts: Iterable[Host]) -> list[str]:
        """Those whose first answer is awaited."""
        return [
            host.name
            for host in hosts
            if host.status is HostStatus.CONNECTING
            or (self._answers.get(host.name, Answer()).asked
                and self._answers[host.name].read_at is None)
        ]  # fmt: skip

    def notes(self, hosts: Iterable[Host], now: datetime) -> list[Note]:
        """One line for each host that has not answered as it should."""
        found = []
        for host in hosts:
            known = self._answers.get(host.name, Answer())
            if missing := host.online and self.table.missing(host):
                if not (self.table.source is not None and self.table.source.clustered):
                    found.append(Note(missing))
            elif host.status not in {HostStatus.ONLINE, HostStatus.CONNECTING}:
                found.append(Note(_since(host.name, host.error, known, now), bad=True))
            elif known.error:
                found.append(Note(_since(host.name, known.error, known, now), bad=True))
        return found

    def hollow(self, hosts: Mapping[str, Host], matching: str) -> str:
        """What stands where no line does; *matching* is the filter, if there is any."""
        every = list(hosts.values())
        if not every:
            return "no host: 'lxtui hosts add NAME ADDRESS' adds one"
        if self.entries(every) and matching:
            return f"nothing matches {matching}: escape shows all"
        if asking := self.asking(every):
            return f"asking {', '.join(asking[:5])}{'…' if len(asking) > 5 else ''}"  # noqa: PLR2004 a line has room for so many
        answering = [one for one in every if one.online]
        if not answering:
            return f"no host answers: {self.table.id} are shown when one does"
        if all(self._answers.get(one.name, Answer()).refused for one in answering):
            return f"our certificate may not see {self.table.id}: an administrator of the host can"
        if all(self._answers.get(one.name, Answer()).error for one in answering):
            return f"no host has said which {self.table.id} it has: r asks again"
        return self.table.empty


def _since(host: str, error: str, known: Answer, now: datetime) -> str:
    said = error if error.startswith(f"{host}:") else f"{host}: {error}"
    if known.read_at is None:
        return said
    return f"{said}; as it was {words.age(known.read_at, now)} ago"
