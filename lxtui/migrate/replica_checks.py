"""Which copies may be refreshed.

Role: facts → findings, a part of preflight. A copy says by two keys of its configuration what it is
a copy of, and when it was made; what does not say so is never touched. Boundary: pure. Threading:
functions.
"""

from __future__ import annotations

from collections.abc import Iterator

from lxtui.migrate import COPIED_AT, COPY_OF, MARK
from lxtui.migrate.facts import Finding, MoveFacts, blocker, ok, target_devices
from lxtui.model import CLI, Instance


def check_replica(facts: MoveFacts) -> Iterator[Finding]:
    """Whether the copy that is to be refreshed is one of ours, and fits."""
    there, here, copy = facts.destination, facts.instance.ref, facts.replica
    cli = CLI[facts.target.kind]
    if copy is None:
        yield blocker(f"there is no {there} to refresh", "leave --refresh out: a copy is made then")
        return
    if trouble := foreign(copy, str(here)):
        yield blocker(trouble, f"give the copy another name: {there.host}:NAME")
        return
    if MARK in copy.config and not facts.arriving:
        yield blocker(f"{there} is being worked on, or such a work was killed", "see 'lxtui moves'")
    if not copy.stopped:
        stop = there.command(f"{cli} stop")
        yield blocker(f"{there} is {copy.status.lower()}", f"stop it first: '{stop}'")
    devices = {name: dict(one) for name, one in target_devices(facts).items()}
    had = {name: dict(one) for name, one in copy.expanded_devices.items()}
    if copy.profiles != facts.profiles or devices != had:
        delete = there.command(f"{cli} delete")
        yield blocker(
            f"{there} has other profiles or devices than {here} has now",
            f"delete it and copy anew ('{delete}'), or give it the same",
        )
    at = copy.config.get(COPIED_AT)
    yield ok(f"{there} is a copy of {here}" + (f" of {at}" if at else ", not completed"))


def foreign(copy: Instance, source: str) -> str:
    """Why *copy* is none of *source* that lxtui has made; empty when it is."""
    of = copy.config.get(COPY_OF)
    if of is None:
        return f"{copy.ref} was not made by 'lxtui move --copy'"
    return "" if of == source else f"{copy.ref} is a copy of {of}, not of {source}"
