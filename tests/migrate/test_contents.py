"""The comparison of files, and what the next pass is made to look into, on files in memory."""

from __future__ import annotations

import stat
from collections.abc import Sequence

import pytest

from lxtui.migrate.contents import Comparison, Window, doubt
from lxtui.model import FileEntry

DIR, FILE, LINK = stat.S_IFDIR | 0o755, stat.S_IFREG | 0o644, stat.S_IFLNK | 0o777


class Tree:
    """Files in memory: path → entry and content."""

    def __init__(self, files: dict[bytes, tuple[int, bytes]]) -> None:
        self.files = {
            path: FileEntry(path.rpartition(b"/")[2], mode, 0, 0, len(content), 100)
            for path, (mode, content) in files.items()
        }
        self.contents = {path: content for path, (_, content) in files.items()}
        self.dated: dict[bytes, int] = {}
        self.listed: list[tuple[bytes, int]] = []

    def entries(self, folder: bytes, most: int = 0) -> list[FileEntry]:
        """Everything in *folder*; a real server stops somewhere beyond *most*."""
        self.listed.append((folder, most))
        head = folder.rstrip(b"/")
        return [one for path, one in self.files.items() if path.rpartition(b"/")[0] == head]

    def links(self, paths: Sequence[bytes]) -> list[bytes]:
        """Where each link points to."""
        return [self.contents[path] for path in paths]

    def set_times(self, paths: Sequence[bytes], seconds: int) -> None:
        """Note what was dated."""
        self.dated |= dict.fromkeys(paths, seconds)

    def digests(self, files: Sequence[tuple[bytes, int]]) -> list[bytes]:
        """The content itself is as good as a sum."""
        return [self.contents[path] for path, _ in files]

    def heads(self, paths: Sequence[bytes], most: int) -> list[bytes]:
        """The beginning of each."""
        return [self.contents.get(path, b"")[:most] for path in paths]


def _tree(**changes: tuple[int, bytes]) -> Tree:
    files = {b"/d": (DIR, b""), b"/d/f": (FILE, b"one"), b"/d/l": (LINK, b"f"), b"/e": (FILE, b"")}
    named = {f"/{name.replace('_', '/')}".encode(): value for name, value in changes.items()}
    return Tree({**files, **named})


def _compare(one: Tree, other: Tree) -> tuple[str, ...]:
    return Comparison(lambda: None, lambda *_: None).run(one, other)


def test_equal_trees_have_no_difference() -> None:
    """Two trees with the same files compare as equal."""
    assert _compare(_tree(), _tree()) == ()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"d_f": (FILE, b"two")}, "/d/f has another content"),
        ({"d_f": (FILE, b"longer")}, "/d/f has another size"),
        ({"d_f": (stat.S_IFREG | 0o600, b"one")}, "/d/f has other permissions"),
        ({"d_l": (LINK, b"g")}, "/d/l points elsewhere"),
        ({"e": (DIR, b"")}, "/e is of another type"),
        ({"d_n": (FILE, b"")}, "/d/n is only on the target"),
    ],
)
def test_each_difference_is_named_by_its_path(
    changed: dict[str, tuple[int, bytes]], said: str
) -> None:
    """What differs is said with the path, whatever it is."""
    assert _compare(_tree(), _tree(**changed)) == (said,)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"d_f": (FILE, b"two")}, ()),
        ({"d_f": (FILE, b"longer")}, ("/d/f has another size",)),
        ({"d_l": (LINK, b"g")}, ("/d/l points elsewhere",)),
    ],
)
def test_without_content_the_size_has_to_do(
    changed: dict[str, tuple[int, bytes]], said: tuple[str, ...]
) -> None:
    """Without their content files are compared all the same, and none is read."""
    other = _tree(**changed)
    other.digests = None  # type: ignore[assignment,method-assign]
    counted: list[int] = []
    comparison = Comparison(lambda: None, lambda files, _: counted.append(files), content=False)
    assert comparison.run(_tree(), other) == said
    assert counted[-1] == 2 - sum("size" in one for one in said)


def test_many_differences_are_cut_short_and_hostile_names_are_escaped() -> None:
    """At most a few paths are named, and a name cannot write to the terminal."""
    many = Tree({b"/\x1b[2J\xff%d" % number: (FILE, b"") for number in range(50)})
    found = _compare(Tree({}), many)
    assert len(found) == 5
    assert all(one.isprintable() for one in found)


def test_files_changed_within_a_window_are_dated_back() -> None:
    """The next pass looks into files that changed in a window, and into no folder or link."""
    tree = _tree()
    found = doubt(tree, [Window(200), Window(99, 101)], lambda: None, since=101)
    assert tree.dated == {b"/d/f": 1, b"/e": 1}
    assert (found.files, found.settling) == (2, 3)
    tree = _tree()
    assert doubt(tree, [Window(101)], lambda: None).files == 0
    assert tree.dated == {}


def test_the_work_can_be_ended() -> None:
    """A check that raises ends both, in the middle."""

    def end() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        doubt(_tree(), [Window(0)], end)
    with pytest.raises(InterruptedError):
        Comparison(end, lambda *_: None).run(_tree(), _tree())


def _look(one: Tree, other: Tree, seconds: float) -> tuple[str, ...]:
    silent = Comparison(lambda: None, lambda *_: None, content=False, seconds=seconds)
    return silent.run(one, other)


def test_a_short_look_begins_at_the_root() -> None:
    """In limited time what is nearest to the root comes first, whatever is below it."""
    files = {b"/a": (DIR, b""), b"/a/deep": (DIR, b""), b"/b": (DIR, b"")}
    tree = Tree(files)
    assert _look(tree, Tree(files), 60.0) == ()
    assert [folder for folder, _ in tree.listed] == [b"/", b"/a", b"/b", b"/a/deep"]
    assert _look(_tree(), _tree(d_f=(FILE, b"longer")), 60.0) == ("/d/f has another size",)


def test_a_short_look_ends() -> None:
    """When the time is over nothing more is listed, and a folder without an end is left out."""
    tree = _tree()
    assert _look(tree, _tree(), 1e-9) == ()
    assert tree.listed == []
    many = {b"/m": (DIR, b"")} | {b"/m/%d" % i: (FILE, b"") for i in range(1001)}
    fewer = {path: one for path, one in many.items() if path != b"/m/5"}
    assert _look(Tree(many), Tree(fewer), 60.0) == ()
    assert _compare(Tree(many), Tree(fewer)) == ("/m/5 is only on the source",)
