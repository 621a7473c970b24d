"""What a file of settings says, and everything that is wrong with it.

Role: text → Settings and findings with line and remedy; the same rules for the start of the
program and for ``lxtui config check``. Boundary: reads the one file, writes none. Threading:
functions.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from lxtui import config, key_names
from lxtui.actions import BY_ID
from lxtui.config import POLL, SETTINGS, Settings
from lxtui.errors import UsageError
from lxtui.findings import Finding, Level
from lxtui.themes import THEMES

_CHECK = "config"
_STRING, _NUMBERS = "tag:yaml.org,2002:str", {"tag:yaml.org,2002:int", "tag:yaml.org,2002:float"}
_NULL = "tag:yaml.org,2002:null"
Pair = tuple[yaml.ScalarNode, yaml.Node]


@dataclass(frozen=True, slots=True)
class Reading:
    """A file as it was understood."""

    settings: Settings
    findings: tuple[Finding, ...] = ()
    """What is wrong, in the order of the lines."""


def load(environ: Mapping[str, str], home: Path, *, tolerant: bool = False) -> Settings:
    """The user's settings; UsageError names the file, the line, and what to mend in it.

    *tolerant*: what is understood of them, whatever is wrong.
    """
    file = config.path(environ, home)
    reading = read_file(file)
    for one in reading.findings:
        if one.level is Level.PROBLEM and not tolerant:
            where = f":{one.line}" if one.line else ""
            raise UsageError(f"{file}{where}: {one.text}; {one.advice}")
    return reading.settings


def read_file(file: Path) -> Reading:
    """The settings of a file; the defaults where there is none."""
    try:
        return read(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Reading(Settings())
    except UnicodeDecodeError as error:
        return _broken(f"is not UTF-8 at byte {error.start}", "save it as UTF-8")
    except OSError as error:
        return _broken(f"cannot be read: {error.strerror}", "make it a file that you can read")


def read(text: str) -> Reading:
    """The settings that *text* says."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        return _broken(f"is no YAML: {error.problem}", "quote texts with signs in them", line)
    except yaml.YAMLError as error:
        return _broken(f"is no YAML: {' '.join(str(error).split())}", "write plain text")
    if root is None or root.tag == _NULL:
        return Reading(Settings())
    if not isinstance(root, yaml.MappingNode):
        return _broken("is no mapping", "write 'name: value' in each line", _line(root))
    reader = _Reader()
    settings = reader.settings(root)
    return Reading(settings, tuple(sorted(reader.findings, key=lambda one: one.line or 0)))


def _broken(text: str, advice: str, line: int | None = None) -> Reading:
    return Reading(Settings(), (Finding(_CHECK, Level.PROBLEM, text, advice, line),))


class _Reader:
    """Goes through the nodes of one file."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def settings(self, root: yaml.MappingNode) -> Settings:
        found: dict[str, Any] = {}
        readers: dict[str, Callable[[yaml.Node], Any]] = {
            "keys": self._keys,
            "theme": self._theme,
            "poll_seconds": self._poll,
            "read_only": self._read_only,
            "shell": self._shell,
        }
        for key, value in self._pairs(root, "setting"):
            if key.value not in readers:
                self._unknown(key, "setting", [one.name for one in SETTINGS])
            elif value.tag != _NULL:  # a line without a value says nothing
                found[key.value] = readers[key.value](value)
        return Settings(**{name: value for name, value in found.items() if value is not None})

    def _say(self, node: yaml.Node, told: str, advice: str, level: Level = Level.PROBLEM) -> None:
        self.findings.append(Finding(_CHECK, level, told, advice, _line(node)))

    def _pairs(self, node: yaml.MappingNode, what: str) -> Iterator[Pair]:
        """Names and values; a name that comes twice, or is none, is said and left out."""
        seen: dict[str, int] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._say(key, f"a {what} must be a name", "write 'name: value'")
            elif key.value in seen:
                self._say(
                    key,
                    f"{key.value!r} is there twice, first in line {seen[key.value]}",
                    "take one of them out",
                )
            else:
                seen[key.value] = _line(key)
                yield key, value

    def _unknown(self, key: yaml.ScalarNode, what: str, known: Iterable[str]) -> None:
        names = list(known)
        near = get_close_matches(key.value, names, 1)
        advice = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(names)}"
        self._say(key, f"unknown {what} {key.value!r}", advice)

    def _wrong(self, node: yaml.Node, name: str, example: str) -> None:
        shape = next(one.shape for one in SETTINGS if one.name == name)
        self._say(node, f"'{name}' must be {shape}", f"write it as '{name}: {example}'")

    def _theme(self, node: yaml.Node) -> str | None:
        if node.tag != _STRING:
            self._wrong(node, "theme", "ansi-dark")
            return None
        name = str(node.value)
        if name and name not in THEMES:
            near = get_close_matches(name, THEMES, 1)
            advice = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(THEMES)}"
            # The screen says so, too, and has its usual colours: no reason not to open it.
            self._say(node, f"there is no theme {name!r}", advice, Level.WARNING)
        return name

    def _poll(self, node: yaml.Node) -> float | None:
        seconds = None
        if node.tag in _NUMBERS:
            seconds = float(yaml.safe_load(str(node.value)))
        if seconds is None or not POLL[0] <= seconds <= POLL[1]:
            self._wrong(node, "poll_seconds", "5")
            return None
        return seconds

    def _read_only(self, node: yaml.Node) -> frozenset[str] | None:
        if not isinstance(node, yaml.SequenceNode):
            self._wrong(node, "read_only", "[prod, archive]")
            return None
        names = set()
        for one in node.value:
            if one.tag == _STRING:
                names.add(str(one.value).rstrip(":"))
            else:
                # A name that YAML takes for something else would leave its host open to changes.
                said = one.value if isinstance(one, yaml.ScalarNode) else "an entry"
                self._say(
                    one,
                    f"{said!r} in 'read_only' is no text, so that it names no host",
                    "quote names like 'no' and '1'",
                )
        return frozenset(names)

    def _shell(self, node: yaml.Node) -> tuple[str, ...] | None:
        if node.tag == _STRING:
            with suppress(ValueError):  # a quote that is not closed
                return tuple(shlex.split(str(node.value)))
        self._wrong(node, "shell", "bash -l")
        return None

    def _keys(self, node: yaml.Node) -> dict[str, str] | None:
        if not isinstance(node, yaml.MappingNode):
            self._wrong(node, "keys", "{stop: f9}")
            return None
        chosen: dict[str, tuple[str, yaml.ScalarNode]] = {}
        for action, value in self._pairs(node, "name of an action"):
            if action.value not in BY_ID:
                self._unknown(action, "action", BY_ID)
            elif value.tag == _NULL:
                chosen[action.value] = "", action
            elif value.tag != _STRING:
                self._say(
                    value, f"the key of {action.value!r} must be a text", "put it into quotes"
                )
            else:
                try:
                    chosen[action.value] = key_names.canonical(str(value.value)), action
                except ValueError as error:
                    self._say(value, f"{action.value}: {error}", "'lxtui config show' has examples")
        self._collisions(chosen)
        return {action: key for action, (key, _) in chosen.items()}

    def _collisions(self, chosen: Mapping[str, tuple[str, yaml.ScalarNode]]) -> None:
        owners: dict[str, str] = {}
        for action in BY_ID.values():
            if action.id not in chosen:
                owners |= dict.fromkeys(filter(None, action.key.split(",")), action.id)
        for name, (keys, node) in chosen.items():
            for key in filter(None, keys.split(",")):
                if key in key_names.RESERVED:
                    why = key_names.RESERVED[key]
                    self._say(
                        node, f"{name}: {key!r} can be no action's key: {why}", "choose another"
                    )
                elif key in owners:
                    other = owners[key]
                    self._say(
                        node,
                        f"two actions have the key {key!r}: {other} and {name}",
                        f"give one of them another, or '{other}: \"\"' for none",
                    )
                else:
                    owners[key] = name


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
