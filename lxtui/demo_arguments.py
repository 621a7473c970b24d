"""The options of ``--demo``: how large the simulated fleet is, and how busy.

Role: adds them to a parser, makes the fleet of what was given. Boundary: argparse and the demo,
which is loaded only when it is asked for. Threading: functions.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from lxtui.errors import UsageError

if TYPE_CHECKING:
    from lxtui.backend.demo import DemoBackend

_SIZES = {"hosts": "hosts", "instances": "instances", "events": "events a second"}
_MOST = 1_000_000


def add_demo(parser: argparse.ArgumentParser, *, told: bool = True) -> None:
    """``--demo`` and the sizes of its fleet; before a verb or after it.

    Not *told*: understood, and left out of the help.
    """
    parser.add_argument(
        "--demo",
        action="store_true",
        default=argparse.SUPPRESS,
        help="use the simulated fleet" if told else argparse.SUPPRESS,
    )
    for name, sized in _SIZES.items():
        parser.add_argument(
            f"--{name}",
            type=_size,
            metavar="N",
            default=argparse.SUPPRESS,
            help=f"with --demo: so many {sized}" if told else argparse.SUPPRESS,
        )


def simulated(options: argparse.Namespace) -> list[DemoBackend]:
    """The backends of the simulated fleet; none without ``--demo``."""
    sizes = {name: getattr(options, name) for name in _SIZES if hasattr(options, name)}
    if not getattr(options, "demo", False):
        if sizes:
            raise UsageError(f"--{next(iter(sizes))} is for --demo: it sizes the simulated fleet")
        return []
    if not sizes:
        from lxtui.backend.demo_data import demo_fleet  # noqa: PLC0415 only for --demo

        return demo_fleet().backends()
    from lxtui.backend.demo_scale import scaled_fleet  # noqa: PLC0415 the same

    hosts = max(sizes.get("hosts", 5), 1)
    return scaled_fleet(hosts, sizes.get("instances", 200), sizes.get("events", 0)).backends()


def _size(written: str) -> int:
    if not (written.isdecimal() and int(written) <= _MOST):
        raise argparse.ArgumentTypeError(f"must be from 0 to {_MOST}, not {written!r}")
    return int(written)
