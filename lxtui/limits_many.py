"""The same limits for several instances: what would be changed of each.

Role: wishes and instances → a Bulk of edits, each with the document that it is made from. Boundary:
gets a reader of documents; changes nothing. Threading: waits for the hosts, several at once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from lxtui.actions import BY_ID, Selection
from lxtui.api import Document, Path
from lxtui.bulk import Bulk
from lxtui.calls.documents import PutDocument
from lxtui.commands import Many
from lxtui.editing.documents import changes, of_instance
from lxtui.errors import LxtuiError, UsageError
from lxtui.limits import FIELDS
from lxtui.limits_read import read_limits
from lxtui.model import Host, Instance, Ref

Read = Callable[[str, Path, Mapping[str, str]], Document]
"""What a path of a host's API answers; raises LxtuiError."""
PROFILES = "-"
"""Written into a field: what the profiles say."""
_AT_ONCE = 8


def wishes_of(fields: Mapping[str, str]) -> dict[str, str]:
    """What is wished for; an empty field leaves things as they are.

    UsageError for what is wrong.
    """
    wishes: dict[str, str] = {}
    for field in FIELDS:
        value = fields.get(field.id, "").strip()
        if not value:
            continue
        if value != PROFILES and (trouble := field.trouble(value)):
            raise UsageError(f"{field.label}: {value!r}: {trouble}")
        wishes[field.id] = "" if value == PROFILES else value
    return wishes


def plan(
    wishes: Mapping[str, str],
    marked: Sequence[Instance],
    hosts: Callable[[str], Host | None],
    read: Read,
    gone: Collection[Ref] = (),
) -> Bulk:
    """What that would change; who has it already, and who cannot have it, is left out and why."""
    action = BY_ID["limits"]
    left_out = dict.fromkeys(sorted(gone), "it is no longer there")

    def look(one: Instance) -> PutDocument | str:
        host = hosts(one.ref.host)
        if host is None:
            return f"there is no host {one.ref.host}"
        if reason := action.why_not(Selection(host, one)):
            return reason
        what = of_instance(one.ref)
        try:
            limits, document = read_limits(what, lambda path, given: read(host.name, path, given))
            after = limits.changed(wishes)
        except LxtuiError as error:
            return str(error)
        if not changes(limits.before, after):
            return "it has these limits already"
        return PutDocument(what, document, after)

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="limits") as pool:
        found = list(pool.map(look, marked))
    commands: list[PutDocument] = []
    lines: list[str] = []
    for one, command in zip(marked, found, strict=True):
        if isinstance(command, str):
            left_out[one.ref] = command
            continue
        host = hosts(one.ref.host)
        if host is not None:
            commands.append(command)
            lines.append(f"{one.ref}  {command.equivalent(host.kind)}")
    many = Many(tuple(commands), f"limits of {len(commands)} instances")
    return Bulk(action, many, tuple(lines), left_out)
