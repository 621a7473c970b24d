"""The command ``lxtui``: what can be answered without the program is.

Role: ``--version`` at once, what shells ask by completing.py, anything else by cli.py. Boundary:
imports nothing that costs time.
Threading: the main thread.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from lxtui import __version__


def main(arguments: Sequence[str] | None = None) -> int:
    """Run lxtui; returns the exit status."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    if words == ["--version"]:
        print(f"lxtui {__version__}")
        return 0
    if words[:1] == ["complete"]:
        from lxtui.completing import main as complete  # noqa: PLC0415 as below

        return complete(words[1:])
    from lxtui.cli import main as run  # noqa: PLC0415 it takes most of a second on a busy machine

    return run(words)


if __name__ == "__main__":
    sys.exit(main())
