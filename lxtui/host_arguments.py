"""The arguments of ``lxtui hosts`` and what it does beside listing.

Role: argparse's declarations, read by the parser, the man page and the completions. Boundary: no
behaviour. Threading: functions.
"""

from __future__ import annotations

import argparse

from lxtui.model import Kind


def add_hosts(sub: argparse.ArgumentParser, verbs: argparse.ArgumentParser) -> None:
    """The arguments of ``hosts``; without a deed it lists."""
    deeds = sub.add_subparsers(
        dest="deed", metavar="[DEED]", title="what to do, instead of listing"
    )
    add = deeds.add_parser(
        "add",
        parents=[verbs],
        help="Add a host, as 'remote add' does",
        description="Add a host to the configuration of lxc or incus: look who is there, have its "
        "fingerprint confirmed, have it trust our certificate, write the files that the command "
        "line would write.",
    )
    add.add_argument("name", metavar="NAME", help="what the host shall be called")
    add.add_argument(
        "address",
        metavar="ADDRESS",
        nargs="?",
        default="",
        help="HOST, HOST:PORT or https://HOST:PORT (default: those in the token)",
    )
    add.add_argument("--kind", choices=[one.value for one in Kind], help="what it has to be")
    add.add_argument("--project", default="", help="its project (default: what is allowed)")
    secret = add.add_mutually_exclusive_group()
    secret.add_argument(
        "--token",
        default="",
        metavar="TOKEN",
        help="the trust token that the host gave out; other users of this machine can read "
        "arguments: '-' takes it from standard input",
    )
    secret.add_argument(
        "--password-stdin",
        action="store_true",
        help="LXD's trust password from standard input",
    )
    add.add_argument(
        "--fingerprint", default="", metavar="SHA256", help="that the host's certificate must have"
    )
    add.add_argument(
        "--yes", action="store_true", help="believe whatever fingerprint it shows, unasked"
    )
    away = deeds.add_parser(
        "remove",
        parents=[verbs],
        help="Remove a host, as 'remote remove' does",
        description="Remove a host and its pinned certificate from the configuration of lxc or "
        "incus. The host itself goes on trusting our certificate.",
    )
    away.add_argument("name", metavar="NAME", help="the host")
    away.add_argument("--yes", action="store_true", help="do not ask on a terminal")
