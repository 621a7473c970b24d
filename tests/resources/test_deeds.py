"""What can be done to entries: when, as which request, under which command."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lxtui.model import Host, HostStatus, Kind, Ref
from lxtui.resources.catalog import BY_ID
from lxtui.resources.deeds import DEEDS, DEEDS_BY_ID, Deed
from lxtui.resources.entry import Entry
from lxtui.resources.links import Link
from lxtui.resources.many import plan
from lxtui.resources.reading import entry_from

HOST = Host("h", Kind.LXD, "unix", status=HostStatus.ONLINE)
USER = ["/1.0/instances/web"]
IMAGE: dict[str, Any] = {"fingerprint": "f" * 64, "aliases": [{"name": "a"}]}


def entry(table: str, project: str = "default", **document: Any) -> Entry:
    """A line of that table."""
    made = entry_from(BY_ID[table], "h", document, project)
    assert made is not None
    return made


def deed(name: str) -> Deed:
    """One of them."""
    return DEEDS_BY_ID[name]


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (entry("profiles", name="default"), "every host has one"),
        (entry("profiles", name="web", used_by=USER), "used by instance h:web"),
        (entry("profiles", name="web", used_by=[]), ""),
        (entry("networks", name="eth0", managed=False), "host's own"),
        (entry("networks", name="br0", managed=True, used_by=USER), "used by"),
        (entry("volumes", name="web", pool="p", type="container"), "goes with that"),
        (entry("volumes", name="v", pool="p", type="custom", used_by=USER), "used by"),
        (entry("volumes", name="v", pool="p", type="custom"), ""),
        (entry("pools", name="p", used_by=USER), "used by"),
        (entry("images", **IMAGE), ""),
        (entry("projects", name="x", used_by=["/1.0/profiles/default?project=x"]), ""),
        (entry("projects", name="x", used_by=["/1.0/images/f?project=x"]), "used by image"),
    ],
)
def test_what_the_daemon_would_refuse_to_delete_is_refused(one: Entry, reason: str) -> None:
    """The reason says what stands in the way; what nothing uses may go."""
    said = deed("entry-delete").why_not(one, HOST)
    assert (reason in said) if reason else said == ""


@pytest.mark.parametrize("one", DEEDS, ids=lambda one: one.id)
def test_nothing_is_done_on_read_only_or_silent_hosts(one: Deed) -> None:
    """Every deed is refused there, whatever the entry."""
    line = entry(
        one.tables[0], name="x", server_name="x", fingerprint="f", uuid="u", id="o", pool="p"
    )
    assert "read-only" in one.why_not(line, replace(HOST, read_only=True))
    assert "does not answer" in one.why_not(line, replace(HOST, status=HostStatus.OFFLINE))
    assert "does not answer" in one.why_not(line, None)


@pytest.mark.parametrize(
    ("name", "one", "answer", "sent", "said"),
    [
        (
            "entry-delete",
            entry("images", "own", **IMAGE),
            "",
            ("delete", ("images", "f" * 64), {"project": "own"}),
            "lxc image delete h:ffffffffffff --project own",
        ),
        (
            "entry-delete",
            entry("volumes", name="v", pool="p", type="custom", location="m1"),
            "",
            (
                "delete",
                ("storage-pools", "p", "volumes", "custom", "v"),
                {"project": "default", "target": "m1"},
            ),
            "lxc storage volume delete h:p custom/v --target m1",
        ),
        (
            "alias-add",
            entry("images", **IMAGE),
            "b",
            ("post", ("images", "aliases"), {"project": "default"}),
            "lxc image alias create h:b ffffffffffff",
        ),
        (
            "alias-remove",
            entry("images", **IMAGE),
            "a",
            ("delete", ("images", "aliases", "a"), {"project": "default"}),
            "lxc image alias delete h:a",
        ),
        (
            "image-refresh",
            entry("images", **IMAGE),
            "",
            ("post", ("images", "f" * 64, "refresh"), {"project": "default"}),
            "lxc image refresh h:ffffffffffff",
        ),
        (
            "warning-acknowledge",
            entry("warnings", uuid="u1", status="new"),
            "",
            ("put", ("warnings", "u1"), {}),
            "lxc warning acknowledge h:u1",
        ),
        (
            "operation-cancel",
            entry("operations", id="o1", may_cancel=True),
            "",
            ("delete", ("operations", "o1"), {}),
            "lxc operation delete h:o1",
        ),
    ],
)
def test_each_deed_is_one_request_and_one_command(
    name: str, one: Entry, answer: str, sent: tuple[str, Any, Any], said: str
) -> None:
    """Method, path and parameters are those of the API; the command line does the same."""
    call = deed(name).build(one, answer)
    request = call.request
    assert (request.method, request.path, dict(request.parameters)) == sent
    assert call.equivalent(Kind.LXD) == said
    assert call.equivalent(Kind.INCUS) == said.replace("lxc ", "incus ", 1)
    hash(call)  # many are kept by it


@pytest.mark.parametrize("alias", ["", " a", "a ", "-a", "/a", "a?b", "a\nb", "a#b"])
def test_odd_aliases_are_refused(alias: str) -> None:
    """What the daemons would take and nobody could name again is not sent."""
    assert deed("alias-add").trouble(alias)


def test_usual_aliases_are_not() -> None:
    """Slashes, dots and blanks inside are usual."""
    assert not deed("alias-add").trouble("debian/12")


def test_operations_that_the_daemon_sees_through_are_not_cancelled() -> None:
    """may_cancel decides, and what it is missing from cannot be cancelled."""
    assert deed("operation-cancel").why_not(entry("operations", id="o", may_cancel=False), HOST)
    assert deed("operation-cancel").why_not(entry("operations", id="o"), HOST)


def test_many_leave_out_what_cannot_be_done() -> None:
    """A bulk has a command for each that can, a reason for each that cannot, and what is lost."""
    free = entry("volumes", name="v", pool="p", type="custom", snapshots=2)
    used = entry("volumes", name="w", pool="p", type="custom", used_by=USER)
    bulk = plan(deed("entry-delete"), [free, used], {"h": HOST}.get)
    assert [one.ref.name for one in bulk.command.commands] == ["p/custom/v"]
    assert "used by" in bulk.left_out[used.ref]
    assert "2 snapshots" in bulk.warnings[0]
    assert bulk.typed == "1"
    assert bulk.question == "Delete 1 volume? 1 left out."


def test_links_are_written_for_people() -> None:
    """A link says what it leads to and where."""
    assert str(Link("profiles", Ref("h", "own", "web"))) == "profile h:web (project own)"


@pytest.mark.parametrize(
    ("state", "evacuates", "restores"),
    [("Online", True, False), ("Evacuated", False, True), ("Offline", False, False)],
)
def test_members_are_evacuated_and_restored(state: str, evacuates: bool, restores: bool) -> None:
    """What is online can be emptied, what is evacuated taken back; by the same request."""
    one = entry("members", server_name="m1", status=state)
    away, back = deed("member-evacuate"), deed("member-restore")
    assert (away.why_not(one, HOST) == "", back.why_not(one, HOST) == "") == (evacuates, restores)
    call = away.build(one, "")
    assert call.request.path == ("cluster", "members", "m1", "state")
    assert call.request.body == {"action": "evacuate"}
    assert back.build(one, "").request.body == {"action": "restore"}
    assert call.equivalent(Kind.INCUS) == "incus cluster evacuate h:m1"
    assert back.build(one, "").equivalent(Kind.LXD) == "lxc cluster restore h:m1"
