"""Profiles that a move makes at its target, because the instance needs them there.

Role: the step before the copy that makes missing profiles as the source has them, and its way
back. Each bears the move's mark until the move is over, which says what is ours to remove.
Boundary: one backend and a journal. Threading: blocks its caller.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from lxtui.backend.base import Backend
from lxtui.errors import LxtuiError, NotFoundError, OperationError
from lxtui.migrate import MARK
from lxtui.migrate.journal import Header, Journal, Record
from lxtui.model import Profile

_NOTE = "profiles"


def make_profiles(journal: Journal, target: Backend, profiles: Mapping[str, Profile]) -> None:
    """Make what is missing at the target; its names are in the journal before it is made."""
    header = journal.record.header
    names = sorted({*_noted(journal.record), *profiles})
    journal.note(_NOTE, json.dumps(names))
    there = target.placement(header.destination.project).profiles
    for name, profile in profiles.items():
        if name in there and there[name].config.get(MARK) == header.token:
            continue  # a lost lxtui has made it
        marked = replace(profile, config={**profile.config, MARK: header.token})
        target.create_profile(header.destination.project, name, marked)


def remove_profiles(journal: Journal, target: Backend) -> None:
    """Remove those that this move has made; one that somebody uses by now is left to them."""
    header = journal.record.header
    for name in _ours(journal.record, target):
        try:
            target.delete_profile(header.destination.project, name)
        except NotFoundError:
            continue
        except OperationError:
            _unmark(target, header, name)


def settle_profiles(journal: Journal, target: Backend) -> None:
    """Take the mark off those that this move has made: they stay."""
    for name in _ours(journal.record, target):
        _unmark(target, journal.record.header, name)


def _unmark(target: Backend, header: Header, name: str) -> None:
    with suppress(NotFoundError):
        target.set_profile_config(header.destination.project, name, {MARK: None})


def _ours(record: Record, target: Backend) -> list[str]:
    """The noted profiles that bear this move's mark: somebody else's is never touched."""
    names = _noted(record)
    if not names:
        return []
    there = target.placement(record.header.destination.project).profiles
    token = record.header.token
    return [one for one in names if one in there and there[one].config.get(MARK) == token]


def _noted(record: Record) -> list[str]:
    try:
        return [str(name) for name in json.loads(record.notes.get(_NOTE, "[]"))]
    except ValueError:
        raise LxtuiError(f"the journal of {record.header.token} names no profiles") from None
