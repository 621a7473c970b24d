"""The arguments of ``lxtui move`` and ``lxtui evacuate``.

Role: one description of how a move may be wished, for both verbs → MoveOptions. Boundary: argparse
on one side, values on the other; asks no host. Threading: functions.
"""

from __future__ import annotations

import argparse

from lxtui.errors import UsageError
from lxtui.migrate.options import KEEP_DAYS, Mode, MoveOptions, Transport, Verify

_MOST_DAYS = 36500


def add_move(sub: argparse.ArgumentParser, many: str = "") -> None:
    """Everything that one move can be asked for; *many*: how several targets are written."""
    told = "where to; another name if given" + (f"; with --filter {many}" if many else "")
    copying = bool(many)
    place = "HOST[:NAME]|NAME" if copying else "HOST[:NAME]"
    sub.add_argument("answer", metavar=place, help=told)
    _add_shared(sub, copying=copying)
    if copying:
        sub.set_defaults(copy=True)
    else:
        sub.add_argument("--copy", action="store_true", help="leave the source as it is")
    sub.add_argument(
        "--refresh",
        action="store_true",
        help="bring a copy that lxtui made of it earlier up to date (implies --copy)",
    )
    sub.add_argument("--target-project", default="", help="the project there")
    sub.add_argument("--member", default="", help="the member of the cluster there")


def add_evacuate(sub: argparse.ArgumentParser) -> None:
    """The same for all instances of a host, with which of them and how many at a time."""
    sub.add_argument("host", metavar="HOST", help="which to empty")
    sub.add_argument("targets", metavar="TARGET", nargs="+", help="where to")
    sub.add_argument("--project", default="", help="only this project's (default: all)")
    sub.add_argument(
        "--parallel", metavar="N", type=_count, default=1, help="moves at a time (default: 1)"
    )
    sub.add_argument("--keep-going", action="store_true", help="move whatever can be moved")
    sub.add_argument("--force", action="store_true", help="kill what does not stop")
    _add_shared(sub)
    sub.set_defaults(copy=False, refresh=False, target_project="", member="", instance="")


def move_options(options: argparse.Namespace, name: str = "") -> MoveOptions:
    """What was asked for; UsageError when it contradicts itself. *name*: another one there."""
    if options.profile and options.no_profiles:
        raise UsageError("--profile and --no-profiles contradict each other")
    if bad := [one for one in options.config if "=" not in one or one.startswith("=")]:
        raise UsageError(f"--config {bad[0]}: write it as KEY=VALUE")
    copy = options.copy or options.refresh
    keep = options.keep_source or options.keep_days is not None
    if copy and keep:
        raise UsageError("--copy leaves the source as it is: --keep-source means nothing with it")
    return MoveOptions(
        mode=Mode(options.mode),
        transport=Transport(options.transport),
        limit=options.limit,
        verify=Verify(options.verify),
        force=options.force,
        copy=copy,
        refresh=options.refresh,
        keep_source=keep,
        keep_days=KEEP_DAYS if options.keep_days is None else options.keep_days,
        instance_only=options.instance_only,
        copy_profiles=options.copy_profiles,
        name=name,
        project=options.target_project,
        pool=options.pool,
        member=options.member,
        check=options.check,
        config=tuple(options.config),
        profiles=() if options.no_profiles else tuple(options.profile) or None,
    )


def _add_shared(sub: argparse.ArgumentParser, *, copying: bool = False) -> None:
    sub.add_argument("--dry-run", action="store_true", help="show the plan, change nothing")
    sub.add_argument(
        "--mode",
        choices=[mode.value for mode in Mode],
        default=Mode.COLD.value,
        help="cold: away for the whole copy (default); near-live: away for the last changes; "
        "live: with its running state where that can be had, near-live and the reason otherwise",
    )
    sub.add_argument(
        "--transport",
        choices=[way.value for way in Transport],
        default=Transport.AUTO.value,
        help="which way the data go (default: what can connect)",
    )
    sub.add_argument(
        "--limit",
        metavar="MIB",
        type=_count,
        default=0,
        help="MiB a second that pass at most; with --transport relay",
    )
    sub.add_argument(
        "--verify",
        choices=[what.value for what in Verify],
        default=Verify.CONFIG.value,
        help="what must agree before the source goes; config: that, and the files nearest to the "
        "root (default); files: every file's owner, mode and size; checksum: its content as well; "
        "export: that and extended attributes, of the snapshots too, by a backup on either side",
    )
    sub.add_argument(
        "--check", metavar="COMMAND", default="", help="must succeed inside the target"
    )
    if copying:
        sub.set_defaults(keep_source=False, keep_days=None)
    else:
        _add_keeping(sub)
    sub.add_argument(
        "--copy-profiles", action="store_true", help="make the profiles that are missing there"
    )
    sub.add_argument("--instance-only", action="store_true", help="leave the snapshots behind")
    sub.add_argument("--pool", default="", help="the storage pool of its root disk there")
    sub.add_argument(
        "--config",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="configuration that it gets there; KEY= leaves a key out; may be repeated",
    )
    sub.add_argument(
        "--profile",
        metavar="NAME",
        action="append",
        default=[],
        help="its profiles there, in order (default: those that it has); may be repeated",
    )
    sub.add_argument("--no-profiles", action="store_true", help="no profiles there")


def _add_keeping(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--keep-source", action="store_true", help="keep the source, stopped, as NAME-moved"
    )
    sub.add_argument(
        "--keep-days",
        metavar="DAYS",
        type=_days,
        help="the same, for so long (default: 7; 0: for ever); then 'lxtui moves --clean' deletes "
        "it, nothing else does",
    )


def add_moves(sub: argparse.ArgumentParser) -> None:
    """What may be done about moves that are over but for what they left."""
    sub.add_argument("--kept", action="store_true", help="only the sources that were kept")
    sub.add_argument(
        "--clean", action="store_true", help="delete the kept sources whose time is over"
    )
    sub.add_argument("--dry-run", action="store_true", help="with --clean: say which, delete none")
    sub.add_argument(
        "--yes",
        action="store_true",
        help="with --clean: do not ask; without a terminal it is needed",
    )


def _days(written: str) -> int:
    if not (written.isdecimal() and int(written) <= _MOST_DAYS):
        told = f"whole days from 0 (for ever) to {_MOST_DAYS}, not {written!r}"
        raise argparse.ArgumentTypeError(told)
    return int(written)


def _count(written: str) -> int:
    if not (written.isdecimal() and int(written) > 0):
        raise argparse.ArgumentTypeError(f"a whole number from 1, not {written!r}")
    return int(written)
