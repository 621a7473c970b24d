"""Handles that go from one process to the next, as a driver hands them over."""

import errno
import os
from pathlib import Path

import pytest

from lxfs.handle import Handle
from lxfs.model import Container
from lxfs.tree import Tree
from lxfs.world import World
from tests.fixtures import MEMBER, V2, fixture_host
from tests.fixtures.numa import limit, numa_host

ONLINE = "/sys/devices/system/cpu/online"


def _successor(tree: Tree, handle: Handle, text: bytes | None = None) -> tuple[Tree, Handle]:
    """Return another process's tree over the same host, and its handle in the other's place."""
    after = Tree(tree._world)
    return after, after.adopted(handle.path, handle.container, handle.end, text)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A tree over the synthesised v2 host."""
    return Tree(World.of(fixture_host(V2, tmp_path)))


def test_a_file_read_in_two_processes_is_one_text(tree: Tree) -> None:
    """The next piece is of the text that the first piece was of, however that has changed."""
    handle = tree.opened("/proc/meminfo", os.O_RDONLY, MEMBER, 0)
    first = tree.part(handle, 10, 0)
    assert handle.text is not None
    changed = handle.text.replace(b"kB", b"XX")
    after, adopted = _successor(tree, handle, changed)
    assert first + after.part(adopted, 1 << 20, 10) == first + changed[10:]
    assert after.part(adopted, 100, len(changed)) == b""
    assert after.part(adopted, 1 << 20, 0) == handle.text


def test_the_end_of_a_whole_file_needs_no_text(tree: Tree) -> None:
    """Who has read all of it in one process is told so by the next, which renders nothing."""
    handle = tree.opened("/proc/meminfo", os.O_RDONLY, MEMBER, 0)
    whole = tree.part(handle, 1 << 20, 0)
    after, adopted = _successor(tree, handle)
    adopted.container = Container(1, 999999, 0)  # whose figures nobody could have
    assert after.part(adopted, 100, len(whole)) == b""
    with pytest.raises(OSError, match=r".") as caught:
        after.part(adopted, 100, 0)
    assert caught.value.errno == errno.ESRCH


def test_adopted_handles_count(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a container has open counts for it in the next process, too."""
    monkeypatch.setattr("lxfs.tree._MAX_HANDLES", 1)
    handle = tree.opened("/proc/meminfo", os.O_RDONLY, MEMBER, 0)
    after, adopted = _successor(tree, handle, b"text")
    with pytest.raises(OSError, match=r".") as caught:
        after.opened("/proc/meminfo", os.O_RDONLY, MEMBER, 0)
    assert caught.value.errno == errno.ENFILE
    after.closed(adopted)
    after.opened("/proc/meminfo", os.O_RDONLY, MEMBER, 0)
    assert after._kept == 0


def test_files_of_sys_are_found_when_they_are_read(tmp_path: Path) -> None:
    """A file of a mirrored directory is the container's in the next process, or not there."""
    tree = Tree(World.of(numa_host(tmp_path)))
    limit(tmp_path, "0-1", mems="0")
    handle = tree.opened(ONLINE, os.O_RDONLY, MEMBER, 0)
    after, adopted = _successor(tree, handle)
    assert after.part(adopted, 100, 0) == tree.part(handle, 100, 0) == b"0-1\n"
    gone = after.adopted(f"{ONLINE}s", handle.container, None, None)
    with pytest.raises(FileNotFoundError):
        after.part(gone, 100, 0)
