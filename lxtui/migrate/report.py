"""What a finished move did.

Role: the mover's answer, for the report and for the next estimate. Boundary: pure. Threading:
values.
"""

from __future__ import annotations

from dataclasses import dataclass

from lxtui.migrate.options import Transport
from lxtui.model import Ref


@dataclass(frozen=True, slots=True)
class Measured:
    """One whole copy, without refreshes."""

    transport: Transport
    size: int
    """Bytes, as the daemons counted them: once a second, so those of the last are missing."""
    seconds: float


@dataclass(frozen=True, slots=True)
class MoveReport:
    """What a finished move did."""

    source: Ref
    destination: Ref
    running: bool
    seconds: float
    downtime_seconds: float | None
    """From the stop of the source to the start of the target; None if it did not run, or when the
    move was resumed by another process."""
    copied: int | None
    """Bytes, as the daemons counted them, over all passes; None when they gave no count."""
    passes: int = 0
    """Refreshes made while the source ran."""
    measured: Measured | None = None
    """How fast the copy went; None when it was made by another process, or held back."""
