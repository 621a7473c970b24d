"""`make screenshots`: the README's pictures, of the real program on real hosts.

Role: brings up a lab of its own, presses keys in lxtui, runs free and top under lxfs, writes
screenshots/NAME.svg and .png. Boundary: draws what is there, edits nothing. Threading: the TUI's
event loop in the main thread.
"""

from __future__ import annotations

import asyncio
import html
import io
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cairosvg
from rich.console import Console
from rich.text import Text
from textual.pilot import Pilot
from textual.widgets import Static

from lxtui import remotes
from lxtui.app import LxtuiApp
from lxtui.backend.lxd import LxdBackend
from lxtui.config import Settings
from lxtui.fleet import Fleet
from lxtui.model import Ref
from lxtui.screens.main import MainScreen
from lxtui.widgets.fleet_table import FleetTable

from .lab import Lab, down, up

NAME = "shots"
SIZE = (120, 34)
FOLDER = Path(__file__).parents[2] / "screenshots"
FONT = "DejaVu Sans Mono"
_TEXT = re.compile(
    r'(<text [^>]*?)x="([\d.]+)"([^>]*?) textLength="([\d.]+)"([^>]*>)([^<]*)(</text>)'
)


def main() -> int:
    """Draw all pictures; returns the exit status."""
    FOLDER.mkdir(exist_ok=True)
    lab = up(NAME, say=lambda line: print(f"screenshots: {line}", file=sys.stderr))
    try:
        asyncio.run(_lxtui(lab))
        _lxfs(lab)
    finally:
        down(NAME)
    for picture in sorted(FOLDER.glob("*.svg")):
        print(picture.relative_to(FOLDER.parent))
    return 0


async def _lxtui(lab: Lab) -> None:
    known = remotes.load(lab.environment, Path("/nonexistent")).remotes
    # A file worth watching while it is copied.
    source = lab.host("lxd1")
    source.exec("web1", ["dd", "if=/dev/urandom", "of=/root/data", "bs=1M", "count=400"])
    planned = sum(len(host.plan.instances) for host in lab.hosts)
    fleet = Fleet([LxdBackend(remote) for remote in known], poll_seconds=1)
    app = LxtuiApp(fleet, Settings())
    async with app.run_test(size=SIZE) as pilot:
        await _until(pilot, lambda: len(fleet.snapshot.instances) == planned)
        await pilot.pause(3)  # two samples make a CPU rate
        main_screen = app.screen_stack[1]
        assert isinstance(main_screen, MainScreen)
        main_screen.query_one(FleetTable).select(Ref("lxd1", "default", "web1"))
        await pilot.pause()
        _write("main", app.export_screenshot(title="lxtui"))
        await pilot.press("question_mark")
        await pilot.pause(0.5)
        _write("help", app.export_screenshot(title="lxtui"))
        await pilot.press("escape", "m", "down")
        plan = app.screen.query_one("#plan", Static)
        await _until(pilot, lambda: "incus1 pulls" in str(plan.render()))
        _write("move-plan", app.export_screenshot(title="lxtui"))
        await pilot.press("enter")
        await _until(
            pilot,
            lambda: any("MiB/s" in job.progress.text for job in fleet.snapshot.jobs),
            seconds=60,
        )
        await pilot.pause()
        _write("move-copying", app.export_screenshot(title="lxtui"))
        await _until(pilot, lambda: fleet.snapshot.jobs[0].ended_at is not None, seconds=60)
        await pilot.press("escape")
        await pilot.pause(2)
        _write("moved", app.export_screenshot(title="lxtui"))
    fleet.close()


def _lxfs(lab: Lab) -> None:
    """A terminal with real output: a container's, and that of lxfs run."""
    lxfs = str(Path(sys.executable).with_name("lxfs"))
    console = Console(record=True, width=SIZE[0], file=io.StringIO(), force_terminal=True)
    limited = [lxfs, "run", "--memory", "256M", "--cpus", "1", "--"]
    shown = (
        ("free -m", ["free", "-m"], 0),
        ("lxfs run --memory 256M --cpus 1 -- free -m", [*limited, "free", "-m"], 0),
        (
            "lxfs run --memory 256M --cpus 1 -- getconf _NPROCESSORS_ONLN",
            [*limited, "getconf", "_NPROCESSORS_ONLN"],
            0,
        ),
        ("lxfs run --memory 256M --cpus 1 -- top -bn1", [*limited, "top", "-bn1"], 8),
    )
    for line, argv, most in shown:
        done = subprocess.run(argv, check=True, capture_output=True, text=True)
        _show(console, line, done.stdout, most)
    inside = lab.host("lxd2").exec("web2", ["free", "-m"])
    _show(console, "lxc exec lxd2:web2 -- free -m", inside.stdout, 0)
    _write("lxfs", console.export_svg(title="lxfs"))


def _show(console: Console, command: str, output: str, most: int) -> None:
    lines = output.splitlines()
    console.print(Text.assemble(("# ", "dim"), (command, "bold green")))
    console.print(Text("\n".join(lines[:most] if most else lines)))
    console.print()


def _write(name: str, svg: str) -> None:
    (FOLDER / f"{name}.svg").write_text(svg, encoding="utf-8")
    picture = _TEXT.sub(_spread, svg).replace("Fira Code", FONT)
    cairosvg.svg2png(bytestring=picture.encode(), write_to=str(FOLDER / f"{name}.png"))


def _spread(match: re.Match[str]) -> str:
    """Give every character its own place: cairosvg ignores textLength, and columns would drift."""
    before, x, middle, length, after, content, end = match.groups()
    count = len(html.unescape(content)) or 1
    places = " ".join(f"{float(x) + at * float(length) / count:.2f}" for at in range(count))
    return f'{before}x="{places}"{middle}{after}{content}{end}'


async def _until(pilot: Pilot[None], condition: Callable[[], bool], seconds: float = 15) -> None:
    for _ in range(int(seconds / 0.02)):
        if condition():
            return
        await pilot.pause(0.02)
    raise TimeoutError("the screen did not come to what was to be drawn")


if __name__ == "__main__":
    sys.exit(main())
