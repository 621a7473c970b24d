"""Host, member of a cluster, instance, snapshot: the fleet as a tree.

Role: shows the same snapshot as the table in another order, keeps what is opened open. Boundary:
gets values, sends Tree's own messages. Threading: the screen's.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from rich.text import Text
from textual.binding import Binding
from textual.message import Message
from textual.widgets import Tree
from textual.widgets.tree import TreeNode

from lxtui import format as text
from lxtui.columns import natural
from lxtui.model import FleetSnapshot, Host, HostStatus, Instance, Member, Ref

HOST_DOTS = {
    HostStatus.ONLINE: ("◆", "green"),
    HostStatus.CONNECTING: ("◇", "yellow"),
    HostStatus.OFFLINE: ("✗", "red"),
    HostStatus.UNTRUSTED: ("▲", "red"),
    HostStatus.UNSUPPORTED: ("△", "dim"),
}
MEMBER_DOTS = {"Online": ("▪", "green"), "Evacuated": ("▫", "yellow"), "Offline": ("✗", "red")}
STATE_DOTS = {"Running": ("●", "green"), "Stopped": ("○", "dim"), "Frozen": ("◐", "cyan")}
_OPEN, _OPEN_HOSTS = 30, 10
"""Up to so many instances, and hosts, a host is open from the beginning."""


@dataclass(frozen=True, slots=True)
class NodeId:
    """What a node stands for; the parts that do not apply are empty."""

    host: str
    ref: Ref | None = None
    snapshot: str = ""
    member: str = ""
    """Of the cluster: itself, or that on which the instance is."""

    @property
    def of_many(self) -> bool:
        """Whether it is a host or a member, and no instance."""
        return self.ref is None


class FleetTree(Tree[NodeId]):
    """The tree; its root is not shown."""

    BINDINGS = [
        Binding("left,h", "fold(True)", show=False),
        Binding("right,l", "fold(False)", show=False),
        Binding("j", "cursor_down", show=False),
        Binding("k", "cursor_up", show=False),
    ]

    class Chosen(Message):
        """Enter, or a click, on a node."""

        def __init__(self, node: NodeId) -> None:
            super().__init__()
            self.node = node

    def __init__(self) -> None:
        super().__init__("fleet", id="tree")
        self.show_root = False
        self.auto_expand = False
        self.guide_depth = 2
        self.chosen: NodeId | None = None
        """The node to which the table is narrowed."""
        self._shown: dict[NodeId, TreeNode[NodeId]] = {}
        self._snapshot: FleetSnapshot | None = None
        self._opened: set[NodeId] = set()
        """Hosts and members of which it was decided whether they begin open."""

    @property
    def selected(self) -> NodeId | None:
        """What the cursor is on."""
        return self.cursor_node.data if self.cursor_node is not None else None

    def show(self, snapshot: FleetSnapshot) -> None:
        """Bring the nodes up to date without closing any.

        Of a large fleet only what is opened is made, and of any only what can be seen.
        """
        self._snapshot = snapshot
        if not self.display:
            return
        has = Counter([one.ref.host for one in snapshot.instances])
        few = len(snapshot.hosts) <= _OPEN_HOSTS
        wanted: set[NodeId] = set()
        for at, host in enumerate(snapshot.hosts):
            identity, count = NodeId(host.name), has[host.name]
            wanted.add(identity)
            label = _host_label(host, chosen=identity == self.chosen)
            parent = self._ensure(self.root, identity, label, at, leaf=False)
            parent.allow_expand = bool(count or host.members)
            small = few and count <= _OPEN
            self._open_once(parent, identity, small=small)
            if parent.is_expanded:
                mine = [one for one in snapshot.instances if one.ref.host == host.name]
                wanted |= self._show_host(parent, host, mine, small=small)
        for gone in [identity for identity in self._shown if identity not in wanted]:
            node = self._shown.pop(gone, None)
            if node is not None and node.parent is not None and node in node.parent.children:
                node.remove()

    def choose(self, node: NodeId | None) -> None:
        """Show to which node the table is narrowed."""
        self.chosen = node
        self.show_now()

    def action_fold(self, fold: bool) -> None:
        """Close the node, or go to the one above it; open it."""
        node = self.cursor_node
        if node is None:
            return
        if not fold:
            if node.allow_expand:
                node.expand()
        elif node.is_expanded and node.allow_expand:
            node.collapse()
        else:
            self.action_cursor_parent()

    def on_tree_node_selected(self, event: Tree.NodeSelected[NodeId]) -> None:
        """Hosts and members are for the table; an instance shows its snapshots too."""
        event.stop()
        node = event.node.data
        if node is None:
            return
        if not node.of_many:
            event.node.toggle()
        self.post_message(self.Chosen(node))

    def show_now(self) -> None:
        """Show what came while nobody could see it."""
        if self._snapshot is not None:
            self.show(self._snapshot)

    def on_tree_node_expanded(self) -> None:
        """Fill what was opened."""
        self.show_now()

    def _open_once(self, node: TreeNode[NodeId], identity: NodeId, *, small: bool) -> None:
        """Decide at its first appearance with something in it whether it is open."""
        if node.allow_expand and identity not in self._opened:
            self._opened.add(identity)
            if small:
                node.expand()

    def _show_host(
        self, parent: TreeNode[NodeId], host: Host, mine: list[Instance], *, small: bool
    ) -> set[NodeId]:
        """Its members with what is on each, then what is on none that we know of."""
        wanted: set[NodeId] = set()
        mine.sort(key=lambda one: one.ref)
        on: dict[str, list[Instance]] = {name: [] for name in sorted(host.members, key=natural)}
        for at, (name, here) in enumerate(on.items()):
            here += [one for one in mine if one.location == name]
            identity = NodeId(host.name, member=name)
            wanted.add(identity)
            label = _member_label(
                name, host.members[name], len(here), chosen=identity == self.chosen
            )
            node = self._ensure(parent, identity, label, at, leaf=False)
            node.allow_expand = bool(here)
            self._open_once(node, identity, small=small)
            if node.is_expanded:
                for position, one in enumerate(here):
                    wanted |= self._show_instance(node, position, one, name)
        left = [one for one in mine if one.location not in on]
        for position, one in enumerate(left, start=len(on)):
            wanted |= self._show_instance(parent, position, one)
        return wanted

    def _show_instance(
        self, parent: TreeNode[NodeId], position: int, instance: Instance, member: str = ""
    ) -> set[NodeId]:
        identity = NodeId(instance.ref.host, instance.ref, member=member)
        wanted = {identity}
        node = self._ensure(parent, identity, _instance_label(instance), position, leaf=False)
        node.allow_expand = bool(instance.snapshots)
        for index, snapshot in enumerate(instance.snapshots):
            child = NodeId(instance.ref.host, instance.ref, snapshot.name, member)
            wanted.add(child)
            label = Text(text.plain(snapshot.name), "italic")
            self._ensure(node, child, label, index, leaf=True)
        return wanted

    def _ensure(
        self, parent: TreeNode[NodeId], identity: NodeId, label: Text, position: int, *, leaf: bool
    ) -> TreeNode[NodeId]:
        node = self._shown.get(identity)
        if node is None:
            before = position if position < len(parent.children) else None
            if leaf:
                node = parent.add_leaf(label, identity, before=before)
            else:
                node = parent.add(label, identity, before=before)
            self._shown[identity] = node
        elif node.label != label:
            node.set_label(label)
        return node


def _host_label(host: Host, *, chosen: bool) -> Text:
    dot, style = HOST_DOTS[host.status]
    about = f" {host.kind} {host.version}" if host.online else f" {host.status}"
    mark = " read-only" if host.read_only else ""
    return Text.assemble(
        (f"{dot} ", style), (host.name, _name(chosen)), (mark, "yellow"), (about, "dim")
    )


def _member_label(name: str, member: Member, instances: int, *, chosen: bool) -> Text:
    dot, style = MEMBER_DOTS.get(member.status, ("▫", "yellow"))
    state = "" if member.online else f" {text.plain(member.status.lower())}"
    return Text.assemble(
        (f"{dot} ", style),
        (text.plain(name), _name(chosen)),
        (state, style),
        (f" {instances}", "dim"),
    )


def _name(chosen: bool) -> str:
    return "bold reverse" if chosen else "bold"


def _instance_label(instance: Instance) -> Text:
    dot, style = STATE_DOTS.get(instance.status, ("▲", "yellow"))
    return Text.assemble((f"{dot} ", style), text.plain(instance.ref.name))
