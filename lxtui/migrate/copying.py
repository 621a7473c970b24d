"""What one pass of a copy is, as a value.

Role: what transfer and relay have in common. Boundary: copies nothing. Threading: values.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lxtui.backend.base import Backend
from lxtui.model import InstanceSpec, Operation, Ref

OnCopy = Callable[[Operation], None]
"""Told about the target's operation; may raise InterruptedByUserError to end the copy."""


@dataclass(frozen=True, slots=True)
class Pass:
    """What is copied, from where to where, and who is told of it."""

    source: Backend
    target: Backend
    ref: Ref
    spec: InstanceSpec
    on_copy: OnCopy
    on_begin: Callable[[Operation, bool], None]
    """Told of each operation that a daemon begins, and whether it is the target's."""
    on_detour: Callable[[str], None]
    """Told, by a sentence, that another way is tried."""
