"""A change of a document as command lines of lxc or incus.

Role: two versions of a document → what one would type. Boundary: pure. Threading: functions.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from lxtui.editing.documents import OTHERS, Editable, Json
from lxtui.model import CLI, Devices, Kind

_GROUP = {"instance": "config", "profile": "profile", **{noun: noun for noun in OTHERS}}


def commands(
    kind: Kind, what: Editable, before: Json, after: Json, inherited: Devices | None = None
) -> tuple[str, ...]:
    """One line for each; ``edit`` for what has no command of its own.

    *inherited* are the devices that an instance has by its profiles.
    """
    return tuple(_commands(kind, what, before, after, inherited or {}))


def _commands(
    kind: Kind, what: Editable, before: Json, after: Json, inherited: Devices
) -> Iterator[str]:
    cli, group, ref = CLI[kind], _GROUP[what.noun], what.ref
    old, new = before.get("config", {}), after.get("config", {})
    if fresh := _assignments(old, new):
        yield ref.command(f"{cli} {group} set", f" {fresh}")
    for key in sorted(old.keys() - new.keys()):
        yield ref.command(f"{cli} {group} unset", f" {shlex.quote(key)}")
    yield from _devices(kind, what, before, after, inherited)
    if before.get("profiles") != after.get("profiles"):
        names = shlex.quote(",".join(after.get("profiles", [])))
        yield ref.command(f"{cli} profile assign", f" {names}")
    if any(before.get(key) != after.get(key) for key in ("description", "ephemeral")):
        yield ref.command(f"{cli} {group} edit")


def _devices(
    kind: Kind, what: Editable, before: Json, after: Json, inherited: Devices
) -> Iterator[str]:
    verb, ref = f"{CLI[kind]} {_GROUP[what.noun]} device", what.ref
    old, new = before.get("devices", {}), after.get("devices", {})
    for name in sorted(old.keys() | new.keys()):
        had, has, quoted = old.get(name), new.get(name), shlex.quote(name)
        if had == has:
            continue
        if has is None:
            yield ref.command(f"{verb} remove", f" {quoted}")
        elif had is None and name in inherited:
            yield ref.command(f"{verb} override", f" {quoted} {_assignments(inherited[name], has)}")
        elif had is None:
            rest = {key: value for key, value in has.items() if key != "type"}
            kind_of = shlex.quote(has.get("type", ""))
            yield ref.command(
                f"{verb} add", f" {quoted} {kind_of} {_assignments({}, rest)}".rstrip()
            )
        else:
            if fresh := _assignments(had, has):
                yield ref.command(f"{verb} set", f" {quoted} {fresh}")
            for key in sorted(had.keys() - has.keys()):
                yield ref.command(f"{verb} unset", f" {quoted} {shlex.quote(key)}")


def _assignments(old: Mapping[str, str], new: Mapping[str, str]) -> str:
    changed = (f"{key}={value}" for key, value in sorted(new.items()) if old.get(key) != value)
    return " ".join(map(shlex.quote, changed))
