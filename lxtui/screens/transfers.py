"""The dialogs of pulling, pushing and making directories.

Role: where to, how; the command line that would do the same. Boundary: answers with commands.
Threading: the screen's.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence

from lxtui import format as text
from lxtui.calls.files import MakeFolder, Pull, Push
from lxtui.commands import Command
from lxtui.errors import UsageError
from lxtui.files.listing import Line
from lxtui.files.paths import Kind as FileKind
from lxtui.files.paths import joined, name_trouble, normal, number, permissions
from lxtui.files.places import local_path, pull_names
from lxtui.model import Kind, Ref
from lxtui.screens.forms import Field, LocalPaths, here
from lxtui.screens.working import WorkDialog

Submit = Callable[[Command], int]


class PullDialog(WorkDialog):
    """Files of an instance to this machine."""

    title_ = "pull"
    verb = "pulls"

    def __init__(
        self,
        ref: Ref,
        folder: bytes,
        lines: Sequence[Line],
        kind: Kind,
        submit: Submit,
        cancel_job: Callable[[int], None],
        begun: Callable[[int], None],
    ) -> None:
        super().__init__(kind, submit, cancel_job, begun)
        self._ref = ref
        self._paths = [joined(folder, one.entry.name) for one in lines]
        # A link may lead to a directory.
        self._recursive = any(one.kind in {FileKind.FOLDER, FileKind.LINK} for one in lines)

    def question(self) -> str:
        """What, of which instance."""
        return f"Pull {_what(self._paths)} of {self._ref} to this machine"

    def fields(self) -> Sequence[Field]:
        """Where to."""
        told = "a directory, or a path that is not there yet"
        return (Field("to", "to", here(), told, LocalPaths()),)

    def boxes(self) -> Sequence[tuple[str, str]]:
        """How."""
        return (
            ("links", "symbolic links, as links (else they are left out)"),
            ("keep-mode", "permissions as inside (else 0600 and 0700)"),
            ("force", "replace what is there"),
        )

    def meaning(self, said: Mapping[str, str], ticked: frozenset[str]) -> Pull:
        """What is meant."""
        if not said["to"].strip():
            raise UsageError("say where to")
        folder, sources = pull_names(self._ref, self._paths, said["to"])
        if not folder.is_dir():
            raise UsageError(f"{folder} is no directory")
        return Pull(
            self._ref,
            sources,
            folder,
            self._recursive,
            "links" in ticked,
            "force" in ticked,
            "keep-mode" in ticked,
        )


class _FolderWork(WorkDialog):
    """What is done in a directory of an instance."""

    def __init__(
        self,
        ref: Ref,
        folder: bytes,
        kind: Kind,
        submit: Submit,
        cancel_job: Callable[[int], None],
        begun: Callable[[int], None],
    ) -> None:
        super().__init__(kind, submit, cancel_job, begun)
        self._ref = ref
        self._folder = folder


class PushDialog(_FolderWork):
    """A file or directory of this machine into an instance."""

    title_ = "push"
    verb = "pushes"

    def question(self) -> str:
        """Where to."""
        return f"Push into {text.path(self._folder)} of {self._ref}"

    def fields(self) -> Sequence[Field]:
        """What, where to, whose."""
        return (
            Field("what", "local", here(), "a file or a directory of this machine", LocalPaths()),
            Field("to", "to", "", "empty: this directory; a name in it, or a path with a slash"),
            Field("owner", "owner", "", "UID:GID; empty: of what is replaced, else 0:0"),
            Field("mode", "mode", "", "as 0644; empty: of what is replaced, else as here"),
        )

    def boxes(self) -> Sequence[tuple[str, str]]:
        """How."""
        return (
            ("parents", "make the directories that are missing"),
            ("links", "symbolic links, as links (else they are left out)"),
            ("force", "replace what is there"),
        )

    def meaning(self, said: Mapping[str, str], ticked: frozenset[str]) -> Push:
        """What is meant."""
        what = local_path(said["what"])
        if not said["what"].strip() or not what.exists():
            raise UsageError(f"{what} is not there")
        uid, gid = _owner(said["owner"])
        to = os.fsencode(said["to"])
        return Push(
            self._ref,
            (what,),
            normal(to if to.startswith(b"/") else joined(self._folder, to)),
            what.is_dir(),
            "parents" in ticked,
            uid,
            gid,
            _mode(said["mode"]),
            "links" in ticked,
            "force" in ticked,
        )


class FolderDialog(_FolderWork):
    """A new directory."""

    title_ = "new directory"
    verb = "makes it"

    def question(self) -> str:
        """Where."""
        return f"A new directory in {text.path(self._folder)} of {self._ref}"

    def fields(self) -> Sequence[Field]:
        """Its name, whose it is."""
        return (
            Field("name", "name"),
            Field("owner", "owner", "", "UID:GID; empty: 0:0"),
            Field("mode", "mode", "", "empty: 0755"),
        )

    def meaning(self, said: Mapping[str, str], ticked: frozenset[str]) -> MakeFolder:  # noqa: ARG002 see the base
        """What is meant."""
        name = os.fsencode(said["name"].strip())
        if trouble := "give it a name" if not name else name_trouble(name):
            raise UsageError(trouble)
        (uid, gid), mode = _owner(said["owner"]), _mode(said["mode"])
        path = joined(self._folder, name)
        return MakeFolder(
            self._ref, path, False, 0o755 if mode is None else mode, uid or 0, gid or 0
        )


def _what(paths: Sequence[bytes]) -> str:
    return text.path(paths[0]) if len(paths) == 1 else f"{len(paths)} of its files"


def _owner(written: str) -> tuple[int | None, int | None]:
    """``33``, ``33:44``."""
    uid, _, gid = written.strip().partition(":")
    if not uid:
        return None, None
    return number(uid, "owner"), number(gid or uid, "group")


def _mode(written: str) -> int | None:
    """None where nothing is written."""
    return permissions(written.strip(), "mode") if written.strip() else None
