"""Changes that may have been carried out before, by a server that was killed over them."""

from types import SimpleNamespace
from typing import cast

import pytest

from lxfs.drivers.native import protocol
from lxfs.drivers.native.changing import Changes, Telling
from lxfs.drivers.native.memory import Memory, create
from lxfs.tree import Tree

UNIQUE = 4242


def _changes(memory: Memory, said: list[bool]) -> Changes:
    def make(_path: str, _mode: int, _pid: int, _uid: int, *, again: bool) -> None:
        said.append(again)
        raise BrokenPipeError  # killed, as far as anybody can tell

    tree = cast("Tree", SimpleNamespace(make=make, remove=None))
    nodes = SimpleNamespace(child=lambda *_: "/cgroup/memory/x")
    return Changes(tree, memory, cast("Telling", SimpleNamespace(nodes=nodes)))


def _mkdir(changes: Changes, unique: int) -> None:
    body = protocol.MKDIR_IN.pack(0o755, 0o022) + b"x\0"
    request = memoryview(bytes(protocol.IN.size) + body)
    with pytest.raises(BrokenPipeError):
        changes.mkdir(request, len(request), 1, 1, 0, unique)


def test_a_successor_knows_what_was_begun() -> None:
    """The first to make a directory is told that it is, the next one for the same request not."""
    memory = Memory(create())
    memory.slot(3).unique[0] = UNIQUE
    said: list[bool] = []
    _mkdir(_changes(memory, said), UNIQUE)
    _mkdir(_changes(Memory(memory.descriptor), said), UNIQUE)
    memory.slot(3).unique[0] = UNIQUE + 2
    _mkdir(_changes(memory, said), UNIQUE + 2)
    assert said == [False, True, False]


def test_what_is_sent_again_may_be_done() -> None:
    """Of a request whose record was lost nobody can say that it was not carried out."""
    memory = Memory(create())
    memory.slot(0).unique[0] = UNIQUE | protocol.RESENT
    said: list[bool] = []
    _mkdir(_changes(memory, said), UNIQUE | protocol.RESENT)
    assert said == [True]
