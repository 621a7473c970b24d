"""How fast the screen is with ten thousand instances: first paint, full table, key to frame.

Run: ``make bench-tui``, or ``python -m benchmarks.tui [--instances N] [--keys N] [--write]``.

Role: starts ``lxtui --demo`` of that size on a terminal of its own, presses keys, and takes the
time from the key's bytes to the frame that shows what the key did (the number of the cursor's
line). Takes memory from /proc, the time that ``lxtui --version`` needs, and, as root, what real
hosts at a distance take (slow_hosts). Prints a table, and with ``--write`` puts it into
docs/benchmarks.md. Boundary: a pseudo terminal and a child process; asserts nothing about time.
Threading: none.
"""

import argparse
import os
import random
import re
import statistics
import sys
import time
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory

from benchmarks import document, slow_hosts
from benchmarks.terminal import Terminal

KEYS = {"down": b"\x1b[B", "up": b"\x1b[A", "page down": b"\x1b[6~", "page up": b"\x1b[5~"}


@dataclass
class Figures:
    """What was measured; seconds, bytes."""

    painted: float = 0.0
    filled: float = 0.0
    memory: list[int] = field(default_factory=list)
    busy: float = 0.0
    keys: dict[str, list[float]] = field(default_factory=dict)


def _place(row: int | str, total: int) -> bytes:
    """The cursor's line, as it is told below the table; on top stands how many run of how many."""
    return rf"(?<!\d){row}/{total}  container".encode()


def _walk(
    terminal: Terminal, count: int, total: int, page: int, into: dict[str, list[float]]
) -> None:
    """Press keys that move the cursor; the line's number is known before each."""
    chance, row = random.Random(6), 1  # noqa: S311 which keys are pressed is no secret
    for _ in range(count):
        name = chance.choices(list(KEYS), (6, 3, 2, 1))[0]
        step = {"down": 1, "up": -1, "page down": page, "page up": -page}[name]
        wanted = max(1, min(row + step, total))
        if wanted == row:
            continue
        began = terminal.press(KEYS[name])
        took = terminal.wait(_place(wanted, total)) - began
        into.setdefault(name, []).append(took)
        row = wanted
        terminal.idle(chance.uniform(0.02, 0.12))


def measure(arguments: argparse.Namespace, home: str) -> Figures:
    """One run of the program."""
    size = ["--hosts", str(arguments.hosts), "--instances", str(arguments.instances)]
    terminal = Terminal(
        ["--demo", *size, "--events", str(arguments.events)],
        arguments.columns,
        arguments.rows,
        home,
    )
    figures, total = Figures(), arguments.instances
    terminal.start()
    try:
        figures.painted = terminal.wait(rb"instances") - terminal.began
        filled = rb"hosts %d/%d.*running \d+/%d" % (arguments.hosts, arguments.hosts, total)
        figures.filled = terminal.wait(filled) - terminal.began
        terminal.press(b"\x1b[H")
        terminal.idle(8)  # the second look at every host makes the first rates
        figures.memory.append(terminal.memory())
        busy, since = terminal.processor(), time.monotonic()
        page = _page(terminal, total)
        _walk(terminal, arguments.keys, total, page, figures.keys)
        figures.busy = (terminal.processor() - busy) / (time.monotonic() - since)
        for name, key in (("sort by the next column", b"o"), ("turn the order over", b"O")):
            for _ in range(10):
                began = terminal.press(key)
                terminal.wait("[↑↓]".encode())
                figures.keys.setdefault(name, []).append(time.monotonic() - began)
                terminal.idle(0.3)
        terminal.press(b"/")
        terminal.idle(0.5)
        for _ in range(10):
            began = terminal.press(b"w")
            terminal.wait(rb"of %d match" % total)
            figures.keys.setdefault("a letter of a filter", []).append(time.monotonic() - began)
            terminal.idle(0.3)
            terminal.press(b"\x7f")
            terminal.idle(0.3)
        figures.memory.append(terminal.memory())
    finally:
        terminal.stop()
    return figures


def measure_small(arguments: argparse.Namespace, home: str) -> list[float]:
    """The same moves with next to nothing in the table: what the machine and Textual take."""
    size = ["--hosts", "2", "--instances", "100", "--events", "0"]
    terminal = Terminal(["--demo", *size], arguments.columns, arguments.rows, home)
    keys: dict[str, list[float]] = {}
    terminal.start()
    try:
        terminal.wait(rb"hosts 2/2.*running \d+/100")
        terminal.press(b"\x1b[H")
        terminal.idle(3)
        _walk(terminal, arguments.keys, 100, _page(terminal, 100), keys)
    finally:
        terminal.stop()
    return [one for took in keys.values() for one in took]


def _page(terminal: Terminal, total: int) -> int:
    """How far page down goes: two of them, as the first shows where one was."""
    terminal.press(b"\x1b[H")
    terminal.idle(0.5)
    terminal.press(KEYS["page down"])
    terminal.wait(_place(r"\d+", total))
    terminal.idle(0.3)
    found = re.findall(_place(r"(\d+)", total), terminal.text)
    terminal.press(b"\x1b[H")
    terminal.wait(_place(1, total))
    return int(found[-1]) - 1


def version_seconds(count: int = 15) -> list[float]:
    """How long ``lxtui --version`` takes, from start to end."""
    took = []
    for _ in range(count):
        began = time.monotonic()
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-m", "lxtui.start", "--version"],
            os.environ,
            file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)],
        )
        os.waitpid(pid, 0)
        took.append(time.monotonic() - began)
    return took


def _row(name: str, took: list[float]) -> str:
    ordered = sorted(took)
    high = ordered[min(int(len(ordered) * 0.99), len(ordered) - 1)]
    return (
        f"| {name} | {len(took)} | {statistics.median(ordered) * 1000:.0f} | {high * 1000:.0f} "
        f"| {ordered[-1] * 1000:.0f} |"
    )


def table(
    figures: Figures,
    small: list[float],
    version: list[float],
    arguments: argparse.Namespace,
    load: str,
    firsts: slow_hosts.Firsts | None,
) -> str:
    """The figures as they stand in the document."""
    moves = [one for name in KEYS for one in figures.keys.get(name, [])]
    where = (
        f"{arguments.instances} instances on {arguments.hosts} simulated hosts, {arguments.events} "
        f"events a second, in the same process; a terminal of {arguments.columns}x"
        f"{arguments.rows}; {os.cpu_count()} CPUs, Python {sys.version.split()[0]}. "
        f"Load when it began and ended: {load}."
    )
    took = " MiB, at the end ".join(f"{one / 2**20:.0f}" for one in figures.memory)
    memory = (
        f"Memory {took} MiB, the simulated daemons included; {figures.busy * 100:.0f}% of a CPU "
        "while keys were pressed."
    )
    lines = [
        where,
        "",
        "| | seconds |",
        "|---|---|",
        f"| `lxtui --version`, median of {len(version)} | {statistics.median(version):.3f} |",
        f"| start to first paint | {figures.painted:.2f} |",
        f"| start to all instances of all hosts in the table | {figures.filled:.2f} |",
        *([slow_hosts.line(firsts)] if firsts is not None else []),
        "",
        "| key to frame | keys | p50, ms | p99, ms | longest, ms |",
        "|---|---|---|---|---|",
        _row("**all moves of the cursor**", moves),
        _row("the same with 100 instances and no events", small),
        *(_row(name, took) for name, took in figures.keys.items()),
        "",
        memory,
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Measure, print, and write if asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    for name, usual in (
        *(("hosts", 50), ("instances", 10_000), ("events", 100)),
        *(("keys", 400), ("columns", 120), ("rows", 40)),
    ):
        parser.add_argument(f"--{name}", type=int, default=usual, help=f"{usual} unless given")
    parser.add_argument("--turns", type=int, default=5, help="of real hosts; 0 leaves them out (5)")
    parser.add_argument("--write", action="store_true", help="put the table into the document")
    arguments = parser.parse_args()
    if os.geteuid() == 0:
        os.nice(-20)  # others on the machine disturb it less
    before = os.getloadavg()[0]
    with TemporaryDirectory() as home:
        small = measure_small(arguments, home)
        figures = measure(arguments, home)
    version = version_seconds()
    real = arguments.turns and os.geteuid() == 0
    firsts = slow_hosts.measure(arguments.turns) if real else None
    load = f"{before:.1f}, {os.getloadavg()[0]:.1f}"
    text = table(figures, small, version, arguments, load, firsts)
    print(text, end="")
    if arguments.write:
        document.write("tui", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
