"""Host, instance, snapshot: the fleet as a tree.

Role: shows the same snapshot as the table in another order, keeps what is opened open. Boundary:
gets values, sends Tree's own messages. Threading: the screen's.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from rich.text import Text
from textual.widgets import Tree
from textual.widgets.tree import TreeNode

from lxtui import format as text
from lxtui.model import FleetSnapshot, Host, HostStatus, Instance, Ref

HOST_DOTS = {
    HostStatus.ONLINE: ("◆", "green"),
    HostStatus.CONNECTING: ("◇", "yellow"),
    HostStatus.OFFLINE: ("✗", "red"),
    HostStatus.UNTRUSTED: ("▲", "red"),
    HostStatus.UNSUPPORTED: ("△", "dim"),
}
STATE_DOTS = {"Running": ("●", "green"), "Stopped": ("○", "dim"), "Frozen": ("◐", "cyan")}
_OPEN, _OPEN_HOSTS = 30, 10
"""Up to so many instances, and hosts, a host is open from the beginning."""


@dataclass(frozen=True, slots=True)
class NodeId:
    """What a node stands for; the parts that do not apply are empty."""

    host: str
    ref: Ref | None = None
    snapshot: str = ""


class FleetTree(Tree[NodeId]):
    """The tree; its root is not shown."""

    def __init__(self) -> None:
        super().__init__("fleet", id="tree")
        self.show_root = False
        self.guide_depth = 2
        self._shown: dict[NodeId, TreeNode[NodeId]] = {}
        self._snapshot: FleetSnapshot | None = None
        self._opened: set[str] = set()
        """Hosts of which it was decided whether they begin open."""

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
        wanted: set[NodeId] = set()
        for at, host in enumerate(snapshot.hosts):
            identity, count = NodeId(host.name), has[host.name]
            wanted.add(identity)
            parent = self._ensure(self.root, identity, _host_label(host), at, leaf=False)
            parent.allow_expand = bool(count)
            if count and host.name not in self._opened:
                self._opened.add(host.name)
                if count <= _OPEN and len(snapshot.hosts) <= _OPEN_HOSTS:
                    parent.expand()
            if parent.is_expanded:
                mine = [one for one in snapshot.instances if one.ref.host == host.name]
                mine.sort(key=lambda one: one.ref)
                for position, instance in enumerate(mine):
                    wanted |= self._show_instance(parent, position, instance)
        for gone in [identity for identity in self._shown if identity not in wanted]:
            node = self._shown.pop(gone, None)
            if node is not None and node.parent is not None and node in node.parent.children:
                node.remove()

    def show_now(self) -> None:
        """Show what came while nobody could see it."""
        if self._snapshot is not None:
            self.show(self._snapshot)

    def on_tree_node_expanded(self) -> None:
        """Fill what was opened."""
        self.show_now()

    def _show_instance(
        self, parent: TreeNode[NodeId], position: int, instance: Instance
    ) -> set[NodeId]:
        identity = NodeId(instance.ref.host, instance.ref)
        wanted = {identity}
        node = self._ensure(parent, identity, _instance_label(instance), position, leaf=False)
        node.allow_expand = bool(instance.snapshots)
        for index, snapshot in enumerate(instance.snapshots):
            child = NodeId(instance.ref.host, instance.ref, snapshot.name)
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


def _host_label(host: Host) -> Text:
    dot, style = HOST_DOTS[host.status]
    about = f" {host.kind} {host.version}" if host.online else f" {host.status}"
    mark = " read-only" if host.read_only else ""
    return Text.assemble((f"{dot} ", style), (host.name, "bold"), (mark, "yellow"), (about, "dim"))


def _instance_label(instance: Instance) -> Text:
    dot, style = STATE_DOTS.get(instance.status, ("▲", "yellow"))
    return Text.assemble((f"{dot} ", style), text.plain(instance.ref.name))
