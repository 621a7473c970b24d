"""What a caller may do to a cgroup's files, as the kernel would decide it.

Role: owner, group, mode, and the capabilities that hold in the caller's user namespace.
Boundary: the texts of /proc/PID/status and the id maps in, yes or no out; reads nothing.
Threading: immutable.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import astuple, dataclass

CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER = 0, 1, 2, 3
CAP_SYS_ADMIN = 21
"""Of include/uapi/linux/capability.h."""

_MAX_GROUPS = 64
_MAX_EXTENTS = 16
"""Of an id map, and of groups: who has more has them for nothing. The kernel allows 340 of them."""

Extents = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Rights:
    """A caller as the host numbers it: ids, effective capabilities, and where those hold.

    ``uids`` and ``gids`` are its user namespace's maps: first id inside, first id of the host,
    how many. ``is_host`` says whether that namespace is the host's own.
    """

    uid: int
    gid: int
    groups: tuple[int, ...]
    capabilities: int
    uids: Extents
    gids: Extents
    is_host: bool

    @classmethod
    def of(
        cls, uid: int, status: bytes, uid_map: bytes, gid_map: bytes, *, is_host: bool
    ) -> "Rights":
        """Return those of a thread; ``uid`` is what the request says.

        Raises ``ValueError`` for texts of another shape. Where the request was made with other
        credentials than the thread's (a kernel thread acts for it), the id alone counts.
        """
        fields = {
            name: rest.split()
            for name, _, rest in (line.partition(b":") for line in status.split(b"\n"))
            if name in (b"Uid", b"Gid", b"Groups", b"CapEff")
        }
        try:
            if int(fields[b"Uid"][3]) != uid:
                return cls(uid, -1, (), 0, (), (), is_host)
            return cls(
                uid,
                int(fields[b"Gid"][3]),
                tuple(map(int, fields.get(b"Groups", [])[:_MAX_GROUPS])),
                int(fields[b"CapEff"][0], 16),
                _extents(uid_map),
                _extents(gid_map),
                is_host,
            )
        except (KeyError, IndexError) as error:
            raise ValueError(f"expected Uid, Gid and CapEff in {status[:40]!r}") from error

    def has(self, capability: int, uid: int, gid: int) -> bool:
        """Return whether a capability holds over what these own: both must be mapped.

        (kernel/capability.c, capable_wrt_inode_uidgid.)
        """
        held = bool(self.capabilities >> capability & 1)
        return held and _is_mapped(self.uids, uid) and _is_mapped(self.gids, gid)

    @property
    def is_admin(self) -> bool:
        """Whether the kernel's ``capable(CAP_SYS_ADMIN)`` is true of it."""
        return self.is_host and bool(self.capabilities >> CAP_SYS_ADMIN & 1)

    def may(self, wanted: int, attributes: os.stat_result) -> bool:
        """Return whether R_OK, W_OK and X_OK of access(2) are granted (fs/namei.c)."""
        uid, gid, mode = attributes.st_uid, attributes.st_gid, attributes.st_mode
        if uid == self.uid:
            mode >>= 6
        elif gid == self.gid or gid in self.groups:
            mode >>= 3
        if not wanted & ~mode & 7:
            return True
        if self.has(CAP_DAC_OVERRIDE, uid, gid):
            return True
        return not wanted & os.W_OK and self.has(CAP_DAC_READ_SEARCH, uid, gid)

    def owns(self, attributes: os.stat_result) -> bool:
        """Return whether it may change the mode (fs/inode.c, inode_owner_or_capable)."""
        if attributes.st_uid == self.uid:
            return True
        held = bool(self.capabilities >> CAP_FOWNER & 1)
        return held and _is_mapped(self.uids, attributes.st_uid)

    def may_give(self, attributes: os.stat_result, uid: int | None, gid: int | None) -> bool:
        """Return whether it may change owner and group to these (fs/attr.c)."""
        if self.has(CAP_CHOWN, attributes.st_uid, attributes.st_gid):
            return True
        owner = attributes.st_uid == self.uid
        if uid is not None and not (owner and uid == attributes.st_uid):
            return False
        if gid is None:
            return True
        return owner and gid in (attributes.st_gid, self.gid, *self.groups)

    def dump(self) -> object:
        """Return what JSON can say, and ``load`` takes."""
        return astuple(self)

    @classmethod
    def load(cls, said: Sequence[object]) -> "Rights":
        """Return what ``dump`` was made of. Raises ``TypeError`` and ``ValueError``."""
        uid, gid, groups, capabilities, uids, gids, is_host = json.loads(json.dumps(said))
        extents = _tuples(uids), _tuples(gids)
        return cls(uid, gid, tuple(groups), capabilities, *extents, bool(is_host))


def needs_none(wanted: int, mode: int) -> bool:
    """Return whether a mode grants something to owner, group and all others, whoever asks."""
    return all(mode >> shift & wanted == wanted for shift in (6, 3, 0))


def _tuples(said: Sequence[Sequence[int]]) -> Extents:
    return tuple((first, outside, count) for first, outside, count in said)


def _extents(text: bytes) -> Extents:
    lines = [line.split() for line in text.splitlines()[:_MAX_EXTENTS]]
    return _tuples([[int(word) for word in line] for line in lines])


def _is_mapped(extents: Extents, number: int) -> bool:
    return any(outside <= number < outside + count for _, outside, count in extents)
