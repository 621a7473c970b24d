"""What was found about one thing that was looked at, and what to do about it.

Role: values for ``lxtui config check`` and ``lxtui doctor``, their text and JSON. The JSON keys are
an interface. Boundary: pure. Threading: values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from lxtui import format as text


class Level(StrEnum):
    """How bad it is: with a warning everything works, with a problem something does not."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    check: str
    level: Level
    text: str
    advice: str = ""
    line: int | None = None
    """Of a file, from 1."""


def ok(check: str, told: str) -> Finding:
    """A finding that asks for nothing."""
    return Finding(check, Level.OK, told)


def warning(check: str, told: str, advice: str) -> Finding:
    """A finding that one should know of."""
    return Finding(check, Level.WARNING, told, advice)


def problem(check: str, told: str, advice: str) -> Finding:
    """A finding because of which something does not work, or is not safe."""
    return Finding(check, Level.PROBLEM, told, advice)


def as_json(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Findings for programs."""
    return [asdict(finding) for finding in findings]


def as_text(findings: Sequence[Finding]) -> str:
    """Findings for people: a line each, and one below it about what to do."""
    lines = []
    for finding in findings:
        where = f"line {finding.line}: " if finding.line else ""
        lines.append(f"{finding.level:<8} {finding.check}: {where}{finding.text}")
        if finding.advice:
            lines.append(f"{'':<8} -> {finding.advice}")
    return "\n".join(map(text.plain, lines))
