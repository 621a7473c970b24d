"""The user's own settings.

Role: where the file is, what it may say, the values that come of it; config_reading.py reads it.
Boundary: pure; hosts are not here but in the lxc and incus configuration (remotes.py). Threading:
values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lxtui import themes

POLL = (1, 3600)
"""Seconds between two looks: the least and the most."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What may be chosen. An absent file means these defaults."""

    keys: Mapping[str, str] = field(default_factory=dict)
    """Action id → key, in Textual's spelling (``ctrl+x``, ``question_mark``)."""
    theme: str = ""
    poll_seconds: float = 5.0
    """Seconds between two looks at a host when no event calls for one."""
    read_only: frozenset[str] = frozenset()
    """Hosts on which nothing may be changed."""
    shell: tuple[str, ...] = ()
    """What ``shell`` runs in an instance, with its arguments; nothing: a login shell of root."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of the file."""

    name: str
    shape: str
    """What may stand there."""
    default: str
    help: str


SETTINGS = (
    Setting(
        "theme",
        f"one of {', '.join(themes.THEMES)}",
        themes.DEFAULT,
        "Colours of the screen; ansi-dark and ansi-light are the terminal's own. The palette "
        "(ctrl+p) changes and remembers them too",
    ),
    Setting(
        "poll_seconds",
        f"a number from {POLL[0]} to {POLL[1]}",
        "5",
        "Seconds between two looks at a host when no event calls for one",
    ),
    Setting(
        "read_only",
        "a list of host names",
        "[]",
        "Hosts on which nothing may be changed",
    ),
    Setting(
        "shell",
        "a program and its arguments, in one text",
        "''",
        "What 'lxtui shell' and E run in an instance; without it a login shell of root",
    ),
    Setting(
        "keys",
        "a mapping of action to key",
        "{}",
        "Other keys for actions: a letter, a sign, f5, ctrl+x; several with commas between; '' is "
        "none",
    ),
)
"""Every setting, in the order in which they are shown."""


def path(environ: Mapping[str, str], home: Path) -> Path:
    """Where the settings are looked for."""
    return Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "lxtui" / "config.yml"
