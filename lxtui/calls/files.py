"""Commands about the files of an instance.

Role: pull, push, make a folder, remove; what each says of itself. They are more than one request:
lxtui/files carries them out. Boundary: pure. Threading: values.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from lxtui import format as text
from lxtui.calls.base import Work
from lxtui.files.paths import joined, last
from lxtui.files.tree import MOST_FILES
from lxtui.model import CLI, Kind, Ref


def _where(ref: Ref, path: bytes) -> str:
    """As the command lines write it."""
    return _quoted(os.fsencode(f"{ref.host.partition('@')[0]}:{ref.name}") + path)


def _quoted(path: bytes | Path) -> str:
    """A word of a command line, whatever bytes are in it."""
    data = os.fsencode(path)
    written = data.decode(errors="backslashreplace")
    if written.isprintable() and os.fsencode(written) == data:
        return shlex.quote(written)
    harmless = range(ord(" "), ord("~"))
    shown = "".join(
        chr(one) if one in harmless and chr(one) not in "'\\" else f"\\x{one:02x}" for one in data
    )
    return f"$'{shown}'"


def _project(ref: Ref) -> str:
    return "" if ref.project == "default" else f" --project {ref.project}"


def _names(paths: tuple[bytes, ...]) -> str:
    """One by its path, several by how many they are."""
    return text.path(paths[0]) if len(paths) == 1 else f"{len(paths)} files"


@dataclass(frozen=True, slots=True)
class Pull(Work):
    """Copy files and directories of an instance to this machine."""

    changes: ClassVar[bool] = False
    ref: Ref
    sources: tuple[tuple[bytes, bytes], ...]
    """Each path inside, and what it is to be called here."""
    folder: Path
    """Where to; it has to be there."""
    recursive: bool = False
    links: bool = False
    """Take symbolic links along, as links; else they are left out."""
    force: bool = False
    """Replace what is there."""
    keep_mode: bool = False
    """Give files the permissions that they have inside."""
    most: int = MOST_FILES

    @property
    def title(self) -> str:
        """A line for the operations pane."""
        what = _names(tuple(path for path, _ in self.sources))
        return f"pull {what} of {self.ref} to {text.path(os.fsencode(self.folder))}"

    def mode(self, inside: int, usual: int) -> int:
        """The permissions here: what is usual, or those inside; never setuid."""
        return inside & 0o777 if self.keep_mode else usual

    def equivalent(self, kind: Kind) -> str:
        """The same with the host's own command line."""
        paths = " ".join(_where(self.ref, path) for path, _ in self.sources)
        target = os.fsencode(self.folder)
        if len(self.sources) == 1 and self.sources[0][1] != last(self.sources[0][0]):
            target = joined(target, self.sources[0][1])
        how = " -r" if self.recursive else ""
        return f"{CLI[kind]} file pull{how} {paths} {_quoted(target)}{_project(self.ref)}"


@dataclass(frozen=True, slots=True)
class Push(Work):
    """Copy files and directories of this machine into an instance."""

    ref: Ref
    sources: tuple[Path, ...]
    to: bytes
    """Where to; with a slash at its end, or where a directory is, below it."""
    recursive: bool = False
    parents: bool = False
    """Make the directories on the way."""
    uid: int | None = None
    """Whose it becomes, inside; None: that of what is replaced, else root's."""
    gid: int | None = None
    file_mode: int | None = None
    """None: that of what is replaced, else that here, never setuid."""
    links: bool = False
    force: bool = False
    most: int = MOST_FILES

    @property
    def title(self) -> str:
        """A line for the operations pane."""
        what = _names(tuple(os.fsencode(one) for one in self.sources))
        return f"push {what} to {self.ref}{text.path(self.to)}"

    def equivalent(self, kind: Kind) -> str:
        """The same with the host's own command line, which has no owner for directories."""
        words = [" -r"] if self.recursive else [f" --uid {self.uid or 0} --gid {self.gid or 0}"]
        if self.file_mode is not None and not self.recursive:
            words.append(f" --mode {self.file_mode:04o}")
        if self.parents:
            words.append(" -p")
        paths = " ".join(map(_quoted, self.sources))
        target = _where(self.ref, self.to)
        return f"{CLI[kind]} file push{''.join(words)} {paths} {target}{_project(self.ref)}"


@dataclass(frozen=True, slots=True)
class MakeFolder(Work):
    """Make a directory inside an instance."""

    ref: Ref
    path: bytes
    parents: bool = False
    folder_mode: int = 0o755
    uid: int = 0
    gid: int = 0

    @property
    def title(self) -> str:
        """A line for the operations pane."""
        return f"make {text.path(self.path)} in {self.ref}"

    def equivalent(self, kind: Kind) -> str:
        """The same with the host's own command line; lxc needs a program of the instance."""
        if kind is Kind.INCUS:
            how = f"--type directory --mode {self.folder_mode:04o}"
            owner = f" --uid {self.uid} --gid {self.gid}"
            parents = " -p" if self.parents else ""
            return (
                f"incus file create {how}{owner}{parents} {_where(self.ref, self.path)}"
                f"{_project(self.ref)}"
            )
        parents = "-p " if self.parents else ""
        inner = f" -- mkdir {parents}-m {self.folder_mode:04o} {_quoted(self.path)}"
        return self.ref.command("lxc exec") + inner


@dataclass(frozen=True, slots=True)
class RemoveFiles(Work):
    """Remove files and directories of an instance."""

    ref: Ref
    paths: tuple[bytes, ...]
    recursive: bool = False
    most: int = MOST_FILES

    @property
    def title(self) -> str:
        """A line for the operations pane."""
        return f"remove {_names(self.paths)} of {self.ref}"

    def equivalent(self, kind: Kind) -> str:
        """The same with the host's own command line; of a tree with a program of the instance."""
        if self.recursive:
            inner = " -- rm -r " + " ".join(map(_quoted, self.paths))
            return self.ref.command(f"{CLI[kind]} exec") + inner
        paths = " ".join(_where(self.ref, path) for path in self.paths)
        return f"{CLI[kind]} file delete {paths}{_project(self.ref)}"
