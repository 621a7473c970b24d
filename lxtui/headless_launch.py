"""``lxtui launch``: an instance of an image, without a screen.

Role: its arguments; what would be sent, or the launch with its progress. Boundary: gets backends,
writes text; the JSON keys are an interface. Threading: the main thread.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from lxtui import format as text
from lxtui import headless
from lxtui.api import Document
from lxtui.api import Path as ApiPath
from lxtui.audit.journal import Audit
from lxtui.backend.base import Backend
from lxtui.calls.launch import Launch
from lxtui.errors import LxtuiError, UsageError
from lxtui.launching.options import Choice, Options, completed, troubles
from lxtui.launching.reading import image_for, read_images, read_options
from lxtui.launching.servers import servers
from lxtui.launching.spec import LaunchSpec
from lxtui.launching.user_data import read_user_data
from lxtui.model import Host, Ref
from lxtui.names import instance_name_trouble, random_name

LAUNCH = "Make an instance of an image, and start it"


def add_launch(sub: argparse.ArgumentParser) -> None:
    """What can be wished for."""
    sub.add_argument(
        "image",
        metavar="IMAGE",
        help="ALIAS or fingerprint of an image of the host; HOST:ALIAS of another host of the "
        "fleet; images:ALIAS of an image server that lxc or incus knows",
    )
    sub.add_argument("instance", metavar="HOST:[NAME]", help="where; without NAME one is found")
    sub.add_argument("--project", default="", help="its project (default: the host's)")
    sub.add_argument(
        "-p", "--profile", metavar="NAME", action="append", help="may be repeated; '': none"
    )
    sub.add_argument("--pool", default="", metavar="NAME", help="of its root disk")
    sub.add_argument("--size", default="", metavar="SIZE", help="of its root disk: 10GiB")
    sub.add_argument("--network", default="", metavar="NAME", help="that it joins")
    sub.add_argument("--cpu", default="", metavar="CPUS", help="limits.cpu: 2, or 0-3")
    sub.add_argument("--memory", default="", metavar="SIZE", help="limits.memory: 2GiB, or 50%%")
    sub.add_argument(
        "--config", metavar="KEY=VALUE", action="append", default=[], help="may be repeated"
    )
    sub.add_argument("--cloud-init", metavar="FILE", help="user data for cloud-init; '-': stdin")
    sub.add_argument("--vm", action="store_true", help="a virtual machine")
    sub.add_argument("--no-start", action="store_true", help="create it, do not start it")
    sub.add_argument("--member", default="", metavar="NAME", help="of the cluster, to be on")
    sub.add_argument("--dry-run", action="store_true", help="show the request, change nothing")


def run_launch(
    options: argparse.Namespace,
    backends: Mapping[str, Backend],
    named: Callable[[str, str], Ref],
    audit: Audit,
) -> int:
    """Make it; returns the exit status. *named* makes a reference of HOST:NAME and a project."""
    host, colon, name = options.instance.partition(":")
    if not colon:
        raise UsageError(f"{options.instance!r}: write HOST:NAME, or HOST: for a name to be found")
    ref = named(f"{host}:{name or 'any'}", options.project)._replace(name=name)
    kind = backends[ref.host].remote.kind
    if name and (trouble := instance_name_trouble(name, kind)):
        raise UsageError(f"{name!r}: {trouble}")
    try:
        command = Launch(_spec(options, ref, backends), kind)
    except UsageError:
        raise
    except LxtuiError as error:
        if options.json:  # a program gets its object for every failure
            headless.print_json(headless.outcome_json("launch", ref, error))
        raise
    if options.dry_run:
        _show(command, as_json=options.json)
        return 0
    return headless.carry_out("launch", command, backends, as_json=options.json, audit=audit)


def _spec(options: argparse.Namespace, ref: Ref, backends: Mapping[str, Backend]) -> LaunchSpec:
    def read(host: str, path: ApiPath, parameters: Mapping[str, str]) -> Document:
        return backends[host].read(path, parameters)

    config = _config(options.config)
    user_data = read_user_data(options.cloud_init) if options.cloud_init else ""
    backend = backends[ref.host]
    found = read_options(ref.host, ref.project, backend.remote.kind, read)

    def look(host: str) -> tuple[Host, tuple[Choice, ...]]:
        there = backends[host]
        return there.connect(), read_images(host, there.remote.project, read)

    image = image_for(options.image, found, backends, servers(os.environ, Path.home()), look)
    profiles = ("default",) if options.profile is None else tuple(filter(None, options.profile))
    wished = LaunchSpec(
        ref if ref.name else ref._replace(name=random_name(found.instances)),
        image,
        options.vm,
        profiles,
        pool=options.pool,
        size=options.size,
        network=options.network,
        cpu=options.cpu,
        memory=options.memory,
        config=config,
        user_data=user_data,
        user_data_name="" if options.cloud_init in {None, "-"} else options.cloud_init,
        start=not options.no_start,
        member=options.member,
    )
    spec = completed(wished, found)
    _check(spec, found)
    return spec


def _check(spec: LaunchSpec, options: Options) -> None:
    wrong = [f"{field}: {why}" for field, why in troubles(spec, options).items()]
    if wrong:
        raise LxtuiError(f"{spec.ref} cannot be made: {'; '.join(wrong)}")


def _config(written: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in written:
        key, equals, value = one.partition("=")
        if not key or not equals:
            raise UsageError(f"--config {key!r}: write KEY=VALUE")
        found[key] = value
    return found


def _show(command: Launch, *, as_json: bool) -> None:
    kind, spec = command.kind, command.spec
    request = command.request
    if as_json:
        shown = {
            "command": "launch",
            "instance": command.ref.plain,
            "project": command.ref.project,
            "equivalent": command.equivalent(kind),
            "request": {
                "method": request.method.upper(),
                "path": "/1.0/" + "/".join(request.path),
                "parameters": dict(request.parameters),
                "body": spec.shown(kind),
            },
        }
        headless.print_json(shown)
        return
    with suppress(BrokenPipeError):
        asked = "&".join(f"{key}={value}" for key, value in request.parameters.items())
        print(f"POST /1.0/instances?{asked} on {command.ref.host}")
        for line in json.dumps(spec.shown(kind), indent=2).splitlines():
            print(text.plain(line))
        print(text.plain(f"as: {command.equivalent(kind)}"))
