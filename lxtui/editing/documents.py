"""What can be edited of an object, as text and back.

Role: a document of the API ↔ YAML; what two versions differ in; one's changes on top of another's.
Boundary: pure; a document is of a daemon and anything may be missing in it. Threading: functions.
"""

from __future__ import annotations

import difflib
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from lxtui.api import Path
from lxtui.errors import UsageError
from lxtui.format import plain
from lxtui.model import Ref

Json = dict[str, Any]
_VOLATILE = "volatile."
"""Keys that the daemon sets; who edits them breaks it."""
OTHERS = {"network": "networks", "storage": "storage-pools", "project": "projects"}
"""What else has a configuration, in the words of the command lines, with where it is."""
_WITHOUT_PROJECT = frozenset({"storage", "project"})
_MAPPINGS = frozenset({"config", "devices"})
_LISTS = frozenset({"profiles"})
_FLAGS = frozenset({"ephemeral"})


@dataclass(frozen=True, slots=True)
class Editable:
    """An object whose document can be replaced."""

    ref: Ref
    """Its host, project and name."""
    noun: str
    """``instance``, ``profile``, or one of OTHERS."""
    path: Path
    keys: tuple[str, ...]
    """Of its document, those that a person may change."""
    kept: tuple[str, ...] = ()
    """Further ones that are sent back as they were read."""

    @property
    def parameters(self) -> Mapping[str, str]:
        """Of its requests."""
        return {} if self.noun in _WITHOUT_PROJECT else {"project": self.ref.project}

    @property
    def title(self) -> str:
        """How it is called."""
        return f"{'' if self.noun == 'instance' else f'{self.noun} '}{self.ref}"


def of_instance(ref: Ref) -> Editable:
    """An instance."""
    keys = ("description", "profiles", "ephemeral", "config", "devices")
    return Editable(ref, "instance", ("instances", ref.name), keys, ("architecture", "stateful"))


def of_profile(host: str, project: str, name: str) -> Editable:
    """A profile."""
    ref = Ref(host, project, name)
    return Editable(ref, "profile", ("profiles", name), ("description", "config", "devices"))


def of_other(ref: Ref, noun: str) -> Editable:
    """A network, storage pool or project: one of OTHERS."""
    return Editable(ref, noun, (OTHERS[noun], ref.name), ("description", "config"))


def shown(what: Editable, document: Any) -> Json:
    """What a person may change of it, in the order in which it is shown."""
    source = document if isinstance(document, Mapping) else {}
    return {key: _shown(key, source.get(key)) for key in what.keys}


def body(what: Editable, document: Any, edited: Json) -> Json:
    """What is sent: *edited*, and of *document* what was not shown."""
    source = document if isinstance(document, Mapping) else {}
    config = source.get("config")
    hidden = {
        str(key): str(value)
        for key, value in (config.items() if isinstance(config, Mapping) else ())
        if str(key).startswith(_VOLATILE)
    }
    kept = {key: source[key] for key in what.kept if key in source}
    return {**kept, **edited, "config": {**hidden, **edited.get("config", {})}}


def written(edited: Json) -> str:
    """As YAML; texts of several lines as such."""
    return yaml.dump(edited, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)


def understood(what: Editable, text: str) -> Json:
    """The text of a person; UsageError says what is wrong, with the line where that is known."""
    try:
        found = yaml.load(text, Loader=_Loader)  # noqa: S506 a BaseLoader: texts, lists, mappings
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
        raise UsageError(f"{where}{error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise UsageError(" ".join(str(error).split())) from error
    if not isinstance(found, dict):
        raise UsageError(f"it has to be a mapping with {', '.join(what.keys)}")
    if unknown := sorted(set(found) - set(what.keys)):
        raise UsageError(f"{unknown[0]!r} cannot be changed here: only {', '.join(what.keys)}")
    return {key: _understood(key, found.get(key, "")) for key in what.keys}


def difference(before: Json, after: Json) -> list[str]:
    """A unified diff, without a file's header."""
    lines = difflib.unified_diff(
        written(before).splitlines(), written(after).splitlines(), lineterm="", n=2
    )
    return [plain(line) for line in list(lines)[2:]]


def changes(before: Json, after: Json) -> tuple[str, ...]:
    """What differs: ``config limits.memory``, ``devices eth0``, ``description``."""
    one, other = _flat(before), _flat(after)
    return tuple(
        " ".join(key) for key in sorted(one.keys() | other.keys()) if one.get(key) != other.get(key)
    )


def merged(base: Json, mine: Json, theirs: Json) -> tuple[Json, tuple[str, ...]]:
    """*theirs* with what *mine* has changed of *base*; and what both have changed differently.

    Key by key of the configuration, device by device: mine wins, and is said.
    """
    one, two, three = _flat(base), _flat(mine), _flat(theirs)
    result, both = dict(three), []
    for key in sorted(one.keys() | two.keys()):
        if one.get(key) == two.get(key):
            continue
        if three.get(key) not in (one.get(key), two.get(key)):
            both.append(" ".join(key))
        if key in two:
            result[key] = two[key]
        else:
            result.pop(key, None)
    answer: Json = {key: {} if key in _MAPPINGS else theirs[key] for key in theirs}
    for (first, *rest), value in sorted(result.items()):
        if rest:
            answer[first][rest[0]] = value
        else:
            answer[first] = value
    return answer, tuple(both)


def _flat(edited: Json) -> dict[tuple[str, ...], Any]:
    flat: dict[tuple[str, ...], Any] = {}
    for key, value in edited.items():
        if key in _MAPPINGS:
            flat |= {(key, name): one for name, one in value.items()}
        else:
            flat[(key,)] = value
    return flat


def _shown(key: str, value: Any) -> Any:
    if key in _LISTS:
        return [str(one) for one in value] if isinstance(value, list) else []
    if key in _FLAGS:
        return value is True
    if key not in _MAPPINGS:
        return str(value or "")
    entries = sorted(value.items()) if isinstance(value, Mapping) else ()
    if key == "config":
        return {str(k): str(v) for k, v in entries if not str(k).startswith(_VOLATILE)}
    return {
        str(name): {str(k): str(v) for k, v in sorted(device.items())}
        for name, device in entries
        if isinstance(device, Mapping)
    }


def _understood(key: str, value: Any) -> Any:
    if key in _MAPPINGS:
        if value == "":
            return {}
        if not isinstance(value, dict):
            raise UsageError(f"{key} has to be a mapping")
        if key == "devices":
            return {str(name): _texts(f"device {name}", one) for name, one in value.items()}
        if volatile := [one for one in value if str(one).startswith(_VOLATILE)]:
            raise UsageError(f"{volatile[0]} is the daemon's own: it is kept as it is")
        # An empty value is none, to the daemons too.
        return {name: one for name, one in _texts(key, value).items() if one}
    if key in _LISTS:
        if value == "":
            return []
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise UsageError(f"{key} has to be a list of names")
        return value
    if not isinstance(value, str):
        raise UsageError(f"{key} has to be a text")
    if key in _FLAGS:
        if value not in {"true", "false", ""}:
            raise UsageError(f"{key} has to be true or false")
        return value == "true"
    return value


def _texts(name: str, value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise UsageError(f"{name} has to be a mapping")
    for key, one in value.items():
        if not isinstance(one, str):
            raise UsageError(f"{name}: the value of {key} has to be a text")
    return {str(key): one for key, one in value.items()}


class _Loader(yaml.BaseLoader):
    """Reads every value as the text that was typed: 0755, yes and 12:30 stay what they are."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Refuse a key that stands there twice."""
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(None, None, "a key has to be a text", key.start_mark)
            if key.value in seen:
                said = f"{key.value!r} stands there twice"
                raise yaml.MarkedYAMLError(None, None, said, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    if not value.replace("\n", "").isprintable():
        style = '"'  # line ends of other alphabets would come back as spaces
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)
