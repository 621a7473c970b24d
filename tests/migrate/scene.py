"""One move between real daemons, and what can be broken about it.

Role: a cell of the fault matrix as values, the move that belongs to it, and lxtui as a program.
Boundary: the lab, and lxtui's journal. Threading: a scene belongs to one cell's thread.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.lab import Host, Lab

PROGRAM = """
import os, signal, sys
from lxtui import cli
from lxtui.backend import rest
from lxtui.migrate import copying, ends
from lxtui.migrate.journal import Journal
ends.PATIENCE, ends.LINGER, rest._LOST_AFTER, copying.STALLED = 6.0, 3.0, 6.0, 15.0
rest.TIMEOUT = (2.0, 30.0)
step, at_work, _ = os.environ.get("LXTUI_MOMENT", "").partition("+")
append, steps = Journal._append, []

def watched(journal, line):
    append(journal, line)
    steps.append(line["begin"]) if "begin" in line else None
    word = "target operation" if at_work else "begin"
    if step in steps and word in {*line, *line.get("notes", ())}:
        Journal._append = append
        os.kill(os.getpid(), signal.SIGSTOP)

if step:
    Journal._append = watched
sys.exit(cli.main())
"""
"""lxtui with less patience: the time it gives to a dead host is not what is tested.

It holds itself still when its journal has the moment that LXTUI_MOMENT names: a step that begins,
or, with a plus, the target's operation in it. Whoever only read the journal would come late.
"""
PROFILE = "matrix"
OTHER_POOL = "other-pool"
"""Stands for a mode: a cold move to another pool of the same server."""
END = 180.0


@dataclass(frozen=True)
class Cell:
    """One field of the table."""

    fault: str
    moment: str
    source: str
    target: str
    mode: str
    recovery: str = "resume"
    """What is tried first, where a move is left unfinished: ``resume`` or ``undo``."""

    @property
    def row(self) -> tuple[str, str]:
        """Its row of the table."""
        return self.fault, self.moment

    @property
    def column(self) -> tuple[str, str]:
        """Its column of the table."""
        return f"{self.source}→{self.target}", self.mode

    def __str__(self) -> str:
        return f"{self.fault}-{self.moment}-{self.source}-{self.target}-{self.mode}-{self.recovery}"


@dataclass
class Scene:
    """A move under way."""

    lab: Lab
    cell: Cell
    name: str
    folder: Path
    move: subprocess.Popen[str] | None = None
    sums: dict[str, str] = field(default_factory=dict)
    arguments: list[str] = field(default_factory=list)
    mac: str = ""
    said: list[str] = field(default_factory=list)
    """By lxtui, each time that it was started."""

    @property
    def source(self) -> Host:
        """Where it was."""
        return self.lab.host(self.cell.source)

    @property
    def target(self) -> Host:
        """Where it goes."""
        return self.lab.host(self.cell.target)

    @property
    def journal(self) -> Path | None:
        """The move's journal, once there is one."""
        return next((self.folder / "lxtui" / "moves").glob("*.jsonl"), None)

    @property
    def environment(self) -> Mapping[str, str]:
        """What lxtui is started with."""
        return {**os.environ, **self.lab.environment, "XDG_STATE_HOME": str(self.folder)}

    def lxtui(self, *arguments: str) -> None:
        """Run lxtui to its end."""
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *arguments],
            env=dict(self.environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=END,
            check=False,
        )
        self.said.append(f"{' '.join(arguments)}: {done.stdout.strip()}")


@dataclass(frozen=True)
class Fault:
    """What is broken, and how it is mended."""

    apply: Callable[[Scene], None]
    """At the moment, at which lxtui holds itself still."""
    after: Callable[[Scene], None] = lambda _: None
    """Right after lxtui goes on."""
    mend: Callable[[Scene], None] = lambda _: None
    """When it has ended, before it is resumed or undone."""
    prepare: Callable[[Scene], None] = lambda _: None
    clean: Callable[[Scene], None] = lambda _: None
    moments: frozenset[str] | None = None
    """At which it can be; None: at all."""
    recoveries: tuple[str, ...] = ()
    """What is tried first, each in a cell of its own; empty: the one or the other."""
    may_rest: bool = False
    """Whether the instance may be left stopped: somebody else has taken part of it away."""
