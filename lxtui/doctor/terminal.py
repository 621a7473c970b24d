"""Whether the screen can be shown on this terminal.

Role: what the environment says of it → findings. Boundary: pure. Threading: functions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lxtui.findings import Finding, ok, warning

LEAST = (80, 24)
"""Columns and lines for which every screen is laid out; in fewer, parts are left out."""


def terminal(
    environ: Mapping[str, str], size: tuple[int, int] | None, encoding: str
) -> Iterator[Finding]:
    """Judge *size* in columns and lines (None: no terminal), colours, and the *encoding*."""
    if size is None:
        yield ok("terminal", "none here: lxtui prints tables, and has no screen")
        return
    name = environ.get("TERM", "")
    if name in {"", "dumb", "unknown"}:
        yield warning(
            "terminal",
            f"TERM is {name!r}: colours and keys are guessed",
            "export TERM=xterm-256color",
        )
    many = environ.get("COLORTERM", "") in {"truecolor", "24bit"}
    if environ.get("NO_COLOR") is not None:
        colours = "no colours, as NO_COLOR is set"
    elif many:
        colours = "16 million colours"
    else:
        colours = "256 colours" if "256" in name else "few colours: try the theme ansi-dark"
    if size[0] < LEAST[0] or size[1] < LEAST[1]:
        yield warning(
            "terminal",
            f"{size[0]}x{size[1]} is small: tree, operations or columns are left out",
            f"give it {LEAST[0]}x{LEAST[1]} or more",
        )
    else:
        yield ok("terminal", f"{name or 'unnamed'}, {size[0]}x{size[1]}, {colours}")
    if encoding.replace("-", "").lower() != "utf8":
        yield warning(
            "terminal",
            f"the locale's encoding is {encoding}: lines and dots come out as other signs",
            "export LC_ALL=C.UTF-8",
        )
