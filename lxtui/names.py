"""Names that may be given.

Role: a name → what is wrong with it; names to offer. Boundary: pure. Threading: functions.
"""

from __future__ import annotations

import random
from collections.abc import Collection

from lxtui.model import Kind

_FORBIDDEN = frozenset("/?#%\\:&")


_LONGEST = 63


def instance_name_trouble(name: str, kind: Kind | None = None) -> str:
    """Why an instance cannot be called *name* on a host of that kind; empty when it can.

    None stands for every kind. Source: what LXD 5.0.2 and Incus 6.0.4 refuse; they differ in
    digits: Incus takes a name that begins with one, if it is no number.
    """
    if not 1 <= len(name) <= _LONGEST:
        return f"an instance's name has 1 to {_LONGEST} letters"
    if not all(char.isascii() and (char.isalnum() or char == "-") for char in name):
        return "an instance's name has letters, digits and dashes only"
    if "-" in {name[0], name[-1]}:
        return "an instance's name neither begins nor ends with a dash"
    if kind is Kind.INCUS:
        return "an instance's name is no number" if name.isdigit() else ""
    if name[0].isdigit():
        return "an instance's name begins with a letter"
    return ""


def snapshot_name_trouble(name: str) -> str:
    """Why a snapshot cannot be called *name*; empty when it can.

    LXD 5.0.2 and Incus 6.0.4 accept ``..`` and put such a snapshot over the folder that holds the
    snapshots of all instances (tried on a dir pool), so that the check has to be made here.
    """
    if name in {"", ".", ".."}:
        return "a snapshot needs a name, other than . and .."
    if name.startswith("-"):
        return "a snapshot's name cannot begin with a dash"
    if any(char in _FORBIDDEN or char.isspace() or not char.isprintable() for char in name):
        return "a snapshot's name has no spaces and none of / ? # % & : \\"
    return ""


_HOW = (
    "brave bright calm clever eager fair gentle keen kind lively merry neat proud quick quiet sunny"
)
_WHO = (
    "badger beaver falcon finch heron ibex lynx marten newt otter owl plover robin seal stoat wren"
)


def random_name(taken: Collection[str], chance: random.Random | None = None) -> str:
    """A name for an instance that is not among *taken*, such as ``calm-otter``."""
    chance = chance or random.Random()  # noqa: S311 a name is no secret
    free = [
        name
        for how in _HOW.split()
        for who in _WHO.split()
        if (name := f"{how}-{who}") not in taken
    ]
    if free:
        return chance.choice(free)
    number = 2
    while (
        name := f"{chance.choice(_HOW.split())}-{chance.choice(_WHO.split())}-{number}"
    ) in taken:
        number += 1
    return name
