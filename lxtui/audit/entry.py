"""One line of the audit journal, and what is kept out of it.

Role: entries ↔ JSON; a command line → the same without values that look like secrets. Boundary:
pure. Threading: values.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from lxtui.format import plain, timestamp

BEGUN, DONE, FAILED, INTERRUPTED = "begun", "done", "failed", "interrupted"
HIDDEN = "(hidden)"
_LONGEST = 2000
"""Letters of a command or of a reason that are kept."""
_SHORTEST = 4
"""A hidden value of fewer letters is not looked for in what the host said."""
_SECRET = re.compile(
    r"^(environment\.|cloud-init\.|user\.(user-data|vendor-data|network-config|meta-data)$)"
    r"|pass|secret|token|credential|key|private|auth",
    re.IGNORECASE,
)
_ASSIGNMENT = re.compile(r"(?P<key>(?:--[\w-]+=)?[\w.+/-]+)=(?P<value>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Entry:
    """What was done. A command has two with one id: when it began, and when it ended."""

    id: str
    when: datetime
    """When it began."""
    user: str
    """Of the process; ``login`` is who logged in, where that is known and is somebody else."""
    uid: int
    login: str
    host: str
    project: str
    instance: str
    what: str
    command: str
    """With the host's own command line, values that look like secrets left out."""
    result: str
    """``begun``, ``done``, ``failed`` or ``interrupted``."""
    reason: str = ""
    seconds: float | None = None


def is_secret(key: str) -> bool:
    """Whether the value of this configuration key is none of a journal's business."""
    return _SECRET.search(key) is not None


def scrubbed(command: str, said: str = "") -> tuple[str, str]:
    """Both without the values that *command* gives to keys that look like secrets."""
    try:
        words = shlex.split(command)
    except ValueError:  # no command line of a shell: nothing in it can be told from a value
        return command.split("=", 1)[0][:_LONGEST], ""
    shown, hidden = [], []
    for word in words:
        match = _ASSIGNMENT.fullmatch(word)
        if match is not None and is_secret(match["key"].rpartition("=")[2]):
            hidden.append(match["value"])
            shown.append(f"{match['key']}={HIDDEN}")
        else:
            shown.append(word if word in {"&&", ";"} else shlex.quote(word))
    for value in sorted(hidden, key=len, reverse=True):
        if len(value) >= _SHORTEST:
            said = said.replace(value, HIDDEN)
    return (" ".join(shown) if hidden else command)[:_LONGEST], said[:_LONGEST]


def line_of(entry: Entry) -> str:
    """The entry as one line of JSON."""
    written: dict[str, Any] = asdict(entry)
    written["when"] = entry.when.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return json.dumps(written)


def entry_from(line: str) -> Entry | None:
    """The entry of one line; None for what is none."""
    try:
        written = json.loads(line)
    except ValueError:
        return None
    if not isinstance(written, Mapping):
        return None
    when = timestamp(str(written.get("when", "")))
    if when is None:
        return None
    uid, seconds = written.get("uid"), written.get("seconds")
    texts = {
        name: plain(str(written.get(name) or ""))
        for name in (
            "id", "user", "login", "host", "project", "instance", "what", "command", "result",
            "reason",
        )
    }  # fmt: skip
    return Entry(
        when=when,
        uid=uid if isinstance(uid, int) else -1,
        seconds=float(seconds) if isinstance(seconds, int | float) else None,
        **texts,
    )
