"""The images of an image server, as choices.

Role: lists of products → what can be launched on a host. Boundary: pure; what a server answers may
have any shape. Threading: values.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from lxtui.launching.options import Choice

_ARCHITECTURES = {
    "amd64": "x86_64",
    "arm64": "aarch64",
    "armhf": "armv7l",
    "i386": "i686",
    "ppc64el": "ppc64le",
}
"""What the daemons call them, where that is something else."""
_HEADS = {"lxd.tar.xz", "incus.tar.xz"}
_ROOTS = {"squashfs", "root.tar.xz"}
_WHOLE = {"lxd_combined.tar.gz", "incus_combined.tar.gz"}
_DISKS = {"disk-kvm.img", "disk1.img", "uefi1.img"}


def choices(
    server: str, documents: Iterable[Any], architectures: Collection[str] = ()
) -> tuple[Choice, ...]:
    """Those for *architectures*, or all where that is empty; by name."""
    found: dict[str, Choice] = {}
    for product in _products(documents):
        one = _choice(server, product)
        if one is not None and (not architectures or one.architecture in architectures):
            found.setdefault(one.name, one)
    return tuple(found[name] for name in sorted(found))


def _products(documents: Iterable[Any]) -> Iterator[Mapping[str, Any]]:
    for document in documents:
        listed = document.get("products") if isinstance(document, Mapping) else None
        for one in listed.values() if isinstance(listed, Mapping) else ():
            if isinstance(one, Mapping):
                yield one


def _choice(server: str, product: Mapping[str, Any]) -> Choice | None:
    written = product.get("aliases")
    aliases = [one.strip() for one in written.split(",")] if isinstance(written, str) else []
    aliases = sorted(filter(None, aliases), key=len)
    sizes = _sizes(product.get("versions"))
    container = sizes.keys() & _WHOLE or (sizes.keys() & _HEADS and sizes.keys() & _ROOTS)
    if not aliases or not (container or sizes.keys() & _DISKS):
        return None
    about = (product.get(one) for one in ("os", "release_title", "variant"))
    arch = str(product.get("arch") or "")
    content = (_WHOLE | _ROOTS if container else _DISKS) & sizes.keys()
    return Choice(
        server,
        "",
        "",
        tuple(aliases),
        " ".join(one for one in about if isinstance(one, str)),
        _ARCHITECTURES.get(arch, arch),
        not container,
        True,
        min((size for one in content if (size := sizes[one]) is not None), default=None),
    )


def _sizes(versions: Any) -> dict[str, int | None]:
    """What the latest version has, by its kind, with its bytes."""
    known = versions if isinstance(versions, Mapping) else {}
    latest = known[max(known, key=str)] if known else None
    items = latest.get("items") if isinstance(latest, Mapping) else None
    found: dict[str, int | None] = {}
    for one in items.values() if isinstance(items, Mapping) else ():
        if isinstance(one, Mapping) and isinstance(one.get("ftype"), str):
            size = one.get("size")
            found[one["ftype"]] = size if isinstance(size, int) else None
    return found
