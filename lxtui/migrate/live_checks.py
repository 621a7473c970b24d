"""Why a running container does not keep its running state on the way.

Role: facts → findings, a part of preflight. Boundary: pure; what the source's daemon said is
gathered by prepare. Threading: functions.

Sources: LXD's change "Remove CRIU" (first in 6.6); Incus' API extension
container_migration_stateful; what LXD 5.0.2 and Incus 6.0.4 answered in the lab.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxtui.migrate.facts import Finding, MoveFacts, target_config, warning
from lxtui.migrate.options import Mode
from lxtui.model import CLI, Host, Kind

_WITHOUT_CRIU = (6, 6)
"""The first version of LXD that cannot save the state of a container."""
_KEY = "migration.stateful"
_UNPROVEN = (
    "lxtui does not move running state, as in no try of ours CRIU has brought a container back"
)


def check_live(facts: MoveFacts) -> Iterator[Finding]:
    """One warning for each reason, when running state was asked for."""
    options = facts.options
    if options.mode is not Mode.LIVE:
        return
    if options.copy or not facts.instance.running:
        yield warning(
            f"{facts.instance.ref} is "
            f"{'only copied' if options.copy else 'not running'}: there is no running state to move"
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


def _reasons(facts: MoveFacts) -> Iterator[tuple[str, str]]:
    known = list(_known(facts))
    yield from known
    if facts.live_refusal:
        yield facts.live_refusal, f"install criu on {facts.source.name} if it is missing there"
    elif not known:
        yield _UNPROVEN, f"a container that is made for CRIU: '{_by_hand(facts)}'"


def _known(facts: MoveFacts) -> Iterator[tuple[str, str]]:
    """What forbids it, as far as both hosts have said it of themselves."""
    source, target = facts.source, facts.target
    if source.kind is not target.kind:
        kinds = f"{source.name} runs {source.kind}, {target.name} {target.kind}"
        yield f"{kinds}: the state that one saves names files that the other keeps elsewhere", ""
    for host in (source, target):
        if host.kind is Kind.LXD and _version(host) >= _WITHOUT_CRIU:
            yield f"{host.name} runs LXD {host.version}: 6.6 has removed CRIU", ""
    stateful = "container_migration_stateful" in source.api_extensions
    if stateful and target_config(facts).get(_KEY, "").lower() not in {"true", "1", "yes", "on"}:
        set_it = facts.instance.ref.command(f"{CLI[source.kind]} config set", f" {_KEY} true")
        yield f"{_KEY} is not set on it", f"set it: '{set_it}'"


def _by_hand(facts: MoveFacts) -> str:
    cli, there = CLI[facts.source.kind], facts.destination
    return facts.instance.ref.command(f"{cli} move", f" {there.host}:{there.name}")


def _version(host: Host) -> tuple[int, ...]:
    """The numbers that a version begins with; (0,) for one that has none."""
    match = re.match(r"\d+(\.\d+)*", host.version)
    return tuple(map(int, match[0].split("."))) if match else (0,)
