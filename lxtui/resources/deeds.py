"""What can be done to the entries of tables.

Role: for these what actions.py is for instances: the keys of the tables' screen, its palette and
help and the headless verbs all read it; a deed that is not here does not exist. Boundary: pure; a
deed makes a call, it runs nothing. Threading: values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lxtui import format as words
from lxtui.calls.base import Call
from lxtui.calls.images import CopyImage
from lxtui.calls.resources import (
    AcknowledgeWarning,
    AddAlias,
    CancelOperation,
    DeleteEntry,
    EvacuateMember,
    OnEntry,
    RefreshImage,
    RemoveAlias,
    RestoreMember,
)
from lxtui.editing.documents import Editable, of_other, of_profile
from lxtui.errors import READ_ONLY, UsageError
from lxtui.launching.spec import HostImage
from lxtui.model import Host, Ref
from lxtui.resources.catalog import BY_ID
from lxtui.resources.entry import Entry, mapping, text
from lxtui.resources.images import aliases
from lxtui.resources.links import Link

_NAMED = 3
"""So many users are named in a line."""
_FORBIDDEN_IN_ALIAS = frozenset("?#%&\\")


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing to do to an entry."""

    id: str
    verb: str
    """Of the headless form: ``lxtui image VERB``."""
    key: str
    label: str
    help: str
    tables: tuple[str, ...]
    unavailable: Callable[[Entry], str]
    """Why not to this entry, or an empty text."""
    build: Callable[[Entry, str], OnEntry]
    """Makes the call from the entry and the answer, if anything is asked."""
    asks: str = ""
    """What is asked for; empty for nothing."""
    choices: Callable[[Entry], Sequence[str]] | None = None
    """Of what one is chosen; None where it is typed."""
    confirm: bool = False
    loss: Callable[[Entry], str] = lambda _: ""
    """What a confirmation says beside the question."""
    trouble: Callable[[str], str] = lambda _: ""
    """What is wrong with an answer."""
    to_host: Callable[[Entry, Host, Host], Call] | None = None
    """Makes the call where the answer is another host: from the entry, its host, and that one."""

    def call(self, entry: Entry, answer: str, host_of: Callable[[str], Host | None]) -> Call:
        """What is sent; UsageError where the answer is no host to which it could go."""
        if self.to_host is None:
            return self.build(entry, answer)
        here, there = host_of(entry.ref.host), host_of(answer)
        if here is None or there is None:
            raise UsageError(f"there is no host {answer if there is None else entry.ref.host!r}")
        if here.name == there.name:
            raise UsageError(f"{named(entry)} is on {there.name} already")
        if there.read_only:
            raise UsageError(f"{there.name} {READ_ONLY}")
        if not there.online:
            raise UsageError(f"{there.name} does not answer")
        return self.to_host(entry, here, there)

    def why_not(self, entry: Entry, host: Host | None) -> str:
        """Why it cannot be done, or an empty text."""
        if entry.table not in self.tables:
            return f"{self.label.lower()}: not for {entry.table}"
        if host is not None and host.read_only:
            return f"{host.name} {READ_ONLY}"
        if host is None or not host.online:
            return f"{entry.ref.host} does not answer"
        return self.unavailable(entry)


def named(entry: Entry) -> str:
    """An entry in words: ``image tiny (63390e263a5c)``, ``profile web``."""
    table = BY_ID[entry.table]
    shown = str(table.fields[0].value(entry, None) or entry.ref.name)
    described = text(entry.document.get("description")) or text(entry.document.get("type"))
    if entry.table in {"operations", "warnings"} and described:
        shown += f" ({described})"
    if entry.table == "images" and aliases(entry.document):
        shown += f" ({entry.ref.name[:12]})"
    return words.plain(f"{entry.table.removesuffix('s')} {shown}")


def users_in_words(users: Sequence[Link]) -> str:
    """``3 use it: instance oslo:web1, …``; empty for none."""
    if not users:
        return ""
    first = ", ".join(words.plain(str(one)) for one in users[:_NAMED])
    more = f" and {len(users) - _NAMED} more" if len(users) > _NAMED else ""
    return f"used by {first}{more}"


def _undeletable(entry: Entry) -> str:
    if entry.table in {"profiles", "projects"} and entry.ref.name == "default":
        return f"{named(entry)} cannot be deleted: every host has one"
    if entry.table == "networks" and entry.document.get("managed") is not True:
        return f"{named(entry)} is the host's own: the daemon does not look after it"
    if entry.table == "volumes" and entry.document.get("type") != "custom":
        kind = entry.document.get("type")
        return f"{named(entry)} belongs to its {kind}: it goes with that"
    if entry.table == "images":
        return ""  # what was made of it does not need it
    if entry.table == "projects":
        others = [one for one in entry.users if one.ref.name != "default"]
        return f"{named(entry)} is {said}" if (said := users_in_words(others)) else ""
    if entry.table in {"profiles", "networks", "volumes", "pools"} and entry.users:
        return f"{named(entry)} is {users_in_words(entry.users)}"
    return ""


def _loss(entry: Entry) -> str:
    if entry.table == "images":
        said = users_in_words(entry.users)
        return f"It is {said}.\nThey keep what they have." if said else ""
    snapshots = entry.document.get("snapshots")
    if entry.table == "volumes":
        kept = f"Its {snapshots} snapshots go with it.\n" if snapshots else ""
        return f"{kept}Its data are lost."
    if entry.table == "pools":
        return "Whatever is in it is lost."
    return ""


def _evacuation(entry: Entry) -> str:
    """What becomes of whom."""
    if not entry.users:
        return "No instance is on it."
    those = ", ".join(words.plain(one.ref.name) for one in entry.users[:_NAMED])
    more = f" and {len(entry.users) - _NAMED} more" if len(entry.users) > _NAMED else ""
    return f"{those}{more} go to other members or are stopped,\nas 'cluster.evacuate' of each says."


def _unrefreshable(entry: Entry) -> str:
    source = mapping(entry.document.get("update_source"))
    return "" if source.get("server") else f"{named(entry)} has no source to be refreshed from"


def _has_aliases(entry: Entry) -> str:
    return "" if aliases(entry.document) else f"{named(entry)} has no alias"


def _unacknowledgeable(entry: Entry) -> str:
    state = entry.document.get("status")
    return "" if state == "new" else f"{named(entry)} is {state} already"


def _uncancellable(entry: Entry) -> str:
    if entry.document.get("may_cancel") is not True:
        return f"{named(entry)} cannot be cancelled: the daemon sees it through"
    return ""


def _unevacuable(entry: Entry) -> str:
    state = entry.document.get("status")
    return "" if state == "Online" else f"{named(entry)} is {state}, not online"


def _not_evacuated(entry: Entry) -> str:
    state = entry.document.get("status")
    return "" if state == "Evacuated" else f"{named(entry)} is {state}, not evacuated"


def alias_trouble(alias: str) -> str:
    """Why an image cannot have that alias; empty when it can."""
    if not alias or alias != alias.strip():
        return "an alias has letters, and no blanks around it"
    if any(char in _FORBIDDEN_IN_ALIAS or not char.isprintable() for char in alias):
        return "an alias has none of ? # % & \\"
    if alias.startswith(("-", "/")):
        return "an alias cannot begin with a dash or a slash"
    return ""


def _of(kind: type[OnEntry]) -> Callable[[Entry, str], OnEntry]:
    return lambda entry, _: kind(
        entry.ref, entry.table, BY_ID[entry.table].path(entry), _target(entry)
    )


def _no_call(entry: Entry, _: str) -> OnEntry:
    raise TypeError(f"{entry.table}: the answer is a host")


def _copy_image(entry: Entry, here: Host, there: Host) -> CopyImage:
    known, document = aliases(entry.document), entry.document
    image = HostImage(
        here.name,
        entry.ref.project,
        entry.ref.name,
        known[0] if known else "",
        vm=document.get("type") == "virtual-machine",
        public=document.get("public") is True,
        addresses=here.addresses,
        certificate=here.certificate,
    )
    where = Ref(there.name, entry.ref.project, entry.ref.name)
    return CopyImage(where, image, there.kind, tuple(known))


def _target(entry: Entry) -> str:
    return entry.location if entry.table == "volumes" else ""


DEEDS: tuple[Deed, ...] = (
    Deed(
        "entry-delete",
        "delete",
        "d",
        "Delete",
        "Remove it; what is in use is refused",
        ("images", "profiles", "networks", "volumes", "pools", "projects", "warnings"),
        _undeletable,
        _of(DeleteEntry),
        confirm=True,
        loss=_loss,
    ),
    Deed(
        "image-refresh",
        "refresh",
        "R",
        "Refresh image",
        "Have the host ask the image's source for a newer one",
        ("images",),
        _unrefreshable,
        _of(RefreshImage),
    ),
    Deed(
        "image-copy",
        "copy",
        "y",
        "Copy image",
        "Have another host fetch the image from this one",
        ("images",),
        lambda _: "",
        _no_call,
        asks="host",
        to_host=_copy_image,
    ),
    Deed(
        "alias-add",
        "add-alias",
        "a",
        "Add alias",
        "Give the image one more alias",
        ("images",),
        lambda _: "",
        lambda entry, alias: AddAlias(
            entry.ref, entry.table, ("images", entry.ref.name), "", alias
        ),
        asks="alias",
        trouble=alias_trouble,
    ),
    Deed(
        "alias-remove",
        "remove-alias",
        "A",
        "Remove alias",
        "Take an alias from the image",
        ("images",),
        _has_aliases,
        lambda entry, alias: RemoveAlias(
            entry.ref, entry.table, ("images", entry.ref.name), "", alias
        ),
        asks="alias",
        choices=lambda entry: aliases(entry.document),
    ),
    Deed(
        "warning-acknowledge",
        "acknowledge",
        "a",
        "Acknowledge",
        "Say that the warning was read",
        ("warnings",),
        _unacknowledgeable,
        _of(AcknowledgeWarning),
    ),
    Deed(
        "operation-cancel",
        "cancel",
        "c",
        "Cancel",
        "Have the host give the operation up",
        ("operations",),
        _uncancellable,
        _of(CancelOperation),
        confirm=True,
        loss=lambda _: "What it has done so far may stay.",
    ),
    Deed(
        "member-evacuate",
        "evacuate",
        "e",
        "Evacuate member",
        "Have the cluster move or stop what runs on it, and place nothing there",
        ("members",),
        _unevacuable,
        _of(EvacuateMember),
        confirm=True,
        loss=_evacuation,
    ),
    Deed(
        "member-restore",
        "restore",
        "b",
        "Restore member",
        "Take it into use again, and bring back what was moved away",
        ("members",),
        _not_evacuated,
        _of(RestoreMember),
        confirm=True,
        loss=lambda _: "What was moved away comes back.",
    ),
)
DEEDS_BY_ID = {deed.id: deed for deed in DEEDS}


EDITABLE = frozenset({"profiles", "networks", "pools", "projects"})
"""Tables whose entries have a configuration of their own."""


def editable(entry: Entry) -> Editable | None:
    """What is edited of an entry; None where there is nothing."""
    if entry.table not in EDITABLE:
        return None
    if entry.table == "profiles":
        return of_profile(*entry.ref)
    if entry.table == "networks" and entry.document.get("managed") is not True:
        return None
    return of_other(entry.ref, BY_ID[entry.table].noun)


def deeds_of(table: str) -> list[Deed]:
    """What can be done to the entries of a table."""
    return [deed for deed in DEEDS if table in deed.tables]
