"""The user's own settings.

Role: ``$XDG_CONFIG_HOME/lxtui/config.yml`` → Settings. Boundary: reads one file, writes none; hosts
are not here but in the lxc and incus configuration (remotes.py). Threading: functions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from lxtui.actions import BY_ID
from lxtui.errors import UsageError

_KNOWN = {"keys", "theme", "poll_seconds", "read_only"}


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


def path(environ: Mapping[str, str], home: Path) -> Path:
    """Where the settings are looked for."""
    return Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "lxtui" / "config.yml"


def load(environ: Mapping[str, str], home: Path) -> Settings:
    """The settings; UsageError names the file and what to mend in it."""
    file = path(environ, home)
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Settings()
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{file}: {' '.join(str(error).split())}") from error
    try:
        return _settings(document or {})
    except (TypeError, ValueError) as error:
        raise UsageError(f"{file}: {error}") from error


def _settings(document: Any) -> Settings:
    if not isinstance(document, dict):
        raise TypeError("must be a mapping of settings")
    unknown = sorted(set(map(str, document)) - _KNOWN)
    if unknown:
        raise ValueError(f"unknown setting {unknown[0]!r} (known: {', '.join(sorted(_KNOWN))})")
    keys = document.get("keys") or {}
    if not isinstance(keys, dict):
        raise TypeError("'keys' must be a mapping of action to key")
    for action, key in keys.items():
        if action not in BY_ID:
            raise ValueError(f"unknown action {action!r} (known: {', '.join(BY_ID)})")
        if not isinstance(key, str):
            raise TypeError(f"the key of {action!r} must be a text")
    taken = [keys.get(action.id, action.key) for action in BY_ID.values()]
    if twice := [key for key, count in Counter(filter(None, taken)).items() if count > 1]:
        raise ValueError(f"two actions have the key {twice[0]!r}")
    seconds = document.get("poll_seconds", 5.0)
    if not isinstance(seconds, int | float) or not 1 <= seconds <= 3600:  # noqa: PLR2004 an hour
        raise ValueError("'poll_seconds' must be a number from 1 to 3600")
    return Settings(
        keys={str(action): str(key) for action, key in keys.items()},
        theme=str(document.get("theme") or ""),
        poll_seconds=float(seconds),
        read_only=_host_names(document.get("read_only") or []),
    )


def _host_names(value: Any) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        # A name that YAML takes for something else would leave its host open to changes.
        raise TypeError("'read_only' must be a list of host names; quote names like 'no' and '1'")
    return frozenset(one.rstrip(":") for one in value)
