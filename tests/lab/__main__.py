"""Command line of the lab: `python -m tests.lab up|down|status|env [--name NAME]`.

Role: arguments, words, exit status (0 done, 1 failed or not there, 2 bad usage). Boundary: all work
is in lab.py. Threading: the main thread.
"""

import argparse
import os
import signal
import sys
import time
from types import FrameType
from typing import NoReturn

from . import client
from .errors import ApiError, LabError
from .lab import Lab, down, find, names, up
from .plan import CLUSTER, DRIVERS, EVERY, KINDS, LXD_CLUSTER, Driver, check_name
from .sweep import remnants

DEFAULT = "lab"


def _say(text: str) -> None:
    print(f"lab: {text}", file=sys.stderr, flush=True)


def _die(number: int, _frame: FrameType | None) -> NoReturn:
    # As an exception, so that an unfinished lab is removed on the way out.
    raise SystemExit(128 + number)


def _name(text: str) -> str:
    try:
        return check_name(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _hosts(text: str) -> tuple[str, ...]:
    wanted = tuple(text.split(","))
    if unknown := set(wanted) - set(EVERY):
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: the hosts are {', '.join(EVERY)}")
    return wanted


def _describe(lab: Lab) -> bool:
    """Print the lab; whether all its daemons serve."""
    well = True
    for host in lab.hosts:
        try:
            found = host.instances() if host.pid else None
        except (OSError, ApiError):
            found = None
        well = well and found is not None
        state = "down" if found is None else f"{host.plan.kind} at {host.plan.url}"
        print(f"{host.name:8} {state}")
        for name, status in (found or {}).items():
            print(f"         {name:10} {status}")
    for name, reason in lab.missing.items():
        print(f"{name:8} missing: {reason}")
    for note in lab.notes:
        print(f"note     {note}")
    return well


def _up(name: str, hosts: tuple[str, ...], driver: Driver | None) -> int:
    began = time.monotonic()
    lab = up(name, hosts=hosts, driver=driver, say=_say)
    for note in lab.notes:
        _say(note)
    option = "" if name == DEFAULT else f" --name {name}"
    _say(f"up after {time.monotonic() - began:.0f} s; to use it from this shell:")
    _say(f'  eval "$({sys.executable} -m tests.lab env{option})"; lxc list lxd1:')
    _say(f"to remove it: {sys.executable} -m tests.lab down{option}")
    return 0


def _down(name: str) -> int:
    _say(f"{name} is removed" if down(name) else f"there is no lab {name}")
    return 0


def _status(name: str) -> int:
    if lab := find(name):
        return 0 if _describe(lab) else 1
    left = remnants(name)
    print(f"lab {name} is not up" + ("; unfinished or half removed:" if left else ""))
    for what in left:
        print(f"         {what}")
    if others := [other for other in names() if other != name]:
        print(f"other labs: {', '.join(others)}")
    return 1


def _env(name: str) -> int:
    lab = find(name)
    if not lab:
        _say(f"{name} is not up: {sys.executable} -m tests.lab up --name {name}")
        return 1
    print(client.shell_lines(lab.plan))
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run one command; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description="Real LXD and Incus.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    helps = {
        "up": "start two LXD daemons and one Incus daemon, with containers",
        "down": "remove everything of the lab, also of an unfinished one",
        "status": "what of the lab runs",
        "env": "shell lines that point lxc, incus and lxtui at the lab",
    }
    for command, text in helps.items():
        sub = commands.add_parser(command, help=text, description=text)
        sub.add_argument("--name", type=_name, default=DEFAULT, help="which lab (%(default)s)")
        if command == "up":
            sub.add_argument("--hosts", type=_hosts, default=tuple(KINDS), help="lxd1,lxd2,incus1")
            sub.add_argument(
                "--cluster",
                dest="hosts",
                action="store_const",
                const=CLUSTER,
                help="instead a cluster of two Incus daemons, incus1 and incus2",
            )
            sub.add_argument(
                "--lxd-cluster",
                dest="hosts",
                action="store_const",
                const=(*LXD_CLUSTER, "lxd2"),
                help="instead a cluster of two LXD daemons, lxd1 and lxd3, and lxd2 beside it",
            )
            sub.add_argument(
                "--pool", choices=DRIVERS, help="driver of the pool that every host has (dir)"
            )
    args = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, _die)
    signal.signal(signal.SIGHUP, _die)
    try:
        if args.command == "up":
            return _up(args.name, args.hosts, args.pool)
        return {"down": _down, "status": _status, "env": _env}[args.command](args.name)
    except LabError as error:
        _say(str(error))
        return 1
    except KeyboardInterrupt:
        _say("interrupted")
        return 130
    except BrokenPipeError:
        # `status | head` has seen enough; Python would complain when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


if __name__ == "__main__":
    sys.exit(main())
