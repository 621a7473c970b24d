"""``lxtui doctor``: everything that lxtui rests on, looked at once.

Role: the order of what is looked at, and the exit status; the JSON keys are an
interface. Boundary: prints; changes nothing. Threading: the main thread.
"""

from __future__ import annotations

import argparse
import locale
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from lxtui import config, headless, remotes
from lxtui.backend.base import Backend
from lxtui.clock import utc_now
from lxtui.doctor import files, hosts
from lxtui.doctor.terminal import terminal
from lxtui.findings import Finding, Level, as_json, as_text, problem
from lxtui.headless_config import examine


def run_doctor(
    options: argparse.Namespace,
    backends: Mapping[str, Backend],
    known: remotes.Remotes,
    environ: Mapping[str, str],
    home: Path,
) -> int:
    """Print what was found; 1 when there is a problem."""
    names = [known.named(name.rstrip(":")).name for name in options.host]
    asked = {name: backends[name] for name in names} if names else backends
    simulated = bool(getattr(options, "demo", False))
    findings = [
        *examine(config.path(environ, home), known),
        *([] if simulated else _mine(environ, home)),
        *terminal(environ, _size(), locale.getpreferredencoding(False)),
        *hosts.hosts(asked, utc_now),
        *hosts.kept(asked, utc_now()),
    ]
    if options.json:
        headless.print_json(as_json(findings))
    else:
        print(as_text(findings))
    return int(any(finding.level is Level.PROBLEM for finding in findings))


def _mine(environ: Mapping[str, str], home: Path) -> list[Finding]:
    found = [
        problem("remotes", one, "mend the file; lxc and incus read it too")
        for one in remotes.load(environ, home).problems
    ]
    found += files.clients(environ, home, utc_now())
    return [*found, *files.state(environ, home), *files.moves(environ, home)]


def _size() -> tuple[int, int] | None:
    """Of the terminal on which the screen would be."""
    for stream in (sys.__stdout__, sys.__stderr__, sys.__stdin__):
        if stream is not None and stream.isatty():
            return os.get_terminal_size(stream.fileno())
    return None
