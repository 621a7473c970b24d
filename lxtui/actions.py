"""The one table of everything that a user can do.

Role: the keys, the palette, the help screen, the footer and the headless verbs all read it; an
action that is not here does not exist. Boundary: pure; an action makes a Command or names a method
of the screen, it runs nothing. Threading: values. Longer than 400 lines because it is one table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from lxtui.calls.instances import Rename
from lxtui.commands import (
    ChangeState,
    Command,
    CreateSnapshot,
    DeleteInstance,
    DeleteSnapshot,
    Move,
    RestoreSnapshot,
)
from lxtui.errors import READ_ONLY
from lxtui.model import Host, Instance, Job, JobState, Ref, Snapshot, StateAction
from lxtui.resources.catalog import TABLES


@dataclass(frozen=True, slots=True)
class Selection:
    """What the cursor is on, and the host that it belongs to."""

    host: Host | None = None
    instance: Instance | None = None
    snapshot: Snapshot | None = None
    job: Job | None = None
    """What the cursor of the operations pane is on."""
    member: str = ""
    """The member of the cluster, where the cursor is on one."""


class Ask(StrEnum):
    """What must be asked before the command can be made."""

    NOTHING = "nothing"
    CONFIRM = "confirm"
    NAME = "name"
    NEW_NAME = "new-name"
    SNAPSHOT = "snapshot"
    TARGET = "target"


Unavailable = Callable[[Selection], str]
Build = Callable[[Ref, str], Command]


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do. ``unavailable`` is why not now, whichever host it is on; see ``why_not``."""

    id: str
    key: str
    label: str
    help: str
    unavailable: Unavailable
    ask: Ask = Ask.NOTHING
    build: Build | None = None
    """Makes the command from the instance and the answer; None for actions of the screen."""
    footer: bool = False
    changes: bool = False
    """An action of the screen, whose dialog changes something."""
    single: bool = False
    """For one instance only, whatever is marked."""
    warning: Callable[[Selection], str] = lambda _: ""
    """What a confirmation says beside the question."""
    typed: Callable[[Selection], str] = lambda _: ""
    """What has to be typed to agree; empty where yes is enough."""

    @property
    def writes(self) -> bool:
        """Whether it changes something of an instance, at once or after a dialog."""
        return self.build is not None or self.changes

    def why_not(self, selection: Selection) -> str:
        """Why it cannot be done to what is selected, or an empty text.

        Whatever makes a command changes something, and nothing of a read-only host is changed.
        """
        if self.writes and selection.host is not None and selection.host.read_only:
            return f"{selection.host.name} {READ_ONLY}"
        return self.unavailable(selection)


def _always(_: Selection) -> str:
    return ""


def _lost(instance: Instance, host: Host | None) -> str:
    """Why the host, which answers, can say nothing of the instance."""
    member = host.members.get(instance.location) if host is not None else None
    if host is None or member is None or member.status != "Offline":
        return ""
    return f"member {instance.location} of {host.name} is offline, and {instance.ref.name} with it"


def _when(reason: Callable[[Instance], str]) -> Unavailable:
    """Only with an instance on a host that answers, and then as *reason* says."""

    def unavailable(selection: Selection) -> str:
        if selection.instance is None:
            return "select an instance first"
        if selection.host is not None and not selection.host.online:
            return f"{selection.host.name} does not answer"
        return _lost(selection.instance, selection.host) or reason(selection.instance)

    return unavailable


_instance = _when(lambda _: "")
_stopped = _when(lambda one: "" if one.stopped else f"{one.ref} is not stopped")
_alive = _when(lambda one: f"{one.ref} is stopped" if one.stopped else "")
_running = _when(lambda one: "" if one.running else f"{one.ref} does not run")
_frozen = _when(lambda one: "" if one.frozen else f"{one.ref} is not frozen")
_has_snapshots = _when(lambda one: "" if one.snapshots else f"{one.ref} has no snapshot")


def _something(selection: Selection) -> str:
    return "" if selection.host is not None else "select an instance or a host first"


def _running_job(selection: Selection) -> str:
    if selection.job is None or selection.job.state is not JobState.RUNNING:
        return "nothing of ours runs"
    return ""


def _warn_stop(selection: Selection) -> str:
    instance = selection.instance
    if instance is not None and instance.ephemeral:
        return "It is ephemeral: stopping it deletes it."
    return ""


def _warn_delete(selection: Selection) -> str:
    instance = selection.instance
    count = len(instance.snapshots) if instance is not None else 0
    return f"Its {count} snapshot{'s go' if count != 1 else ' goes'} with it." if count else ""


def _typed_delete(selection: Selection) -> str:
    """Its name, where more goes than what is there now: nobody deletes that by habit."""
    instance = selection.instance
    return instance.ref.name if instance is not None and instance.snapshots else ""


def _change(action: StateAction, *, force: bool = False) -> Build:
    return lambda ref, _: ChangeState(ref, action, force)


ACTIONS: tuple[Action, ...] = (
    Action(
        "start",
        "s",
        "Start",
        "Start the instance",
        _stopped,
        build=_change(StateAction.START),
        footer=True,
    ),
    Action(
        "stop",
        "x",
        "Stop",
        "Ask the instance to shut down, and wait for it",
        _alive,
        Ask.CONFIRM,
        _change(StateAction.STOP),
        footer=True,
        warning=_warn_stop,
    ),
    Action(
        "stop-force",
        "X",
        "Stop by force",
        "Kill everything in the instance: for one that does not stop by itself",
        _alive,
        Ask.CONFIRM,
        _change(StateAction.STOP, force=True),
        warning=_warn_stop,
    ),
    Action(
        "restart",
        "R",
        "Restart",
        "Stop the instance, then start it",
        _alive,
        Ask.CONFIRM,
        _change(StateAction.RESTART),
        warning=_warn_stop,
    ),
    Action(
        "restart-force",
        "",
        "Restart by force",
        "Kill everything in the instance, then start it",
        _alive,
        Ask.CONFIRM,
        _change(StateAction.RESTART, force=True),
        warning=_warn_stop,
    ),
    Action(
        "freeze",
        "",
        "Freeze",
        "Let all processes of the instance stand still",
        _running,
        Ask.CONFIRM,
        _change(StateAction.FREEZE),
    ),
    Action(
        "unfreeze",
        "",
        "Unfreeze",
        "Let the processes of a frozen instance go on",
        _frozen,
        build=_change(StateAction.UNFREEZE),
    ),
    Action(
        "shell",
        "E",
        "Shell",
        "Open a shell in the running instance, in this terminal; exit leads back",
        _running,
        changes=True,
        single=True,
    ),
    Action(
        "console",
        "",
        "Console",
        "Attach this terminal to the running instance's console; Ctrl-a q leads back",
        _running,
        changes=True,
        single=True,
    ),
    Action(
        "files",
        "F",
        "Files",
        "Browse the instance's files; pull them here, push others there",
        _instance,
        single=True,
    ),
    Action(
        "edit",
        "e",
        "Edit",
        "Edit the instance's configuration as YAML in $VISUAL or $EDITOR",
        _instance,
        changes=True,
        single=True,
    ),
    Action(
        "limits",
        "L",
        "Limits",
        "CPU, memory, processes, disk and network of the instance, in a form",
        _instance,
        changes=True,
    ),
    Action(
        "publish",
        "",
        "Publish",
        "Make an image of the stopped instance, or of a snapshot of it",
        _instance,
        changes=True,
        single=True,
    ),
    Action(
        "export",
        "",
        "Export",
        "Write the instance with its snapshots into a file of this machine",
        _instance,
        changes=True,
    ),
    Action(
        "rename",
        "",
        "Rename",
        "Give the stopped instance another name on its host",
        _stopped,
        Ask.NEW_NAME,
        Rename,
        single=True,
    ),
    Action(
        "copy",
        "",
        "Copy",
        "Copy the instance under another name, on its host or on another one",
        _instance,
        changes=True,
    ),
    Action(
        "launch",
        "N",
        "Launch",
        "Make an instance of an image of any host, or of an image server, and start it",
        _always,
    ),
    Action(
        "import",
        "",
        "Import",
        "Make an instance of a file of this machine that was exported",
        _always,
    ),
    Action(
        "move",
        "m",
        "Move",
        "Move the instance to another host; its source is deleted only after the copy is verified",
        _instance,
        Ask.TARGET,
        Move,
        footer=True,
    ),
    Action(
        "mark",
        "space",
        "Mark",
        "Mark the instance, or no longer: every action then is on all that are marked",
        _instance,
    ),
    Action("mark-all", "ctrl+a", "Mark all", "Mark all that match the filter", _always),
    Action(
        "invert-marks",
        "asterisk",
        "Invert marks",
        "Mark those that match the filter and are not marked, and no longer those that are",
        _always,
    ),
    Action(
        "snapshot",
        "n",
        "Snapshot",
        "Take a snapshot of the instance",
        _instance,
        Ask.NAME,
        CreateSnapshot,
        footer=True,
    ),
    Action(
        "snapshots",
        "S",
        "Snapshots",
        "Take, rename, restore, delete several, say when they expire",
        _instance,
        changes=True,
        single=True,
    ),
    Action(
        "restore",
        "b",
        "Restore",
        "Put the instance back to a snapshot; what came after is lost",
        _has_snapshots,
        Ask.SNAPSHOT,
        RestoreSnapshot,
        footer=True,
    ),
    Action(
        "delete-snapshot",
        "D",
        "Delete snapshot",
        "Remove one snapshot of the instance",
        _has_snapshots,
        Ask.SNAPSHOT,
        DeleteSnapshot,
    ),
    Action(
        "delete",
        "d",
        "Delete",
        "Remove the stopped instance with its snapshots",
        _stopped,
        Ask.CONFIRM,
        lambda ref, _: DeleteInstance(ref),
        footer=True,
        warning=_warn_delete,
        typed=_typed_delete,
    ),
    Action(
        "filter",
        "slash",
        "Filter",
        "Show only what matches: words, !not, state:running, mem>1G, age<7d; escape clears it",
        _always,
        footer=True,
    ),
    Action("columns", "C", "Columns", "Choose the columns and their order", _always),
    Action("sort", "o", "Order", "Sort by the next column; or click on its header", _always),
    Action("reverse", "O", "Reverse", "Sort the other way round", _always),
    Action(
        "group",
        "g",
        "Group",
        "Group by host, project, profiles, cluster member, state, type or label",
        _always,
    ),
    Action("fold", "z", "Fold", "Fold all groups, or unfold them; enter folds one", _always),
    Action("views", "v", "Views", "Choose a saved view: filter, columns, order, group", _always),
    Action("save-view", "V", "Save view", "Save what is shown how, under a name", _always),
    Action(
        "command",
        "colon",
        "Command",
        "Type a command: view NAME, sort COLUMN, group COLUMN, columns A,B, or an action",
        _always,
    ),
    Action(
        "cancel-job",
        "c",
        "Cancel",
        "Stop the job under the cursor of the operations pane and put everything back",
        _running_job,
    ),
    Action(
        "copy-command",
        "ctrl+y",
        "Copy command",
        "Put the lxc or incus command that a dialog shows, or else of the latest operation, into "
        "the terminal's clipboard",
        _always,
    ),
    Action(
        "undo",
        "u",
        "Undo",
        "Take back what was done or marked last, after a look at what that means",
        _always,
    ),
    Action(
        "moves",
        "M",
        "Unfinished moves",
        "Finish or put back what a crash has left in the middle",
        _always,
    ),
    Action(
        "add-host",
        "a",
        "Add a host",
        "Add a host to the configuration of lxc or incus, and to the screen",
        _always,
    ),
    Action(
        "audit",
        "",
        "Audit journal",
        "What was done with lxtui from this account: who, when, where, what, the result",
        _always,
    ),
    Action("tables", "T", "Tables", "Images, profiles, networks, storage, warnings…", _always),
    Action(
        "uses",
        "U",
        "Uses",
        "What the instance is made of: its profiles, image, networks, pools and volumes",
        _instance,
    ),
    *(Action(one.id, "", one.id.capitalize(), one.help, _always) for one in TABLES),
    Action("refresh", "r", "Refresh", "Ask every host again now", _always),
    Action("toggle-tree", "t", "Tree", "Show or hide the tree beside the table", _always),
    Action(
        "details",
        "i",
        "Details",
        "Open the instance, or in the tree the host: a page for each question, with graphs",
        _something,
    ),
    Action("help", "question_mark", "Help", "This list", _always, footer=True),
)

BY_ID = {action.id: action for action in ACTIONS}


def command_for(action_id: str, ref: Ref, answer: str = "") -> Command:
    """The command that an action means for *ref*; *answer* is what was asked for, if anything."""
    build = BY_ID[action_id].build
    if build is None:
        raise ValueError(f"{action_id} is an action of the screen")
    return build(ref, answer)
