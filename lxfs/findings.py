"""What ``lxfs doctor`` says: one finding for each thing looked at.

Role: values and their text.
Boundary: pure.
Threading: none.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

from lxfs.text import plain


class Level(StrEnum):
    """How bad it is: only a problem keeps containers from their figures."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about one thing, and what to do about it."""

    check: str
    level: Level
    text: str
    advice: str = ""


def ok(check: str, text: str) -> Finding:
    """Return a finding that asks for nothing."""
    return Finding(check, Level.OK, text)


def warning(check: str, text: str, advice: str) -> Finding:
    """Return a finding that one should know of."""
    return Finding(check, Level.WARNING, text, advice)


def problem(check: str, text: str, advice: str) -> Finding:
    """Return a finding because of which something is not served."""
    return Finding(check, Level.PROBLEM, text, advice)


def as_json(findings: Sequence[Finding]) -> str:
    """Return findings for machines."""
    return json.dumps([asdict(finding) for finding in findings], indent=2) + "\n"


def as_text(findings: Sequence[Finding]) -> str:
    """Return findings for people: a line each, and one below it about what to do."""
    lines = []
    for finding in findings:
        lines.append(f"{finding.level:<8} {finding.check}: {finding.text}")
        if finding.advice:
            lines.append(f"{'':<8} -> {finding.advice}")
    return "".join(f"{plain(line)}\n" for line in lines)
