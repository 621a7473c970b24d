"""The exchange of names, where a copy takes the place of its original in the same project.

Role: the original gives up its name and its addresses, the copy takes them; and both ways back.
Which of the two is which is said by their marks, whatever they are called. Boundary: one backend
and a journal. Threading: blocks its caller.

Daemons allow an address once in a network, and a rename gives an instance another identity for
cloud-init (LXD 5.0.2, Incus 6.0.4): so the addresses and that identity are noted in the journal
first, and set by hand. A MAC address that is taken away is replaced by another at once: a daemon
keeps the old one where it is only left out.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from lxtui.backend.base import Backend
from lxtui.errors import NotFoundError, OperationError
from lxtui.migrate import INCOMING, MARK
from lxtui.migrate.ends import halt
from lxtui.migrate.facts import is_address, without_addresses
from lxtui.migrate.journal import Header, Journal
from lxtui.model import Instance, Ref

IDENTITY = "identity"
"""Note in the journal: what the source had before it gave it up."""
_TEMPLATE = "volatile.apply_template"
"""Set by a rename: which of the image's templates the next start writes."""
_CLOUD_INIT = "volatile.cloud-init.instance-id"


@dataclass(frozen=True, slots=True)
class Identity:
    """What an instance is known by to others, its name aside."""

    config: Mapping[str, str]
    """MAC addresses that the daemon made, and what cloud-init knows it by."""
    addresses: Mapping[str, Mapping[str, str]]
    """Addresses that its own devices were given."""
    template: str | None

    @classmethod
    def of(cls, instance: Instance) -> Identity:
        """What *instance* has now."""
        return cls(
            {
                key: one
                for key, one in instance.config.items()
                if key == _CLOUD_INIT or _is_mac(key)
            },
            {
                name: {key: one for key, one in device.items() if is_address(device, key)}
                for name, device in instance.devices.items()
            },
            instance.config.get(_TEMPLATE),
        )

    def written(self) -> str:
        """The identity as the journal keeps it."""
        return json.dumps([dict(self.config), {**self.addresses}, self.template])

    @classmethod
    def read(cls, written: str) -> Identity:
        """The identity of ``written``."""
        return cls(*json.loads(written))


def yield_name(journal: Journal, backend: Backend) -> None:
    """Have the source give up its addresses and its name; may be taken twice."""
    header = journal.record.header
    original, _ = find(backend, header)
    if original is None:
        raise _gone(header)
    if original == header.parked:
        return
    if IDENTITY not in journal.record.notes:
        journal.note(IDENTITY, Identity.of(backend.instance(original)).written())
    _shed(backend, original)
    backend.wait(backend.rename_instance(original, header.parked.name))


def assume_name(journal: Journal, backend: Backend) -> None:
    """Give the copy the name and the addresses that the source has given up; may be taken twice."""
    header = journal.record.header
    identity = Identity.read(journal.record.notes[IDENTITY])
    if find(backend, header)[1] == header.copy:
        backend.wait(backend.rename_instance(header.copy, header.source.name))
    _wear(backend, header.source, identity, {})  # after the rename, which makes a new identity


def stop_copy(backend: Backend, header: Header) -> None:
    """Stop the copy by force, whatever it is called now."""
    if (copy := find(backend, header)[1]) is not None:
        halt(backend, copy, force=True, seconds=0)


def give_back(journal: Journal, backend: Backend) -> bool:
    """Give both their first names and addresses back; may be taken twice.

    False, and nothing is changed, when there is no original any more.
    """
    header = journal.record.header
    original, copy = find(backend, header)
    if original is None:
        return False
    if IDENTITY not in journal.record.notes:
        return True
    identity = Identity.read(journal.record.notes[IDENTITY])
    if copy == header.source:
        _shed(backend, copy)
        backend.wait(backend.rename_instance(copy, header.copy.name))
    if original == header.parked:
        backend.wait(backend.rename_instance(original, header.source.name))
    _wear(backend, header.source, identity, {_TEMPLATE: identity.template})
    return True


def find(backend: Backend, header: Header) -> tuple[Ref | None, Ref | None]:
    """Where the original and the copy are; None for one that is not there."""
    original = copy = None
    for ref in (header.source, header.parked, header.copy):
        try:
            config = backend.instance(ref).config
        except NotFoundError:
            continue
        if config.get(MARK) == header.token:
            if INCOMING in config:
                copy = ref
            else:
                original = ref
    return original, copy


def put_back(journal: Journal, backend: Backend) -> None:
    """``give_back`` for a move that goes on; OperationError when there is no original."""
    header = journal.record.header
    if not give_back(journal, backend):
        raise _gone(header)


def _gone(header: Header) -> OperationError:
    return OperationError(
        f"{header.source} was deleted or renamed by somebody else, or its mark taken off"
    )


def _shed(backend: Backend, ref: Ref) -> None:
    """Take the addresses of *ref* away."""
    now = backend.instance(ref)
    fresh: dict[str, str | None] = {
        key: f"{one[:8]}:{secrets.token_bytes(3).hex(':')}"  # of the same vendor
        for key, one in now.config.items()
        if _is_mac(key)
    }
    backend.reconfigure(ref, fresh, without_addresses(now.devices))


def _wear(backend: Backend, ref: Ref, identity: Identity, more: Mapping[str, str | None]) -> None:
    devices = {
        name: {**device, **identity.addresses.get(name, {})}
        for name, device in backend.instance(ref).devices.items()
    }
    backend.reconfigure(ref, {**identity.config, **more}, devices)


def _is_mac(key: str) -> bool:
    return key.startswith("volatile.") and key.endswith(".hwaddr") and ".last_state." not in key
