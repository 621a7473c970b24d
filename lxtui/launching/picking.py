"""What can be chosen for a field of the form.

Role: what hosts have → answers and lines; an answer put into the field. Boundary: pure. Threading:
values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lxtui import format as text
from lxtui.errors import LxtuiError
from lxtui.launching.options import Choice, Options
from lxtui.launching.wishes import names
from lxtui.model import Host

Pick = tuple[str, str]
"""What is written, and what is shown for it."""


def picks(
    field: str,
    options: Options | None,
    images: Mapping[str, tuple[Choice, ...] | LxtuiError],
    hosts: Iterable[Host],
) -> list[Pick]:
    """What there is for *field*; nothing where nothing is known."""
    fixed = {"type": ("container", "vm"), "start": ("yes", "no")}
    if field == "host":
        return [(one.name, f"{one.name}  {one.kind} {one.version}") for one in hosts]
    if field in fixed:
        return [(one, one) for one in fixed[field]]
    if options is None:
        return []
    if field == "image":
        return _images(options.host, images)
    lists = {
        "project": options.projects,
        "profiles": tuple(options.profiles),
        "pool": options.pools,
        "network": tuple(options.networks),
        "member": options.members,
    }
    return [(one, one) for one in lists.get(field, ())]


def of_server(name: str, images: tuple[Choice, ...], written: str) -> list[Pick]:
    """The images of one server, or those that what is *written* is in."""
    before, colon, begun = written.partition(":")
    wanted = begun.lower() if colon and before == name else ""
    return [one for one in _images("", {name: images}) if wanted in one[1].lower()]


def replaced(field: str, written: str, answer: str) -> str:
    """The field after *answer* was chosen: of several, it is added, or taken out again."""
    if field != "profiles":
        return answer
    now = names(written)
    return (
        ", ".join(one for one in now if one != answer)
        if answer in now
        else ", ".join((*now, answer))
    )


def _images(here: str, images: Mapping[str, tuple[Choice, ...] | LxtuiError]) -> list[Pick]:
    """The host's own first, then those of the others that it has not."""
    found: list[Pick] = []
    own = images.get(here, ())
    known = {one.fingerprint for one in own} if not isinstance(own, LxtuiError) else set()
    for host in sorted(images, key=lambda one: (one != here, one)):
        listed = images[host]
        if isinstance(listed, LxtuiError):
            continue
        for one in listed:
            if host != here and one.fingerprint in known:
                continue
            name = one.name if host == here else f"{host}:{one.name}"
            size = text.size(one.size) if one.size is not None else ""
            told = "" if one.aliases else one.description
            about = (name, told, one.architecture, "vm" if one.vm else "", size)
            found.append((name, "  ".join(filter(None, about))))
    return found
