"""Reading what can be chosen, and which image is meant.

Role: a host's answers → Options; ``HOST:ALIAS`` → an image. Boundary: gets a reader; changes
nothing. Threading: waits for hosts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from lxtui.api import Document, Path
from lxtui.errors import LxtuiError, NotFoundError, UsageError
from lxtui.format import plain
from lxtui.launching.options import (
    Choice,
    Options,
    choices,
    find,
    names_of,
    networks_of,
    profiles_of,
)
from lxtui.launching.servers import Server
from lxtui.launching.spec import HostImage, Image, LocalImage, ServerImage
from lxtui.model import Host, Kind

Read = Callable[[str, Path, Mapping[str, str]], Document]
"""Host, path, parameters."""
Look = Callable[[str], tuple[Host, tuple[Choice, ...]]]
"""Another host, and its images."""


def read_options(host: str, project: str, kind: Kind, read: Read) -> Options:
    """What *host* has; LxtuiError when it does not answer.

    What may not be read is as if there were none, but the images.
    """

    def tolerated(*path: str, whole: bool = True) -> Any:
        parameters = {"project": project, "recursion": "1" if whole else "0"}
        try:
            return read(host, path, parameters).value
        except LxtuiError:
            return None

    images = read_images(host, project, read)
    return Options(
        host,
        project,
        kind,
        images,
        profiles_of(tolerated("profiles")),
        names_of(tolerated("storage-pools", whole=False)),
        networks_of(tolerated("networks")),
        names_of(tolerated("projects", whole=False)),
        names_of(tolerated("cluster", "members"), "server_name"),
        frozenset(names_of(tolerated("instances", whole=False))),
    )


def read_images(host: str, project: str, read: Read) -> tuple[Choice, ...]:
    """The images of one host."""
    parameters = {"project": project, "recursion": "1"}
    return choices(host, project, read(host, ("images",), parameters).value)


def image_for(
    written: str,
    options: Options,
    hosts: Collection[str],
    servers: Collection[Server],
    look: Look,
) -> Image:
    """The image that *written* means for an instance on the host of *options*.

    *hosts* are those of the fleet. ``ALIAS`` is the host's own image, ``HOST:ALIAS`` another
    host's, ``SERVER:ALIAS`` one of an image server of the host's command line. LxtuiError says
    what there is.
    """
    before, colon, alias = written.partition(":")
    if not written or (colon and not alias):
        raise UsageError("an image is required: ALIAS, HOST:ALIAS or images:ALIAS")
    if not colon:
        return local(_found(options.images, written, options.host))
    named = {one.partition("@")[0]: one for one in hosts} | {one: one for one in hosts}
    if (name := named.get(before)) is not None:
        if name == options.host:
            return local(_found(options.images, alias, name))
        host, images = look(name)
        return fetched(_found(images, alias, name), host)
    for server in servers:
        if server.name == before and server.kind is options.kind:
            return ServerImage(server.name, server.url, alias, server.protocol)
    known = [*hosts, *sorted({one.name for one in servers if one.kind is options.kind})]
    raise NotFoundError(
        f"{plain(before)!r} is neither a host nor an image server (known: {', '.join(known)})"
    )


def local(choice: Choice) -> LocalImage:
    """An image that the host itself has."""
    return LocalImage(choice.fingerprint, choice.aliases[0] if choice.aliases else "", choice.vm)


def fetched(choice: Choice, host: Host) -> HostImage:
    """An image that is fetched from the host that has it."""
    return HostImage(
        choice.host,
        choice.project,
        choice.fingerprint,
        choice.aliases[0] if choice.aliases else "",
        choice.vm,
        choice.public,
        host.addresses,
        host.certificate,
    )


def _found(images: Collection[Choice], wanted: str, host: str) -> Choice:
    try:
        return find(images, wanted)
    except NotFoundError as error:
        raise NotFoundError(f"{host}: {error}") from error
