"""The dialogs of exporting an instance, and of importing one.

Role: where to or from, how; the command line that would do the same. Boundary: answers with
commands; reads the head of a local file for the name in it. Threading: the screen's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from textual.suggester import SuggestFromList

from lxtui.backups.places import export_file, known_compression
from lxtui.backups.reading import name_inside
from lxtui.bulk import Bulk
from lxtui.calls.backups import COMPRESSIONS, Export, Import
from lxtui.errors import READ_ONLY, UsageError
from lxtui.exporting_many import Wishes, plan
from lxtui.files.places import local_path
from lxtui.model import FleetSnapshot, Host, Instance, Kind, Ref
from lxtui.names import instance_name_trouble
from lxtui.screens.forms import Field, FormDialog, LocalPaths, here
from lxtui.screens.transfers import Submit
from lxtui.screens.working import WorkDialog

_BOXES = (
    ("instance-only", "without its snapshots"),
    ("optimized", "in the form of its storage driver: only for pools of the same driver"),
    ("force", "replace a file that is there"),
)
"""How to export."""


def _compression() -> Field:
    known = SuggestFromList(tuple(COMPRESSIONS))
    return Field("compression", "compression", "", "empty: as the host is set; none, zstd…", known)


class ExportDialog(WorkDialog):
    """An instance into a file."""

    title_ = "export"
    verb = "exports"

    def __init__(
        self, ref: Ref, kind: Kind, submit: Submit, cancel_job: Callable[[int], None]
    ) -> None:
        super().__init__(kind, submit, cancel_job)
        self._ref = ref

    def question(self) -> str:
        """Which."""
        return f"Export {self._ref} into a file of this machine"

    def fields(self) -> Sequence[Field]:
        """Where to, how compressed."""
        told = "a file that is not there yet, or a directory"
        return (Field("to", "to", here(), told, LocalPaths()), _compression())

    def boxes(self) -> Sequence[tuple[str, str]]:
        """How."""
        return _BOXES

    def meaning(self, said: Mapping[str, str], ticked: frozenset[str]) -> Export:
        """What is meant."""
        how = known_compression(said["compression"])
        file = export_file(self._ref, said["to"].strip(), how)
        if not file.parent.is_dir():
            raise UsageError(f"{file.parent} is no directory")
        if file.exists() and "force" not in ticked:
            raise UsageError(f"{file} is there already")
        return Export(
            self._ref,
            file,
            "instance-only" in ticked,
            "optimized" in ticked,
            how,
            "force" in ticked,
        )


class ExportManyDialog(FormDialog[Bulk, Bulk | None]):
    """Several instances, each into a file of one directory."""

    BINDINGS = [("escape", "close", "Close")]

    title_ = "export"
    verb = "shows what it means"

    def __init__(
        self,
        marked: Sequence[Instance],
        gone: Collection[Ref],
        hosts: Callable[[str], Host | None],
    ) -> None:
        super().__init__()
        self._marked = marked
        self._gone = gone
        self._hosts = hosts

    def question(self) -> str:
        """How many."""
        return f"Export {len(self._marked)} instances, each into a file of its own"

    def fields(self) -> Sequence[Field]:
        """Where to, how compressed."""
        told = "a directory that is there"
        return (Field("to", "to", here(), told, LocalPaths()), _compression())

    def boxes(self) -> Sequence[tuple[str, str]]:
        """How."""
        return _BOXES

    def meaning(self, said: Mapping[str, str], ticked: frozenset[str]) -> Bulk:
        """All the files, and who is left out."""
        wishes = Wishes(
            local_path(said["to"].strip() or "."),
            "instance-only" in ticked,
            "optimized" in ticked,
            known_compression(said["compression"]),
            "force" in ticked,
        )
        return plan(wishes, self._marked, self._hosts, self._gone)

    def shown(self, meaning: Bulk) -> str:
        """How many it would be."""
        left = [f"{ref}: {why}" for ref, why in meaning.left_out.items()]
        more = f"; {len(left)} left out, such as {left[0]}" if left else ""
        return f"{len(meaning.command.commands)} files{more}"

    def on_input_submitted(self) -> None:
        """On to the list of what will happen."""
        bulk = self.look()
        if bulk is None:
            self.app.bell()
        else:
            self.dismiss(bulk)

    def action_close(self) -> None:
        """Turn away."""
        self.dismiss(None)


class ImportDialog(WorkDialog):
    """An instance of a file."""

    title_ = "import"
    verb = "imports"

    def __init__(
        self,
        host: str,
        fleet: FleetSnapshot,
        submit: Submit,
        cancel_job: Callable[[int], None],
    ) -> None:
        """*host* is proposed."""
        super().__init__(Kind.LXD, submit, cancel_job)
        self._first = host
        self._hosts = {one.name: one for one in fleet.hosts}
        self._taken = {one.ref for one in fleet.instances}
        self._names: dict[str, str] = {}
        """What the files that were looked at say."""

    def question(self) -> str:
        """What it does."""
        return "Make an instance of a file that was exported"

    def fields(self) -> Sequence[Field]:
        """What, where, as what."""
        online = [name for name, one in self._hosts.items() if one.online and not one.read_only]
        return (
            Field("file", "file", here(), "that export has written", LocalPaths()),
            Field("host", "host", self._first, "", SuggestFromList(online)),
            Field("name", "name", "", "empty: as it was called"),
            Field("project", "project", "", "empty: the host's"),
            Field("pool", "pool", "", "empty: of the same name as it was in"),
        )

    def meaning(self, said: Mapping[str, str], ticked: frozenset[str]) -> Import:  # noqa: ARG002 see the base
        """What is meant."""
        file, host = local_path(said["file"].strip()), self._host(said["host"].strip())
        if not file.is_file():
            raise UsageError(f"{file} is no file")
        name = said["name"].strip() or self._inside(str(file))
        if not name:
            raise UsageError("it does not say what the instance was called: give it a name")
        if trouble := instance_name_trouble(name):
            raise UsageError(f"{name}: {trouble}")
        self._kind = host.kind
        ref = Ref(host.name, said["project"].strip() or host.project, name)
        if ref in self._taken:
            raise UsageError(f"{ref} exists already: give it another name")
        return Import(ref, file, said["pool"].strip())

    def _host(self, name: str) -> Host:
        host = self._hosts.get(name)
        if host is None:
            raise UsageError(f"no host is named {name!r}" if name else "say which host")
        if host.read_only:
            raise UsageError(f"{name} {READ_ONLY}")
        if not host.online:
            raise UsageError(f"{name} does not answer")
        return host

    def _inside(self, file: str) -> str:
        if file not in self._names:
            self._names[file] = name_inside(local_path(file))
        return self._names[file]
