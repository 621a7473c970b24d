"""Why a running container does not keep its running state on the way.

Role: facts → findings, a part of preflight. Boundary: pure; what the source's daemon said is
gathered by prepare. Threading: functions.

Sources: LXD's change "Remove CRIU" (first in 6.6); Incus' API extension
container_migration_stateful; what LXD 5.0.2, Incus 6.0.4, liblxc 5.0.2 and CRIU 4.1.1, 4.2.1 and
4.3 answered in the lab (docs/moves.md, "With running state").
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxtui.migrate.facts import Finding, MoveFacts, target_config, warning
from lxtui.migrate.options import Mode, Verify
from lxtui.model import CLI, Host, Kind

_WITHOUT_CRIU = (6, 6)
"""The first version of LXD that cannot save the state of a container."""
_KEY = "migration.stateful"
_NO_CONSOLE = re.compile(r"^\s*lxc\.console\.path\s*=\s*none\s*$", re.MULTILINE)
_YES = frozenset({"true", "1", "yes", "on"})


def check_live(facts: MoveFacts) -> Iterator[Finding]:
    """One warning for each reason, when running state was asked for; what is at stake if none."""
    options = facts.options
    if options.mode is not Mode.LIVE:
        return
    if options.copy or not facts.instance.running:
        yield warning(
            f"{facts.instance.ref} is "
            f"{'only copied' if options.copy else 'not running'}: there is no running state to move"
        )
        return
    if lives(facts):
        yield warning(
            f"{facts.target.name} may be unable to bring the running state back: then "
            f"{facts.instance.ref} runs on where it is, after up to two minutes in which it stands "
            f"still, or is started anew there"
        )
        return
    for reason, remedy in _reasons(facts):
        yield warning(
            f"{facts.instance.ref} cannot be moved live, near-live is planned instead: {reason}",
            remedy,
        )


def possible(facts: MoveFacts) -> bool:
    """Whether it is worth asking the source's daemon: nothing that is known forbids it."""
    return (
        facts.options.mode is Mode.LIVE
        and facts.instance.running
        and not facts.options.copy
        and not any(True for _ in _known(facts))
    )


def lives(facts: MoveFacts) -> bool:
    """Whether its running state goes along; a move that was begun goes on as it was begun."""
    if facts.went_live is not None:
        return facts.went_live
    return facts.live_refusal == "" and possible(facts)


def _reasons(facts: MoveFacts) -> Iterator[tuple[str, str]]:
    yield from _known(facts)
    if facts.live_refusal:
        yield facts.live_refusal, f"install criu on {facts.source.name} if it is missing there"


def _known(facts: MoveFacts) -> Iterator[tuple[str, str]]:
    """What forbids it, as far as both hosts have said it of themselves."""
    source, target = facts.source, facts.target
    if source.kind is not target.kind:
        kinds = f"{source.name} runs {source.kind}, {target.name} {target.kind}"
        yield f"{kinds}: the state that one saves names files that the other keeps elsewhere", ""
        return
    removed = [host for host in (source, target) if _has_no_criu(host)]
    for host in removed:
        yield f"{host.name} runs LXD {host.version}: 6.6 has removed CRIU", ""
    if source.kind is Kind.LXD:
        if not removed:
            yield (
                (
                    "LXD saves a container with its console, whatever raw.lxc says, and no CRIU "
                    "brings it back: 'lxc.console.path configured on source host but not target'"
                ),
                "",
            )
        return
    yield from _of_container(facts)
    yield from _of_wishes(facts)


def _of_container(facts: MoveFacts) -> Iterator[tuple[str, str]]:
    """What of its configuration is in CRIU's way, here or as it will be there."""
    here, there = facts.instance.expanded_config, target_config(facts)
    change = facts.instance.ref.command(f"{CLI[facts.source.kind]} config set")
    if not all(_is_on(one.get(_KEY, "")) for one in (here, there)):
        yield f"{_KEY} is not set on it", f"set it: '{change} {_KEY} true'"
    if not all(_NO_CONSOLE.search(one.get("raw.lxc", "")) for one in (here, there)):
        yield (
            (
                "it has a console, which no CRIU brings back: "
                "'lxc.console.path configured on source host but not target'"
            ),
            f"'{change} raw.lxc lxc.console.path=none', and restart it",
        )
    if not all(_is_on(one.get("security.privileged", "")) for one in (here, there)):
        yield (
            (
                "it is unprivileged, of which CRIU brings back few: "
                "'Unable to open timens-0.img: Permission denied'"
            ),
            "",
        )
    if any(_is_on(one.get("boot.autorestart", "")) for one in (here, there)):
        yield "boot.autorestart would start it again where it has ended", ""


def _of_wishes(facts: MoveFacts) -> Iterator[tuple[str, str]]:
    """What was asked for besides and cannot be had with it."""
    here, there = facts.instance.ref, facts.destination
    if facts.one_server or (here.project, here.name) != (there.project, there.name):
        yield (
            (
                "its state names files by its project, name and server, so it can "
                "only go to the same project and name on another server"
            ),
            "",
        )
    if facts.options.verify is not Verify.CONFIG:
        yield (
            (
                f"--verify={facts.options.verify} compares two that lie still, and what "
                f"has gone live runs already"
            ),
            "",
        )


def _is_on(value: str) -> bool:
    return value.lower() in _YES


def _has_no_criu(host: Host) -> bool:
    return host.kind is Kind.LXD and _version(host) >= _WITHOUT_CRIU


def _version(host: Host) -> tuple[int, ...]:
    """The numbers that a version begins with; (0,) for one that has none."""
    match = re.match(r"\d+(\.\d+)*", host.version)
    return tuple(map(int, match[0].split("."))) if match else (0,)
