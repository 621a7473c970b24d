"""Replacing a document, if it is still the one that was read.

Role: an edited document with the ETag of what it was made from. Boundary: pure. Threading: values.
"""

from __future__ import annotations

from dataclasses import dataclass

from lxtui.api import Document, Request
from lxtui.calls.base import Call
from lxtui.editing.documents import Editable, Json, body, changes, shown
from lxtui.editing.equivalents import commands
from lxtui.model import Devices, Kind, Ref


@dataclass(frozen=True, slots=True, eq=False)  # by identity: documents cannot be hashed
class PutDocument(Call):
    """Replace what a person may change of an object; ConflictError when somebody else has."""

    what: Editable
    before: Document
    after: Json

    @property
    def ref(self) -> Ref:  # type: ignore[override]  # read-only, as in a frozen value
        """What it is about."""
        return self.what.ref

    @property
    def title(self) -> str:
        """A line for the operations pane: what changes, without values."""
        changed = changes(shown(self.what, self.before.value), self.after)
        return f"change {', '.join(changed) or 'nothing'} of {self.what.title}"

    def lines(self, kind: Kind) -> tuple[str, ...]:
        """The same with the host's own command line."""
        before = shown(self.what, self.before.value)
        return commands(kind, self.what, before, self.after, self._inherited)

    def equivalent(self, kind: Kind) -> str:
        """The same in one line."""
        return " && ".join(self.lines(kind))

    @property
    def request(self) -> Request:
        """What is sent."""
        sent = body(self.what, self.before.value, self.after)
        return Request("put", self.what.path, self.what.parameters, sent, self.before.etag)

    @property
    def _inherited(self) -> Devices:
        value = self.before.value
        found = value.get("expanded_devices") if isinstance(value, dict) else None
        devices: Devices = shown(self.what, {"devices": found}).get("devices", {})
        return devices
