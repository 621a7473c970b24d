"""What the screens ask hosts for, beside what the fleet tells them by itself.

Role: plans, surveys, documents, by the fleet's backends. Boundary: changes nothing. Threading:
every method waits for hosts; none may run on the screen's thread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lxtui.api import Document, Path
from lxtui.evacuation import survey_some
from lxtui.fleet import Fleet
from lxtui.migrate.options import MoveOptions
from lxtui.migrate.placement import Row
from lxtui.migrate.plan import MovePlan
from lxtui.migrate.prepare import other_pools, prepare
from lxtui.model import Instance, Ref
from lxtui.read_only import with_blockers


@dataclass(frozen=True, slots=True)
class Reach:
    """The hosts, for questions."""

    fleet: Fleet

    def plan_move(self, ref: Ref, target: str, options: MoveOptions) -> MovePlan:
        """What a move, or a copy, would do."""
        backends = self.fleet.backends
        source, there = backends[ref.host], backends[target]
        plan = prepare(source, there, ref, options, self.fleet.folder)
        return with_blockers(plan, source.remote, there.remote)

    def other_pools(self, instance: Instance) -> Sequence[str]:
        """The pools of its host in which it is not."""
        return other_pools(self.fleet.backends[instance.ref.host], instance)

    def survey(
        self, refs: frozenset[Ref], targets: Sequence[str], options: MoveOptions
    ) -> tuple[Row, ...]:
        """Where each of these would go."""
        return survey_some(refs, self.fleet.backends, targets, options)

    def read(self, host: str, path: Path, parameters: Mapping[str, str]) -> Document:
        """What a path of a host's API answers."""
        return self.fleet.backends[host].read(path, parameters)
