"""One deed on many entries: what would be done to each, and who is left out.

Role: for entries what ``bulk.plan`` is for instances. Boundary: pure. Threading: functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from lxtui.actions import Action
from lxtui.bulk import Bulk
from lxtui.calls.base import Call
from lxtui.commands import Many
from lxtui.errors import UsageError
from lxtui.model import Host, Ref
from lxtui.resources.catalog import BY_ID
from lxtui.resources.deeds import Deed, named
from lxtui.resources.entry import Entry


def plan(
    deed: Deed, entries: Iterable[Entry], host_of: Callable[[str], Host | None], answer: str = ""
) -> Bulk:
    """What *deed* would do to each of these."""
    left_out: dict[Ref, str] = {}
    calls: list[Call] = []
    lines: list[str] = []
    warnings: list[str] = []
    noun = "entry"
    for one in entries:
        noun = BY_ID[one.table].id.removesuffix("s")
        host = host_of(one.ref.host)
        reason = deed.why_not(one, host)
        if reason or host is None:
            left_out[one.ref] = reason
            continue
        try:
            call = deed.call(one, answer, host_of)
        except UsageError as error:
            left_out[one.ref] = str(error)
            continue
        calls.append(call)
        lines.append(f"{one.ref.host}: {named(one)}  {call.equivalent(host.kind)}")
        if loss := deed.loss(one):
            warnings.append(f"{one.ref.host}: {named(one)}: {' '.join(loss.splitlines())}")
    command = Many(tuple(calls), f"{deed.label.lower()} {len(calls)} {noun}s")
    action = Action(deed.id, deed.key, deed.label, deed.help, lambda _: "")
    return Bulk(action, command, tuple(lines), left_out, tuple(warnings), noun)
