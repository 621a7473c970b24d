"""``lxtui config path|check|show``: the settings without a screen.

Role: its arguments, and where the settings are, whether they are right, what is in effect; the JSON
keys are an interface. Boundary: reads the one file and which hosts there are; opens no connection.
Threading: the main thread.
"""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lxtui import config, headless, read_only, remotes
from lxtui.actions import ACTIONS
from lxtui.config import SETTINGS, Settings
from lxtui.config_reading import read_file
from lxtui.errors import UsageError
from lxtui.findings import Finding, Level, as_json, as_text, ok, warning
from lxtui.themes import DEFAULT

_DEEDS = (
    ("path", "Print where the settings are looked for"),
    (
        "check",
        "Say everything that is wrong in them, with line and remedy; status 1 if anything is",
    ),
    ("show", "Print what is in effect, as a file with every setting and key and its default"),
)


def add_config(sub: argparse.ArgumentParser) -> None:
    """What is asked of the settings."""
    deeds = sub.add_subparsers(dest="deed", metavar="DEED", title="what to do", required=True)
    for name, told in _DEEDS:
        deed = deeds.add_parser(name, help=told, description=told)
        deed.add_argument("--json", action="store_true", help="print JSON; its keys do not change")


def run_config(deed: str, environ: Mapping[str, str], home: Path, *, as_machine: bool) -> int:
    """Answer on standard output; the exit status."""
    file = config.path(environ, home)
    if deed == "path":
        if as_machine:
            headless.print_json({"path": str(file), "exists": file.exists()})
        else:
            print(file)
        return 0
    reading = read_file(file)
    if deed == "check":
        findings = examine(file, remotes.load(environ, home))
        if as_machine:
            headless.print_json(as_json(findings))
        else:
            if any(one.line for one in findings):
                print(f"{file}:")
            print(as_text(findings))
        return int(any(one.level is not Level.OK for one in findings))
    if any(one.level is Level.PROBLEM for one in reading.findings):
        raise UsageError(f"{file} is not understood: 'lxtui config check' says why")
    if as_machine:
        headless.print_json(_json(file, reading.settings))
    else:
        print(shown(file, reading.settings), end="")
    return 0


def examine(file: Path, known: remotes.Remotes) -> list[Finding]:
    """All that is to be said about the file, at least that it is right."""
    reading = read_file(file)
    findings = list(reading.findings)
    marked = read_only.marked(known, reading.settings.read_only)
    findings += [
        warning("config", problem.removeprefix("config.yml: "), "mend the name, or take it out")
        for problem in marked.problems[len(known.problems) :]
    ]
    if findings:
        return findings
    if file.exists():
        return [ok("config", f"{file} is right")]
    return [ok("config", f"{file} is not there: everything is as usual")]


def shown(file: Path, settings: Settings) -> str:
    """What is in effect, as a file that says the same."""
    values = _values(settings)
    lines = [f"# What is in effect; saved as {file} it stays so."]
    for setting in SETTINGS[:-1]:
        lines += ["", f"# {setting.help}.", f"# Default: {setting.default}"]
        if setting.name == "theme":
            lines.insert(-1, f"# It is {setting.shape}.")
        lines.append(f"{setting.name}: {json.dumps(values[setting.name], ensure_ascii=False)}")
    keys = SETTINGS[-1]
    lines += ["", f"# {keys.help}.", "keys:"]
    width = max(len(action.id) for action in ACTIONS) + 16
    for action in ACTIONS:
        key = settings.keys.get(action.id, action.key)
        usual = f" (default: {action.key or 'none'})" if key != action.key else ""
        lines.append(f"  {f'{action.id}: {json.dumps(key)}':<{width}} # {action.help}{usual}")
    return "\n".join(lines) + "\n"


def _values(settings: Settings) -> dict[str, Any]:
    return {
        "theme": settings.theme or DEFAULT,
        "poll_seconds": settings.poll_seconds,
        "read_only": sorted(settings.read_only),
        "shell": shlex.join(settings.shell),
    }


def _json(file: Path, settings: Settings) -> headless.Json:
    values = _values(settings)
    return {
        "path": str(file),
        "exists": file.exists(),
        "settings": [
            {
                "name": one.name,
                "value": values[one.name],
                "default": one.default,
                "help": one.help,
            }
            for one in SETTINGS[:-1]
        ],
        "keys": [
            {
                "action": one.id,
                "key": settings.keys.get(one.id, one.key),
                "default": one.key,
                "help": one.help,
            }
            for one in ACTIONS
        ],
    }
